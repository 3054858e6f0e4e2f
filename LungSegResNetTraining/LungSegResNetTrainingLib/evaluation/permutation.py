"""Could a difference of two groups be chance? Permutation test by patient.

Two-sided p value of drawn permutations, never 0: B. Phipson and G. K. Smyth, Permutation P-values should never be zero,
Stat. Appl. Genet. Mol. Biol. 9(1), 39, 2010. Patients permuted with all their cases, as the clusters of M. H. Gail et
al., On design considerations and randomization-based inference for community intervention trials, Stat. Med. 15(11),
1069-1092, 1996. It needs no normal distribution and keeps its level with few patients and groups of unequal size, where
the percentile interval of `bootstrap` is too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

PERMUTATIONS = 10_000  # drawn where there are more; else each is made once
SEED = 0
LEVEL = 0.05
_CHUNK = 1000  # permutations made at a time; bounds memory with thousands of patients
_ROUNDING = 1e-10  # of the largest value: what lies as near as that to the observed difference is as large


def permutation_p(values: np.ndarray, patients: Sequence[str], in_first: np.ndarray) -> float:
    """Share of permutations of patients in which the means of two groups differ at least as much as they do.

    A patient with cases in one group is given to either with all of them, so that the numbers of such patients stay;
    one with cases in both is exchanged within: his cases swap groups or do not.

    Parameters
    ----------
    values : (cases,); what is not finite does not count. Each group has a value.
    patients : of each case.
    in_first : (cases,), whether a case is in the first group.
    """
    known = np.isfinite(values)
    names, patient = np.unique(np.asarray(patients)[known], return_inverse=True)
    group = np.where(in_first[known], 0, 1)
    sums, counts = (np.zeros((len(names), 2)) for _ in range(2))
    np.add.at(sums, (patient, group), values[known])
    np.add.at(counts, (patient, group), 1)

    observed = abs(np.subtract(*(sums.sum(axis=0) / counts.sum(axis=0))))
    least = observed - _ROUNDING * np.abs(values[known]).max()
    extreme = number = 0
    for exchanged in _exchanges(counts > 0):
        to_first, more = (exchanged @ (array[:, 1] - array[:, 0]) for array in (sums, counts))
        first = (sums[:, 0].sum() + to_first) / (counts[:, 0].sum() + more)
        second = (sums[:, 1].sum() - to_first) / (counts[:, 1].sum() - more)
        extreme += int((np.abs(first - second) >= least).sum())
        number += len(exchanged)
    return extreme / number if number < PERMUTATIONS else (extreme + 1) / (number + 1)


def _exchanges(has: np.ndarray) -> Iterator[np.ndarray]:
    """Permutations in chunks (permutations, patients): whether the cases of a patient go to the other group.

    ``has`` (patients, 2) tells in which groups a patient has cases. Fewer than ``PERMUTATIONS`` are all there are.
    """
    in_both = has.all(axis=1)
    alone, both = np.flatnonzero(~in_both), np.flatnonzero(in_both)
    in_first = has[alone, 0]
    first = int(in_first.sum())
    number = math.comb(len(alone), first) * 2 ** len(both)
    if number < PERMUTATIONS:
        chosen = np.array(list(combinations(range(len(alone)), first)), int)
        given = np.zeros((len(chosen), len(alone)), bool)
        np.put_along_axis(given, chosen, True, axis=1)
        swapped = (np.arange(2 ** len(both))[:, None] >> np.arange(len(both))) & 1
        exchanged = np.zeros((number, len(has)), bool)
        exchanged[:, alone] = np.repeat(given != in_first, len(swapped), axis=0)
        exchanged[:, both] = np.tile(swapped, (len(given), 1))
        yield exchanged
        return
    rng = np.random.default_rng(SEED)
    for _ in range(PERMUTATIONS // _CHUNK):
        exchanged = np.zeros((_CHUNK, len(has)), bool)
        exchanged[:, alone] = rng.permuted(np.tile(in_first, (_CHUNK, 1)), axis=1) != in_first
        exchanged[:, both] = rng.random((_CHUNK, len(both))) < 0.5
        yield exchanged
