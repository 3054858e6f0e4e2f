"""Series that hold more than one stack: nothing is merged, shifted or dropped without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import write_enhanced_ct, write_series
from synthetic_thorax import Thorax

from LungSegResNetLib.errors import InputError, UsageError
from LungSegResNetLib.files.dicom_headers import list_series
from LungSegResNetLib.files.reading import read_ct

UID = "1.2.3.4"


@pytest.fixture(scope="module")
def image() -> sitk.Image:
    return Thorax().scan(spacing=(8.0, 8.0, 8.0))[0]


@pytest.fixture(scope="module")
def hu(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


def _moved(image: sitk.Image, shift: Callable[[int], tuple[float, float, float]]) -> Callable[[int], list[str]]:
    """Image positions of the slices, each moved by ``shift`` (mm)."""

    def position(number: int) -> list[str]:
        place = np.array(image.TransformIndexToPhysicalPoint((0, 0, number))) + shift(number)
        return [f"{value:.6f}" for value in place]

    return position


def test_series_of_one_uid_are_told_apart_by_their_numbers(image, hu, tmp_path):
    """Some programs that remove names give all series one UID."""
    for number in (2, 3):
        shift = _moved(image, lambda n, number=number: (0.0, 0.0, 4.0 * (number - 2)))
        tags = {"SeriesInstanceUID": UID, "SeriesNumber": number, "ImagePositionPatient": shift}
        write_series(tmp_path, image + number, prefix=f"S{number}_", **tags)
    parts = [(info.part, info.slices) for info in list_series(tmp_path)]
    assert parts == [("series number 2", len(hu)), ("series number 3", len(hu))]


def test_patients_who_share_a_uid_are_never_one_scan(image, hu, tmp_path):
    for place, patient in enumerate("AB"):
        above = _moved(image, lambda n, place=place: (0.0, 0.0, place * 8.0 * len(hu)))
        tags = {"SeriesInstanceUID": UID, "PatientID": patient, "ImagePositionPatient": above}
        write_series(tmp_path, image, prefix=patient, **tags)
    assert [info.slices for info in list_series(tmp_path)] == [len(hu), len(hu)]
    with pytest.raises(UsageError, match="2 CT series of about the same size"):
        read_ct(tmp_path)


class TestGrid:
    def test_pixel_spacings_that_differ_by_rounding_are_one_stack(self, image, hu, tmp_path):
        write_series(tmp_path, image, PixelSpacing=lambda n: ["8.0", "8.0"] if n < 22 else ["8.0001", "8.0001"])
        volume, warnings = read_ct(tmp_path)
        np.testing.assert_array_equal(volume.hu, hu)
        assert warnings == []

    def test_direction_cosines_at_a_rounding_limit_are_one_stack(self, image, hu, tmp_path):
        def oblique(number: int) -> list[str]:
            tilt = 0.0005 + (1e-7 if number % 2 else -1e-7)
            return ["1", "0", "0", "0", "1", f"{tilt:.8f}"]

        write_series(tmp_path, image, ImageOrientationPatient=oblique)
        volume, warnings = read_ct(tmp_path)
        assert volume.hu.shape == hu.shape
        assert volume.geometry.spacing[2] == pytest.approx(8.0, rel=1e-4)
        assert warnings == []

    def test_a_pixel_spacing_that_changes_within_the_scan_is_refused(self, image, tmp_path):
        write_series(tmp_path, image, PixelSpacing=lambda n: ["8", "8"] if n < 22 else ["7", "7"])
        lost, slices = image.GetDepth() - 22, image.GetDepth()
        with pytest.raises(InputError, match=f"{lost} of its {slices} slices differ from the others in matrix"):
            read_ct(tmp_path)

    def test_two_fields_of_view_of_one_region_are_two_series(self, image, hu, tmp_path):
        write_series(tmp_path / "a", image, SeriesInstanceUID=UID)
        write_series(tmp_path / "b", image + 7, SeriesInstanceUID=UID, PixelSpacing=["4", "4"])
        with pytest.raises(UsageError, match="2 CT series of about the same size"):
            read_ct(tmp_path)
        assert "pixels of 8 mm" in str(list_series(tmp_path)[0])
        assert "pixels of 4 mm" in str(list_series(tmp_path)[1])
        volume, _ = read_ct(tmp_path, "2")
        np.testing.assert_array_equal(volume.hu, hu + 7)
        assert volume.geometry.spacing[:2] == pytest.approx((4.0, 4.0))

    def test_axial_and_coronal_images_of_one_series_are_two_series(self, image, hu, tmp_path):
        coronal = sitk.PermuteAxes(image, (0, 2, 1))
        write_series(tmp_path / "a", image[:, :, :20], SeriesInstanceUID=UID)
        write_series(tmp_path / "b", coronal, SeriesInstanceUID=UID)
        volume, (warning,) = read_ct(tmp_path)
        np.testing.assert_array_equal(volume.hu, hu[:20])
        assert "left aside" in warning
        assert sorted(info.plane for info in list_series(tmp_path)) == ["axial", "coronal"]

    def test_a_single_odd_image_is_left_out_with_a_warning(self, image, hu, tmp_path):
        write_series(tmp_path / "a", image, SeriesInstanceUID=UID)
        coronal = sitk.PermuteAxes(image, (0, 2, 1))
        write_series(tmp_path / "b", coronal[:, :, 10:11], SeriesInstanceUID=UID)
        volume, warnings = read_ct(tmp_path)
        np.testing.assert_array_equal(volume.hu, hu)
        assert len(warnings) == 1
        assert f"which were left out (1 of {image.GetDepth() + 1} files)" in warnings[0]

    def test_repeated_slices_of_another_field_of_view_are_left_out_with_a_warning(self, image, hu, tmp_path):
        write_series(tmp_path / "a", image, SeriesInstanceUID=UID)
        same_place = image.TransformIndexToPhysicalPoint((0, 0, 10))
        for number in range(4):
            tags = {"SeriesInstanceUID": UID, "PixelSpacing": ["4", "4"], "InstanceNumber": 100 + number}
            write_series(tmp_path / str(number), image[:, :, :1], ImagePositionPatient=list(same_place), **tags)
        volume, warnings = read_ct(tmp_path)
        np.testing.assert_array_equal(volume.hu, hu)
        assert f"(4 of {image.GetDepth() + 4} files)" in warnings[0]

    def test_a_lost_slice_is_told_and_interpolated(self, image, hu, tmp_path):
        write_series(tmp_path, image, PixelSpacing=lambda n: ["7", "7"] if n == 11 else ["8", "8"])
        volume, warnings = read_ct(tmp_path)
        assert volume.hu.shape == hu.shape
        assert "(1 of " in warnings[0]
        assert "lacks 1 slice" in warnings[1]


class TestLineOfSlices:
    @pytest.mark.parametrize("moved", [range(10, 30), range(39, 40), range(20, 40)], ids=["middle", "last", "half"])
    def test_slices_beside_the_others_are_refused(self, moved, image, tmp_path):
        write_series(tmp_path, image, ImagePositionPatient=_moved(image, lambda n: (40.0 * (n in moved), 0, 0)))
        with pytest.raises(InputError, match=r"lie up to [\d.]+ mm beside the others"):
            read_ct(tmp_path)

    def test_a_tilted_gantry_and_rounded_positions_pass(self, image, hu, tmp_path):
        shear = 8 * np.tan(np.deg2rad(20))
        noise = np.random.default_rng(0).uniform(-0.05, 0.05, image.GetDepth())
        write_series(tmp_path, image, ImagePositionPatient=_moved(image, lambda n: (noise[n], n * shear, 0)))
        volume, warnings = read_ct(tmp_path)
        np.testing.assert_array_equal(volume.hu, hu)
        assert "tilted by 20 degrees" in warnings[0]


class TestStacksOfOneRegion:
    @pytest.fixture
    def interleaved(self, image: sitk.Image, tmp_path: Path) -> Path:
        """Two acquisitions with kernels of their own; the second lies half a slice distance higher."""
        between = _moved(image, lambda _: (0, 0, 4.0))
        common = {"SeriesInstanceUID": UID, "SeriesDescription": "thorax"}
        write_series(tmp_path / "a", image, AcquisitionNumber=1, ConvolutionKernel="B30f", **common)
        higher = {"AcquisitionNumber": 2, "ConvolutionKernel": "B70f", "ImagePositionPatient": between}
        write_series(tmp_path / "b", image + 7, **common, **higher)
        return tmp_path

    @pytest.mark.parametrize("named", [None, UID, "thorax"])
    def test_they_are_not_merged_but_to_be_chosen_from(self, named, interleaved):
        with pytest.raises(UsageError, match="2 CT series of about the same size") as caught:
            read_ct(interleaved, named)
        assert "kernel B30f, acquisition 1" in str(caught.value)
        assert "kernel B70f, acquisition 2" in str(caught.value)

    def test_each_can_be_chosen(self, interleaved, image, hu):
        for choice, shift in (("1", 0), ("2", 7)):
            volume, warnings = read_ct(interleaved, choice)
            np.testing.assert_array_equal(volume.hu, hu + shift)
            assert volume.geometry.spacing[2] == pytest.approx(8.0)
            assert warnings == []

    def test_kernels_without_acquisition_numbers_are_parted_even_with_a_missing_slice(self, image, hu, tmp_path):
        write_series(tmp_path / "a", image, SeriesInstanceUID=UID, ConvolutionKernel="B30f")
        between = _moved(image, lambda _: (0, 0, 4.0))
        tags = {"SeriesInstanceUID": UID, "ConvolutionKernel": "B70f", "ImagePositionPatient": between}
        write_series(tmp_path / "b", image + 7, skip=(5,), **tags)
        assert [info.slices for info in list_series(tmp_path)] == [image.GetDepth(), image.GetDepth() - 1]
        np.testing.assert_array_equal(read_ct(tmp_path, "1")[0].hu, hu)

    def test_two_kernels_of_two_acquisitions_are_four_stacks(self, image, hu, tmp_path):
        between = _moved(image, lambda _: (0, 0, 4.0))
        for acquisition, places in ((1, {}), (2, {"ImagePositionPatient": between})):
            for kernel in ("B30f", "B70f"):
                tags = {"SeriesInstanceUID": UID, "AcquisitionNumber": acquisition, "ConvolutionKernel": kernel}
                write_series(tmp_path / f"{acquisition} {kernel}", image, **tags, **places)
        assert sorted((info.kernel, info.part, info.slices) for info in list_series(tmp_path)) == [
            (kernel, f"acquisition {number}", len(hu)) for kernel in ("B30f", "B70f") for number in (1, 2)
        ]

    def test_a_few_repeated_slices_are_left_aside_with_a_warning(self, image, hu, tmp_path):
        write_series(tmp_path / "a", image, SeriesInstanceUID=UID, AcquisitionNumber=1)
        write_series(tmp_path / "b", image[:, :, 8:11], SeriesInstanceUID=UID, AcquisitionNumber=2)
        volume, warnings = read_ct(tmp_path)
        np.testing.assert_array_equal(volume.hu, hu)
        assert "acquisition 1) was taken; left aside" in warnings[0]

    def test_acquisitions_that_follow_each_other_stay_one_scan(self, image, hu, tmp_path):
        write_series(tmp_path, image, AcquisitionNumber=lambda n: 1 + n // 16, ConvolutionKernel="B30f")
        volume, warnings = read_ct(tmp_path)
        np.testing.assert_array_equal(volume.hu, hu)
        assert warnings == []

    def test_a_property_that_varies_at_random_parts_nothing(self, image, hu, tmp_path):
        thickness = np.random.default_rng(3).choice(["8", "8.1"], image.GetDepth())
        write_series(tmp_path, image, SliceThickness=lambda n: thickness[n])
        volume, warnings = read_ct(tmp_path)
        np.testing.assert_array_equal(volume.hu, hu)
        assert warnings == []

    def test_multi_frame_files_of_one_region_are_told_apart_by_their_names(self, image, hu, tmp_path):
        between = image[:, :, :]
        x, y, z = image.GetOrigin()
        between.SetOrigin((x, y, z + 4.0))
        for name, scan in (("first.dcm", image), ("second.dcm", between)):
            write_enhanced_ct(tmp_path / name, scan, SeriesInstanceUID=UID)
        assert [info.part for info in list_series(tmp_path)] == ["first.dcm", "second.dcm"]
        np.testing.assert_array_equal(read_ct(tmp_path, "1")[0].hu, hu)
