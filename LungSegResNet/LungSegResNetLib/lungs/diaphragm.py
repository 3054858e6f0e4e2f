"""Take the domes of the diaphragm out of a lung mask.

A slice through a dome shows a round dense island in the lung, which in that slice alone looks like a mass. The slices
below tell: under a dome lies tissue that is no lung. Where a dome touches the chest wall it is no island; there a low
cap between such tissue below and aerated lung above is one, and so is a thin slab with no lung above or below.
"""

from __future__ import annotations

import numpy as np

from ..boxes import bounding_box
from .densities import DENSE_HU
from .run_length import RunLengths
from .slab_morphology import dilated, eroded, opened_by_disc, packed, unpacked
from .slicewise import over_slabs, over_slices

_ISLAND_MM2 = 400.0  # a smaller island may be a vessel
_GAP_MM = 2.5  # lung between a dome and the heart may be thinner than the network sees
_OVER_TISSUE = 0.5  # share of the island with no lung in the slice below
_FAR_BELOW_MM, _OVER_LUNG = 80.0, 0.5  # below a dome lies the abdomen; below a mass, for this share of it, lung again
_CAP_MM = 20.0  # what the network takes of a dome is lower; consolidation on the diaphragm is mostly higher
_CAP_THICKNESS_MM = 8.0  # thinner dense parts are rims of the lung and vessels
_CAP_OVER_TISSUE, _CAP_UNDER_LUNG = 0.7, 0.6  # shares of a cap's lower and upper face
_SLAB_MM = 10.0
_COVER_MM = 15.0  # aerated lung lies so near above; the network may have left out what is between


def without_domes(mask: np.ndarray, hu: np.ndarray, spacing_zyx: tuple[float, float, float]) -> np.ndarray:
    """Mask (bool) without dense islands and caps that stand on tissue which is no lung; arrays (z, y, x), z upwards.

    Islands are dense regions with aerated lung all around them within a slice; they are followed from below to above.
    Caps may touch the chest wall, but are low and have aerated lung above them, which consolidation seldom has both;
    thin slabs have tissue that is no lung above them, too.
    """
    result = np.zeros(mask.shape, bool)
    box = bounding_box(mask, margin=1)
    if box is None:
        return result
    lung = mask[box].copy()
    _remove_islands(lung, hu[box], spacing_zyx)
    _remove_caps(lung, hu[box], spacing_zyx)
    over_slabs(np.copyto, result[box], lung)
    return result


def _remove_islands(mask: np.ndarray, hu: np.ndarray, spacing_zyx: tuple[float, float, float]) -> None:
    """Take domes that are islands out of the mask, in place; what has aerated lung not far below it is a mass."""
    dz, dy, dx = spacing_zyx
    islands = RunLengths.of(_islands(mask, hu, (dy, dx)))
    numbers, sizes = islands.components(within_slices=True)
    far = max(1, round(_FAR_BELOW_MM / dz))
    for n in range(len(sizes)):  # from below to above: what lies under an island may have been a dome
        voxels = islands.chosen(numbers == n).voxels()
        below = voxels - mask[0].size
        if (
            len(voxels) * dy * dx > _ISLAND_MM2
            and below[0] >= 0
            and np.count_nonzero(~mask.ravel()[below]) > _OVER_TISSUE * len(voxels)
            and not _has_lung_below(mask, hu, voxels, far)
        ):
            np.put(mask, voxels, False)


def _has_lung_below(mask: np.ndarray, hu: np.ndarray, voxels: np.ndarray, far: int) -> bool:
    """Whether aerated lung lies in at most so many slices below most voxels of one slice (indices in the flat mask)."""
    z = int(voxels[0]) // mask[0].size
    columns = voxels - z * mask[0].size
    aerated = np.zeros(len(columns), bool)
    for below in range(max(0, z - far), z):
        aerated |= mask[below].ravel()[columns] & (hu[below].ravel()[columns] < DENSE_HU)
    return bool(np.count_nonzero(aerated) > _OVER_LUNG * len(columns))


def _islands(mask: np.ndarray, hu: np.ndarray, pixel_mm: tuple[float, float]) -> np.ndarray:
    """Large holes (bool) of the aerated lung in its slices; small gaps in its rim count as closed."""
    gap = max(1, round(_GAP_MM / min(pixel_mm)))
    margin = gap + 1

    outside = np.empty_like(mask)

    def find_outside(target: np.ndarray, lung: np.ndarray, slab: np.ndarray) -> None:
        aerated = packed(lung & (slab < DENSE_HU))
        closed = eroded(dilated(np.pad(aerated, margin), gap), gap)[margin:-margin, margin:-margin] | aerated
        target[:] = unpacked(~closed, len(lung))

    over_slabs(find_outside, outside, mask, hu)
    holes, area = RunLengths.of(outside).holes_of_slices()
    large = holes.chosen(area * pixel_mm[0] * pixel_mm[1] > _ISLAND_MM2)
    islands = large.painted()
    for z in np.unique(large.indices()[0]):
        islands[z] = dilated(eroded(islands[z], 1), 1)
    return islands


def _remove_caps(mask: np.ndarray, hu: np.ndarray, spacing_zyx: tuple[float, float, float]) -> None:
    """Take low caps of domes out of the mask, in place."""
    dz, dy, dx = spacing_zyx
    radius = max(1, round(_CAP_THICKNESS_MM / 2 / min(dy, dx)))

    dense_cores = np.zeros(mask.shape, bool)

    def find_cores(target: np.ndarray, lung: np.ndarray, slab: np.ndarray) -> None:
        dense = lung & (slab > DENSE_HU)
        for section in dense:
            if np.count_nonzero(section) * dy * dx <= _ISLAND_MM2:
                section[:] = False
        if dense.any():
            target[:] = unpacked(opened_by_disc(packed(dense), radius), len(dense))

    over_slabs(find_cores, dense_cores, mask, hu)
    cores = RunLengths.of(dense_cores)
    numbers, sizes = cores.components()
    cover = max(1, round(_COVER_MM / dz))

    def cap(n: int) -> tuple[slice, RunLengths] | None:
        core = cores.chosen(numbers == n)
        slices, *plane = core.box()
        if slices.start == 0 or (slices.stop - slices.start) * dz > _CAP_MM:
            return None
        part = core.painted()[slices, *plane]
        if np.count_nonzero(part, axis=(1, 2)).max() * dy * dx <= _ISLAND_MM2:
            return None
        around = (slice(slices.start - 1, slices.stop + cover), *plane)
        is_cap = _is_cap(part, mask[around], hu[around], may_be_slab=len(part) * dz <= _SLAB_MM)
        return (slices, core) if is_cap else None

    for slices, core in filter(None, over_slices(cap, range(len(sizes)))):
        # The opening has rounded the corners off; what is dense around the core belongs to it.
        for inside, section, core_here in zip(mask[slices], hu[slices], core.painted()[slices], strict=True):
            inside &= ~(dilated(core_here, radius) & (section > DENSE_HU))


def _is_cap(part: np.ndarray, mask: np.ndarray, hu: np.ndarray, may_be_slab: bool) -> bool:
    """Whether a dense part (bool) stands on tissue that is no lung and has aerated lung above, or such tissue again.

    ``mask`` and ``hu`` begin a slice below the part and end some slices above it.
    """
    beside = np.zeros_like(part[:1])
    lower = part & ~np.concatenate([beside, part[:-1]])
    upper = part & ~np.concatenate([part[1:], beside])
    if np.count_nonzero(lower & ~mask[: len(part)]) <= _CAP_OVER_TISSUE * np.count_nonzero(lower):
        return False
    aerated = mask & (hu < DENSE_HU)
    under_lung = sum(np.count_nonzero(face & aerated[z:].any(axis=0)) for z, face in enumerate(upper, start=2))
    if under_lung > _CAP_UNDER_LUNG * np.count_nonzero(upper):
        return True
    under_tissue = sum(np.count_nonzero(face & ~mask[z]) for z, face in enumerate(upper, start=2) if z < len(mask))
    return may_be_slab and bool(under_tissue > _CAP_OVER_TISSUE * np.count_nonzero(upper))
