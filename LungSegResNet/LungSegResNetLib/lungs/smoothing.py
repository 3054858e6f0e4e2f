"""Smooth borders of right and left lung, without a change of their volumes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..boxes import bounding_box
from ..labels import BACKGROUND, LEFT_LUNG, RIGHT_LUNG
from .slicewise import over_slabs, over_slices

_FWHM_PER_SIGMA = 2.3548
_TRUNCATE = 3.0  # in sigma
_FULL = np.iinfo(np.uint16).max  # a blurred lung in 16 bits: this is 1
_ROWS = 8  # of all slices, blurred across slices in one go; bounds memory


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
    voxels = np.sum(over_slices(_voxels_of_labels, before), axis=0)
    strengths = {kind: _blurred(before, kind, sigma) for kind in (RIGHT_LUNG, LEFT_LUNG) if voxels[kind]}
    if len(strengths) > 1:
        over_slices(_leave_to_the_stronger, before, *strengths.values())
    smoothed = labels.copy()
    after = smoothed[box]
    after[:] = BACKGROUND
    for kind, strength in strengths.items():
        _take_strongest(after, kind, strength, int(voxels[kind]))
    return smoothed


def _voxels_of_labels(section: np.ndarray) -> np.ndarray:
    return np.bincount(section.ravel(), minlength=LEFT_LUNG + 1)


def _blurred(labels: np.ndarray, kind: int, sigma: list[float]) -> np.ndarray:
    """One lung blurred with a Gaussian of so many voxels (z, y, x), as uint16 of 0 to ``_FULL``."""
    strength = np.empty(labels.shape, np.uint16)

    def blur_slice(target: np.ndarray, section: np.ndarray) -> None:
        lung = np.where(section == kind, np.float32(_FULL), np.float32(0))
        target[:] = np.rint(ndimage.gaussian_filter(lung, sigma[1:], mode="nearest", truncate=_TRUNCATE))

    def blur_across(rows: slice) -> None:
        part = strength[:, rows].astype(np.float32)
        strength[:, rows] = np.rint(ndimage.gaussian_filter1d(part, sigma[0], 0, mode="nearest", truncate=_TRUNCATE))

    over_slices(blur_slice, strength, labels)
    over_slices(blur_across, [slice(y, y + _ROWS) for y in range(0, labels.shape[1], _ROWS)])
    return strength


def _leave_to_the_stronger(labels: np.ndarray, right: np.ndarray, left: np.ndarray) -> None:
    """Make the weaker of two blurred lungs 0 in a slice, in place; a tie belongs to the lung that had the pixel."""
    tie = right == left
    to_left = (left > right) | (tie & (labels != RIGHT_LUNG))
    right_only = (right > left) | (tie & (labels != LEFT_LUNG))
    right[to_left] = 0
    left[right_only] = 0


def _take_strongest(labels: np.ndarray, kind: int, strength: np.ndarray, voxels: int) -> None:
    """Label the so many strongest voxels (fewer, if fewer have any strength), in place."""
    counts = np.sum(over_slabs(lambda slab: np.bincount(slab.ravel(), minlength=_FULL + 1), strength), axis=0)
    as_strong = counts[::-1].cumsum()[::-1]  # voxels of this strength or more
    weakest = max(1, int(np.flatnonzero(as_strong >= voxels)[-1]))

    def take(section: np.ndarray, strong: np.ndarray) -> np.ndarray:
        section[strong > weakest] = kind
        return np.flatnonzero(strong == weakest)

    equal = over_slices(take, labels, strength)
    indices = np.concatenate([z * labels[0].size + flat for z, flat in enumerate(equal)])
    missing = min(voxels - int(as_strong[weakest] - counts[weakest]), len(indices))
    # Not all equal ones are wanted; those taken lie evenly among them.
    chosen = indices[np.arange(missing) * len(indices) // max(1, missing)]
    labels[np.unravel_index(chosen, labels.shape)] = kind
