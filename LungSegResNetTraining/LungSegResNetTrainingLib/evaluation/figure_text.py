"""How figures are written beside their scatter, interval or range."""

from __future__ import annotations

import math

from LungSegResNetLib.figures.metric_definitions import DICE, Metric
from LungSegResNetLib.wording import counted

from .bootstrap import Interval
from .permutation import LEVEL
from .spread import Spread

_P_DECIMALS = 3


def is_zero(value: float, metric: Metric) -> bool:
    """Whether a value that is known is written as 0."""
    return not math.isnan(value) and float(metric.text(value)) == 0.0


def interval_text(interval: Interval, metric: Metric = DICE, *, signed: bool = False) -> str:
    """Such as ``0.9701 to 0.9852``, and that it is too narrow where it is of few patients."""
    limits = limits_text(interval, metric, signed=signed)
    return f"{limits}, too narrow with {counted(interval.patients, 'patient')}" if interval.is_narrow else limits


def limits_text(interval: Interval, metric: Metric = DICE, *, signed: bool = False) -> str:
    """Such as ``0.9701 to 0.9852``."""
    low, high = (metric.text(limit, signed=signed) for limit in (interval.low, interval.high))
    return f"{low} at both ends" if low == high else f"{low} to {high}"


def excludes_zero(interval: Interval, metric: Metric) -> bool:
    """Whether 0 is not among the values that the data allow, also as they are written."""
    return not (interval.holds_zero or is_zero(interval.low, metric) or is_zero(interval.high, metric))


def p_text(p: float) -> str:
    """Such as ``p = 0.012``, or ``p < 0.001``."""
    value = p_value_text(p)
    return f"p {value}" if value.startswith("<") else f"p = {value}"


def p_value_text(p: float) -> str:
    """Such as ``0.012``, or ``< 0.001``."""
    least = 10**-_P_DECIMALS
    return f"< {least}" if p < least else f"{p:.{_P_DECIMALS}f}"


def is_significant(p: float) -> bool:
    """Whether p is below ``LEVEL``, also as it is written."""
    return round(p, _P_DECIMALS) < LEVEL


def mean_and_sd(spread: Spread, metric: Metric, decimals: int | None = None) -> str:
    """Such as ``0.9803 ± 0.0031``."""
    mean = metric.text(spread.mean, decimals=decimals)
    return mean if math.isnan(spread.sd) else f"{mean} ± {metric.text(spread.sd, decimals=decimals)}"


def range_text(spread: Spread, metric: Metric, decimals: int | None = None) -> str:
    """Such as ``(0.9704, 0.9851)``; empty where it is not known or is one value."""
    if math.isnan(spread.least) or spread.count == 1:
        return ""
    return f"({', '.join(metric.text(limit, decimals=decimals) for limit in (spread.least, spread.largest))})"


def median_and_quartiles(spread: Spread, metric: Metric) -> str:
    """Such as ``1.20 [0.95, 2.10]``."""
    median = metric.text(spread.median)
    if math.isnan(spread.q1):
        return median
    return f"{median} [{metric.text(spread.q1)}, {metric.text(spread.q3)}]"
