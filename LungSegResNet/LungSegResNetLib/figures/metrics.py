"""How well a lung mask agrees with a reference: the metrics of the article, and distances between the surfaces.

SSIM: Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE Trans Image Process
2004;13:600; here with an even window of 7 x 7 pixels instead of a Gaussian one of 11 x 11.
95 % Hausdorff distance: Taha and Hanbury, "Metrics for evaluating 3D medical image segmentation", BMC Med Imaging
2015;15:29 (quantile of the Hausdorff distance).
Surface Dice: Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for radiotherapy", J Med
Internet Res 2021;23:e26151 (first arXiv:1809.04430, 2018), who measure areas of the surfaces.

Here all surface figures count border voxels alike, as MONAI does unless told otherwise, and not areas. In thick slices
a voxel at a lung's side stands for more area than one at its end, so that the ends weigh more. So these figures can be
compared neither between slice thicknesses nor with those of programs that weigh by area.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from ..boxes import bounding_box, widened
from ..errors import InputError
from ..labels import LUNG_SEGMENTS
from ..tables import Cell, aligned, finite, write_rows
from .metric_definitions import METRICS

SURFACE_TOLERANCE_MM = 2.0
_ROUNDING_MM = 1e-6  # on grids that are turned, 2 mm come out as 2.000000000000002 mm
_SSIM_WINDOW = 7  # pixels; the usual uniform window of SSIM
_SSIM_C1, _SSIM_C2 = 0.01**2, 0.03**2  # the usual constants for values in 0..1


@dataclass(frozen=True)
class Comparison:
    """Agreement of a predicted mask with a reference mask; `METRICS` defines every field.

    A value whose denominator is 0, or that needs a surface that is not there, is nan:

    - reference empty: Dice, Jaccard and surface Dice are 0; sensitivity, false negative ratio, ME, MAE, RMSE, RE
      and the differences of volume and HU are nan, and so are the distances.
    - prediction empty: Dice, Jaccard, surface Dice and sensitivity are 0, the volume difference is -100 %; the HU
      differences and the distances are nan.
    - both empty: there is nothing to compare, all is nan except for the two volumes, which are 0.
    - a mask that fills the whole scan has no surface either.

    PSNR of two equal masks is infinite.
    """

    reference_ml: float
    prediction_ml: float
    dice: float
    jaccard: float
    mean_error: float
    mean_absolute_error: float
    rmse: float
    relative_error_percent: float
    sensitivity: float
    false_positive_ratio: float
    false_negative_ratio: float
    mean_hu_difference_percent: float
    absolute_mean_hu_difference_percent: float
    mean_hu_difference_hu: float
    volume_difference_percent: float
    absolute_volume_difference_percent: float
    ssim: float
    psnr_db: float
    surface_dice_2mm: float
    hd95_mm: float
    mean_surface_distance_mm: float


def compare_masks(
    reference: np.ndarray,
    prediction: np.ndarray,
    steps_zyx: np.ndarray,
    hu: np.ndarray,
) -> Comparison:
    """Compare two boolean masks, shape (z, y, x), on one grid.

    ``steps_zyx`` are the (3, 3) steps of `CTVolume.steps_zyx` in mm, ``hu`` the Hounsfield units of the CT, of the same
    shape. Empty masks: see `Comparison`.

    Surfaces are the voxels of a mask with one of their six neighbours outside it; where the scan ends it cuts through
    the lung, which makes no surface, so that in a single slice the contours count. The end of a mask that stops short
    of such a cut is measured to the cut. Distances are exact, between voxel centres. Every border voxel weighs the
    same, whatever area of the surface it stands for.

    Raises
    ------
    InputError : the arrays differ in shape.
    """
    _require_equal_shapes(reference, prediction, hu)
    reference, prediction = reference.astype(bool, copy=False), prediction.astype(bool, copy=False)
    # No voxel at all where both masks are empty.
    box = bounding_box(reference | prediction) or (slice(0, 0),) * reference.ndim
    lung_box = bounding_box(reference) or box
    ref, pred = reference[box], prediction[box]

    in_ref, in_pred = int(np.count_nonzero(ref)), int(np.count_nonzero(pred))
    tp = int(np.count_nonzero(ref & pred))
    fp, fn = in_pred - tp, in_ref - tp
    in_lung_box = reference[lung_box] | prediction[lung_box]
    tn = in_lung_box.size - int(np.count_nonzero(in_lung_box))
    voxel_ml = abs(float(np.linalg.det(steps_zyx))) / 1000.0
    mae = _ratio(fp + fn, in_ref)
    volume_difference = 100.0 * _ratio(in_pred - in_ref, in_ref)
    ref_hu, pred_hu = (float(hu[box][mask].mean(dtype=np.float64)) if mask.any() else np.nan for mask in (ref, pred))
    hu_difference = pred_hu - ref_hu
    hu_difference_percent = 100.0 * _ratio(hu_difference, abs(ref_hu))
    around = widened(box, 1)
    surface_dice, hd95, mean_distance = _surface_agreement(reference[around], prediction[around], steps_zyx)
    return Comparison(
        reference_ml=in_ref * voxel_ml,
        prediction_ml=in_pred * voxel_ml,
        dice=_ratio(2 * tp, 2 * tp + fp + fn),
        jaccard=_ratio(tp, tp + fp + fn),
        mean_error=_ratio(fp - fn, in_ref),
        mean_absolute_error=mae,
        rmse=float(np.sqrt(mae)),
        relative_error_percent=100.0 * mae,
        sensitivity=_ratio(tp, tp + fn),
        false_positive_ratio=_ratio(fp, fp + tn),
        false_negative_ratio=_ratio(fn, fn + tp),
        mean_hu_difference_percent=hu_difference_percent,
        absolute_mean_hu_difference_percent=abs(hu_difference_percent),
        mean_hu_difference_hu=hu_difference,
        volume_difference_percent=volume_difference,
        absolute_volume_difference_percent=abs(volume_difference),
        ssim=_ssim(reference, prediction, lung_box),
        psnr_db=_psnr(fp + fn, in_lung_box.size),
        surface_dice_2mm=surface_dice,
        hd95_mm=hd95,
        mean_surface_distance_mm=mean_distance,
    )


def compare_lungs(
    reference_labels: np.ndarray,
    prediction_labels: np.ndarray,
    steps_zyx: np.ndarray,
    hu: np.ndarray,
) -> dict[str, Comparison]:
    """Compare label masks (1 right, 2 left): keys ``lungs`` (both pooled), ``right lung`` and ``left lung``.

    The arguments are those of `compare_masks`.

    A boolean mask knows no sides: where either mask is boolean the answer holds ``lungs`` only.

    Raises
    ------
    InputError : the arrays differ in shape.
    """
    comparisons = {"lungs": compare_masks(reference_labels > 0, prediction_labels > 0, steps_zyx, hu)}
    if reference_labels.dtype != bool and prediction_labels.dtype != bool:
        for segment in LUNG_SEGMENTS:
            comparisons[segment.name] = compare_masks(
                reference_labels == segment.label, prediction_labels == segment.label, steps_zyx, hu
            )
    return comparisons


def comparisons_as_json(comparisons: Mapping[str, Comparison]) -> list[dict[str, Cell]]:
    """Objects for ``json.dump``, one for each region; what is undefined or infinite is null."""
    rows: list[dict[str, Cell]] = []
    for region, comparison in comparisons.items():
        rows.append({"region": region, **{metric.key: finite(getattr(comparison, metric.key)) for metric in METRICS}})
    return rows


def write_comparisons(path: str | os.PathLike[str], comparisons: Mapping[str, Comparison], overwrite: bool) -> None:
    """Write one row for each region to a .csv or .json file.

    Raises
    ------
    UsageError : the file name has another ending.
    OutputError : the file exists and ``overwrite`` is false, or cannot be written.
    """
    write_rows(path, comparisons_as_json(comparisons), overwrite)


def comparison_table(comparisons: Mapping[str, Comparison]) -> str:
    """A short aligned table for a terminal: metrics downwards, regions across."""
    lines = [["", *comparisons]]
    for metric in METRICS:
        lines.append([metric.title_with_unit, *(metric.text(getattr(c, metric.key)) for c in comparisons.values())])
    return aligned(lines)


def _require_equal_shapes(reference: np.ndarray, prediction: np.ndarray, hu: np.ndarray) -> None:
    for name, array in (("predicted mask", prediction), ("CT", hu)):
        if array.shape != reference.shape:
            sizes = [" x ".join(str(n) for n in reversed(shape)) for shape in (array.shape, reference.shape)]
            raise InputError(
                f"The {name} has {sizes[0]} voxels but the reference mask has {sizes[1]}; "
                "bring both onto the same grid before comparing."
            )


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else np.nan


def _psnr(errors: int, voxels: int) -> float:
    if voxels == 0:
        return np.nan
    return float(10.0 * np.log10(voxels / errors)) if errors else np.inf


def _ssim(ref: np.ndarray, pred: np.ndarray, box: tuple[slice, ...]) -> float:
    """Mean SSIM over all pixels of the box; one slice at a time, because whole scans need gigabytes."""
    voxels = ref[box].size
    if voxels == 0:
        return np.nan
    pixels = _SSIM_WINDOW**2
    unbiased = pixels / (pixels - 1)
    # The windows reach beyond the box.
    reach = _SSIM_WINDOW // 2
    around = (box[0], *widened(box[1:], reach))
    inner = tuple(
        slice(side.start - wide.start, side.stop - wide.start) for side, wide in zip(box, around, strict=True)
    )[1:]
    total = 0.0
    for a, b in zip(ref[around], pred[around], strict=True):
        # Around the scan is background, hence the constant border. The square of a mask is the mask.
        mean_a, mean_b, mean_ab = (
            ndimage.uniform_filter(m.astype(np.float64), _SSIM_WINDOW, mode="constant") for m in (a, b, a & b)
        )
        variances = unbiased * (mean_a * (1 - mean_a) + mean_b * (1 - mean_b))
        covariance = unbiased * (mean_ab - mean_a * mean_b)
        luminance = (2 * mean_a * mean_b + _SSIM_C1) / (mean_a**2 + mean_b**2 + _SSIM_C1)
        similarity = luminance * (2 * covariance + _SSIM_C2) / (variances + _SSIM_C2)
        total += float(similarity[inner].sum())
    return total / voxels


def _surface_agreement(ref: np.ndarray, pred: np.ndarray, steps: np.ndarray) -> tuple[float, float, float]:
    """Surface Dice, HD95 (mm) and mean surface distance (mm); masks reach the edge of their box at that of the scan."""
    ref_border, pred_border = (np.argwhere(_border(mask)) for mask in (ref, pred))
    if not (len(ref_border) and len(pred_border)):
        return 0.0 if len(ref_border) or len(pred_border) else np.nan, np.nan, np.nan
    to_pred = _distances(ref, ref_border, pred, pred_border, steps)
    to_ref = _distances(pred, pred_border, ref, ref_border, steps)
    both = np.concatenate([to_pred, to_ref])
    hd95 = max(np.percentile(to_pred, 95), np.percentile(to_ref, 95))
    return float(np.mean(both <= SURFACE_TOLERANCE_MM + _ROUNDING_MM)), float(hd95), float(both.mean())


def _distances(
    mask: np.ndarray, border: np.ndarray, other: np.ndarray, other_border: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    """Distance (mm) of each border voxel of a mask to the border of the other; borders are indices, shape (n, 3).

    Where the scan cuts the other mask that has no border, and the end of a mask that stops short of the cut would be
    measured to its far walls. So a voxel whose neighbour towards a face of the scan lies outside the mask is measured
    to the other mask's voxels on that face, too.
    """
    distances = _nearest(border, other_border, steps)
    for axis, size in enumerate(mask.shape):
        for face, outwards in ((0, -1), (size - 1, 1)):
            cut = np.insert(np.argwhere(other.take(face, axis)), axis, face, axis=1)
            if not len(cut):
                continue
            neighbours = border.copy()
            neighbours[:, axis] = np.clip(border[:, axis] + outwards, 0, size - 1)
            ends = ~mask[tuple(neighbours.T)]
            distances[ends] = np.minimum(distances[ends], _nearest(border[ends], cut, steps))
    return distances


def _nearest(points: np.ndarray, others: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Distance (mm) of each voxel to the nearest of others."""
    # A search tree over voxels is as exact as a distance transform of the box, several times faster and needs a
    # fraction of the memory. Grid points defeat the balancing of the tree, so it is left out.
    return KDTree(others @ steps, balanced_tree=False).query(points @ steps)[0]


def _border(mask: np.ndarray) -> np.ndarray:
    return mask & ~ndimage.binary_erosion(mask, border_value=1)
