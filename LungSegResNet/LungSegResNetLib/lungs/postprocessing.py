"""From raw network mask to lungs: stray parts out, holes closed, right and left parted."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from ..boxes import bounding_box
from .border import fit_border
from .densities import DENSE_HU
from .laterality import split_lungs
from .run_length import RunLengths
from .slicewise import over_slabs, over_slices

_MIN_PART_SHARE = 0.01  # of all lung: smaller parts are stray (bowel gas, oesophagus, air between arm and chest)
_MIN_PART_ML = 1.0
_MIN_PART_MM2 = 100.0  # in a slice, where it is the only one or the part has no air
_LUNG_SHARE = 0.2  # of all lung: a part that is larger is no stray one
_FAR_MM = 30.0  # above or below all such parts: air of the head or bowel
_HOLE_MM2 = 400.0  # a larger hole in a slice is the dome of the diaphragm or the heart
_VESSEL_MM2 = 100.0  # a hole that is nowhere larger is a vessel
_COVERED = 0.5
_SOME_AIR_HU = -200.0  # of the blurred scan: lung white with disease has some air left, muscle and liver have none
_SOME_AIR_MM2 = 100.0  # in a slice
_BLUR_MM = 2.0  # against noise, which makes air of tissue
_AIRLESS_MM = 10.0
# Of the largest section: lungs taper to 0.06 of it, so where the last one with air is larger, the air stops and not
# the lung.
TAPERED_SHARE = 0.25
_FEW_SLICES = 4  # too few to tell the ends of the lungs from their middle
_LONE_MM = 6.0  # between thicker slices consolidation may lie in one of them only
# Of the mask: where more of it is dense there is disease that the network finds in parts; of the training volumes'
# masks at most 0.057 are, with disease painted into them 0.18 and more.
_DISEASED_SHARE = 0.1
_BRIDGED_MM = 6.0  # lung so near both above and below has no other tissue between it


def clean_mask(
    mask: np.ndarray,
    spacing_zyx: tuple[float, float, float],
    midline_mm: float | None = None,
    hu: np.ndarray | None = None,
) -> np.ndarray:
    """Labels 0, 1 = right lung, 2 = left lung (uint8) from the raw mask (bool) of the network, all (z, y, x) in LPS.

    Small parts go, and those far above or below the lungs. Holes that are closed on all sides in 3D are filled, and so
    are vessels and small holes of slices that have lung above and below, while the dome of the diaphragm stays open.
    Where the scan ``hu`` is given, borders follow it as in `fit_border`, dense tissue that is lung in one slice but
    neither above nor below goes (in dense lungs, tissue with lung above and below comes in instead), and so do small
    parts of a slice that have no air and tissue above or below all lung that has air (not in a few slices alone),
    unless the lung ends there without having tapered.
    """
    box = bounding_box(mask, margin=3)  # room for the border to move
    if box is None:
        return np.zeros(mask.shape, np.uint8)
    inside = _without_small_parts(mask[box], spacing_zyx)
    if hu is not None:
        inside = _without_airless_tissue(inside, hu[box], spacing_zyx, in_few_slices=len(mask) <= _FEW_SLICES)
    if not inside.any():
        return np.zeros(mask.shape, np.uint8)
    inside = _fill_holes(inside, spacing_zyx)
    if hu is not None:
        inside = fit_border(inside, hu[box], spacing_zyx)
    if midline_mm is not None:
        midline_mm -= box[2].start * spacing_zyx[2]
    sides = split_lungs(inside, spacing_zyx, midline_mm)
    labels = np.zeros(mask.shape, np.uint8)
    over_slabs(np.copyto, labels[box], sides)
    return labels


def _without_small_parts(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    runs = RunLengths.of(mask)
    numbers, sizes = runs.components()
    smallest = _MIN_PART_ML * 1000.0 / float(np.prod(spacing))
    if mask.shape[0] == 1:
        smallest = _MIN_PART_MM2 / (spacing[1] * spacing[2])
    wanted = sizes >= max(smallest, _MIN_PART_SHARE * sizes.sum())
    large = sizes >= _LUNG_SHARE * sizes.sum()
    if large.any() and (wanted & ~large).any():
        wanted &= ~_far_from(runs, numbers, large, _FAR_MM / spacing[0])
    result = mask.copy()
    np.put(result, runs.chosen(~wanted[numbers]).voxels(), False)
    return result


def _far_from(runs: RunLengths, numbers: np.ndarray, large: np.ndarray, slices: float) -> np.ndarray:
    """For each part, whether it is more than so many slices above or below all ``large`` ones (bool)."""
    begin, end = np.full(len(large), runs.shape[0]), np.zeros(len(large), np.int64)
    z, _, _ = runs.indices()
    np.minimum.at(begin, numbers, z)
    np.maximum.at(end, numbers, z + 1)
    return (begin - end[large].max() > slices) | (begin[large].min() - end > slices)


def _without_airless_tissue(
    mask: np.ndarray, hu: np.ndarray, spacing: tuple[float, float, float], in_few_slices: bool
) -> np.ndarray:
    """The mask without tissue that is no lung for want of air in it or near to it, and with missed dense lung."""
    if not in_few_slices:
        mask = _without_airless_ends(mask, hu, spacing)
    if spacing[0] <= _LONE_MM:
        is_diseased = _dense_share(mask, hu) > _DISEASED_SHARE
        mask = _bridged(mask, hu, spacing[0]) if is_diseased else _without_lone_tissue(mask, hu)
    return _without_dense_crumbs(mask, hu, spacing)


def _without_airless_ends(mask: np.ndarray, hu: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """The mask without slices more than ``_AIRLESS_MM`` above or below all that have air in it, if the lungs taper to
    there; where they do not, as in disease of all their lower parts, the slices stay."""
    pixel_mm2 = spacing[1] * spacing[2]
    blur = [_BLUR_MM / mm for mm in spacing[1:]]

    def has_air(z: int) -> bool:
        box = bounding_box(mask[z], margin=math.ceil(2 * max(blur)))
        if box is None:
            return False
        blurred = ndimage.gaussian_filter(hu[z][box].astype(np.float32), blur, truncate=2.0)
        return bool(np.count_nonzero(blurred[mask[z][box]] < _SOME_AIR_HU) * pixel_mm2 >= _SOME_AIR_MM2)

    planes = range(len(mask))
    lowest = next(filter(has_air, planes), None)
    if lowest is None:
        return np.zeros_like(mask)
    highest = next(filter(has_air, reversed(planes)))
    reach = int(_AIRLESS_MM / spacing[0])
    sections = np.array(over_slices(np.count_nonzero, mask))
    tapered = TAPERED_SHARE * sections.max()
    result = mask.copy()
    if sections[lowest] < tapered:
        result[: max(0, lowest - reach)] = False
    if sections[highest] < tapered:
        result[highest + reach + 1 :] = False
    return result


def _dense_share(mask: np.ndarray, hu: np.ndarray) -> float:
    """Share of the mask that is dense; 0 if it is empty."""
    dense = over_slabs(lambda inside, slab: int(np.count_nonzero(inside & (slab > DENSE_HU))), mask, hu)
    return sum(dense) / max(1, int(np.count_nonzero(mask)))


def _bridged(mask: np.ndarray, hu: np.ndarray, slice_mm: float) -> np.ndarray:
    """The mask with dense pixels that have lung not far above and below them, as missed parts of consolidation have."""
    reach = max(1, int(_BRIDGED_MM / slice_mm + 1e-3))
    result = mask.copy()

    def bridge(z: int) -> None:
        below, above = mask[max(0, z - reach) : z], mask[z + 1 : z + 1 + reach]
        result[z] |= below.any(axis=0) & above.any(axis=0) & (hu[z] > DENSE_HU)

    over_slices(bridge, range(1, len(mask) - 1))
    return result


def _without_lone_tissue(mask: np.ndarray, hu: np.ndarray) -> np.ndarray:
    """The mask without dense pixels that the slices above and below do not have; the first and last slice are kept."""
    result = mask.copy()

    def clear(inside: np.ndarray, below: np.ndarray, above: np.ndarray, slab: np.ndarray) -> None:
        inside &= below | above | (slab < DENSE_HU)

    over_slabs(clear, result[1:-1], mask[:-2], mask[2:], hu[1:-1])
    return result


def _without_dense_crumbs(mask: np.ndarray, hu: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """The mask without small parts of a slice that have no air in it, as they are left in a dome of the diaphragm."""
    runs = RunLengths.of(mask)
    numbers, sizes = runs.components(within_slices=True)
    is_small = sizes * spacing[1] * spacing[2] < _MIN_PART_MM2
    small, numbers = runs.chosen(is_small[numbers]), numbers[is_small[numbers]]
    has_air = np.zeros_like(sizes, bool)
    has_air[np.repeat(numbers, small.lengths)[np.take(hu, small.voxels()) < DENSE_HU]] = True
    result = mask.copy()
    np.put(result, small.chosen(~has_air[numbers]).voxels(), False)
    return result


def _fill_holes(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    filled = mask.copy()
    background = RunLengths.of(~mask)
    is_closed = _closed_holes(background)
    np.put(filled, background.chosen(is_closed).voxels(), True)
    _fill_vessels_and_covered_holes(filled, background.chosen(~is_closed), spacing)
    return filled


def _closed_holes(background: RunLengths) -> np.ndarray:
    """For each run of the background, whether it is closed in on all sides (bool).

    The first and last slice count as open: what leaves the scan is no hole.
    """
    numbers, sizes = background.components()
    z, _, _ = background.indices()
    open_parts = np.zeros_like(sizes, bool)
    open_parts[numbers[background.at_frame() | (z == 0) | (z == background.shape[0] - 1)]] = True
    return ~open_parts[numbers]


def _fill_vessels_and_covered_holes(
    mask: np.ndarray, background: RunLengths, spacing: tuple[float, float, float]
) -> None:
    """Fill holes of slices, in place, although they are open in 3D; ``background`` is that of the mask.

    Small holes are followed from slice to slice. A strand that is thin everywhere is a vessel. A thicker one is
    filled if lung lies above and below it; the tip of the diaphragm has lung above it only.
    """
    holes, area = background.holes_of_slices()
    area_mm2 = area * spacing[1] * spacing[2]
    is_small = area_mm2 <= _HOLE_MM2
    small = holes.chosen(is_small)
    numbers, sizes = small.components()
    fill = np.ones_like(sizes, bool)
    fill[numbers[area_mm2[is_small] > _VESSEL_MM2]] = False
    if len(numbers):
        voxels, strand = small.voxels(), np.repeat(numbers, small.lengths)
        is_strand = small.painted()
        below, above = (_covered(mask, is_strand, voxels, strand, len(sizes), towards) for towards in (-1, 1))
        fill |= below & above
    np.put(mask, small.chosen(fill[numbers]).voxels(), True)


def _covered(
    mask: np.ndarray, is_strand: np.ndarray, voxels: np.ndarray, strand: np.ndarray, strands: int, towards: int
) -> np.ndarray:
    """For each strand, whether most of its face towards the next slice, ``towards`` 1 above or -1 below it, is lung.

    ``is_strand`` (bool) and ``voxels``, indices in the flat mask, are those of all strands; ``strand`` tells the strand
    of each voxel.
    """
    next_to = voxels + towards * mask[0].size
    face = (next_to >= 0) & (next_to < mask.size)
    face[face] = ~is_strand.ravel()[next_to[face]]
    size = np.bincount(strand[face], minlength=strands)
    lung = np.bincount(strand[face], mask.ravel()[next_to[face]], minlength=strands)
    return lung > _COVERED * size
