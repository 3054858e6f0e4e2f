"""Smooth borders of right and left lung, without a change of their volumes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..labels import BACKGROUND, LUNG_SEGMENTS
from .regions import bounding_box

_FWHM_PER_SIGMA = 2.3548
_TRUNCATE = 3.0  # in sigma


def smooth_lungs(labels: np.ndarray, spacing_zyx: tuple[float, float, float], kernel_mm: float) -> np.ndarray:
    """Labels (uint8, shape of ``labels``) with smooth borders: each lung keeps its number of voxels.

    Each lung is blurred with a Gaussian and cut where it has as many voxels as before. Where both lungs reach, a
    voxel goes to the one that is stronger there, so that they do not grow into each other. At the ends of the scan the
    lung is taken to go on.

    Parameters
    ----------
    labels : uint8 (z, y, x); 1 right lung, 2 left lung.
    spacing_zyx : voxel size in mm.
    kernel_mm : full width of the Gaussian at half of its height, in mm; 0 leaves the labels as they are.
    """
    if kernel_mm <= 0:
        return labels
    sigma = [kernel_mm / _FWHM_PER_SIGMA / s for s in spacing_zyx]
    box = bounding_box(labels > 0, margin=int(np.ceil(_TRUNCATE * max(sigma))) + 1)
    if box is None:
        return labels
    before = labels[box]
    kinds = [segment.label for segment in LUNG_SEGMENTS if (before == segment.label).any()]
    blurred = {
        kind: ndimage.gaussian_filter((before == kind).astype(np.float32), sigma, mode="nearest", truncate=_TRUNCATE)
        for kind in kinds
    }
    after = np.full(before.shape, BACKGROUND, np.uint8)
    for kind in kinds:
        strength = blurred[kind].copy()
        for other in kinds:
            if other != kind:
                # A tie belongs to the lung that had the voxel.
                strength[(blurred[other] > strength) | ((blurred[other] == strength) & (before != kind))] = 0.0
        reached = np.flatnonzero(strength > 0)
        count = min(int(np.count_nonzero(before == kind)), len(reached))
        strongest = np.argpartition(strength.ravel()[reached], len(reached) - count)[len(reached) - count :]
        after.ravel()[reached[strongest]] = kind
    smoothed = labels.copy()
    smoothed[box] = after
    return smoothed
