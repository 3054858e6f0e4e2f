"""Intervals against what theory says, patients drawn with all their cases, the same result each time."""

from __future__ import annotations

import numpy as np
import pytest

from LungSegResNetTrainingLib.evaluation.bootstrap import (
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


def test_missing_values_do_not_count_and_spoil_no_other_column() -> None:
    values = np.array([[1.0, np.nan], [1.0, 2.0], [1.0, np.inf], [1.0, 2.0]])
    assert mean_intervals(values, names(4)) == [Interval(1.0, 1.0), Interval(2.0, 2.0)]


def test_strata_keep_their_sizes() -> None:
    values = np.array([[0.0], [0.0], [0.0], [8.0]])
    assert np.ptp(resampled_means(values, names(4), ["a", "a", "a", "b"])) == 0.0


@pytest.mark.parametrize(("undefined", "known"), [(9, True), (11, False)])
def test_there_is_no_interval_where_more_than_a_tenth_of_the_draws_are_undefined(undefined: int, known: bool) -> None:
    samples = np.arange(100.0)
    samples[:undefined] = np.nan
    assert (interval_of(samples) is not None) == known
