"""p values against permutations counted by hand, and how often chance is taken for a difference."""

from __future__ import annotations

import numpy as np
import pytest

from LungSegResNetTrainingLib.evaluation.permutation import PERMUTATIONS, permutation_p


def p_of(first: list[float], second: list[float], patients: list[str] | None = None) -> float:
    values = np.array([*first, *second])
    names = patients or [f"p{n}" for n in range(len(values))]
    return permutation_p(values, names, np.arange(len(values)) < len(first))


def test_few_patients_are_permuted_in_all_ways() -> None:
    # Of the 10 ways to choose 2 of 5, {0, 1} and {3, 4} lie at least as far apart as {0, 1}; {0, 2} does not.
    assert p_of([0.0, 1.0], [2.0, 3.0, 4.0]) == 2 / 10
    assert p_of([0.0, 2.0], [1.0, 3.0, 4.0]) == 4 / 10


def test_one_patient_against_others_is_as_rare_as_he_is_far_off() -> None:
    assert p_of([9.0], [1.0, 2.0, 3.0, 4.0]) == 1 / 5
    assert p_of([2.5], [1.0, 2.0, 3.0, 4.0]) == 1.0


def test_a_patient_goes_to_the_other_group_with_all_cases() -> None:
    values = np.random.default_rng(0).normal(size=9).tolist()
    names = [f"p{n}" for n in range(9)]
    again = p_of(np.repeat(values[:4], 7).tolist(), np.repeat(values[4:], 7).tolist(), np.repeat(names, 7).tolist())
    assert again == p_of(values[:4], values[4:], names)


def test_a_patient_with_cases_in_both_groups_is_exchanged_within() -> None:
    levels, names = np.arange(8.0), [f"p{n}" for n in range(8)]
    # Patients differ far more than the groups do, but all by the same 0.01: only all swapped or none is as much.
    assert p_of(list(levels), list(levels + 0.01), names * 2) == 2 / 2**8
    # One in each group and one in both: 5 - 1 as it is, 3 - 3, 4 - 2, and 2 - 4 with both exchanged.
    assert p_of([6.0, 4.0], [2.0, 0.0], ["a", "both", "b", "both"]) == 2 / 4
    # Cases of one patient in uneven numbers: means of 3 and 1.5, and swapped of 1.5 and 3.
    assert p_of([3.0], [1.0, 2.0], ["both"] * 3) == 1.0


@pytest.mark.parametrize("patients", [3, 30])
def test_equal_values_are_no_difference(patients: int) -> None:
    assert p_of([0.1 + 0.2] * patients, [0.3] * patients) == 1.0


def test_a_p_of_drawn_permutations_is_small_but_never_0_and_the_same_each_time() -> None:
    values = np.random.default_rng(1).normal(size=60)
    assert p_of(list(values[:20]), list(values[20:] + 9)) == 1 / (PERMUTATIONS + 1)
    assert p_of(list(values[:20]), list(values[20:])) == p_of(list(values[:20]), list(values[20:]))


def test_what_has_no_value_does_not_count() -> None:
    nan = float("nan")
    assert p_of([0.0, 1.0, nan], [2.0, nan, 3.0, 4.0]) == p_of([0.0, 1.0], [2.0, 3.0, 4.0])
    # A patient without a value in one of the groups is a patient of the other one.
    assert p_of([9.0, nan], [1.0, 2.0, 3.0, 4.0], ["a", "b", "a2", "b", "c", "d"]) == 1 / 5


def test_one_in_twenty_of_equal_groups_comes_below_a_twentieth_however_skewed_and_unequal() -> None:
    rng = np.random.default_rng(2)
    below = [p_of(list(rng.exponential(size=6)), list(rng.exponential(size=30))) < 0.05 for _ in range(200)]
    assert np.mean(below) == pytest.approx(0.05, abs=0.035)
