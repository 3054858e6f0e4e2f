"""Part a lung mask into right and left, also where the lungs touch, by geometry alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image
from skimage.segmentation import watershed

from ..ct_volume import CTVolume
from ..labels import BACKGROUND, LEFT_LUNG, RIGHT_LUNG
from .half_views import depth_mm, sides_with_rim
from .preprocessing import BODY_HU, body_middle
from .run_length import RunLengths
from .slicewise import over_slabs

_COARSE_MM = 2.5
_EROSION_STEP_MM = 2.0
_EROSION_MAX_MM = 24.0
_MINOR_SHARE = 0.02  # parts smaller than this share of all lung have no say in where the lungs part
_STRADDLE_SHARE = 0.22  # a part with more than this on its smaller side holds both lungs
_WIDEST_LUNG_MM = 200.0  # of one lung, from side to side; the widest of the training data has 190
# Of the largest sagittal section, smoothed: two lungs that touch have 0.2 near the middle, a lone one 0.5 and more.
_GAP_SHARE, _SMOOTH_MM, _MIDDLE_MM = 0.3, 10.0, 30.0
# The smaller of the two largest parts of an eroded mask, where they lie beside each other, as share of all that is left
# of it, while that is at least so much of the mask. Of the training data turned by up to 30 degrees: two lungs reach
# 0.27 and more, also where they were made to touch; one alone, also stretched to 260 mm, has 0.09 at most (by hand).
_SECOND_SHARE, _CORE_SHARE = 0.15, 0.1
# The centre of a lung in its place lies about twice as far from the midline; nearer, the view or the lung is displaced.
NEAR_MIDLINE_MM = 40.0
_CUT_BODY_MM = 100.0  # of tissue from front to back at the edge of the view; an arm or a table has less


def body_midline(
    hu: np.ndarray, spacing_zyx: tuple[float, float, float], middle_mm: float | None = None
) -> float | None:
    """x of the body's midplane in mm from the centre of the first column; None where the view ends inside the body.

    A view that ends inside it on both sides has the body in its middle; one that ends there on one side may show half.

    Parameters
    ----------
    middle_mm : of the body box, where it is known already.
    """
    right_cut, left_cut = (
        float(np.median(np.count_nonzero(hu[:, :, edge] > BODY_HU, axis=1))) * spacing_zyx[1] > _CUT_BODY_MM
        for edge in (0, -1)
    )
    if right_cut != left_cut:
        return None
    return body_middle(hu, spacing_zyx) if middle_mm is None else middle_mm


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
    runs = RunLengths.of(mask)
    if len(runs.starts) == 0:
        return np.zeros(mask.shape, np.uint8)
    box = runs.box()
    columns_mm = np.arange(mask.shape[2]) * spacing_zyx[2]
    midline = _midline(runs.voxels_of_columns()[box[2]], columns_mm[box[2]], midline_mm)
    steps = [max(1, round(_COARSE_MM / s)) for s in spacing_zyx]
    coarse = mask[box][:: steps[0], :: steps[1], :: steps[2]]
    coarse_mm = tuple(s * n for s, n in zip(spacing_zyx, steps, strict=True))
    coarse_side = _coarse_sides(coarse, coarse_mm, columns_mm[box[2]][:: steps[2]] - midline)
    if midline_mm is None and len(np.unique(coarse_side[coarse])) == 1:
        parted = sides_with_rim(coarse, coarse_mm)
        coarse_side = coarse_side if parted is None else parted
    sides = _refine(mask, box, coarse_side, steps)
    _unite_parts(sides, runs)
    return sides


def sides_exchanged(ct: CTVolume, labels: np.ndarray) -> bool:
    """Whether lungs (uint8 labels 0/1/2 on the CT's grid) lie on the wrong sides of each other.

    A lung that is alone is on the wrong side if its centre lies in the other half of the body, where that is in view.
    """
    x_mm = np.arange(labels.shape[2]) * ct.spacing_zyx[2]
    lungs = {label: labels == label for label in (RIGHT_LUNG, LEFT_LUNG)}
    centres = {label: mean_x(lung, x_mm) for label, lung in lungs.items() if lung.any()}
    if len(centres) == 2:
        return centres[RIGHT_LUNG] >= centres[LEFT_LUNG]
    midline = body_midline(ct.hu, ct.spacing_zyx)
    if midline is None:
        return False
    return centres.get(RIGHT_LUNG, -np.inf) > midline or centres.get(LEFT_LUNG, np.inf) < midline


def _midline(profile: np.ndarray, columns_mm: np.ndarray, body_midline: float | None) -> float:
    """x of the plane between the lungs: the middle of the mask if it lies on both sides of the body's midplane.

    ``profile`` counts the voxels of the mask in each column.
    """
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
    total = np.count_nonzero(mask)
    is_wide = mask.any() and np.ptp(x_mm[mask.any(axis=(0, 1))]) > _WIDEST_LUNG_MM

    @cache
    def depth() -> np.ndarray:
        return depth_mm(mask, spacing)

    def cores() -> Iterator[tuple[float, RunLengths]]:
        for radius in np.arange(0.0, _EROSION_MAX_MM, _EROSION_STEP_MM):
            yield radius, RunLengths.of(depth() > radius if radius > 0 else mask)

    if is_wide and _has_no_gap(mask, x_mm) and not _part_beside_each_other(cores(), spacing, _CORE_SHARE * total):
        return np.where(mask, _side_by_shape(mask, x_mm), BACKGROUND).astype(np.uint8)
    one_lung: np.ndarray | None = None
    left_before = np.concatenate([[0], np.cumsum(x_mm > 0)])
    for radius, core in cores():
        numbers, sizes = core.components()
        _, _, x = core.indices()
        left = np.bincount(numbers, left_before[x + core.lengths] - left_before[x]) / sizes
        large = sizes > _MINOR_SHARE * total
        if not large.any():
            break
        if np.all(np.minimum(left, 1.0 - left)[large] <= _STRADDLE_SHARE):
            side_of_part = np.where(left > 0.5, LEFT_LUNG, RIGHT_LUNG).astype(np.uint8)
            side_of_part[~large] = BACKGROUND
            is_one_lung = len(np.unique(side_of_part[large])) == 1
            if is_one_lung and abs(mean_x(mask, x_mm)) < NEAR_MIDLINE_MM:
                break
            if is_one_lung and one_lung is not None:
                continue
            sides = np.zeros(mask.shape, np.uint8)
            np.put(sides, core.voxels(), np.repeat(side_of_part[numbers], core.lengths))
            if radius > 0:  # else each part of the mask is a core
                sides = watershed(-depth(), sides.astype(np.int32), mask=mask).astype(np.uint8)
            sides = _completed(sides, mask, x_mm)
            if not (is_one_lung and is_wide):
                return sides
            one_lung = sides  # a small lung that touches a large one may come off yet
    if one_lung is not None:
        return one_lung
    if mask.any() and not is_wide:
        return np.where(mask, _side_by_shape(mask, x_mm), BACKGROUND).astype(np.uint8)
    # The lungs do not part anywhere: cut at the midline.
    return _completed(np.zeros(mask.shape, np.uint8), mask, x_mm)


def _has_no_gap(mask: np.ndarray, x_mm: np.ndarray) -> bool:
    """Whether a mask that reaches over the middle (``x_mm`` = 0) is hardly narrower there, as a lung that is alone and
    came over to the other side; two lungs are only where the patient is turned."""
    profile = np.count_nonzero(mask, axis=(0, 1)).astype(float)
    profile = ndimage.uniform_filter1d(profile, max(1, round(_SMOOTH_MM / abs(x_mm[1] - x_mm[0]))), mode="nearest")
    return bool(profile[np.abs(x_mm) < _MIDDLE_MM].min(initial=profile.max()) > _GAP_SHARE * profile.max())


def _part_beside_each_other(
    cores: Iterable[tuple[float, RunLengths]], spacing: tuple[float, ...], smallest: float
) -> bool:
    """Whether erosion parts a mask into two large parts beside each other, as two lungs are also in a turned patient.

    ``cores`` are those of the mask by growing erosion; below ``smallest`` voxels they are not looked at.
    """
    for _, core in cores:
        numbers, sizes = core.components()
        if sizes.sum() < smallest:
            return False
        largest = np.argsort(sizes)[-2:]
        if len(sizes) < 2 or sizes[largest[0]] < _SECOND_SHARE * sizes.sum():
            continue
        z, y, x = core.indices()
        along = (z, y, x + (core.lengths - 1) / 2)
        centres = [np.bincount(numbers, core.lengths * places) / sizes for places in along]
        up, back, left = (abs(np.diff(c[largest])[0]) * mm for c, mm in zip(centres, spacing, strict=True))
        # Parts of one lung lie above each other or one behind the other.
        if left > max(up, back):
            return True
    return False


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


def _completed(sides: np.ndarray, mask: np.ndarray, x_mm: np.ndarray) -> np.ndarray:
    """The sides, and for what has none of the mask the side that it lies on."""
    by_position = np.where(x_mm > 0, LEFT_LUNG, RIGHT_LUNG).astype(np.uint8)
    return np.where(mask & (sides == 0), by_position, sides)


def _refine(mask: np.ndarray, box: tuple[slice, ...], coarse: np.ndarray, steps: list[int]) -> np.ndarray:
    """Sides at full resolution: the nearest voxel of the ``coarse`` sides of the mask's ``box`` decides."""
    planes, rows, columns = (
        np.clip((np.arange(n) - part.start + step // 2) // step, 0, count - 1)
        for n, part, step, count in zip(mask.shape, box, steps, coarse.shape, strict=True)
    )
    if not coarse.any():  # a part that lies between the voxels of the coarse mask
        coarse = np.full_like(coarse, RIGHT_LUNG)
    sides = np.empty(mask.shape, np.uint8)

    def refine(spread: np.ndarray) -> bool:
        def slab(target: np.ndarray, inside: np.ndarray, planes_here: np.ndarray) -> bool:
            np.multiply(spread[planes_here][:, :, columns][:, rows], inside, out=target)
            return np.count_nonzero(target) == np.count_nonzero(inside)

        return all(over_slabs(slab, sides, mask, planes))

    # Outside the coarse mask the nearest side counts, so that thin rims are not lost.
    if not refine(spread_to_neighbours(coarse)):
        nearest = ndimage.distance_transform_edt(coarse == 0, return_distances=False, return_indices=True)
        refine(coarse[tuple(nearest)])
    return sides


def spread_to_neighbours(coarse: np.ndarray) -> np.ndarray:
    """The sides with those of the nearest of 26 neighbours where there were none.

    Of equally near ones the first counts by x, then y, then z, as in SciPy's transform.
    """
    spread = np.pad(coarse, 1)
    near = spread > 0
    for axis in range(3):
        near = near | np.roll(near, 1, axis) | np.roll(near, -1, axis)
    places = np.flatnonzero(near & np.pad(coarse == 0, 1))
    sides = spread.ravel().copy()
    _, height, width = spread.shape
    around = sorted(itertools.product((-1, 0, 1), repeat=3), key=lambda xyz: (sum(map(abs, xyz)), xyz))
    for x, y, z in around[1:]:
        found = sides[places + (z * height + y) * width + x]
        np.put(spread, places[found > 0], found[found > 0])
        places = places[found == 0]
    return spread[1:-1, 1:-1, 1:-1]


def _unite_parts(sides: np.ndarray, runs: RunLengths) -> None:
    """Make parts that are nearly all one side this side, in place; ``runs`` are those of both sides together."""
    numbers, sizes = runs.components()
    left = RunLengths.of(sides == LEFT_LUNG)
    left_voxels = np.bincount(
        np.searchsorted(runs.starts, left.starts, side="right") - 1, left.lengths, minlength=len(runs.starts)
    )
    share = np.bincount(numbers, left_voxels) / sizes
    to_left = (share > 0.97)[numbers] & (left_voxels < runs.lengths)
    to_right = (share < 0.03)[numbers] & (left_voxels > 0)
    np.put(sides, runs.chosen(to_left).voxels(), LEFT_LUNG)
    np.put(sides, runs.chosen(to_right).voxels(), RIGHT_LUNG)
