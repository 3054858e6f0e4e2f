"""What a data set has and an evaluation does not judge is told by group, from the check to the model card."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from network_files import write_quick_network
from synthetic_thorax import Thorax
from training_cases import write_case

from LungSegResNetLib.network.model_file import load_model, save_model
from LungSegResNetLib.tables import read_rows
from LungSegResNetTrainingLib.command_line.main import main
from LungSegResNetTrainingLib.data.cases import DOUBTFUL, Case
from LungSegResNetTrainingLib.data.data_set import list_data_set
from LungSegResNetTrainingLib.data.found_cases import FoundCases, LeftOutCase
from LungSegResNetTrainingLib.data.pair_check import PairVerdict
from LungSegResNetTrainingLib.data.scan_marks import NOTHING_SEEN, ScanMarks, ScanSet
from LungSegResNetTrainingLib.evaluation.left_out import doubted_text, is_doubt, left_out_cases
from LungSegResNetTrainingLib.training.parallel import Processes
from LungSegResNetTrainingLib.training.reporting import NullTrainingReporter
from LungSegResNetTrainingLib.training.run_cases import record_cases
from LungSegResNetTrainingLib.training.settings import RECOMMENDED
from LungSegResNetTrainingLib.training.training_job import CaseChoice, choose_cases


def _write_consolidated(folder: Path, name: str, aerated: float) -> None:
    """A thorax of whose lungs, from the back on, only a share is aerated."""
    image, mask = Thorax(noise=5.0 + len(list(folder.iterdir()))).scan((3.0, 3.0, 20.0))
    hu, lung = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(mask) > 0
    if aerated < 1:
        share = lung.sum(axis=(0, 2)).cumsum() / lung.sum()
        lung[:, : int(np.searchsorted(share, aerated))] = False
        hu[lung] = 30
    dense = sitk.GetImageFromArray(hu)
    dense.CopyInformation(image)
    sitk.WriteImage(dense, str(folder / f"{name}_ct.nii"))
    sitk.WriteImage(mask, str(folder / f"{name}_lungs.nii"))


def test_the_sickest_cases_that_check_and_training_left_out_are_told_up_to_the_model_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    cases = {"a": 1.0, "b": 1.0, "mild": 1.0, "moderate": 0.7, "severe": 0.3, "white": 0.1}
    rows = ["case,ct,mask,split,patient,group"]
    for name, aerated in cases.items():
        _write_consolidated(data, name, aerated)
        about = "train,{0},normal" if name in "ab" else "validation,{0},COVID-19"
        rows.append(f"{name},{name}_ct.nii,{name}_lungs.nii,{about.format(name)}")
    (data / "list.csv").write_text("\n".join(rows), encoding="utf-8")
    table, run, report = data / "table.csv", tmp_path / "run", tmp_path / "report"
    start = write_quick_network(tmp_path / "start.safetensors")
    assert main(["check", str(data / "list.csv"), "--table", str(table)]) == 7
    fit = ["fit", str(table), "--out", str(run), "--cache", str(tmp_path / "cache"), "--start-network", str(start)]
    assert main([*fit, "--steps", "1", "--batch-size", "2", "--workers", "0", "--device", "cpu"]) == 0
    capsys.readouterr()
    judge = ["evaluate", str(run / "network.safetensors"), str(run / "cases.csv"), "--out", str(report)]
    assert main([*judge, "--no-baseline", "--device", "cpu", "--progress", "none"]) == 0
    told = "is doubtful or was refused: 2 of 4 COVID-19 cases. True pairs with dense disease may be among these"
    assert told in capsys.readouterr().out
    assert told in (report / "report.html").read_text(encoding="utf-8")
    assert told in (report / "report.md").read_text(encoding="utf-8")
    left_out = {row["case"]: row for row in read_rows(report / "cases.csv") if row["status"] == "left out"}
    assert {name: (row["group"], row["cause"]) for name, row in left_out.items()} == {
        "severe": ("COVID-19", "doubtful"), "white": ("COVID-19", "refused"),
    }  # fmt: skip
    (tmp_path / "limits.txt").write_text("a phantom", encoding="utf-8")
    publish = ["publish", str(run / "network.safetensors"), str(run / "cases.csv"), "--report", str(report)]
    publish += ["--out", str(tmp_path / "out" / "own.safetensors"), "--limits", str(tmp_path / "limits.txt")]
    assert main([*publish, "--name", "own", "--version", "1"]) == 0
    named = "severe (COVID-19, doubtful reference), white (COVID-19, refused reference)."
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text(encoding="utf-8")
    for text in (capsys.readouterr().out, card):
        assert f"Not evaluated: {named}" in text
        assert told in text


def _left_out(split: str, name: str = "odd") -> LeftOutCase:
    case = Case(name, Path("ct"), Path("mask"), split, name, group="ill")
    return LeftOutCase(name, PairVerdict(DOUBTFUL, ("Is it in place?",)), case)


@pytest.mark.parametrize(
    ("asked", "split", "listed"),
    [
        (None, "validation", True),
        (None, "train", False),
        (None, "test", False),
        ("test", "test", True),
        ("test", "validation", False),
        ("all", "test", True),
    ],
)
def test_a_doubted_case_is_listed_where_it_could_have_been_judged(asked: str | None, split: str, listed: bool) -> None:
    found = FoundCases([Case("v", Path("ct"), Path("mask"), "validation", "v")], [_left_out(split)])
    told = [(one.name, one.group, one.cause) for one in left_out_cases(found, asked, NOTHING_SEEN, ScanMarks())]
    assert told == ([("odd", "ill", "doubtful")] if listed else [])


def test_a_doubted_case_that_the_network_was_trained_on_is_none_that_the_figures_lack() -> None:
    found = FoundCases([Case("v", Path("ct"), Path("mask"), "validation", "v")], [_left_out("validation", "known")])
    (one,) = left_out_cases(found, None, ScanSet.by_names({"known"}), ScanMarks())
    assert one.cause == "trained on"
    assert not is_doubt(one.cause)


def test_where_no_split_is_named_the_cases_that_the_network_was_trained_on_count_as_the_doubted_ones_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    rows = ["case,ct,mask,group,status,reasons"]
    for name in "abc":
        _write_consolidated(tmp_path / "data", name, 1.0)
        status = "doubtful,Is it in place?" if name == "c" else "ok,"
        rows.append(f"{name},{name}_ct.nii,{name}_lungs.nii,COVID-19,{status}")
    (tmp_path / "data" / "cases.csv").write_text("\n".join(rows), encoding="utf-8")
    network = write_quick_network(tmp_path / "own.safetensors")
    card, weights = load_model(network)
    save_model(network, weights, replace(card, training={"training_cases": ["a"]}))
    judge = ["evaluate", str(network), str(tmp_path / "data"), "--out", str(tmp_path / "report"), "--no-baseline"]
    assert main([*judge, "--device", "cpu", "--progress", "none"]) == 0
    assert "is doubtful or was refused: 1 of 3 COVID-19 cases." in capsys.readouterr().out


def test_a_run_draws_a_split_for_doubted_cases_too_so_that_those_of_training_count_against_no_validation_cases(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    rows = ["case,ct,mask,group,status"]
    for number in range(20):
        write_case(data, f"c{number}", (6.0, 6.0, 20.0), thorax=Thorax(noise=5.0 + number))
        rows.append(f"c{number},c{number}_ct.nii,c{number}_mask.nii,COVID-19,{'ok' if number else 'doubtful'}")
    (data / "cases.csv").write_text("\n".join(rows), encoding="utf-8")
    choice = CaseChoice(data, tmp_path / "cache", validation_share=0.1)
    for seed in range(5):
        settings = replace(RECOMMENDED, slice_shape=(32, 40), seed=seed)
        cases = choose_cases(choice, settings, Processes(), NullTrainingReporter())
        run = tmp_path / f"run{seed}"
        run.mkdir()
        record_cases(run, cases)
        found = list_data_set(run / "cases.csv")
        judged = [case.group for case in found.cases if case.split == "validation"]
        assert len(judged) == 2
        doubted = [one.group for one in left_out_cases(found, None, NOTHING_SEEN, ScanMarks()) if is_doubt(one.cause)]
        assert "of 3" not in doubted_text(judged, doubted)


def test_what_is_no_pair_or_repeats_another_case_is_no_dense_pair_that_the_figures_lack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, table = tmp_path / "data", tmp_path / "table.csv"
    data.mkdir()
    _write_consolidated(data, "a", 1.0)
    pair = "a_ct.nii,a_lungs.nii"
    rows = [f"a,{pair},normal", f"a,{pair},normal", f"copy,{pair},COVID-19", "gone,b_ct.nii,gone_lungs.nii,COVID-19"]
    shutil.copy(data / "a_ct.nii", data / "b_ct.nii")
    (data / "list.csv").write_text("\n".join(["case,ct,mask,group", *rows]), encoding="utf-8")
    assert main(["check", str(data / "list.csv"), "--table", str(table)]) == 7
    again = tmp_path / "again.csv"
    assert main(["check", str(table), "--table", str(again)]) == 7  # in which they stay what they are
    judge = ["evaluate", "shipped", str(again), "--out", str(tmp_path / "report"), "--no-baseline"]
    assert main([*judge, "--device", "cpu", "--progress", "none"]) == 0
    assert "True pairs with dense disease" not in capsys.readouterr().out
    told = {(row["case"], row["cause"], row["group"]) for row in read_rows(tmp_path / "report" / "cases.csv")}
    assert told == {
        ("a", "", "normal"), ("a", "repeated", "normal"), ("copy", "repeated", "COVID-19"),
        ("gone", "no pair", "COVID-19"),
    }  # fmt: skip


def test_a_scan_without_a_mask_is_left_out_of_a_folder_as_of_the_table_of_its_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, table = tmp_path / "data", tmp_path / "table.csv"
    data.mkdir()
    _write_consolidated(data, "a", 1.0)
    (data / "b_ct.nii").write_bytes((data / "a_ct.nii").read_bytes())
    assert main(["check", str(data), "--table", str(table)]) == 7
    for place in (data, table):
        report = tmp_path / f"report of {place.stem}"
        judge = ["evaluate", "shipped", str(place), "--out", str(report), "--no-baseline", "--progress", "none"]
        assert main([*judge, "--device", "cpu"]) == 0
        assert "b is left out (no pair): There is no mask" in capsys.readouterr().err
        rows = [(row["case"], row["status"], row["cause"]) for row in read_rows(report / "cases.csv")]
        assert set(rows) == {("a", "judged", ""), ("b", "left out", "no pair")}


def test_groups_are_counted_however_they_are_spelt() -> None:
    told = doubted_text(["Normal", "COVID-19"], ["covid", "covid-19", "normal"])
    assert "refused: 1 of 2 Normal cases, 2 of 3 COVID-19 cases. " in told
    assert "refused: 1 of 1 case. " in doubted_text([], [""])
    assert doubted_text(["normal"], []) == ""
