"""Table 1 of the article: what its network reached on 120 normal and 120 COVID-19 patients."""

from __future__ import annotations

import re

from .spread import Spread

NORMAL, COVID = "normal", "COVID-19"

# Metrics in the order of the article's table.
PAPER_METRICS = (
    "dice",
    "jaccard",
    "mean_error",
    "mean_absolute_error",
    "false_positive_ratio",
    "false_negative_ratio",
    "mean_hu_difference_percent",
    "absolute_mean_hu_difference_percent",
    "volume_difference_percent",
    "absolute_volume_difference_percent",
)
PAPER_DECIMALS = 3
_N = 120
_NORMAL = (
    Spread(_N, 0.980, 0.003, 0.970, 0.985),
    Spread(_N, 0.962, 0.007, 0.942, 0.971),
    Spread(_N, -0.015, 0.009, -0.031, 0.015),
    Spread(_N, 0.037, 0.007, 0.028, 0.057),
    Spread(_N, 0.005, 0.004, 0.001, 0.022),
    Spread(_N, 0.026, 0.003, 0.020, 0.036),
    Spread(_N, -2.679, 0.382, -3.673, -2.020),
    Spread(_N, 0.828, 1.318),
    Spread(_N, 2.405, 7.359, -4.726, 29.524),
    Spread(_N, 7.875, 6.548, 1.960, 33.164),
)
_COVID = (
    Spread(_N, 0.971, 0.017, 0.903, 0.986),
    Spread(_N, 0.938, 0.040, 0.823, 0.973),
    Spread(_N, -0.024, 0.042, -0.155, 0.042),
    Spread(_N, 0.061, 0.040, 0.026, 0.176),
    Spread(_N, 0.007, 0.004, 0.003, 0.028),
    Spread(_N, 0.044, 0.040, 0.011, 0.167),
    Spread(_N, -4.403, 4.097, -16.799, -1.183),
    Spread(_N, 3.253, 3.106),
    Spread(_N, 5.928, 17.261, -12.666, 90.561),
    Spread(_N, 12.743, 16.384, 2.199, 91.486),
)
PAPER: dict[str, dict[str, Spread]] = {
    NORMAL: dict(zip(PAPER_METRICS, _NORMAL, strict=True)),
    COVID: dict(zip(PAPER_METRICS, _COVID, strict=True)),
}


def paper_group(group: str) -> str | None:
    """Group of the article that a group of a case list means: ``normal``, ``COVID-19``, or none of them."""
    plain = re.sub(r"[^a-z0-9]", "", group.lower())
    return {"normal": NORMAL, "normals": NORMAL, "covid": COVID, "covid19": COVID}.get(plain)
