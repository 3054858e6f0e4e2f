"""From raw network mask to lungs: stray parts out, holes closed, right and left parted."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .border import fit_border
from .laterality import split_lungs
from .regions import DENSE_HU, bounding_box, holes_of, looked_up, over_slices, part_sizes

_MIN_PART_SHARE = 0.01  # of all lung: smaller parts are stray (bowel gas, oesophagus, air between arm and chest)
_MIN_PART_ML = 1.0
_MIN_PART_MM2 = 100.0  # in a single slice
_LUNG_SHARE = 0.2  # of all lung: a part that is larger is no stray one
_FAR_MM = 30.0  # above or below all such parts: air of the head or bowel
_HOLE_MM2 = 400.0  # a larger hole in a slice is the dome of the diaphragm or the heart
_VESSEL_MM2 = 100.0  # a hole that is nowhere larger is a vessel
_COVERED = 0.5
_LONE_MM = 6.0  # between thicker slices consolidation may lie in one of them only


def clean_mask(
    mask: np.ndarray,
    spacing_zyx: tuple[float, float, float],
    midline_mm: float | None = None,
    hu: np.ndarray | None = None,
) -> np.ndarray:
    """Labels 0, 1 = right lung, 2 = left lung (uint8) from the raw mask (bool) of the network, all (z, y, x) in LPS.

    Small parts go, and those far above or below the lungs. Holes that are closed on all sides in 3D are filled, and so
    are vessels and small holes of slices that have lung above and below, while the dome of the diaphragm stays open.
    Where the scan ``hu`` is given, borders follow it as in `fit_border`, and dense tissue that is lung in one slice but
    neither above nor below goes.
    """
    box = bounding_box(mask, margin=3)  # room for the border to move
    if box is None:
        return np.zeros(mask.shape, np.uint8)
    inside = _without_small_parts(mask[box], spacing_zyx)
    if not inside.any():
        return np.zeros(mask.shape, np.uint8)
    if hu is not None and spacing_zyx[0] <= _LONE_MM:
        inside = _without_lone_tissue(inside, hu[box])
    inside = _fill_holes(inside, spacing_zyx)
    if hu is not None:
        inside = fit_border(inside, hu[box], spacing_zyx)
    if midline_mm is not None:
        midline_mm -= box[2].start * spacing_zyx[2]
    sides = split_lungs(inside, spacing_zyx, midline_mm)
    labels = np.zeros(mask.shape, np.uint8)
    labels[box] = sides
    return labels


def _without_small_parts(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    parts, count = ndimage.label(mask)
    sizes = part_sizes(parts, count)
    sizes[0] = 0
    smallest = _MIN_PART_ML * 1000.0 / float(np.prod(spacing))
    if mask.shape[0] == 1:
        smallest = _MIN_PART_MM2 / (spacing[1] * spacing[2])
    wanted = sizes >= max(smallest, _MIN_PART_SHARE * sizes.sum())
    large = sizes >= _LUNG_SHARE * sizes.sum()
    if large.any() and (wanted & ~large).any():
        wanted &= ~_far_from(parts, large, _FAR_MM / spacing[0])
    return looked_up(wanted, parts)


def _far_from(parts: np.ndarray, large: np.ndarray, slices: float) -> np.ndarray:
    """For each part, whether it is more than so many slices above or below all ``large`` ones (bool)."""
    begin, end = np.full(len(large), len(parts)), np.zeros(len(large), np.int64)
    for z, section in enumerate(parts):
        here = np.bincount(section.ravel(), minlength=len(large)) > 0
        begin[here & (begin == len(parts))] = z
        end[here] = z + 1
    return (begin - end[large].max() > slices) | (begin[large].min() - end > slices)


def _without_lone_tissue(mask: np.ndarray, hu: np.ndarray) -> np.ndarray:
    """The mask without dense pixels that the slices above and below do not have; the first and last slice are kept."""
    result = mask.copy()
    result[1:-1] &= mask[:-2] | mask[2:] | (hu[1:-1] < DENSE_HU)
    return result


def _fill_holes(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    filled = mask | _closed_holes(mask)
    filled |= _vessels_and_covered_holes(filled, spacing)
    return filled


def _closed_holes(mask: np.ndarray) -> np.ndarray:
    """Holes (bool) closed on all sides. The first and last slice count as open: what leaves the scan is no hole."""
    # An open frame in plane joins the outside of all slices; none is put above and below.
    background = np.pad(~mask, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    parts, count = ndimage.label(background)
    open_parts = np.zeros(count + 1, bool)
    for face in (parts[0], parts[-1], parts[:, 0], parts[:, -1], parts[:, :, 0], parts[:, :, -1]):
        open_parts[face] = True
    open_parts[0] = True
    return looked_up(~open_parts, parts[:, 1:-1, 1:-1])


def _vessels_and_covered_holes(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Holes of slices to fill although they are open in 3D (bool).

    Small holes are followed from slice to slice. A strand that is thin everywhere is a vessel. A thicker one is
    filled if lung lies above and below it; the tip of the diaphragm has lung above it only.
    """

    def small_and_thick(section: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        holes = holes_of(section)
        if not holes.any():
            return None
        parts, count = ndimage.label(holes)
        area = np.bincount(parts.ravel(), minlength=count + 1) * spacing[1] * spacing[2]
        area[0] = 0.0
        return ((area > 0) & (area <= _HOLE_MM2))[parts], ((area > _VESSEL_MM2) & (area <= _HOLE_MM2))[parts]

    small = np.zeros_like(mask)
    thick: dict[int, np.ndarray] = {}
    for z, found in enumerate(over_slices(small_and_thick, mask)):
        if found is not None:
            small[z], thick_here = found
            thick[z] = np.flatnonzero(thick_here)
    strands, count = ndimage.label(small)
    del small
    fill = np.ones(count + 1, bool)
    for z, places in thick.items():
        fill[strands[z].ravel()[places]] = False
    fill |= _covered(strands[1:], strands[:-1], mask[:-1], count) & _covered(strands[:-1], strands[1:], mask[1:], count)
    fill[0] = False
    return looked_up(fill, strands)


def _covered(strands: np.ndarray, neighbours: np.ndarray, mask: np.ndarray, count: int) -> np.ndarray:
    """For each strand, whether most of its face towards the neighbouring slices, whose ``mask`` is given, is lung."""
    size, lung = np.zeros((2, count + 1), np.int64)
    for section, neighbour, lung_there in zip(strands, neighbours, mask, strict=True):
        face = (section > 0) & (section != neighbour)
        if face.any():
            size += np.bincount(section[face], minlength=count + 1)
            lung += np.bincount(section[face & lung_there], minlength=count + 1)
    return lung > _COVERED * size
