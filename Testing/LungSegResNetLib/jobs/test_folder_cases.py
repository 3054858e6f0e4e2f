"""Which files below a folder are scans."""

from __future__ import annotations

from pathlib import Path

import pytest
from dicom_files import write_series
from synthetic_thorax import Thorax

from LungSegResNetLib.errors import InputError, UsageError
from LungSegResNetLib.jobs.folder_cases import find_cases


def test_dicom_files_are_known_by_their_mark_whatever_they_are_called(tmp_path: Path) -> None:
    image = Thorax().scan((8.0, 8.0, 60.0))[0]
    names = {"uid": "1.2.840.113619.{}", "siemens": "CT.{}.IMA", "plain": "IM{}"}
    for patient, name in names.items():
        for number, file in enumerate(write_series(tmp_path / "in" / patient, image)):
            file.rename(file.with_name(name.format(number)))
    mark = bytes(128) + b"DICM"
    (tmp_path / "in" / "DICOMDIR").write_bytes(mark)
    (tmp_path / "in" / "readme.txt").write_text("a CD")
    (tmp_path / "in" / "b.nii.gz").touch()
    (tmp_path / "in" / "._b.nii.gz").touch()
    cases = find_cases(tmp_path / "in", tmp_path / "out")
    assert sorted(case.name for case in cases) == ["b", "plain", "siemens", "uid"]
    assert {case.path for case in cases if case.name != "b"} == {tmp_path / "in" / name for name in names}


def test_results_are_no_scans(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "a.nii.gz").touch()
    (tmp_path / "out" / "a.nii.gz").touch()
    assert [case.path for case in find_cases(tmp_path, tmp_path / "out")] == [tmp_path / "a.nii.gz"]


@pytest.mark.parametrize("output", ["in", "."])
def test_an_output_folder_that_holds_the_scans_is_refused(output: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.nii.gz").touch()
    with pytest.raises(UsageError, match="holds the scans"):
        find_cases(tmp_path / "in", tmp_path / output)


def test_a_folder_without_a_scan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="no CT"):
        find_cases(tmp_path / "in", tmp_path / "out")
