from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from network_files import write_quick_network
from refusals import refused_options
from synthetic_thorax import Thorax
from training_cases import change_a_voxel, write_huge_ct

from LungSegResNetLib.errors import DeviceError, OutputExistsError, UsageError
from LungSegResNetLib.network.model_file import read_card
from LungSegResNetLib.tables import read_rows, write_csv
from LungSegResNetTrainingLib.command_line.main import main
from LungSegResNetTrainingLib.data.cases import read_cases
from LungSegResNetTrainingLib.evaluation.report_folder import EvaluationId, claim_folder

pytestmark = pytest.mark.usefixtures("without_curves")

_GRID = (6.0, 6.0, 20.0), (400.0, 300.0, 160.0)  # spacing and extent of the scans: 8 slices
_TINY = ["--slice-shape", "32", "40", "--batch-size", "2", "--workers", "0", "--device", "cpu", "--validate-every", "1"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three good cases, one whose sides are exchanged, and one CT that is cut off."""
    folder = tmp_path / "data"
    folder.mkdir()
    for noise, name in enumerate(("a", "b", "c", "exchanged", "broken"), start=5):
        image, mask = Thorax(noise=float(noise)).scan(*_GRID)
        sitk.WriteImage(image, str(folder / f"{name}_ct.nii"))
        sitk.WriteImage(mask, str(folder / f"{name}_lungs.nii"))
    sitk.WriteImage(sitk.ChangeLabel(mask, {1: 2, 2: 1}), str(folder / "exchanged_lungs.nii"))
    (folder / "broken_ct.nii").write_bytes(b"cut off")
    return folder


def _fit(data: Path, *more: str, steps: int = 1) -> int:
    run, cache = data.parent / "run", data.parent / "cache"
    return main(["fit", str(data), "--out", str(run), "--cache", str(cache), "--steps", str(steps), *_TINY, *more])


def test_where_only_segmenting_is_installed_a_sentence_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from LungSegResNetTrainingLib.command_line.main import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "fit", str(tmp_path), "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = "lungsegresnet-train: torch is not installed; install it with: pip install 'lungsegresnet[train]'.\n"
    assert (done.stderr, done.returncode) == (told, DeviceError.exit_code)


def _cases(data: Path) -> dict[str, dict[str, str]]:
    with (data.parent / "run" / "cases.csv").open(newline="", encoding="utf-8") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def test_check_prints_every_case_and_tells_by_its_exit_code(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, sheet = tmp_path / "table.csv", tmp_path / "sheet.png"
    arguments = ["check", str(data), "--table", str(table), "--contact-sheet", str(sheet)]
    assert main(arguments) == 7
    printed = capsys.readouterr()
    assert all(name in printed.out for name in ("a", "b", "c", "exchanged", "broken"))
    assert "Right and left are swapped" in printed.out
    assert "2 of 5 cases" in printed.err
    assert table.is_file()
    assert sheet.is_file()
    assert main(arguments) == 4
    assert main([*arguments, "--overwrite"]) == 7
    for name in ("exchanged", "broken"):
        (data / f"{name}_ct.nii").unlink()
        (data / f"{name}_lungs.nii").unlink()
    assert main(["check", str(data)]) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="all names are text on this system")
def test_a_name_that_is_no_text_costs_no_other_case(data: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(b"gr\xf6sse")
    for part in ("ct", "lungs"):
        (data / f"broken_{part}.nii").rename(data / f"{odd}_{part}.nii")
        (data / f"exchanged_{part}.nii").unlink()
        (data / f"c_{part}.nii").unlink()
    (data / odd).mkdir()
    (data / odd / f"{odd}_mask.nii").touch()
    table, network = tmp_path / "table.csv", write_quick_network(tmp_path / "network.safetensors")
    assert main(["check", str(data), "--table", str(table)]) == 7
    assert {row["status"] for row in read_rows(table) if row["case"] in "ab"} == {"ok"}
    assert _fit(data) == _fit(data) == 0  # and goes on
    assert {name for name, row in _cases(data).items() if row["status"] == "ok"} == set("ab")
    command = ["evaluate", str(network), str(data), "--out", str(tmp_path / "report"), "--no-baseline"]
    assert main([*command, "--device", "cpu", "--progress", "none"]) == 7
    rows = read_rows(tmp_path / "report" / "cases.csv")
    assert {row["case"] for row in rows if row["status"] == "judged"} == set("ab")
    for row in rows:
        assert (row["status"] in ("failed", "left out")) == (row["case"] not in "ab")
        assert "Unicode" not in row["error"]


def test_an_evaluation_of_another_network_is_refused_and_says_how_to_replace_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, network = tmp_path / "report", write_quick_network(tmp_path / "network.safetensors")
    claim_folder(report, EvaluationId("another"), overwrite=False, cases=[])
    command = ["evaluate", str(network), str(data), "--out", str(report), "--device", "cpu"]
    assert main([*command, "--progress", "none"]) == OutputExistsError.exit_code
    told = "holds another evaluation; choose another folder. To replace it, give --overwrite."
    assert told in capsys.readouterr().err
    assert main([*command, "--progress", "json"]) == OutputExistsError.exit_code
    assert "--overwrite" not in capsys.readouterr().err, "an option that a panel has not"


def test_a_run_of_a_case_whose_name_ends_with_a_space_goes_on(data: Path) -> None:
    for part in ("ct", "lungs"):
        (data / f"a_{part}.nii").rename(data / f"a _{part}.nii")
    assert _fit(data) == _fit(data) == 0
    assert "a" in _cases(data)


def test_check_tells_of_two_patients_with_copies_of_one_scan(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part in ("ct", "lungs"):
        shutil.copy(data / f"a_{part}.nii", data / f"b_{part}.nii")
    assert main(["check", str(data)]) == 7
    assert "warning: b has the same CT as a, though they count as two patients" in capsys.readouterr().err


def test_a_further_page_of_a_contact_sheet_that_is_there_is_told_before_the_work(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sheet_2.png").touch()
    assert main(["check", str(data), "--contact-sheet", str(tmp_path / "sheet.png")]) == 4
    assert capsys.readouterr().out == ""


def test_a_run_that_goes_on_with_a_changed_mask_says_so(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _fit(data) == 0
    shutil.copy(data / "a_lungs.nii", data / "copy.nii.tmp")
    (data / "copy.nii.tmp").replace(data / "a_lungs.nii")
    capsys.readouterr()
    assert _fit(data) == 0
    assert "changed since the run began" not in capsys.readouterr().err
    change_a_voxel(data / "a_lungs.nii")
    assert _fit(data) == 0
    assert "CT or mask of a changed since the run began" in capsys.readouterr().err


def test_check_does_not_write_its_table_over_the_list(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for table in (data / "cases.csv", data / "list.csv"):
        table.write_text("case,ct,mask,scanner\na,a_ct.nii,a_lungs.nii,mine\n", encoding="utf-8")
        before = table.read_bytes()
        for data_set in (table, data) if table.name == "cases.csv" else (table,):
            assert main(["check", str(data_set), "--table", str(table), "--overwrite"]) == 2
            assert "is the list that is checked" in capsys.readouterr().err
        assert table.read_bytes() == before


def test_draft_writes_a_segmentation_and_never_over_another(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "draft.seg.nrrd"
    arguments = ["draft", str(data / "a_ct.nii"), str(out)]
    assert main(arguments) == 0
    assert set(sitk.GetArrayFromImage(sitk.ReadImage(str(out))).ravel().tolist()) == {0, 1, 2}
    assert main(arguments) == 4
    assert main([*arguments, "--overwrite"]) == 0


def test_a_draft_never_replaces_the_scan(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ct = tmp_path / "scan.nii"
    shutil.copy(data / "a_ct.nii", ct)
    before = ct.read_bytes()
    assert main(["draft", str(ct), str(ct), "--overwrite"]) == UsageError.exit_code
    assert "is the CT itself" in capsys.readouterr().err
    assert ct.read_bytes() == before


def test_fit_leaves_doubtful_and_broken_cases_out_and_writes_its_cases_down(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _fit(data) == 0
    printed = capsys.readouterr()
    assert "exchanged is left out (doubtful): Right and left are swapped" in printed.err
    assert "broken is left out (refused)" in printed.err
    assert "Each case counts as a patient of its own" in printed.err
    rows = _cases(data)
    assert {name: row["status"] for name, row in rows.items()} == {
        "a": "ok", "b": "ok", "c": "ok", "exchanged": "doubtful", "broken": "refused",
    }  # fmt: skip
    assert sorted(rows[name]["split"] for name in "abc") == ["train", "train", "validation"]
    assert read_card(data.parent / "run" / "network.safetensors").slice_shape == (32, 40)


def test_fit_without_the_memory_for_a_scan_ends_before_the_run_has_cases(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = (data / "c_ct.nii").rename(data.parent / "c_ct.nii")
    write_huge_ct(data / "c_ct.nrrd")
    assert _fit(data) == DeviceError.exit_code
    assert "There is not enough memory to read case c; close other programs" in capsys.readouterr().err
    assert not (data.parent / "run").exists()
    (data / "c_ct.nrrd").unlink()
    kept.rename(data / "c_ct.nii")
    assert _fit(data) == 0


def test_what_an_earlier_check_left_out_stays_out_and_is_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = data.parent / "table.csv"
    assert main(["check", str(data), "--table", str(table)]) == 7
    capsys.readouterr()
    arguments = ["--out", str(data.parent / "run"), "--cache", str(data.parent / "cache"), "--steps", "1", *_TINY]
    assert main(["fit", str(table), *arguments]) == 0
    told = capsys.readouterr().err
    assert "exchanged is left out (doubtful): Right and left are swapped" in told
    assert "broken is left out (refused)" in told
    assert {name: row["status"] for name, row in _cases(data).items()} == {
        "a": "ok", "b": "ok", "c": "ok", "exchanged": "doubtful", "broken": "refused",
    }  # fmt: skip
    (data.parent / "run").rename(data.parent / "earlier")
    assert main(["fit", str(table), *arguments, "--include-doubtful"]) == 0
    assert {name for name, row in _cases(data).items() if row["status"] == "ok"} == {"a", "b", "c", "exchanged"}


@pytest.mark.parametrize(
    ("splits", "reason"),
    [(("test", "test"), "All cases are in the split test"), (("validation", "test"), "No case is for training")],
    ids=str,
)
def test_a_folder_is_not_spoilt_by_a_run_that_cannot_begin(
    data: Path, capsys: pytest.CaptureFixture[str], splits: tuple[str, str], reason: str
) -> None:
    for chosen, code in ((splits, 3), (("train", "train"), 0)):
        rows = [f"{name},{name}_ct.nii,{name}_lungs.nii,{split}" for name, split in zip("ab", chosen, strict=True)]
        (data / "cases.csv").write_text("\n".join(["case,ct,mask,split", *rows]), encoding="utf-8")
        assert _fit(data, "--validation-share", "0") == code
        assert (reason in capsys.readouterr().err) == (code != 0)


def test_a_white_lung_that_is_accepted_is_checked_trained_on_and_judged_and_stands_so_in_the_report(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("ct", "lungs"):
        for name in ("b", "c", "exchanged", "broken"):
            (data / f"{name}_{part}.nii").unlink()
    image, mask = Thorax(noise=7.0).scan(*_GRID)
    hu, lung = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(mask) > 0
    dense = lung & (np.arange(lung.shape[1]) > np.quantile(np.nonzero(lung)[1], 0.1))[:, None]
    hu[dense] = 30
    white = sitk.GetImageFromArray(hu)
    white.CopyInformation(image)
    sitk.WriteImage(white, str(data / "white_ct.nii"))
    sitk.WriteImage(mask, str(data / "white_lungs.nii"))
    table, accepted = data / "table.csv", data / "accepted.csv"
    assert main(["check", str(data), "--table", str(table)]) == 7
    assert "white: Only" in (printed := capsys.readouterr().out)
    assert "say so in the column accepted of a case list" in printed
    rows = read_rows(table)
    assert {row["case"]: row["status"] for row in rows} == {"a": "ok", "white": "refused"}
    said = "white lungs, seen by R."
    # A person writes into the table of the check, which is a case list, too.
    write_csv(accepted, list(rows[0]), [row | {"accepted": said if row["case"] == "white" else ""} for row in rows])

    again = tmp_path / "again.csv"
    assert main(["check", str(accepted), "--table", str(again)]) == 0
    assert f"white: accepted: {said} Only" in capsys.readouterr().out
    (row,) = [row for row in read_rows(again) if row["case"] == "white"]
    assert (row["status"], row["accepted"]) == ("ok", said)
    assert row["reasons"].startswith(f"accepted: {said} Only")

    assert _fit(accepted, "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")) == 0
    (row,) = [row for row in read_rows(tmp_path / "run" / "cases.csv") if row["case"] == "white"]
    assert (row["status"], row["accepted"]) == ("ok", said)
    assert {case.name: case.accepted for case in read_cases(tmp_path / "run" / "cases.csv")}["white"] == said
    folds = ["--out", str(tmp_path / "folds"), "--cache", str(tmp_path / "cache"), "--folds", "2"]
    assert _fit(accepted, *folds) == 0
    report = tmp_path / "report"
    command = ["evaluate", str(tmp_path / "folds"), str(accepted), "--folds", "2", "--out", str(report)]
    assert main([*command, "--no-baseline", "--device", "cpu", "--progress", "none"]) == 0
    judged = {row["case"]: row for row in read_rows(report / "cases.csv") if row["region"] == "lungs"}
    assert judged.keys() == {"a", "white"}
    assert judged["white"]["accepted"].startswith(f"accepted: {said} Only")
    assert {row["doubtful"] for row in judged.values()} == {""}
    text = (report / "report.md").read_text(encoding="utf-8")
    assert "white†" in text
    assert f"| † white | accepted: {said} Only" in text
    assert "against the reference of 1 case, which the case list accepts; it is marked and counts in full." in text


def test_a_run_does_not_go_on_with_other_cases(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _fit(data) == 0
    for part in ("ct", "lungs"):
        (data / f"b_{part}.nii").rename(data / f"new_{part}.nii")
    assert _fit(data) == 3
    assert "holds a run with other cases or another split" in capsys.readouterr().err


def test_a_run_is_not_begun_in_the_data_set_nor_beside_a_list_of_somebody(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _fit(data, "--out", str(data)) == 2
    assert "is the data set itself" in capsys.readouterr().err
    assert not (data / "cases.csv").exists()
    listed = data.parent / "listed"
    listed.mkdir()
    (listed / "cases.csv").write_text(
        "case,ct,mask\na,../data/a_ct.nii,../data/a_lungs.nii\nb,../data/b_ct.nii,../data/b_lungs.nii\n",
        encoding="utf-8",
    )
    assert _fit(listed / "cases.csv", "--out", str(listed), "--validation-share", "0") == 3
    assert "has cases.csv but no run that could be resumed" in capsys.readouterr().err


def test_one_fold_can_be_trained_alone(data: Path) -> None:
    (data / "cases.csv").write_text(
        "case,ct,mask\n" + "".join(f"{n},{n}_ct.nii,{n}_lungs.nii\n" for n in "abc"), "utf-8"
    )
    assert _fit(data, "--folds", "3", "--fold", "2") == 0
    assert sorted(row["split"] for row in _cases(data).values()) == ["train", "train", "validation"]
    assert not (data.parent / "run" / "fold-2").exists()


def test_progress_as_json_has_one_object_a_line(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _fit(data, "--progress", "json", steps=2) == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [event["stage"] for event in events if event["event"] == "stage"] == ["read and check cases", "train"]
    assert len([event for event in events if event["event"] == "warning"]) >= 2
    steps = [event for event in events if "step" in event]
    assert [(event["step"], event["steps"]) for event in steps] == [(1, 2), (2, 2)]
    keys = {"event", "step", "steps", "loss", "slices_per_second", "validation_dice", "seconds_left"}
    assert all(set(event) == keys for event in steps)


def test_the_optimiser_can_be_chosen_and_one_that_pytorch_lacks_leaves_no_run(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    assert _fit(data) == 6
    assert "The optimiser Muon needs PyTorch 2.9 or newer" in capsys.readouterr().err
    assert not (data.parent / "run").exists()
    assert _fit(data, "--optimiser", "adam") == 0
    assert read_card(data.parent / "run" / "network.safetensors").training["settings"]["optimiser"] == "adam"


def test_the_speed_is_measured_without_a_run(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _fit(data, "--measure-speed") == 0
    assert "of the peak" in capsys.readouterr().out
    assert not (data.parent / "run").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--fold", "3"],
        ["--folds", "1"],
        ["--workers", "-1"],
        ["--patience", "0"],
        ["--preset", "fine-tune"],
        ["--steps", "0"],
        ["--pass", "4"],
        ["--pass", "1", "--start-network", "shipped"],
        ["--pass", "5", "--start-network", "shipped"],
        ["--pass", "4", "--preset", "paper", "--start-network", "shipped"],
        ["--with-others", "--start-network", "shipped"],
    ],
    ids=" ".join,
)
def test_impossible_options_end_in_a_sentence(data: Path, options: list[str]) -> None:
    assert _fit(data, *options) == 2
    assert not (data.parent / "run").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", ""],
        ["check", "data", "--table", ""],
        ["draft", "", "lungs.seg.nrrd"],
        ["draft", "ct.nii", ""],
        ["fit", "", "--out", "run"],
        ["fit", "data", "--out", ""],
        ["fit", "data", "--out", "run", "--cache", ""],
        ["mean", "shipped", "shipped", "--out", ""],
        ["evaluate", "shipped", "", "--out", "report"],
        ["publish", "", "data"],
    ],
    ids=" ".join,
)
def test_an_empty_path_is_not_the_current_folder(arguments: list[str], tmp_path: Path) -> None:
    assert "must not be empty" in refused_options(main, arguments, tmp_path)


@pytest.mark.parametrize("folds", [[], ["--folds", "2"]], ids=["one network", "folds"])
def test_a_start_network_whose_name_is_empty_is_not_none_at_all(data: Path, folds: list[str]) -> None:
    assert _fit(data, "--start-network", "", *folds) != 0
    assert not (data.parent / "run").exists()
