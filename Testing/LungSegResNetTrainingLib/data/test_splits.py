from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from LungSegResNetLib.errors import InputError, UsageError
from LungSegResNetTrainingLib.data.cases import TEST, TRAIN, VALIDATION, Case
from LungSegResNetTrainingLib.data.splits import names_a_split, split_by_fold, split_by_share, split_left_out

# Two scans of each of 20 patients; every fourth patient is ill.
CASES = [
    Case(f"{patient}{scan}", Path("ct"), Path("mask"), TRAIN, f"p{patient}", "ill" if patient % 4 == 0 else "normal")
    for patient in range(20)
    for scan in "ab"
]
ALL = {case.name for case in CASES}


def _validating(cases: list[Case]) -> set[str]:
    patients = {case.patient for case in cases if case.split == VALIDATION}
    assert not patients & {case.patient for case in cases if case.split == TRAIN}
    return patients


@pytest.mark.parametrize(("share", "count"), [(0.05, 1), (0.001, 1), (0.25, 5), (0.99, 19), (0.0, 0)])
def test_a_share_of_the_patients_validates_and_at_least_one(share: float, count: int) -> None:
    assert len(_validating(split_by_share(CASES, share, 0, ALL))) == count


def test_the_split_depends_on_the_seed_and_not_on_the_order_of_cases() -> None:
    first = _validating(split_by_share(CASES, 0.25, 0, ALL))
    assert _validating(split_by_share(CASES[::-1], 0.25, 0, ALL)) == first
    assert any(_validating(split_by_share(CASES, 0.25, seed, ALL)) != first for seed in (1, 2))


def test_only_patients_with_lung_validate() -> None:
    assert _validating(split_by_share(CASES, 0.5, 0, {"3a", "7b"})) <= {"p3", "p7"}


def test_one_patient_cannot_be_on_both_sides() -> None:
    with pytest.raises(InputError, match="add a patient, or in a terminal give --validation-share 0"):
        split_by_share(CASES[:2], 0.05, 0, ALL)
    assert _validating(split_by_share(CASES[:2], 0.0, 0, ALL)) == set()


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_an_impossible_share_is_refused(share: float) -> None:
    with pytest.raises(UsageError):
        split_by_share(CASES, share, 0, ALL)


def test_what_is_left_out_gets_the_splits_it_would_have_had() -> None:
    divided = split_by_share(CASES, 0.25, 0, ALL)
    validating = sorted(_validating(divided))

    def case(name: str, patient: str, split: str = TRAIN) -> Case:
        return Case(name, Path("ct"), Path("mask"), split, patient)

    known = [case("k0", validating[0]), case("k1", ({f"p{n}" for n in range(20)} - set(validating)).pop())]
    others = [case(f"{scan}{n}", f"other{n}") for n in range(8) for scan in "ab"]
    left_out = split_left_out([*known, *others, case("t", "t", TEST)], divided, 0.25, 0)
    assert [one.split for one in left_out if one.name in ("k0", "k1", "t")] == [VALIDATION, TRAIN, TEST]
    drawn = [_validating(split_left_out(others, divided, 0.25, seed)) for seed in range(5)]
    assert [len(patients) for patients in drawn] == [2] * 5
    assert len(set(map(frozenset, drawn))) > 1
    assert _validating(split_left_out(others[:2], divided, 0.25, 0)) == set()  # round(0.25 * 21) are there already


def test_folds_hold_every_patient_once_and_spread_the_groups() -> None:
    folds = [_validating(split_by_fold(CASES, 5, fold, ALL)) for fold in range(1, 6)]
    assert sorted(p for fold in folds for p in fold) == sorted({case.patient for case in CASES})
    ill = {case.patient for case in CASES if case.group == "ill"}
    assert [len(fold & ill) for fold in folds] == [1] * 5
    assert folds == [_validating(split_by_fold(CASES[::-1], 5, fold, ALL)) for fold in range(1, 6)]


def test_a_fold_holds_the_same_patients_in_every_release_so_that_networks_of_folds_stay_comparable() -> None:
    assert _validating(split_by_fold(CASES, 5, 1, ALL)) == {"p0", "p2", "p6", "p9"}
    assert _validating(split_by_fold(CASES, 5, 5, ALL)) == {"p5", "p8", "p11", "p19"}


def test_each_fold_has_a_patient_with_lung_or_there_are_too_many() -> None:
    lung = {"0a", "3b", "8a", "11a", "15b"}
    folds = [_validating(split_by_fold(CASES, 5, fold, lung)) for fold in range(1, 6)]
    assert [len(fold & {"p0", "p3", "p8", "p11", "p15"}) for fold in folds] == [1] * 5
    assert sorted(p for fold in folds for p in fold) == sorted({case.patient for case in CASES})
    with pytest.raises(InputError, match="Only 5 patients have a scan with lung, and each of 6 folds needs one"):
        split_by_fold(CASES, 6, 1, lung)


@pytest.mark.parametrize(("folds", "fold"), [(1, 1), (5, 0), (5, 6)])
def test_a_fold_that_does_not_exist_is_refused(folds: int, fold: int) -> None:
    with pytest.raises(UsageError, match=f"no fold {fold} of {folds}"):
        split_by_fold(CASES, folds, fold, ALL)


def test_more_folds_than_patients_are_refused() -> None:
    with pytest.raises(InputError, match="20 patients cannot be divided into 21 folds"):
        split_by_fold(CASES, 21, 1, ALL)
    with pytest.raises(InputError, match="1 patient cannot be divided into 2 folds"):
        split_by_fold(CASES[:2], 2, 1, ALL)


def test_a_data_set_with_a_validation_case_names_its_split() -> None:
    assert not names_a_split(CASES)
    assert names_a_split(split_by_share(CASES, 0.05, 0, ALL))


def test_cases_for_tests_neither_train_nor_validate() -> None:
    held_back = [replace(case, split=TEST) if case.patient in ("p1", "p2") else case for case in CASES]
    assert not names_a_split(held_back)
    for share in (0.0, 0.5, 0.99):
        divided = split_by_share(held_back, share, 0, ALL)
        assert [case.patient for case in divided if case.split == TEST] == ["p1", "p1", "p2", "p2"]
    folds = [split_by_fold(held_back, 3, fold, ALL) for fold in (1, 2, 3)]
    for divided in folds:
        assert [case.patient for case in divided if case.split == TEST] == ["p1", "p1", "p2", "p2"]
    validating = [patient for divided in folds for patient in _validating(divided)]
    assert sorted(validating) == sorted({case.patient for case in CASES} - {"p1", "p2"})
    alone = [case if case.patient == "p3" else replace(case, split=TEST) for case in CASES]
    with pytest.raises(InputError, match="One patient cannot be for training and for validation both"):
        split_by_share(alone, 0.5, 0, ALL)
    with pytest.raises(InputError, match="18 patients cannot be divided into 19 folds"):
        split_by_fold(held_back, 19, 1, ALL)
