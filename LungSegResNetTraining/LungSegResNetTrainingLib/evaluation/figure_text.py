"""How figures are written: with the decimals that suit their unit, beside their scatter, interval or range."""

from __future__ import annotations

import math

from LungSegResNetLib.figures.metrics import METRICS, Metric
from LungSegResNetLib.wording import counted

from .bootstrap import Interval
from .spread import Spread

DICE = next(metric for metric in METRICS if metric.key == "dice")
# The article's table has three decimals for ratios, which hide the scatter of good masks (0.9998 ± 0.0001).
_DECIMALS = {"": 4, "%": 3, "ml": 0, "HU": 1, "mm": 2, "dB": 1}


def number(value: float, metric: Metric = DICE, *, decimals: int | None = None, signed: bool = False) -> str:
    """A value with the decimals that suit its unit; a dash where it is not known.

    ``signed`` puts a plus before what is above 0; what is written as 0 has no sign at all.
    """
    if math.isnan(value):
        return "-"
    text = f"{value:{'+' if signed else ''}.{_DECIMALS[metric.unit] if decimals is None else decimals}f}"
    return text.lstrip("+-") if float(text) == 0.0 else text


def is_zero(value: float, metric: Metric) -> bool:
    """Whether a value that is known is written as 0."""
    return not math.isnan(value) and float(number(value, metric)) == 0.0


def interval_text(interval: Interval, metric: Metric = DICE, *, signed: bool = False) -> str:
    """Such as ``0.9701 to 0.9852``, and that it is too narrow where it is of few patients."""
    limits = limits_text(interval, metric, signed=signed)
    return f"{limits}, too narrow with {counted(interval.patients, 'patient')}" if interval.is_narrow else limits


def limits_text(interval: Interval, metric: Metric = DICE, *, signed: bool = False) -> str:
    """Such as ``0.9701 to 0.9852``."""
    low, high = (number(limit, metric, signed=signed) for limit in (interval.low, interval.high))
    return f"{low} at both ends" if low == high else f"{low} to {high}"


def excludes_zero(interval: Interval, metric: Metric) -> bool:
    """Whether 0 is not among the values that the data allow, also as they are written."""
    return not (interval.holds_zero or is_zero(interval.low, metric) or is_zero(interval.high, metric))


def mean_and_sd(spread: Spread, metric: Metric, decimals: int | None = None) -> str:
    """Such as ``0.9803 ± 0.0031``."""
    mean = number(spread.mean, metric, decimals=decimals)
    return mean if math.isnan(spread.sd) else f"{mean} ± {number(spread.sd, metric, decimals=decimals)}"


def range_text(spread: Spread, metric: Metric, decimals: int | None = None) -> str:
    """Such as ``(0.9704, 0.9851)``; empty where it is not known or is one value."""
    if math.isnan(spread.least) or spread.count == 1:
        return ""
    return f"({', '.join(number(limit, metric, decimals=decimals) for limit in (spread.least, spread.largest))})"


def median_and_quartiles(spread: Spread, metric: Metric) -> str:
    """Such as ``1.20 [0.95, 2.10]``."""
    median = number(spread.median, metric)
    if math.isnan(spread.q1):
        return median
    return f"{median} [{number(spread.q1, metric)}, {number(spread.q3, metric)}]"


def with_unit(metric: Metric) -> str:
    """Title of a metric with its unit in brackets."""
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title
