"""Take the domes of the diaphragm out of a lung mask.

A slice through a dome shows a round dense island in the lung, which in that slice alone looks like a mass. The slices
below tell: under a dome lies tissue that is no lung. Where a dome touches the chest wall it is no island; there a low
cap between such tissue below and aerated lung above is one, and so is a thin slab with no lung above or below.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .regions import DENSE_HU, bounding_box, grown, holes_of, over_slices, shrunk

_ISLAND_MM2 = 400.0  # a smaller island may be a vessel
_GAP_MM = 2.5  # lung between a dome and the heart may be thinner than the network sees
_OVER_TISSUE = 0.5  # share of the island with no lung in the slice below
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
    result = mask.copy()
    box = bounding_box(mask, margin=1)
    if box is None:
        return result
    _remove_islands(result[box], hu[box], spacing_zyx[1:])
    _remove_caps(result[box], hu[box], spacing_zyx)
    return result


def _remove_islands(mask: np.ndarray, hu: np.ndarray, pixel_mm: tuple[float, float]) -> None:
    """Take domes that are islands out of the mask, in place."""
    gap = max(1, round(_GAP_MM / min(pixel_mm)))

    def numbered(lung: np.ndarray, section: np.ndarray) -> tuple[np.ndarray, int] | None:
        aerated = lung & (section < DENSE_HU)
        islands = _islands(aerated, gap) if aerated.any() else aerated
        return ndimage.label(islands) if islands.any() else None

    for z, found in enumerate(over_slices(numbered, mask[1:], hu[1:]), start=1):
        if found is None:
            continue
        islands, count = found
        area = np.bincount(islands.ravel(), minlength=count + 1)
        on_tissue = np.bincount(islands[~mask[z - 1]], minlength=count + 1)
        dome = (area * pixel_mm[0] * pixel_mm[1] > _ISLAND_MM2) & (on_tissue > _OVER_TISSUE * area)
        dome[0] = False
        mask[z] &= ~dome[islands]


def _islands(aerated: np.ndarray, gap: int) -> np.ndarray:
    """Holes of the aerated lung of a slice; gaps of so many pixels in its rim count as closed."""
    margin = gap + 1
    closed = shrunk(grown(np.pad(aerated, margin), gap), gap)[margin:-margin, margin:-margin] | aerated
    return grown(shrunk(holes_of(closed), 1), 1)


def _remove_caps(mask: np.ndarray, hu: np.ndarray, spacing_zyx: tuple[float, float, float]) -> None:
    """Take low caps of domes out of the mask, in place."""
    dz, dy, dx = spacing_zyx
    radius = max(1, round(_CAP_THICKNESS_MM / 2 / min(dy, dx)))

    def core_of(lung: np.ndarray, section: np.ndarray) -> np.ndarray | None:
        dense = lung & (section > DENSE_HU)
        return _opened(dense, radius) if np.count_nonzero(dense) * dy * dx > _ISLAND_MM2 else None

    cores = np.zeros_like(mask)
    for z, core in enumerate(over_slices(core_of, mask, hu)):
        if core is not None:
            cores[z] = core
    parts, _ = ndimage.label(cores)
    cover = max(1, round(_COVER_MM / dz))
    caps = []
    for n, (slices, *plane) in enumerate(ndimage.find_objects(parts), start=1):
        part = parts[slices, *plane] == n
        if (
            slices.start > 0
            and len(part) * dz <= _CAP_MM
            and np.count_nonzero(part, axis=(1, 2)).max() * dy * dx > _ISLAND_MM2
        ):
            around = (slice(slices.start - 1, slices.stop + cover), *plane)
            if _is_cap(part, mask[around], hu[around], may_be_slab=len(part) * dz <= _SLAB_MM):
                caps.append((n, slices))
    for n, slices in caps:
        for z in range(slices.start, slices.stop):
            # The opening has rounded the corners off; what is dense around the core belongs to it.
            mask[z] &= ~(grown(parts[z] == n, radius) & (hu[z] > DENSE_HU))


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


def _opened(section: np.ndarray, radius: int) -> np.ndarray:
    """Opening of a slice (bool) with a disc of so many pixels."""
    opened = np.zeros_like(section)
    box = bounding_box(section)
    if box is None:
        return opened
    inside = ndimage.distance_transform_edt(np.pad(section[box], 1))[1:-1, 1:-1] > radius
    if inside.any():
        opened[box] = ndimage.distance_transform_edt(~inside) <= radius
    return opened
