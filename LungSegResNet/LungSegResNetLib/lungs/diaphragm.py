"""Take the domes of the diaphragm out of a lung mask.

A slice through a dome shows a round dense island in the lung, which in that slice alone looks like a mass. The slices
below tell: under a dome lies tissue that is no lung.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .regions import bounding_box, holes_of

_DENSE_HU = -300.0
_ISLAND_MM2 = 400.0  # a smaller island may be a vessel
_GAP_MM = 2.5  # lung between a dome and the heart may be thinner than the network sees
_OVER_TISSUE = 0.5  # share of the island with no lung in the slice below


def without_domes(mask: np.ndarray, hu: np.ndarray, spacing_zyx: tuple[float, float, float]) -> np.ndarray:
    """Mask (bool) without dense islands that stand on tissue which is no lung; arrays are (z, y, x), z upwards.

    Islands are dense regions with aerated lung all around them within a slice, so that consolidation at the chest wall,
    the diaphragm's edge or the mediastinum is never touched. They are followed from below to above.
    """
    result = mask.copy()
    box = bounding_box(mask, margin=1)
    if box is None:
        return result
    _remove_domes(result[box], hu[box], spacing_zyx[1:])
    return result


def _remove_domes(mask: np.ndarray, hu: np.ndarray, pixel_mm: tuple[float, float]) -> None:
    """As ``without_domes``, in place."""
    gap = max(1, round(_GAP_MM / min(pixel_mm)))
    for z in range(1, len(mask)):
        aerated = mask[z] & (hu[z] < _DENSE_HU)
        if not aerated.any():
            continue
        islands, count = ndimage.label(_islands(aerated, gap))
        if count == 0:
            continue
        area = np.bincount(islands.ravel(), minlength=count + 1)
        on_tissue = np.bincount(islands[~mask[z - 1]], minlength=count + 1)
        dome = (area * pixel_mm[0] * pixel_mm[1] > _ISLAND_MM2) & (on_tissue > _OVER_TISSUE * area)
        dome[0] = False
        mask[z] &= ~dome[islands]


def _islands(aerated: np.ndarray, gap: int) -> np.ndarray:
    """Holes of the aerated lung of a slice; gaps of so many pixels in its rim count as closed."""
    margin = gap + 1
    closed = ndimage.binary_closing(np.pad(aerated, margin), iterations=gap)[margin:-margin, margin:-margin] | aerated
    return ndimage.binary_opening(holes_of(closed))
