"""Which cases of a data set are judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from LungSegResNetLib.errors import InputError
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.data.found_cases import FoundCases
from LungSegResNetTrainingLib.data.scan_marks import ScanRecord
from LungSegResNetTrainingLib.evaluation.case_choice import cases_trained_on, choose_cases


def test_the_split_is_validation_where_there_is_one_and_all_elsewhere() -> None:
    def cases(*splits: str) -> FoundCases:
        return FoundCases([Case(f"{n}", Path("ct"), Path("mask"), split, f"{n}") for n, split in enumerate(splits)])

    assert [case.name for case in choose_cases(cases("train", "validation"), None)] == ["1"]
    assert [case.name for case in choose_cases(cases("train", "train"), None)] == ["0", "1"]
    assert [case.name for case in choose_cases(cases("train", "validation"), "all")] == ["0", "1"]
    with pytest.raises(InputError, match=r"no case in the split 'test'; there are train"):
        choose_cases(cases("train"), "test")


def test_without_a_split_no_patient_is_judged_that_the_network_was_trained_on() -> None:
    patients = {"a1": "a", "a2": "a", "b1": "b"}
    found = FoundCases([Case(name, Path("ct"), Path("mask"), "train", who) for name, who in patients.items()])
    assert [case.name for case in choose_cases(found, None, ScanRecord.by_names({"a1"}))] == ["b1"]
    assert [case.name for case in choose_cases(found, "all", ScanRecord.by_names({"a1"}))] == ["a1", "a2", "b1"]
    with pytest.raises(InputError, match=r"trained on all patients .* --split all"):
        choose_cases(found, None, ScanRecord.by_names({"a1", "b1"}))


def test_a_validation_case_of_a_patient_that_the_network_was_trained_on_is_judged_only_if_asked_for() -> None:
    splits = {"a": "train", "b": "validation", "c": "validation"}
    found = FoundCases([Case(name, Path("ct"), Path("mask"), split, name) for name, split in splits.items()])
    seen = ScanRecord.by_names({"b"})
    assert [case.name for case in choose_cases(found, None, seen)] == ["c"]
    assert [case.name for case in cases_trained_on(found, None, seen)] == ["b"]
    assert [case.name for case in choose_cases(found, "validation", seen)] == ["b", "c"]
    assert cases_trained_on(found, "validation", seen) == []
    with pytest.raises(InputError, match="trained on all validation cases"):
        choose_cases(found, None, ScanRecord.by_names({"b", "c"}))
