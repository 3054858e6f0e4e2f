"""Mean, standard deviation, quartiles and range of a metric."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

LEAST_CASES = 5  # for quartiles: fewer have none worth the name


@dataclass(frozen=True)
class Spread:
    """Statistics of ``count`` values; nan is what is not known.

    ``sd`` is the sample's (divided by count - 1), and ``q1`` and ``q3`` are the quartiles, between two values linear.
    """

    count: int
    mean: float
    sd: float
    least: float = math.nan
    largest: float = math.nan
    median: float = math.nan
    q1: float = math.nan
    q3: float = math.nan


def spread_of(values: Iterable[float]) -> Spread:
    """Statistics of the finite values; with one there is no SD, below `LEAST_CASES` no quartile, with none nothing."""
    known = np.array([value for value in values if math.isfinite(value)])
    if not known.size:
        return Spread(0, math.nan, math.nan)
    sd = float(known.std(ddof=1)) if known.size > 1 else math.nan
    quartiles = np.percentile(known, [25, 75]).tolist() if known.size >= LEAST_CASES else [math.nan, math.nan]
    return Spread(
        known.size, float(known.mean()), sd, float(known.min()), float(known.max()), float(np.median(known)), *quartiles
    )
