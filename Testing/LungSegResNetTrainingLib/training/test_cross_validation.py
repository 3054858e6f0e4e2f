"""From files to the report of a cross-validation with the commands a physicist types: train, go on, judge."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from synthetic_thorax import Thorax
from training_cases import write_case

from LungSegResNetLib.network.model_file import read_card
from LungSegResNetTrainingLib.command_line.main import main
from LungSegResNetTrainingLib.data.data_set import list_data_set
from LungSegResNetTrainingLib.data.scan_marks import ScanMarks
from LungSegResNetTrainingLib.evaluation.case_choice import cases_to_judge
from LungSegResNetTrainingLib.evaluation.fold_networks import assign_networks, read_fold_networks
from LungSegResNetTrainingLib.training.training_record import TrainingRecord

pytestmark = pytest.mark.usefixtures("without_curves")

_TINY = [
    "--slice-shape", "32", "40", "--batch-size", "2", "--workers", "0", "--device", "cpu", "--steps", "2",
    "--validate-every", "2",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Data set of three patients in two groups and one for tests, the runs of two folds, and the cache's folder."""
    folder = tmp_path_factory.mktemp("folds")
    for noise, name in enumerate("abct", start=5):
        thorax = Thorax(consolidation=name == "c", noise=float(noise))
        write_case(folder / "data", name, (6.0, 6.0, 20.0), thorax=thorax)
    with (folder / "data" / "list.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("case", "ct", "mask", "patient", "group", "split")]
            + [(n, f"{n}_ct.nii", f"{n}_mask.nii", f"p{n}", "ill" if n == "c" else "normal", "") for n in "abc"]
            + [("t", "t_ct.nii", "t_mask.nii", "pt", "normal", "test")]
        )
    data, runs, cache = folder / "data" / "list.csv", folder / "runs", folder / "cache"
    assert main(["fit", str(data), "--out", str(runs), "--cache", str(cache), "--folds", "2", *_TINY]) == 0
    return data, runs, cache


def _rows(case_list: Path) -> list[dict[str, str]]:
    with case_list.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _validated(runs: Path) -> list[set[str]]:
    return [set(read_card(runs / f"fold-{n}" / "network.safetensors").training["validation_cases"]) for n in (1, 2)]


def test_each_fold_has_its_run_and_validates_its_own_patients(trained: tuple[Path, Path, Path]) -> None:
    first, second = _validated(trained[1])
    assert not first & second
    assert first | second == set("abc")


def test_no_fold_trains_on_a_case_for_tests(trained: tuple[Path, Path, Path]) -> None:
    for fold in (1, 2):
        card = read_card(trained[1] / f"fold-{fold}" / "network.safetensors")
        assert sorted(card.training["training_cases"] + card.training["validation_cases"]) == ["a", "b", "c"]
        rows = _rows(trained[1] / f"fold-{fold}" / "cases.csv")
        assert {row["case"]: row["split"] for row in rows}["t"] == "test"


def test_folds_that_are_done_are_not_trained_again(
    trained: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data, runs, cache = trained
    checkpoint = runs / "fold-1" / "checkpoint.pt"
    before = checkpoint.stat().st_mtime_ns
    (runs / "fold-2").rename(runs / "gone")
    assert main(["fit", str(data), "--out", str(runs), "--cache", str(cache), "--folds", "2", *_TINY]) == 0
    assert checkpoint.stat().st_mtime_ns == before
    assert (runs / "fold-2" / "network.safetensors").is_file()
    assert "--folds 2 --out REPORT" in capsys.readouterr().out


def test_each_fold_is_tuned_from_its_own_network(
    trained: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, runs, cache = trained
    options = [option for option in _TINY if option not in ("--slice-shape", "32", "40")]
    command = ["fit", str(data), "--cache", str(cache), "--folds", "2", "--seed", "1", *options, "--steps", "1"]
    assert main([*command, "--start-network", str(runs), "--out", str(tmp_path / "tuned")]) == 0
    assert "was trained on" not in capsys.readouterr().err
    assert _validated(tmp_path / "tuned") == _validated(runs)
    for fold in (1, 2):
        cards = [read_card(folder / f"fold-{fold}" / "network.safetensors") for folder in (runs, tmp_path / "tuned")]
        assert TrainingRecord.of(cards[0]).seen_scans == TrainingRecord.of(cards[1]).seen_scans
        assert all(mark.ct and mark.patient for mark in TrainingRecord.of(cards[1]).seen_scans.marks)
    first = str(runs / "fold-1" / "network.safetensors")
    for fold in ([], ["--fold", "2"]):
        out = tmp_path / f"one{len(fold)}"
        assert main([*command, *fold, "--start-network", first, "--out", str(out)]) == 3
        assert "of the cases of fold 2 (" in capsys.readouterr().err
        assert not out.exists()


def test_one_report_says_which_fold_judged_each_case(
    trained: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, runs, _ = trained
    out = tmp_path / "report"
    command = ["evaluate", str(runs), str(data), "--out", str(out), "--device", "cpu", "--progress", "none"]
    assert main([*command, "--folds", "2", "--no-baseline"]) == 0
    with (out / "cases.csv").open(newline="", encoding="utf-8") as file:
        fold_of = {row["case"]: int(row["fold"]) for row in csv.DictReader(file)}
    assert fold_of == {name: n for n, names in enumerate(_validated(runs), start=1) for name in names}
    assert "1 of 4 cases are for tests: they are in no fold" in capsys.readouterr().out
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "as a patient of its own" not in page
    assert "Cross-validation by patient with 2 folds" in page
    assert "each case by a network that had not seen its patient" in page
    assert "in turn" not in page
    assert "Evaluated with the network of fold 2." in page
    assert "Mean Dice by fold: 1: " in page
    assert "article: normal" in (out / "report.md").read_text(encoding="utf-8")
    capsys.readouterr()
    assert main([*command, "--folds", "2", "--no-baseline"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert [line.endswith("(from the earlier run)") for line in lines] == [True] * 3


def test_a_patient_whom_training_left_out_is_judged_and_told_of(
    trained: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, runs, _ = trained
    write_case(tmp_path, "late", (6.0, 6.0, 20.0), thorax=Thorax(noise=9.0))
    header = "case,ct,mask,patient"
    rows = [header, *(f"{name},{data.parent}/{name}_ct.nii,{data.parent}/{name}_mask.nii,p{name}" for name in "abc")]
    listed = tmp_path / "list.csv"
    listed.write_text("\n".join([*rows, "late,late_ct.nii,late_mask.nii,new"]), encoding="utf-8")
    command = ["evaluate", str(runs), str(listed), "--out", str(tmp_path / "report"), "--folds", "2", "--no-baseline"]
    assert main([*command, "--device", "cpu", "--progress", "none"]) == 0
    told = "1 case of patients whom training left out was given to the networks in turn."
    assert told in capsys.readouterr().out
    assert told in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert {row["case"]: row["fold"] for row in _rows(tmp_path / "report" / "cases.csv")}["late"] == "1"


def test_a_network_is_known_to_have_seen_a_scan_under_another_name(
    trained: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    data, runs, _ = trained
    names = {"a": "c", "b": "a", "c": "b"}  # each case is called as another one was
    rows = [f"{new},{data.parent}/{old}_ct.nii,{data.parent}/{old}_mask.nii" for old, new in names.items()]
    listed = tmp_path / "list.csv"
    listed.write_text("\n".join(["case,ct,mask", *rows]), encoding="utf-8")
    found = list_data_set(listed)
    assigned, unassigned = assign_networks(found.cases, read_fold_networks(runs, 2), ScanMarks())
    assert not unassigned
    validated = {case.name: network.fold for case, network in assigned}
    assert validated == {names[name]: n for n, some in enumerate(_validated(runs), start=1) for name in some}
    first = read_card(runs / "fold-1" / "network.safetensors")
    record = TrainingRecord.of(first)
    judged = cases_to_judge(found, None, record.seen_scans, record.validation_scans, ScanMarks())
    assert {case.name for case in judged} == {names[name] for name in _validated(runs)[0]}


def test_a_start_network_is_known_to_have_seen_a_scan_under_another_name(
    trained: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, runs, cache = trained
    network = runs / "fold-1" / "network.safetensors"
    seen, new = read_card(network).training["training_cases"][0], next(iter(_validated(runs)[0]))
    rows = [
        f"{name},{data.parent}/{old}_ct.nii,{data.parent}/{old}_mask.nii,{split}"
        for name, old, split in (("fresh", seen, "validation"), (seen, new, "train"))
    ]
    (tmp_path / "list.csv").write_text("\n".join(["case,ct,mask,split", *rows]), encoding="utf-8")
    options = [option for option in _TINY if option not in ("--slice-shape", "32", "40")]
    command = ["fit", str(tmp_path / "list.csv"), "--cache", str(cache), "--out", str(tmp_path / "run"), *options]
    assert main([*command, "--start-network", str(network), "--steps", "1"]) == 0
    assert "was trained on 1 of the validation cases (fresh)" in capsys.readouterr().err


def test_a_copy_of_a_scan_that_counts_as_another_patient_is_told(
    trained: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, _, cache = trained
    for name, copied in (("a", "a"), ("b", "b"), ("latest", "a")):
        for part in ("ct", "mask"):
            shutil.copy(data.parent / f"{copied}_{part}.nii", tmp_path / f"{name}_{part}.nii")
    assert main(["fit", str(tmp_path), "--cache", str(cache), "--out", str(tmp_path / "run"), *_TINY]) == 0
    assert "latest has the same CT as a, though they count as two patients" in capsys.readouterr().err


def test_a_copy_of_a_scan_that_counts_as_another_patient_is_not_divided_into_folds(
    trained: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, _, cache = trained
    rows = [
        f"{name},{data.parent}/{old}_ct.nii,{data.parent}/{old}_mask.nii,{split}"
        for name, old, split in (("a", "a", ""), ("b", "b", ""), ("again", "a", "{}"))
    ]
    shutil.copy(data.parent / "a_ct.nii", tmp_path / "again_ct.nii")
    listed = "\n".join(["case,ct,mask,split", *rows]).replace(f"again,{data.parent}/a_ct", f"again,{tmp_path}/again_ct")
    command = ["fit", str(tmp_path / "list.csv"), "--cache", str(cache), "--folds", "2", *_TINY, "--steps", "1"]
    (tmp_path / "list.csv").write_text(listed.format(""), encoding="utf-8")
    for fold in ([], ["--fold", "1"]):
        assert main([*command, *fold, "--out", str(tmp_path / "runs")]) == 3
        assert "again has the same CT as a, though they count as two patients" in capsys.readouterr().err
        assert not (tmp_path / "runs").exists()
    (tmp_path / "list.csv").write_text(listed.format("test"), encoding="utf-8")  # is in no fold
    assert main([*command, "--fold", "1", "--out", str(tmp_path / "runs")]) == 0


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--folds", "3"], 3, "no network of fold 3"),
        (["--folds", "2", "--split", "train"], 2, "--split has no meaning with --folds"),
    ],
)
def test_an_evaluation_that_cannot_be_ends_in_a_sentence(
    trained: tuple[Path, Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    sentence: str,
) -> None:
    data, runs, _ = trained
    assert main(["evaluate", str(runs), str(data), "--out", str(tmp_path / "out"), *options]) == code
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
