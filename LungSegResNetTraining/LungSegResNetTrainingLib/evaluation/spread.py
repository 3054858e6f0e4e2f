"""Mean, standard deviation and range of a metric, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from LungSegResNetLib.figures.metrics import Metric

_DECIMALS = {"": 3, "%": 3, "ml": 0, "mm": 2, "dB": 1}


@dataclass(frozen=True)
class Spread:
    """Statistics of ``count`` values; nan is what is not known. ``sd`` is the sample's (divided by count - 1)."""

    count: int
    mean: float
    sd: float
    least: float = math.nan
    largest: float = math.nan


def spread_of(values: Iterable[float]) -> Spread:
    """Statistics of the finite values; with one value there is no SD, with none nothing."""
    known = np.array([value for value in values if math.isfinite(value)])
    if not known.size:
        return Spread(0, math.nan, math.nan)
    sd = float(known.std(ddof=1)) if known.size > 1 else math.nan
    return Spread(known.size, float(known.mean()), sd, float(known.min()), float(known.max()))


def number(value: float, metric: Metric) -> str:
    """A value with the decimals that suit its unit; a dash where it is not known."""
    if math.isnan(value):
        return "-"
    text = f"{value:.{_DECIMALS[metric.unit]}f}"
    return text.removeprefix("-") if float(text) == 0.0 else text


def is_zero(value: float, metric: Metric) -> bool:
    """Whether a value that is known is written as 0."""
    return not math.isnan(value) and float(number(value, metric)) == 0.0


def mean_and_sd(spread: Spread, metric: Metric) -> str:
    """Such as ``0.980 ± 0.003``."""
    mean = number(spread.mean, metric)
    return mean if math.isnan(spread.sd) else f"{mean} ± {number(spread.sd, metric)}"


def range_text(spread: Spread, metric: Metric) -> str:
    """Such as ``(0.970, 0.985)``; empty where it is not known or is one value."""
    if math.isnan(spread.least) or spread.count == 1:
        return ""
    return f"({number(spread.least, metric)}, {number(spread.largest, metric)})"


def with_unit(metric: Metric) -> str:
    """Title of a metric with its unit in brackets."""
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title
