from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import SimpleITK as sitk
from synthetic_thorax import Thorax

from LungSegResNetLib.network.model_file import read_card
from LungSegResNetTrainingLib.command_line.main import main

_TINY = ["--slice-shape", "32", "40", "--batch-size", "2", "--workers", "0", "--device", "cpu", "--validate-every", "1"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three good cases, one whose sides are exchanged, and one CT that is cut off."""
    folder = tmp_path / "data"
    folder.mkdir()
    image, mask = Thorax().scan((6.0, 6.0, 20.0))
    for name in ("a", "b", "c", "exchanged", "broken"):
        sitk.WriteImage(image, str(folder / f"{name}_ct.nii"))
        sitk.WriteImage(mask, str(folder / f"{name}_lungs.nii"))
    sitk.WriteImage(sitk.ChangeLabel(mask, {1: 2, 2: 1}), str(folder / "exchanged_lungs.nii"))
    (folder / "broken_ct.nii").write_bytes(b"cut off")
    return folder


def _fit(data: Path, *more: str, steps: int = 2) -> int:
    run, cache = data.parent / "run", data.parent / "cache"
    return main(["fit", str(data), "--out", str(run), "--cache", str(cache), "--steps", str(steps), *_TINY, *more])


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
    assert "Right and left are exchanged" in printed.out
    assert "2 of 5 cases" in printed.err
    assert table.is_file()
    assert sheet.is_file()
    assert main(arguments) == 4
    assert main([*arguments, "--overwrite"]) == 7
    for name in ("exchanged", "broken"):
        (data / f"{name}_ct.nii").unlink()
        (data / f"{name}_lungs.nii").unlink()
    assert main(["check", str(data)]) == 0


def test_draft_writes_a_segmentation_and_never_over_another(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "draft.seg.nrrd"
    arguments = ["draft", str(data / "a_ct.nii"), str(out)]
    assert main(arguments) == 0
    assert set(sitk.GetArrayFromImage(sitk.ReadImage(str(out))).ravel().tolist()) == {0, 1, 2}
    assert main(arguments) == 4
    assert main([*arguments, "--overwrite"]) == 0


def test_fit_leaves_doubtful_and_broken_cases_out_and_writes_its_cases_down(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _fit(data) == 0
    printed = capsys.readouterr()
    assert "exchanged is left out (doubtful): Right and left are exchanged" in printed.err
    assert "broken is left out (refused)" in printed.err
    rows = _cases(data)
    assert {name: row["status"] for name, row in rows.items()} == {
        "a": "ok", "b": "ok", "c": "ok", "exchanged": "doubtful", "broken": "refused",
    }  # fmt: skip
    assert sorted(rows[name]["split"] for name in "abc") == ["train", "train", "validation"]
    assert read_card(data.parent / "run" / "network.safetensors").slice_shape == (32, 40)


def test_cases_without_patients_are_pointed_out_where_the_split_depends_on_them(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _fit(data) == 0
    assert "Each case counts as a patient of its own" in capsys.readouterr().err


def test_doubtful_cases_train_when_asked_for(data: Path) -> None:
    assert _fit(data, "--include-doubtful") == 0
    assert {name for name, row in _cases(data).items() if row["status"] == "ok"} == {"a", "b", "c", "exchanged"}


def test_a_run_does_not_go_on_with_other_cases(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _fit(data) == 0
    for part in ("ct", "lungs"):
        (data / f"b_{part}.nii").rename(data / f"new_{part}.nii")
    assert _fit(data) == 3
    assert "holds a run with other cases or another split" in capsys.readouterr().err


def test_folds_validate_every_case_once(data: Path) -> None:
    validated = []
    for fold in (1, 2, 3):
        assert _fit(data, "--out", str(data.parent / "run"), "--folds", "3", "--fold", str(fold)) == 0
        validated += [name for name, row in _cases(data).items() if row["split"] == "validation"]
        (data.parent / "run").rename(data.parent / f"run{fold}")
    assert sorted(name for name in validated if name in "abc") == ["a", "b", "c"]


def test_progress_as_json_has_one_object_a_line(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _fit(data, "--progress", "json") == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [event["stage"] for event in events if event["event"] == "stage"] == ["read and check cases", "train"]
    assert len([event for event in events if event["event"] == "warning"]) >= 2
    steps = [event for event in events if "step" in event]
    assert [(event["step"], event["steps"]) for event in steps] == [(1, 2), (2, 2)]
    keys = {"event", "step", "steps", "loss", "slices_per_second", "validation_dice", "seconds_left"}
    assert all(set(event) == keys for event in steps)


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
    ],
    ids=" ".join,
)
def test_impossible_options_end_in_a_sentence(data: Path, options: list[str]) -> None:
    assert _fit(data, *options) == 2
    assert not (data.parent / "run").exists()
