"""Which cases of a data set are judged."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from LungSegResNetLib.errors import InputError
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.data.found_cases import FoundCases
from LungSegResNetTrainingLib.data.scan_marks import NOTHING_SEEN, ScanMarks, ScanSet
from LungSegResNetTrainingLib.evaluation.case_choice import cases_to_judge, cases_trained_on


def chosen(
    found: FoundCases, split: str | None, seen: ScanSet = NOTHING_SEEN, held_back: Iterable[str] = ("held back",)
) -> list[str]:
    return [case.name for case in cases_to_judge(found, split, seen, ScanSet.by_names(held_back), ScanMarks())]


def test_the_split_is_validation_where_there_is_one_and_all_elsewhere() -> None:
    def cases(*splits: str) -> FoundCases:
        return FoundCases([Case(f"{n}", Path("ct"), Path("mask"), split, f"{n}") for n, split in enumerate(splits)])

    assert chosen(cases("train", "validation"), None) == ["1"]
    assert chosen(cases("train", "train"), None) == ["0", "1"]
    assert chosen(cases("train", "validation"), "all") == ["0", "1"]
    with pytest.raises(InputError, match=r"no case in the split 'test'; there are train"):
        chosen(cases("train"), "test")


def test_without_a_split_no_patient_is_judged_that_the_network_was_trained_on() -> None:
    patients = {"a1": "a", "a2": "a", "b1": "b"}
    found = FoundCases([Case(name, Path("ct"), Path("mask"), "train", who) for name, who in patients.items()])
    assert chosen(found, None, ScanSet.by_names({"a1"})) == ["b1"]
    assert chosen(found, "all", ScanSet.by_names({"a1"})) == ["a1", "a2", "b1"]
    with pytest.raises(InputError, match=r"trained on all patients .* --split all"):
        chosen(found, None, ScanSet.by_names({"a1", "b1"}))
    with pytest.raises(InputError, match=r"held nobody back; cross-validate \(fit --folds\) and publish"):
        chosen(found, None, ScanSet.by_names({"a1", "b1"}), held_back=())


def test_a_validation_case_of_a_patient_that_the_network_was_trained_on_is_judged_only_if_asked_for() -> None:
    splits = {"a": "train", "b": "validation", "c": "validation"}
    found = FoundCases([Case(name, Path("ct"), Path("mask"), split, name) for name, split in splits.items()])
    seen = ScanSet.by_names({"b"})
    assert chosen(found, None, seen) == ["c"]
    assert [case.name for case in cases_trained_on(found, None, seen, ScanMarks())] == ["b"]
    assert chosen(found, "validation", seen) == ["b", "c"]
    assert cases_trained_on(found, "validation", seen, ScanMarks()) == []
    with pytest.raises(InputError, match="trained on all validation cases"):
        chosen(found, None, ScanSet.by_names({"b", "c"}))
