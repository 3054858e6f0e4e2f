"""Part a lung mask into right and left, also where the lungs touch, by geometry alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image
from skimage.segmentation import watershed

from ..labels import BACKGROUND, LEFT_LUNG, RIGHT_LUNG
from .regions import bounding_box, looked_up, part_sizes

_COARSE_MM = 2.5
_EROSION_STEP_MM = 2.0
_EROSION_MAX_MM = 24.0
_MINOR_SHARE = 0.02  # parts smaller than this share of all lung have no say in where the lungs part
_STRADDLE_SHARE = 0.22  # a part with more than this on its smaller side holds both lungs
_WIDEST_LUNG_MM = 200.0  # of one lung, from side to side; the widest of the training data has 190
# The centre of a lung in its place lies about twice as far from the midline; nearer, the view or the lung is displaced.
NEAR_MIDLINE_MM = 40.0


def split_lungs(
    mask: np.ndarray, spacing_zyx: tuple[float, float, float], midline_mm: float | None = None
) -> np.ndarray:
    """Labels 0, 1 = right lung, 2 = left lung (uint8) of a lung mask, all in LPS array order (z, y, x).

    The mask is eroded until no part reaches across the midline any more; from these cores each lung grows
    back by watershed. A mask with a single lung stays one lung, also where it fills the whole field of view.

    Parameters
    ----------
    mask : bool (z, y, x), x grows to the patient's left.
    spacing_zyx : voxel size in mm.
    midline_mm : where the body's midplane lies, in mm from the centre of the first column; needed to name the
        side of a lung that is alone. The middle of the mask is taken where it is not known.
    """
    labels = np.zeros(mask.shape, np.uint8)
    box = bounding_box(mask)
    if box is None:
        return labels
    inside = mask[box]
    columns_mm = (np.arange(mask.shape[2])[box[2]]) * spacing_zyx[2]
    midline = _midline(inside, columns_mm, midline_mm)
    steps = [max(1, round(_COARSE_MM / s)) for s in spacing_zyx]
    with ThreadPoolExecutor(1) as helper:
        parts = helper.submit(ndimage.label, inside)
        coarse_side = _coarse_sides(
            inside[:: steps[0], :: steps[1], :: steps[2]],
            tuple(s * n for s, n in zip(spacing_zyx, steps, strict=True)),
            columns_mm[:: steps[2]] - midline,
        )
    labels[box] = _refine(inside, coarse_side, steps, *parts.result())
    return labels


def _midline(mask: np.ndarray, columns_mm: np.ndarray, body_midline: float | None) -> float:
    """x of the plane between the lungs: the middle of the mask if it lies on both sides of the body's midplane."""
    profile = mask.sum(axis=(0, 1), dtype=np.int64)
    share = np.cumsum(profile) / profile.sum()
    low = columns_mm[np.flatnonzero(share >= 0.005)[0]]
    high = columns_mm[np.flatnonzero(share >= 0.995)[0]]
    middle = float(low + high) / 2
    if body_midline is None:
        return middle
    right = float(profile[columns_mm < body_midline].sum() / profile.sum())
    return middle if min(right, 1.0 - right) > _STRADDLE_SHARE else body_midline


def _coarse_sides(mask: np.ndarray, spacing: tuple[float, ...], x_mm: np.ndarray) -> np.ndarray:
    """Side (1 or 2) of every voxel of a small mask; 0 outside."""
    # A layer of background keeps distances right where the mask is cut off by its box; in z the lung goes on.
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    depth = ndimage.distance_transform_edt(padded, sampling=spacing)[:, 1:-1, 1:-1]
    total = np.count_nonzero(mask)
    for radius in np.arange(0.0, _EROSION_MAX_MM, _EROSION_STEP_MM):
        core, count = ndimage.label(depth > radius)
        sizes = np.bincount(core.ravel(), minlength=count + 1)
        left = np.bincount(core[..., x_mm > 0].ravel(), minlength=count + 1) / np.maximum(sizes, 1)
        sizes[0] = 0
        large = sizes > _MINOR_SHARE * total
        if not large.any():
            break
        if np.all(np.minimum(left, 1.0 - left)[large] <= _STRADDLE_SHARE):
            side_of_part = np.where(left > 0.5, LEFT_LUNG, RIGHT_LUNG).astype(np.uint8)
            side_of_part[~large] = BACKGROUND
            if len(np.unique(side_of_part[large])) == 1 and abs(mean_x(mask, x_mm)) < NEAR_MIDLINE_MM:
                break
            return _grow(mask, depth, side_of_part[core], x_mm)
    if mask.any() and np.ptp(x_mm[mask.any(axis=(0, 1))]) <= _WIDEST_LUNG_MM:
        return np.where(mask, _side_by_shape(mask, x_mm), BACKGROUND).astype(np.uint8)
    # The lungs do not part anywhere: cut at the midline.
    return _grow(mask, depth, np.zeros(mask.shape, np.uint8), x_mm)


def _side_by_shape(mask: np.ndarray, x_mm: np.ndarray) -> int:
    """Side of the only lung in view: it is hollowed where heart and hilum are, and round at the chest wall."""
    sections = mask[mask.any(axis=(1, 2))]
    hollows = np.stack([convex_hull_image(section) & ~section for section in sections])
    if not hollows.any():
        return LEFT_LUNG if mean_x(mask, x_mm) > 0 else RIGHT_LUNG
    return RIGHT_LUNG if mean_x(hollows, x_mm) > mean_x(mask, x_mm) else LEFT_LUNG


def mean_x(mask: np.ndarray, x_mm: np.ndarray) -> float:
    """Centre of a mask (z, y, x) from right to left, in the mm of its columns ``x_mm``; it must not be empty."""
    return float(np.average(x_mm, weights=np.count_nonzero(mask, axis=(0, 1))))


def _grow(mask: np.ndarray, depth: np.ndarray, markers: np.ndarray, x_mm: np.ndarray) -> np.ndarray:
    """Watershed of the mask from its marked cores; parts without a core go to the side they lie on."""
    sides = watershed(-depth, markers.astype(np.int32), mask=mask) if markers.any() else np.zeros(mask.shape, np.int32)
    by_position = np.where(x_mm > 0, LEFT_LUNG, RIGHT_LUNG)
    sides = np.where(mask & (sides == 0), by_position, sides)
    return sides.astype(np.uint8)


def _refine(mask: np.ndarray, coarse: np.ndarray, steps: list[int], parts: np.ndarray, count: int) -> np.ndarray:
    """Sides at full resolution: the nearest coarse voxel decides, and a part that is nearly all one side becomes it.

    ``parts`` are those of the mask, numbered from 1 to ``count``.
    """
    # Outside the coarse mask the nearest side counts, so that thin rims are not lost.
    nearest = ndimage.distance_transform_edt(coarse == 0, return_distances=False, return_indices=True)
    spread = coarse[tuple(nearest)]
    index = [
        np.minimum((np.arange(n) + s // 2) // s, c - 1) for n, s, c in zip(mask.shape, steps, coarse.shape, strict=True)
    ]
    sides = spread[np.ix_(*index)]
    sides[~mask] = BACKGROUND
    left_voxels = np.zeros(count + 1, np.int64)
    for section, sides_here in zip(parts, sides, strict=True):
        left_voxels += np.bincount(section[sides_here == LEFT_LUNG], minlength=count + 1)
    left = left_voxels / np.maximum(part_sizes(parts, count), 1)
    side_of_part = np.full(count + 1, BACKGROUND, np.uint8)
    side_of_part[left > 0.97] = LEFT_LUNG
    side_of_part[left < 0.03] = RIGHT_LUNG
    side_of_part[0] = BACKGROUND
    decided = looked_up(side_of_part, parts)
    np.copyto(sides, decided, where=decided > 0)
    return sides
