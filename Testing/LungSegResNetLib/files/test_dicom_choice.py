"""Which series of a DICOM folder is read, and what the user is told about the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import make_colour_picture, write_series
from synthetic_thorax import Thorax

from LungSegResNetLib.errors import InputError, UsageError
from LungSegResNetLib.files.dicom_choice import names_strangers
from LungSegResNetLib.files.dicom_headers import list_series
from LungSegResNetLib.files.dicom_kernels import sharpness
from LungSegResNetLib.files.reading import read_ct

LOSSY = ["DERIVED", "PRIMARY", "AXIAL"]
MAXIMUM_PROJECTION = ["DERIVED", "SECONDARY", "MIP"]


@pytest.fixture(scope="module")
def image() -> sitk.Image:
    return Thorax().scan(spacing=(8.0, 8.0, 10.0))[0]


def _write(folder: Path, image: sitk.Image, name: str, number: int, **tags: object) -> None:
    about = {"SeriesDescription": name, "SeriesNumber": number, "StudyInstanceUID": "1.2.3"}
    write_series(folder / name, image, **(about | tags))


def _taken(folder: Path) -> tuple[str, list[str]]:
    volume, warnings = read_ct(folder, when_in_doubt="choose")
    return volume.source, warnings


def test_a_lossy_compressed_scan_is_preferred_to_a_few_original_bolus_slices(image, tmp_path):
    _write(tmp_path, image, "thorax", 2, ImageType=LOSSY)
    _write(tmp_path, image[:, :, :4], "bolus", 1)
    volume, warnings = read_ct(tmp_path)
    assert volume.source == "thorax"
    assert volume.hu.shape[0] == 32
    assert warnings == []


def test_a_scan_of_another_study_is_named_however_small_it_is(image, tmp_path):
    _write(tmp_path, image, "chest", 1)
    _write(tmp_path, image[:, :, :6], "later", 2, StudyInstanceUID="1.2.4")
    volume, (warning,) = read_ct(tmp_path)
    assert volume.source == "chest"
    assert "left aside: 'later' (number 2, 6 slices" in warning
    assert warning.endswith(" of another study.")
    assert names_strangers(warning)


def test_a_scan_of_another_patient_is_told_to_be_so(image, tmp_path):
    _write(tmp_path, image, "chest", 1, PatientID="one")
    _write(tmp_path, image[:, :, :6], "guest", 2, StudyInstanceUID="1.2.4", PatientID="two")
    _, (warning,) = read_ct(tmp_path)
    assert "left aside: 'guest' (number 2, 6 slices" in warning
    assert warning.endswith(" of another patient.")
    assert names_strangers(warning)


@pytest.mark.parametrize(
    ("larger", "taken", "smaller", "slices"),
    [("belly", slice(26), slice(20, None), 12), ("neck", slice(8, None), slice(11), 11)],
)
def test_a_scan_of_another_region_is_named_however_many_slices_the_taken_one_has(
    larger, taken, smaller, slices, image, tmp_path
):
    _write(tmp_path, image[:, :, taken], larger, 1)
    _write(tmp_path, image[:, :, smaller], "chest", 2)
    volume, (warning,) = read_ct(tmp_path)
    assert volume.source == larger
    assert f"left aside: 'chest' (number 2, {slices} slices" in warning
    assert not names_strangers(warning)


def test_an_original_scan_with_half_the_slices_of_a_derived_one_is_taken_and_both_are_named(image, tmp_path):
    _write(tmp_path, image[:, :, ::2], "original", 1)
    _write(tmp_path, image, "reformatted", 2, ImageType=["DERIVED", "SECONDARY", "MPR"])
    volume, warnings = read_ct(tmp_path)
    assert volume.source == "original"
    (warning,) = warnings
    assert warning == (
        "Of several CT series 'original' (number 1, 16 slices, 20 mm, kernel unknown) was taken; "
        "left aside: 'reformatted' (number 2, 32 slices, 10 mm, kernel unknown)."
    )


def test_a_series_of_one_slice_is_listed_as_such(image, tmp_path):
    _write(tmp_path, image[:, :, :1], "bolus", 1)
    (series,) = list_series(tmp_path)
    assert str(series).startswith("1: bolus (CT, axial, original, 1 slice, 10 mm, kernel unknown, UID ...")


def test_projections_are_not_taken_for_the_scan_even_where_they_are_many(image, tmp_path):
    _write(tmp_path, image[:, :, :8], "short", 1)
    _write(tmp_path, image, "MIP", 2, ImageType=MAXIMUM_PROJECTION)
    volume, warnings = read_ct(tmp_path)
    assert volume.source == "short"
    assert "left aside: 'MIP'" in warnings[0]


def test_colour_pictures_are_not_taken_for_the_scan(image, tmp_path):
    _write(tmp_path, image[:, :, ::2], "thorax", 2)
    for file in write_series(tmp_path / "perfusion", image, SeriesDescription="perfusion", SeriesNumber=1):
        make_colour_picture(file)
    assert _taken(tmp_path) == ("thorax", [])


def test_a_series_that_was_named_is_read_without_a_word_on_the_others(image, tmp_path):
    _write(tmp_path, image, "thin", 1)
    _write(tmp_path, image[:, :, ::2], "thick", 2)
    assert read_ct(tmp_path, "thick")[1] == []
    assert "left aside: 'thick'" in read_ct(tmp_path)[1][0]


def test_only_some_of_many_others_are_named(image, tmp_path):
    for number in range(8):
        _write(tmp_path, image[:, :, : 32 if number == 3 else 20], f"scan {number}", number)
    volume, (warning,) = read_ct(tmp_path)
    assert volume.source == "scan 3"
    assert "and 2 more." in warning


class TestWhenInDoubt:
    def test_the_user_is_asked_unless_the_caller_says_otherwise(self, image, tmp_path):
        _write(tmp_path, image, "lung", 1)
        _write(tmp_path, image, "soft", 2)
        with pytest.raises(UsageError, match="2 CT series of about the same size"):
            read_ct(tmp_path)

    def test_the_softer_kernel_is_taken_and_both_are_named(self, image, tmp_path):
        _write(tmp_path, image, "lung", 1, ConvolutionKernel="B70f")
        # The soft reconstruction lacks the last slice.
        _write(tmp_path, image[:, :, :31], "soft", 2, ConvolutionKernel="B30f")
        source, warnings = _taken(tmp_path)
        assert source == "soft"
        (warning,) = warnings
        assert warning == (
            "Of several CT series 'soft' (number 2, 31 slices, 10 mm, kernel B30f) was taken; "
            "left aside: 'lung' (number 1, 32 slices, 10 mm, kernel B70f)."
        )

    def test_more_slices_come_before_a_softer_kernel(self, image, tmp_path):
        _write(tmp_path, image[:, :, :28], "soft", 1, ConvolutionKernel="B30f")
        _write(tmp_path, image, "lung", 2, ConvolutionKernel="B70f")
        assert _taken(tmp_path)[0] == "lung"

    def test_a_known_kernel_comes_before_an_unknown_one(self, image, tmp_path):
        _write(tmp_path, image, "unknown", 1, ConvolutionKernel="XYZ")
        _write(tmp_path, image, "standard", 2, ConvolutionKernel="STANDARD")
        assert _taken(tmp_path)[0] == "standard"

    def test_the_lowest_series_number_decides_where_all_else_is_equal(self, image, tmp_path):
        _write(tmp_path, image, "a", 12)
        _write(tmp_path, image, "b", 3)
        assert _taken(tmp_path)[0] == "b"


@pytest.mark.parametrize(
    ("softer", "sharper"),
    [
        ("B30f", "B70f"),
        ("Br40d\\3", "Bl57d\\3"),
        ("STANDARD", "LUNG"),
        ("LUNG", "BONEPLUS"),
        ("B", "L"),
        ("FC08", "FC52"),
    ],
)
def test_kernels_of_each_manufacturer_are_ranked(softer, sharper):
    assert sharpness(softer) < sharpness(sharper) < sharpness("unheard of")


class TestOneFolderLevel:
    def test_subfolders_are_left_alone(self, image, tmp_path):
        _write(tmp_path, image + 1, "of another patient", 1)
        write_series(tmp_path, image[:, :, :16], SeriesDescription="loose")
        volume, warnings = read_ct(tmp_path, recursive=False)
        assert volume.source == "loose"
        np.testing.assert_array_equal(volume.hu, sitk.GetArrayFromImage(image)[:16])
        assert warnings == []
        assert read_ct(tmp_path)[0].source == "of another patient"

    def test_a_folder_of_subfolders_holds_no_image(self, image, tmp_path):
        _write(tmp_path, image, "thorax", 1)
        with pytest.raises(InputError, match="no DICOM image"):
            read_ct(tmp_path, recursive=False)
