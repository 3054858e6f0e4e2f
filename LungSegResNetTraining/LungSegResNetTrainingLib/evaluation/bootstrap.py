"""How sure a mean is: bootstrap over patients, because scans of one patient are no independent cases.

Percentile intervals: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall, 1993, chapter 13.
Patients drawn with all their cases, and none of the cases within them, as strategy 1 for hierarchical data: A. C.
Davison and D. V. Hinkley, Bootstrap Methods and their Application, Cambridge University Press, 1997, section 3.8; why
that suits: C. A. Field and A. H. Welsh, Bootstrapping clustered data, J. R. Stat. Soc. B 69(3), 369-390, 2007.
Too narrow with few: T. C. Hesterberg, What teachers should know about the bootstrap, Am. Stat. 69(4), 371-386, 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 5000
LEVEL_PERCENT = 95
_CHUNK = 500  # resamples drawn at a time; bounds memory with thousands of patients


@dataclass(frozen=True)
class Interval:
    """A confidence interval of ``LEVEL_PERCENT``."""

    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        """Whether 0 is among the values that the data allow."""
        return self.low <= 0.0 <= self.high


def resampled_means(
    values: np.ndarray, patients: Sequence[str], strata: Sequence[str] | None = None, seed: int = 0
) -> np.ndarray:
    """Means over cases, shape (RESAMPLES, columns), each of a new draw of patients with all their cases.

    The mean of a draw weighs every case alike, so that a patient with many scans counts as often.

    Parameters
    ----------
    values : (cases, columns); what is not finite does not count.
    patients : of each case.
    strata : of each case, the same for all cases of a patient: patients are drawn within their stratum, which keeps
        the sizes of groups as they are.
    """
    names, patient = np.unique(np.asarray(patients), return_inverse=True)
    known = np.isfinite(values)
    sums, counts = (np.zeros((len(names), values.shape[1])) for _ in range(2))
    np.add.at(sums, patient, np.where(known, values, 0.0))
    np.add.at(counts, patient, known)
    stratum = np.full(len(names), "", dtype=object)
    stratum[patient] = [""] * len(patient) if strata is None else list(strata)

    rng = np.random.default_rng(seed)
    means = np.empty((RESAMPLES, values.shape[1]))
    for start in range(0, RESAMPLES, _CHUNK):
        chunk = means[start : start + _CHUNK]
        times = np.zeros((len(chunk), len(names)))
        for one in sorted(set(stratum)):
            members = np.flatnonzero(stratum == one)
            equal = np.full(len(members), 1.0 / len(members))
            times[:, members] = rng.multinomial(len(members), equal, size=len(chunk))
        total, number = times @ sums, times @ counts
        chunk[:] = np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0)
    return means


def interval_of(samples: np.ndarray) -> Interval | None:
    """Percentile interval of resampled values; None where too many of them are undefined."""
    known = samples[np.isfinite(samples)]
    if len(known) < 0.9 * len(samples):
        return None
    tail = (100 - LEVEL_PERCENT) / 2
    low, high = np.percentile(known, [tail, 100 - tail])
    return Interval(float(low), float(high))


def mean_intervals(values: np.ndarray, patients: Sequence[str]) -> list[Interval | None]:
    """Interval of the mean of each column of ``values`` (cases, columns); None below two patients with a value."""
    enough = [
        len({patient for patient, known in zip(patients, column, strict=True) if known}) >= 2
        for column in np.isfinite(values).T
    ]
    if not any(enough):
        return [None] * values.shape[1]
    means = resampled_means(values, patients)
    return [interval_of(means[:, n]) if good else None for n, good in enumerate(enough)]
