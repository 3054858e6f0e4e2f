"""Intervals against what theory says, patients drawn with all their cases, the same result each time."""

from __future__ import annotations

import numpy as np
import pytest

from LungSegResNetTrainingLib.evaluation.bootstrap import (
    FEW_PATIENTS,
    LEAST_PATIENTS,
    RESAMPLES,
    Interval,
    interval_of,
    mean_intervals,
    resampled_means,
)


def names(count: int) -> list[str]:
    return [f"p{n}" for n in range(count)]


def test_two_patients_give_the_three_means_that_can_be_drawn() -> None:
    means = resampled_means(np.array([[0.0], [1.0]]), ["a", "b"])
    values, counts = np.unique(means, return_counts=True)
    assert values.tolist() == [0.0, 0.5, 1.0]
    # Both the first, one of each, both the second: 1/4, 1/2, 1/4.
    assert counts / RESAMPLES == pytest.approx([0.25, 0.5, 0.25], abs=0.03)


def test_the_interval_of_many_cases_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(1).normal(0.95, 0.02, 200)
    (interval,) = mean_intervals(values[:, None], names(200))
    assert interval is not None
    error = values.std() / np.sqrt(200)
    assert interval.low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert interval.high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)


def test_scans_of_one_patient_are_drawn_together() -> None:
    values = np.random.default_rng(2).normal(0.0, 1.0, 40)
    # Each patient scanned ten times with the same result: as sure as 40 patients are, not as 400.
    (alone,), (repeated,) = (
        mean_intervals(np.repeat(values, times)[:, None], np.repeat(names(40), times).tolist()) for times in (1, 10)
    )
    assert alone is not None
    assert repeated is not None
    assert (repeated.low, repeated.high) == pytest.approx((alone.low, alone.high))


def test_the_same_cases_give_the_same_interval_each_time() -> None:
    values = np.random.default_rng(3).normal(size=(12, 2))
    assert mean_intervals(values, names(12)) == mean_intervals(values, names(12))


def test_one_patient_has_no_interval() -> None:
    assert mean_intervals(np.array([[0.9], [0.8]]), ["a", "a"]) == [None]


def test_below_five_patients_with_a_value_there_is_no_interval() -> None:
    values = np.arange(18.0).reshape(6, 3)
    values[:2, 1] = np.nan
    values[:1, 2] = np.nan
    (six, four, five) = mean_intervals(values, names(6))
    assert six is not None
    assert five is not None
    assert (six.patients, four, five.patients) == (6, None, 5)
    # Ten scans of four patients are no ten patients.
    assert mean_intervals(np.arange(12.0)[:, None], names(4) * 3) == [None]


@pytest.mark.parametrize(
    ("patients", "percent"), [(2, 48), (3, 25), (LEAST_PATIENTS, 18), (7, 13), (FEW_PATIENTS, 10), (40, 6)]
)
def test_an_interval_of_few_patients_misses_the_truth_far_too_often(patients: int, percent: float) -> None:
    samples = np.random.default_rng(4).normal(size=(patients, 1000))  # of so many figures whose true mean is 0
    low, high = np.percentile(resampled_means(samples, names(patients)), [2.5, 97.5], axis=0)
    assert 100 * np.mean((low > 0) | (high < 0)) == pytest.approx(percent, abs=3.5)


@pytest.mark.parametrize(("patients", "percent"), [(8, 84), (14, 87), (30, 93)])
def test_an_interval_of_skewed_values_covers_the_truth_less_often_and_mostly_lies_too_high(
    patients: int, percent: float
) -> None:
    # The Dice of the 14 single slices in the model card of the shipped network.
    published = [0.997, 0.987, 0.928, 0.901, 0.940, 0.996, 0.993, 0.992, 0.991, 0.992, 0.994, 0.992, 0.995, 0.987]
    samples = np.random.default_rng(5).choice(published, (patients, 2000))
    low, high = np.percentile(resampled_means(samples, names(patients)), [2.5, 97.5], axis=0)
    too_high, too_low = np.mean(low > np.mean(published)), np.mean(high < np.mean(published))
    assert 100 * (1 - too_high - too_low) == pytest.approx(percent, abs=2)
    assert too_high > 2 * too_low


def test_an_interval_of_few_patients_is_known_as_too_narrow() -> None:
    assert [Interval(0.0, 1.0, count).is_narrow for count in (FEW_PATIENTS - 1, FEW_PATIENTS)] == [True, False]


def test_missing_values_do_not_count_and_spoil_no_other_column() -> None:
    values = np.array([[1.0, np.nan], [1.0, 2.0], [1.0, np.inf], *[[1.0, 2.0]] * 4])
    assert mean_intervals(values, names(7)) == [Interval(1.0, 1.0, 7), Interval(2.0, 2.0, 5)]


def test_strata_keep_their_sizes() -> None:
    values = np.array([[0.0], [0.0], [0.0], [8.0]])
    assert np.ptp(resampled_means(values, names(4), ["a", "a", "a", "b"])) == 0.0


@pytest.mark.parametrize(("undefined", "known"), [(9, True), (11, False)])
def test_there_is_no_interval_where_more_than_a_tenth_of_the_draws_are_undefined(undefined: int, known: bool) -> None:
    samples = np.arange(100.0)
    samples[:undefined] = np.nan
    assert (interval_of(samples, 20) is not None) == known
