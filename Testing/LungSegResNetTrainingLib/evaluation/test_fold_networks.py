"""A case of a cross-validation is judged by the network that has not seen its patient, or the division is refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from synthetic_thorax import Thorax
from training_cases import write_case

from LungSegResNetLib.errors import InputError, UsageError
from LungSegResNetLib.network.model_file import ModelCard, load_model, save_model
from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetTrainingLib.data.cases import TEST, Case
from LungSegResNetTrainingLib.data.scan_marks import ScanMarks, ScanSet
from LungSegResNetTrainingLib.evaluation.fold_networks import assign_networks, read_fold_networks
from LungSegResNetTrainingLib.training.settings import RECOMMENDED

# Two scans of patient p and one of each other.
CASES = [Case(name, Path("ct"), Path("mask"), "train", "p" if name in "ab" else name) for name in "abcd"]


def _write(
    runs: Path, fold: int, training: str, validation: str, start: str = "", steps: int = 10, **about: Any
) -> None:
    network = HighRes2DNet()
    weights = {name: value.numpy() for name, value in network.state_dict().items() if value.is_floating_point()}
    about = {
        **about,
        "settings": replace(RECOMMENDED, steps=steps, start=f"start {fold}").as_json(),
        "training_cases": list(training),
        "validation_cases": list(validation),
        "start_network_cases": list(start),
    }
    save_model(runs / f"fold-{fold}" / "network.safetensors", weights, ModelCard(network.config, training=about))


def _judges(runs: Path, folds: int = 2) -> dict[str, int]:
    assigned, _ = assign_networks(CASES, read_fold_networks(runs, folds), ScanMarks())
    return {case.name: network.fold for case, network in assigned}


def test_every_case_has_the_network_that_has_not_seen_its_patient(tmp_path: Path) -> None:
    _write(tmp_path, 1, "cd", "ab", start="cd")
    _write(tmp_path, 2, "ab", "cd", start="ab")
    assert _judges(tmp_path) == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_a_case_left_out_of_training_is_judged_with_its_patient_or_by_the_networks_in_turn(tmp_path: Path) -> None:
    _write(tmp_path, 1, "c", "a")
    _write(tmp_path, 2, "a", "c")
    further = [Case(name, Path("ct"), Path("mask"), split, name) for name, split in (("e", ""), ("f", ""), ("t", TEST))]
    assigned, unassigned = assign_networks([*CASES, *further], read_fold_networks(tmp_path, 2), ScanMarks())
    judges = {case.name: network.fold for case, network in assigned}
    assert judges == {"a": 1, "b": 1, "c": 2, "d": 1, "e": 2, "f": 1}
    assert not unassigned


def test_a_patient_in_no_fold_who_chose_a_start_network_is_listed(tmp_path: Path) -> None:
    _write(tmp_path, 1, "c", "a")
    _write(tmp_path, 2, "a", "c", choosing_scans=[["d", "", ""]])
    assigned, unassigned = assign_networks(CASES, read_fold_networks(tmp_path, 2), ScanMarks())
    assert {case.name for case, _ in assigned} == set("abc")
    assert [failed.name for failed in unassigned] == ["d"]
    assert "by whose Dice a step of a network" in unassigned[0].reason


def test_folds_of_different_optimisers_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, 1, "cd", "ab")
    _write(tmp_path, 2, "ab", "cd")
    path = tmp_path / "fold-2" / "network.safetensors"
    card, weights = load_model(path)
    del card.training["settings"]["optimiser"]  # as of a network that was trained when there was no choice
    save_model(path, weights, card)
    with pytest.raises(InputError, match="fold 2 was trained with other settings"):
        read_fold_networks(tmp_path, 2)


def test_settings_of_a_later_version_end_in_a_sentence(tmp_path: Path) -> None:
    _write(tmp_path, 1, "cd", "ab")
    _write(tmp_path, 2, "ab", "cd")
    path = tmp_path / "fold-2" / "network.safetensors"
    card, weights = load_model(path)
    card.training["settings"]["of_tomorrow"] = 1
    save_model(path, weights, card)
    with pytest.raises(InputError, match=r"settings that this version does not know .*of_tomorrow"):
        read_fold_networks(tmp_path, 2)


def test_missing_folds_are_named(tmp_path: Path) -> None:
    _write(tmp_path, 2, "ab", "cd")
    with pytest.raises(InputError, match=r"no network of fold 1, 3; train it first"):
        read_fold_networks(tmp_path, 3)
    with pytest.raises(UsageError, match="no cross-validation with 1 folds"):
        read_fold_networks(tmp_path, 1)
    with pytest.raises(InputError, match=r'--folds 2 --out ".*my folds"\)'):  # to be typed as it stands
        read_fold_networks(tmp_path / "my folds", 2)


def test_networks_of_runs_that_have_not_finished_are_named(tmp_path: Path) -> None:
    _write(tmp_path, 1, "cd", "ab", finished=True)
    _write(tmp_path, 2, "ab", "cd", finished=False)
    with pytest.raises(InputError, match=r"training of fold 2 has not finished; .* --folds 2 --out"):
        read_fold_networks(tmp_path, 2)


@pytest.mark.parametrize(("training", "start"), [("bc", ""), ("c", "a"), ("ac", "")])
def test_a_network_that_has_seen_a_patient_it_should_judge_is_refused(
    tmp_path: Path, training: str, start: str
) -> None:
    _write(tmp_path, 1, training, "a", start)
    _write(tmp_path, 2, "ab", "cd")
    with pytest.raises(
        InputError, match="network of fold 1 was trained on a scan of patient p, on whom it should be evaluated"
    ):
        _judges(tmp_path)


def test_networks_that_are_no_division_of_the_patients_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, 1, "d", "abc")
    _write(tmp_path, 2, "ab", "cd")
    with pytest.raises(InputError, match="Patient c is in fold 1 and in fold 2"):
        _judges(tmp_path)
    _write(tmp_path / "three", 1, "cd", "ab")
    _write(tmp_path / "three", 2, "abd", "c")
    with pytest.raises(InputError, match="Patient d was trained on and is in none of the 2 folds"):
        _judges(tmp_path / "three")


def test_a_copy_under_another_patient_is_named_where_it_makes_the_networks_no_division(tmp_path: Path) -> None:
    cases = [write_case(tmp_path, name, (6.0, 6.0, 40.0), thorax=Thorax(noise=n)) for n, name in enumerate("ab", 5)]
    copy = replace(cases[0], name="copy", patient="copy", ct=Path(shutil.copy(cases[0].ct, tmp_path / "copy.nii")))
    a, b, c = (ScanMarks().of(case) for case in (*cases, copy))
    for fold, training, validation in ((1, [b, c], [a]), (2, [a], [b, c])):
        records = {"seen_scans": training, "validation_scans": validation}
        _write(tmp_path, fold, "", "", **{key: ScanSet(frozenset(marks)).as_json() for key, marks in records.items()})
    with pytest.raises(
        InputError, match="copy has the same CT as a: leave one of the two out, or name the same patient"
    ):
        assign_networks([*cases, copy], read_fold_networks(tmp_path, 2), ScanMarks())
    with pytest.raises(InputError, match=r"train all folds again, .* with each CT listed once"):
        assign_networks(cases, read_fold_networks(tmp_path, 2), ScanMarks())


def test_networks_trained_in_different_ways_are_no_cross_validation(tmp_path: Path) -> None:
    _write(tmp_path, 1, "cd", "ab")
    _write(tmp_path, 2, "ab", "cd", steps=11)
    with pytest.raises(InputError, match="fold 2 was trained with other settings than that of fold 1"):
        read_fold_networks(tmp_path, 2)


def test_a_network_without_a_record_of_its_training_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, 1, "cd", "ab")
    _write(tmp_path, 2, "ab", "")
    with pytest.raises(InputError, match="does not say how it was trained, or has no validation cases"):
        read_fold_networks(tmp_path, 2)
