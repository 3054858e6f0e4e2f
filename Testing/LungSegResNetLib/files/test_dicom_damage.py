"""Slices that a copy left empty or cut off are told of, and healthy files of another kind are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import compress_as_jpeg, write_referring_object, write_series
from pydicom import dcmread
from synthetic_thorax import Thorax

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.reading import read_ct

OTHER_KINDS = ("RTSTRUCT", "PR", "KO", "SR")


@pytest.fixture(scope="module")
def image() -> sitk.Image:
    return Thorax().scan(spacing=(5.0, 6.0, 10.0))[0]


def renamed(files: list[Path], ending: str) -> list[Path]:
    """The files with another ending, in the same order."""
    return [file.rename(file.with_name(file.stem + ending)) for file in files]


@pytest.mark.parametrize("ending", [".dcm", "", ".img", ".1234"])
@pytest.mark.parametrize("left", [0, 100, 1000])
def test_a_slice_of_which_nothing_or_the_beginning_was_copied_is_told_of(ending, left, image, tmp_path):
    files = renamed(write_series(tmp_path, image), ending)
    files[-1].write_bytes(files[-1].read_bytes()[:left])
    volume, warnings = read_ct(tmp_path)
    assert len(volume.hu) == len(files) - 1
    assert warnings == [f"Left out: 1 damaged DICOM file (the first is {files[-1].name})."]


@pytest.mark.parametrize("left", [0, 100, 1000])
def test_a_scan_that_lost_its_end_is_refused(left, image, tmp_path):
    files = write_series(tmp_path, image)
    for file in files[-6:]:
        file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(InputError, match=f"6 of its {len(files)} slices are damaged or cut off, 6 of them at its ends"):
        read_ct(tmp_path)


def test_damaged_slices_between_others_are_interpolated(image, tmp_path):
    files = write_series(tmp_path, image)
    for file in (files[-1], files[8], files[12], files[16]):
        file.write_bytes(b"")
    volume, warnings = read_ct(tmp_path)
    assert len(volume.hu) == len(files) - 1
    assert "Left out: 4 damaged DICOM files" in warnings[0]
    assert "lacks 3 slices" in warnings[1]


@pytest.mark.parametrize("left", [0, 1500])
def test_damaged_slices_of_another_series_in_the_folder_do_not_cost_the_scan(left, image, tmp_path):
    files = write_series(tmp_path, image)
    other = write_series(tmp_path, image[:, :, 4:20], prefix="OTHER", SeriesNumber=9)
    for file in other[-6:]:
        file.write_bytes(file.read_bytes()[:left])
    volume, warnings = read_ct(tmp_path)
    assert len(volume.hu) == len(files)
    assert "Left out: 6 damaged DICOM files" in warnings[0]


def test_slices_whose_pixels_are_cut_off_are_of_the_series_that_they_name(image, tmp_path):
    files = write_series(tmp_path, image)
    write_series(tmp_path, image[:, :, 4:20], prefix="OTHER", SeriesNumber=9)
    for file in files[:6]:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) - len(dcmread(file).PixelData) - 100])
    with pytest.raises(InputError, match="6 of them at its ends"):
        read_ct(tmp_path)


def test_a_slice_for_which_only_the_room_was_made_is_told_of(image, tmp_path):
    files = renamed(write_series(tmp_path, image), "")
    files[-1].write_bytes(bytes(files[-1].stat().st_size))
    assert read_ct(tmp_path)[1] == [f"Left out: 1 damaged DICOM file (the first is {files[-1].name})."]


@pytest.mark.parametrize("name", ["LOCK", "notes.txt", "other/IM0040"])
def test_a_short_file_that_is_not_named_as_the_slices_beside_it_is_none(name, image, tmp_path):
    write_series(tmp_path, image)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"")
    assert read_ct(tmp_path)[1] == []


def test_a_folder_of_empty_slices_is_called_damaged(tmp_path):
    (tmp_path / "IM0000.dcm").write_bytes(b"")
    with pytest.raises(InputError, match="damaged or cut off"):
        read_ct(tmp_path)


@pytest.mark.parametrize("place", ["", "other"])
def test_contours_reports_and_key_objects_of_a_ct_are_not_called_damaged(place, image, tmp_path):
    files = write_series(tmp_path, image)
    for kind in OTHER_KINDS:
        write_referring_object(tmp_path / place / f"{kind}.dcm", kind, files)
    volume, warnings = read_ct(tmp_path)
    assert warnings == []
    np.testing.assert_array_equal(volume.hu, sitk.GetArrayFromImage(image))


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_folder_without_images_is_not_called_damaged(kind, image, tmp_path):
    files = write_series(tmp_path / "ct", image)
    write_referring_object(tmp_path / "other" / "IM0001.dcm", kind, files)
    with pytest.raises(InputError, match="There is no DICOM image in"):
        read_ct(tmp_path / "other")


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_slice_compressed_as_jpeg_whose_end_is_blank_is_refused(kept, image, tmp_path):
    files = write_series(tmp_path, image)
    for file in files:
        compress_as_jpeg(file)
    volume, warnings = read_ct(tmp_path)
    assert warnings == []
    np.testing.assert_array_equal(volume.hu, sitk.GetArrayFromImage(image))
    content = files[8].read_bytes()
    begin = len(content) - len(dcmread(files[8]).PixelData)
    end = begin + int(kept * (len(content) - begin))
    files[8].write_bytes(content[:end] + bytes(len(content) - end))
    for source in (tmp_path, files[8]):
        with pytest.raises(InputError, match=f"{files[8].name} is damaged"):
            read_ct(source)
