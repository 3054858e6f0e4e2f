"""Slices of one scan in several folders are told of; copies, phases and other series are no such thing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import SimpleITK as sitk
from dicom_files import write_localizer, write_series
from synthetic_thorax import Thorax

from LungSegResNetLib.jobs.folder_cases import find_cases


@pytest.fixture(scope="module")
def image() -> sitk.Image:
    return Thorax().scan((20.0, 20.0, 30.0))[0]


def spread(files: list[Path], folders: list[Path]) -> None:
    """Put equal shares of the slices, in their order, into folders."""
    for number, file in enumerate(files):
        folder = folders[number * len(folders) // len(files)]
        folder.mkdir(parents=True, exist_ok=True)
        file.rename(folder / file.name)


def warnings(tmp_path: Path) -> dict[str, tuple[str, ...]]:
    return {case.name: case.warnings for case in find_cases(tmp_path / "in", tmp_path / "out")}


def test_each_part_of_a_series_names_another_one_and_their_common_folder(image: sitk.Image, tmp_path: Path) -> None:
    patient = tmp_path / "in" / "patient"
    write_series(tmp_path / "in" / "other", image)
    spread(write_series(tmp_path / "slices", image), [patient / name for name in "abc"])
    told = warnings(tmp_path)
    assert told.pop("other") == ()
    assert list(told) == ["patient/a", "patient/b", "patient/c"]
    for name, (sentence,) in told.items():
        other = patient / ("b" if name == "patient/a" else "a")
        assert f"continues in {other} and 1 more" in sentence
        assert f"common folder, {patient}, to 'segment'" in sentence


def test_a_copy_of_a_scan_its_phases_and_its_scout_are_no_parts_of_it(image: sitk.Image, tmp_path: Path) -> None:
    uids = {"SeriesInstanceUID": "1.2.3", "StudyInstanceUID": "1.2"}
    write_series(tmp_path / "in" / "ct", image, **uids)
    shutil.copytree(tmp_path / "in" / "ct", tmp_path / "in" / "copy")
    write_series(tmp_path / "in" / "phase", image + 1, AcquisitionNumber=2, **uids)
    write_series(tmp_path / "in" / "reformat", sitk.PermuteAxes(image, (0, 2, 1)), **uids)
    write_localizer(tmp_path / "in" / "scout", image, **uids)
    assert set(warnings(tmp_path).values()) == {()}


def test_files_that_are_no_ct_or_damaged_are_no_parts(image: sitk.Image, tmp_path: Path) -> None:
    uids = {"SeriesInstanceUID": "1.2.3", "StudyInstanceUID": "1.2"}
    spread(write_series(tmp_path / "mr", image, Modality="MR", **uids), [tmp_path / "in" / name for name in "ab"])
    write_series(tmp_path / "in" / "broken", image, **uids)[0].write_bytes(b"")
    assert set(warnings(tmp_path).values()) == {()}
