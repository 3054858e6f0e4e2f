"""How sure a mean is: bootstrap over patients, because scans of one patient are no independent cases.

Percentile intervals: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall, 1993, chapter 13.
Patients drawn with all their cases, and none of the cases within them, as strategy 1 for hierarchical data: A. C.
Davison and D. V. Hinkley, Bootstrap Methods and their Application, Cambridge University Press, 1997, section 3.8; why
that suits: C. A. Field and A. H. Welsh, Bootstrapping clustered data, J. R. Stat. Soc. B 69(3), 369-390, 2007.
Too narrow with few or skewed values: T. C. Hesterberg, What teachers should know about the bootstrap, Am. Stat. 69(4),
371-386, 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from LungSegResNetLib.wording import counted

RESAMPLES = 5000
SEED = 0
LEVEL_PERCENT = 95
# The interval of normally distributed figures misses the true mean in 5 % of all samples of many patients, but in half
# of the samples of 2 patients, in one of six of 5 and in one of ten of 10 (simulated in test_bootstrap.py).
LEAST_PATIENTS = 5  # for an interval, and for a statement that rests on one
FEW_PATIENTS = 10  # below, an interval comes out too narrow
FEW_NOTE = (
    f"Below {LEAST_PATIENTS} patients there is no interval, and with fewer than {FEW_PATIENTS} it comes out too narrow."
    " For skewed values such as Dice it does so with more patients as well."
)
SKEWED_NOTE = (
    f"For skewed values such as Dice a {LEVEL_PERCENT} % interval covers the true mean in fewer samples than that, and "
    "where it misses it, it mostly lies too high: with 14 patients it covers 87 % for the values of the shipped "
    "network's 14 single slices (simulated)."
)
FOLDS_NOTE = (
    "Intervals draw patients and take the networks of all folds for one: they say nothing about how another training "
    "would come out."
)
_CHUNK = 500  # resamples drawn at a time; bounds memory with thousands of patients


@dataclass(frozen=True)
class Interval:
    """A confidence interval of ``LEVEL_PERCENT`` from the draws of so many ``patients``; of two groups the fewer."""

    low: float
    high: float
    patients: int

    @property
    def holds_zero(self) -> bool:
        """Whether 0 is among the values that the data allow."""
        return self.low <= 0.0 <= self.high

    @property
    def is_narrow(self) -> bool:
        """Whether there are so few patients that it comes out too narrow."""
        return self.patients < FEW_PATIENTS


def resampled_means(values: np.ndarray, patients: Sequence[str], strata: Sequence[str] | None = None) -> np.ndarray:
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

    rng = np.random.default_rng(SEED)
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


def count_patients(patients: Sequence[str], known: np.ndarray) -> int:
    """Patients of the cases that are known to have a value; ``known`` has a boolean for each case."""
    return len({patient for patient, is_known in zip(patients, known, strict=True) if is_known})


def too_few(patients: int) -> str:
    """That there is no interval, in words: ``3 patients are too few``."""
    return f"{counted(patients, 'patient')} {'is' if patients == 1 else 'are'} too few"


def interval_of(samples: np.ndarray, patients: int) -> Interval | None:
    """Percentile interval of resampled values; None with too few patients, or where too many values are undefined."""
    known = samples[np.isfinite(samples)]
    if patients < LEAST_PATIENTS or len(known) < 0.9 * len(samples):
        return None
    tail = (100 - LEVEL_PERCENT) / 2
    low, high = np.percentile(known, [tail, 100 - tail])
    return Interval(float(low), float(high), patients)


def mean_intervals(values: np.ndarray, patients: Sequence[str]) -> list[Interval | None]:
    """Interval of the mean of each column of ``values`` (cases, columns); None with too few patients with a value."""
    counts = [count_patients(patients, known) for known in np.isfinite(values).T]
    if max(counts, default=0) < LEAST_PATIENTS:
        return [None] * values.shape[1]
    means = resampled_means(values, patients)
    return [interval_of(means[:, n], count) for n, count in enumerate(counts)]
