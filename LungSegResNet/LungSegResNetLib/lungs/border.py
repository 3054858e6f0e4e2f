"""The border of aerated lung, finer than the pixels of the network: where HU pass half-way from lung to chest wall."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..boxes import bounding_box
from .densities import BORDER_HU
from .slab_morphology import dilated, packed, unpacked
from .slicewise import over_slabs

_REACH_MM = 1.0  # the pixels of the network are 1.2 to 1.8 mm wide
_NOISE_MM = 1.0  # standard deviation of the Gaussian that damps noise before HU are compared
_AERATED_HU = -600.0
_AIRWAY_HU = -900.0


def fit_border(mask: np.ndarray, hu: np.ndarray, spacing_zyx: tuple[float, float, float]) -> np.ndarray:
    """The mask (bool) with its border in each slice moved by at most 1 mm (or one pixel) to where HU pass -400.

    Pixels of the border that are denser go only beside aerated lung, so that consolidation at the chest wall and hila
    stay; pixels beside the border that are less dense come in, except the air of large airways.

    Parameters
    ----------
    mask : bool (z, y, x).
    hu : the scan, shape of ``mask``.
    spacing_zyx : voxel size in mm.
    """
    pixel_mm = spacing_zyx[1:]
    steps = max(1, round(_REACH_MM / max(pixel_mm)))
    sigma = [0.0, *(_NOISE_MM / mm for mm in pixel_mm)]

    fitted = mask.copy()

    def fit(inside: np.ndarray, slab: np.ndarray) -> None:
        box = bounding_box(inside, margin=3 * steps + 2)
        if box is not None:
            inside[box] = _fit_box(inside[box], slab[box], steps, sigma)

    over_slabs(fit, fitted, hu)
    return fitted


def _fit_box(inside: np.ndarray, hu: np.ndarray, steps: int, sigma: list[float]) -> np.ndarray:
    smooth = ndimage.gaussian_filter(np.clip(hu, -1024, 200).astype(np.float32), sigma, truncate=2.0)
    mask = packed(inside)
    beside_air = dilated(mask & packed(smooth < _AERATED_HU), steps + 1)
    leaves = dilated(~mask, steps) & packed(smooth > BORDER_HU) & beside_air
    comes = dilated(mask, steps) & packed((smooth < BORDER_HU) & (smooth > _AIRWAY_HU))
    return unpacked((mask & ~leaves) | comes, len(inside))
