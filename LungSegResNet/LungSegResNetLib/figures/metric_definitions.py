"""What the metrics of a comparison are called, how they are defined, and how their values are written."""

from __future__ import annotations

import math
from dataclasses import dataclass

# The article's table has three decimals for ratios, which hide the scatter of good masks (0.9998 ± 0.0001).
_DECIMALS = {"": 4, "%": 3, "ml": 0, "HU": 1, "mm": 2, "dB": 1}


@dataclass(frozen=True)
class Metric:
    """What a field of `metrics.Comparison` is called, its unit ("" for a ratio) and its definition in one sentence."""

    key: str
    title: str
    unit: str
    formula: str

    @property
    def title_with_unit(self) -> str:
        """Such as ``Reference volume (ml)``."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def text(self, value: float, *, decimals: int | None = None, signed: bool = False) -> str:
        """A value with the decimals that suit its unit; a dash where it is not known.

        ``signed`` puts a plus before what is above 0; what is written as 0 has no sign at all.
        """
        if math.isnan(value):
            return "-"
        text = f"{value:{'+' if signed else ''}.{_DECIMALS[self.unit] if decimals is None else decimals}f}"
        return text.lstrip("+-") if float(text) == 0.0 else text


# R reference, P prediction; TP, FP, FN, TN count voxels; V is the number of voxels of R. The lung box is the box
# around the reference alone, so that no prediction can make it larger (around the prediction where the reference is
# empty): the article counts inside the cropped lung region.
METRICS: tuple[Metric, ...] = (
    Metric("reference_ml", "Reference volume", "ml", "Volume of R."),
    Metric("prediction_ml", "Predicted volume", "ml", "Volume of P."),
    Metric("dice", "Dice", "", "2 TP / (2 TP + FP + FN)."),
    Metric("jaccard", "Jaccard", "", "TP / (TP + FP + FN)."),
    Metric("mean_error", "Mean error (ME)", "", "(FP - FN) / V."),
    Metric("mean_absolute_error", "Mean absolute error (MAE)", "", "(FP + FN) / V."),
    Metric("rmse", "RMSE", "", "Square root of (FP + FN) / V, normalised like ME and MAE."),
    Metric(
        "relative_error_percent",
        "Relative error (RE)",
        "%",
        "100 * sum of |P - R| / sum of R, which for masks is MAE in percent; the article gives no formula.",
    ),
    Metric("sensitivity", "Sensitivity", "", "TP / (TP + FN)."),
    Metric(
        "false_positive_ratio", "False positive ratio", "", "FP / (FP + TN), with all FP and the TN in the lung box."
    ),
    Metric("false_negative_ratio", "False negative ratio", "", "FN / (FN + TP)."),
    Metric(
        "mean_hu_difference_percent",
        "Relative mean HU difference",
        "%",
        "100 * (mean HU in P - mean HU in R) / |mean HU in R|.",
    ),
    Metric(
        "absolute_mean_hu_difference_percent",
        "Absolute relative mean HU difference",
        "%",
        "Absolute value of the relative mean HU difference.",
    ),
    Metric("mean_hu_difference_hu", "Mean HU difference", "HU", "Mean HU in P - mean HU in R."),
    Metric(
        "volume_difference_percent",
        "Relative volume difference",
        "%",
        "100 * (volume of P - volume of R) / volume of R.",
    ),
    Metric(
        "absolute_volume_difference_percent",
        "Absolute relative volume difference",
        "%",
        "Absolute value of the relative volume difference.",
    ),
    Metric(
        "ssim",
        "SSIM",
        "",
        "Structural similarity of the masks in windows of 7 x 7 pixels, mean over all pixels of the lung box.",
    ),
    Metric("psnr_db", "PSNR", "dB", "10 * log10(voxels of the lung box / (FP + FN)); infinite for equal masks."),
    Metric(
        "surface_dice_2mm",
        "Surface Dice at 2 mm",
        "",
        "Share of the border voxels of both masks that lie within 2 mm of the other mask's border.",
    ),
    Metric(
        "hd95_mm",
        "95 % Hausdorff distance",
        "mm",
        "Larger of the two 95th percentiles (R to P, P to R) of border voxels' distances to the other border.",
    ),
    Metric(
        "mean_surface_distance_mm",
        "Mean surface distance",
        "mm",
        "Mean distance to the other border over the border voxels of both masks taken together.",
    ),
)
METRIC_BY_KEY = {metric.key: metric for metric in METRICS}
DICE = METRIC_BY_KEY["dice"]
