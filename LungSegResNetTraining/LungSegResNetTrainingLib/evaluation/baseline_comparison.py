"""The network beside plain thresholding, on the same cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from LungSegResNetLib.figures.metric_definitions import METRIC_BY_KEY, Metric

from .aggregation import patients_of, values_of, with_lung
from .bootstrap import Interval, count_patients, mean_intervals
from .case_result import NETWORK, THRESHOLDING, CaseResult
from .permutation import permutation_p
from .spread import Spread, spread_of

BEGUN_BY_NETWORK_NOTE = (
    "A reference that was begun as the mask of a network favours that network: what was not corrected agrees with "
    "it by construction."
)
BEGUN_NOTE = (
    "A reference that was begun as a draft of thresholding and then corrected favours thresholding, and one that was "
    "begun as the mask of a network favours that network: what was not corrected agrees with it by construction."
)
_METRICS = (
    "dice",
    "jaccard",
    "mean_absolute_error",
    "false_positive_ratio",
    "false_negative_ratio",
    "absolute_volume_difference_percent",
    "surface_dice_2mm",
    "hd95_mm",
    "mean_surface_distance_mm",
)


@dataclass(frozen=True)
class BaselineComparison:
    """A metric of both methods over the cases where both have it, and the mean of the differences case by case.

    The methods are said to differ where ``interval`` excludes 0 and ``p``, of exchanging the methods by patient, is
    small; both are None where these cases are of too few ``patients``. ``nothing_found`` counts the cases with lung in
    which one of the two found none.
    """

    metric: Metric
    network: Spread
    thresholding: Spread
    difference: float
    patients: int
    interval: Interval | None
    p: float | None
    nothing_found: int


def compare_with_thresholding(results: Sequence[CaseResult]) -> list[BaselineComparison]:
    """Network minus thresholding for each metric; empty where thresholding was left out."""
    chosen = [result for result in with_lung(results) if THRESHOLDING in result.comparisons]
    if not chosen:
        return []
    network, thresholding = (values_of(chosen, _METRICS, method) for method in (NETWORK, THRESHOLDING))
    both = np.isfinite(network) & np.isfinite(thresholding)
    network, thresholding = np.where(both, network, np.nan), np.where(both, thresholding, np.nan)
    patients = patients_of(chosen)
    intervals = mean_intervals(network - thresholding, patients)
    nothing_found = sum(any(map(result.found_nothing, (NETWORK, THRESHOLDING))) for result in chosen)
    return [
        BaselineComparison(
            METRIC_BY_KEY[key],
            spread_of(network[:, n]),
            spread_of(thresholding[:, n]),
            spread_of(network[:, n] - thresholding[:, n]).mean,
            count_patients(patients, both[:, n]),
            intervals[n],
            _p(network[:, n], thresholding[:, n], patients) if intervals[n] else None,
            nothing_found,
        )
        for n, key in enumerate(_METRICS)
    ]


def _p(network: np.ndarray, thresholding: np.ndarray, patients: Sequence[str]) -> float:
    by_network = np.arange(2 * len(network)) < len(network)
    return permutation_p(np.concatenate([network, thresholding]), [*patients, *patients], by_network)
