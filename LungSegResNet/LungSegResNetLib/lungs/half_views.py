"""Right and left in half a chest: a lung and maybe a rim of the other one, without a middle of the body to go by."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from ..labels import LEFT_LUNG, RIGHT_LUNG
from .run_length import RunLengths

_EROSION_STEP_MM, _EROSION_MAX_MM = 2.0, 8.0
_RIM_SHARE = 0.015  # of the mask
_SHARED_COLUMNS = 0.3  # of those of the rim: parts of one lung lie above or behind each other


def sides_with_rim(mask: np.ndarray, spacing_zyx: tuple[float, ...]) -> np.ndarray | None:
    """Sides (uint8: 1 right, 2 left) of a mask that is one lung and a rim of the other; None if it is one lung alone.

    The mask is eroded until a part comes off that has hardly a column in common with the largest one, and both grow
    back by watershed.

    Parameters
    ----------
    mask : bool (z, y, x), x grows to the patient's left; small, as distances are computed in all of it.
    spacing_zyx : voxel size in mm.
    """
    depth = depth_mm(mask, spacing_zyx)
    smallest = _RIM_SHARE * np.count_nonzero(mask)
    for radius in np.arange(0.0, _EROSION_MAX_MM + _EROSION_STEP_MM, _EROSION_STEP_MM):
        core = RunLengths.of(depth > radius)
        numbers, sizes = core.components()
        if len(sizes) < 2:
            continue
        _, _, x = core.indices()
        begin, end = np.full_like(sizes, mask.shape[2]), np.zeros_like(sizes)
        np.minimum.at(begin, numbers, x)
        np.maximum.at(end, numbers, x + core.lengths)
        lung = sizes.argmax()
        shared = np.minimum(end, end[lung]) - np.maximum(begin, begin[lung])
        rims = np.flatnonzero((sizes >= smallest) & (shared <= _SHARED_COLUMNS * (end - begin)))
        if not len(rims):
            continue
        rim = rims[sizes[rims].argmax()]
        middle = begin + end
        is_rim = abs(middle - middle[rim]) < abs(middle - middle[lung])
        sides = (LEFT_LUNG, RIGHT_LUNG) if middle[rim] < middle[lung] else (RIGHT_LUNG, LEFT_LUNG)
        side_of_part = np.where(is_rim, sides[1], sides[0]).astype(np.uint8)
        side_of_part[sizes < smallest] = 0
        markers = np.zeros(mask.shape, np.int32)
        np.put(markers, core.voxels(), np.repeat(side_of_part[numbers], core.lengths))
        grown = watershed(-depth, markers, mask=mask)
        nearest = ndimage.distance_transform_edt(grown == 0, return_distances=False, return_indices=True)
        return np.where(mask, grown[tuple(nearest)], 0).astype(np.uint8)
    return None


def depth_mm(mask: np.ndarray, spacing_zyx: tuple[float, ...]) -> np.ndarray:
    """Distance in mm of each voxel of a mask (z, y, x) to what lies outside of it; 0 there."""
    # A layer of background keeps distances right where the mask is cut off by its box; in z the lung goes on.
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    return ndimage.distance_transform_edt(padded, sampling=spacing_zyx)[:, 1:-1, 1:-1]
