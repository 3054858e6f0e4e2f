from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk
from training_cases import write_data_set

from LungSegResNetTrainingLib.command_line.main import main


def test_the_table_is_not_written_over_the_list_whatever_its_letters_where_capitals_make_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = write_data_set(tmp_path, {"a": "train"})
    monkeypatch.setattr(sys, "platform", "darwin")
    assert main(["check", str(cases), "--table", str(tmp_path / "CASES.CSV"), "--overwrite"]) == 2
    assert "is the list that is checked" in capsys.readouterr().err


def test_what_reading_had_to_assume_is_told_once_with_its_cases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = write_data_set(tmp_path, {"a": "train", "b": "train"})
    for name in ("a", "b"):
        mask = tmp_path / f"{name}_mask.nii"
        lungs = sitk.ReadImage(str(mask)) > 0
        mask.unlink()
        sitk.WriteImage(lungs, str(mask))
    assert main(["check", str(cases)]) == 0
    note = "a, b: The mask has one value; right and left lung were told apart by position."
    assert [line for line in capsys.readouterr().err.splitlines() if "position" in line] == [f"warning: {note}"]
    assert main(["check", str(cases), "--progress", "json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {"event": "warning", "text": note} in events
