"""Image files in, CT volume or one clear sentence out."""

from __future__ import annotations

import gzip
import itertools
import os
import struct
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import ptk_files
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.image_files import open_image_file
from LungSegResNetLib.files.mask_reading import left_out_on_ct, mask_on_ct, read_lungs, read_mask_file
from LungSegResNetLib.files.reading import read_ct

SIGNS = list(itertools.product((1.0, -1.0), repeat=3))
ALL_ORIENTATIONS = [(order, signs) for order in itertools.permutations(range(3)) for signs in SIGNS]


@pytest.fixture(scope="module")
def scan() -> tuple[sitk.Image, sitk.Image]:
    """Anisotropic on purpose, so that a mixed-up axis shows."""
    return Thorax().scan(spacing=(5.0, 6.0, 10.0))


@pytest.fixture(scope="module")
def hu(scan: tuple[sitk.Image, sitk.Image]) -> np.ndarray:
    return sitk.GetArrayFromImage(scan[0])


def save(image: sitk.Image, path: Path) -> Path:
    sitk.WriteImage(image, str(path), useCompression=path.name.endswith("gz"))
    return path


def from_array(values: np.ndarray, like: sitk.Image) -> sitk.Image:
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(like)
    return image


def turned(image: sitk.Image, order: tuple[int, ...], signs: tuple[float, ...]) -> sitk.Image:
    """The same voxels at the same places, stored in another axis order and direction."""
    return sitk.Flip(sitk.PermuteAxes(image, order), [sign < 0 for sign in signs])


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_ct(path)
    return str(caught.value)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_every_format_gives_the_same_voxels_and_places(ending, scan, hu, tmp_path):
    volume, warnings = read_ct(save(scan[0], tmp_path / f"scan{ending}"))
    np.testing.assert_array_equal(volume.hu, hu)
    assert volume.hu.dtype == np.int16
    np.testing.assert_allclose(volume.geometry.origin, scan[0].GetOrigin(), atol=1e-3)
    np.testing.assert_allclose(volume.spacing_zyx, (10.0, 6.0, 5.0), rtol=1e-6)
    assert warnings == []


@pytest.mark.parametrize(("order", "signs"), ALL_ORIENTATIONS)
def test_every_axis_order_gives_the_same_volume_and_comes_back_exactly(order, signs, scan, hu, tmp_path):
    image = turned(scan[0], order, signs)
    volume, _ = read_ct(save(image, tmp_path / "turned.nrrd"))
    np.testing.assert_array_equal(volume.hu, hu)
    np.testing.assert_allclose(volume.geometry.origin, scan[0].GetOrigin(), atol=1e-9)
    assert volume.geometry.spacing == scan[0].GetSpacing()
    np.testing.assert_array_equal(np.reshape(volume.geometry.direction, (3, 3)), np.eye(3))

    mask = volume.to_native(sitk.GetArrayFromImage(scan[1]))
    expected = turned(scan[1], order, signs)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), sitk.GetArrayFromImage(expected))
    assert (mask.GetOrigin(), mask.GetSpacing(), mask.GetDirection()) == (
        image.GetOrigin(),
        image.GetSpacing(),
        image.GetDirection(),
    )


def test_the_lps_geometry_agrees_with_simpleitk_on_an_oblique_left_handed_grid(scan):
    angle = np.deg2rad(20)
    tilt = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    image = sitk.Image(scan[0])
    image.SetDirection((tilt @ np.array([[0, -1, 0], [0, 0, 1], [1, 0, 0]])).ravel().tolist())
    volume = CTVolume.from_sitk(image, "oblique")
    expected = sitk.DICOMOrient(image, "LPS")
    np.testing.assert_array_equal(volume.hu, sitk.GetArrayFromImage(expected))
    assert volume.geometry.size == expected.GetSize()
    np.testing.assert_allclose(volume.geometry.origin, expected.GetOrigin(), atol=1e-9)
    np.testing.assert_allclose(volume.geometry.direction, expected.GetDirection(), atol=1e-12)


@pytest.mark.parametrize("ending", ["nrrd", "nii.gz", "mha"])
def test_a_single_slice_becomes_a_volume_with_one_slice_of_unknown_thickness(ending, scan, hu, tmp_path):
    volume, warnings = read_ct(save(scan[0][:, :, 16], tmp_path / f"slice.{ending}"))
    np.testing.assert_array_equal(volume.hu, hu[16:17])
    assert sum("does not give its slice thickness" in text for text in warnings) == 1
    _, warnings = read_ct(save(scan[0][:, :, 16:17], tmp_path / f"thick.{ending}"))
    assert warnings == []


def test_a_file_with_a_single_time_point_is_read_as_a_volume(scan, hu, tmp_path):
    volume, _ = read_ct(save(sitk.JoinSeries([scan[0]]), tmp_path / "one.nii.gz"))
    np.testing.assert_array_equal(volume.hu, hu)


def test_a_time_series_is_refused_with_its_number_of_time_points(scan, tmp_path):
    assert "contains 3 time points" in refusal(save(sitk.JoinSeries([scan[0]] * 3), tmp_path / "time.nii.gz"))


def test_a_colour_picture_is_refused(tmp_path):
    picture = sitk.GetImageFromArray(np.zeros((4, 8, 8, 3), np.uint8), isVector=True)
    assert "colour picture" in refusal(save(picture, tmp_path / "picture.nrrd"))


def test_a_compressed_file_with_the_ending_of_a_plain_one_is_to_be_renamed(scan, tmp_path):
    save(scan[0], tmp_path / "scan.nii.gz").rename(tmp_path / "scan.nii")
    assert "rename it to scan.nii.gz" in refusal(tmp_path / "scan.nii")


def test_a_missing_path_and_an_unknown_ending_are_named(tmp_path):
    assert "There is no file or folder" in refusal(tmp_path / "nowhere.nii.gz")
    (tmp_path / "notes.txt").write_text("chest")
    assert "readable are DICOM, .nii" in refusal(tmp_path / "notes.txt")


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha", ".dcm"])
def test_an_empty_file_is_called_empty(ending, tmp_path):
    (tmp_path / f"scan{ending}").touch()
    assert "0 bytes" in refusal(tmp_path / f"scan{ending}")


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("kept", [0.002, 0.5, 0.999])
def test_a_cut_off_file_is_refused(ending, kept, scan, tmp_path, capfd):
    path = save(scan[0], tmp_path / f"scan{ending}")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert "cut off" in refusal(path)
    assert capfd.readouterr() == ("", "")  # where lines of JSON stand


@pytest.mark.parametrize("kept", [0, 0.5, 0.999])
def test_cut_off_voxels_beside_a_metaimage_header_are_refused(kept, scan, tmp_path, capfd):
    path = save(scan[0], tmp_path / "scan.mhd")
    voxels = path.with_suffix(".raw")
    voxels.write_bytes(voxels.read_bytes()[: int(kept * voxels.stat().st_size)])
    assert "holds fewer voxels than its header says" in refusal(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "damaged"),
    [
        ("scan.nii.gz", "scan.nii.gz"),
        ("scan.nrrd", "scan.nrrd"),
        ("scan.mha", "scan.mha"),
        ("scan.mhd", "scan.zraw"),
        ("größe à.mhd", "größe à.zraw"),
    ],
)
@pytest.mark.parametrize("place", [0.3, 0.75, 0.99])
def test_damaged_compression_is_refused(name, damaged, place, scan, hu, tmp_path):
    path = tmp_path / name
    sitk.WriteImage(scan[0], str(path), useCompression=True)
    np.testing.assert_array_equal(read_ct(path)[0].hu, hu)
    content = bytearray((tmp_path / damaged).read_bytes())
    content[int(place * len(content))] ^= 0xFF
    (tmp_path / damaged).write_bytes(content)
    assert "cut off" in refusal(path)


def test_a_file_that_does_not_say_how_the_patient_lies_is_read_with_a_warning(scan, hu, tmp_path):
    plain = save(scan[0], tmp_path / "plain.nii")
    content = bytearray(plain.read_bytes())
    content[252:256] = bytes(4)  # qform_code and sform_code
    (tmp_path / "unknown.nii").write_bytes(content)
    header, voxels = save(scan[0], tmp_path / "plain.nrrd").read_bytes().split(b"\n\n", 1)
    kept = [line for line in header.split(b"\n") if not line.startswith((b"space", b"kinds"))]
    (tmp_path / "unknown.nrrd").write_bytes(b"\n".join([*kept, b"spacings: 5 6 10"]) + b"\n\n" + voxels)
    for ending in (".nii", ".nrrd"):
        assert read_ct(tmp_path / f"plain{ending}")[1] == []
        volume, warnings = read_ct(tmp_path / f"unknown{ending}")
        assert [w for w in warnings if "does not say how the patient lies" in w] == warnings
        assert len(warnings) == 1
        assert volume.spacing_zyx == pytest.approx((10.0, 6.0, 5.0))


@pytest.mark.parametrize(
    ("ending", "line", "instead"),
    [(".mha", b"TransformMatrix", b""), (".nrrd", b"space:", b"space: scanner-xyz")],
)
def test_axes_that_are_none_of_the_patient_are_read_with_a_warning(ending, line, instead, scan, tmp_path):
    path = save(scan[0], tmp_path / f"scan{ending}")
    assert read_ct(path)[1] == []
    lines = path.read_bytes().split(b"\n")
    (number,) = [n for n, one in enumerate(lines) if one.startswith(line)]
    lines[number : number + 1] = [instead] if instead else []
    path.write_bytes(b"\n".join(lines))
    assert any("does not say how the patient lies" in text for text in read_ct(path)[1])


def test_endings_in_capital_letters_are_read_or_to_be_renamed(scan, hu, tmp_path):
    for ending in (".MHA", ".NRRD", ".NII"):
        path = save(scan[0], tmp_path / f"scan{ending.lower()}").rename(tmp_path / f"SCAN{ending}")
        np.testing.assert_array_equal(read_ct(path)[0].hu, hu)
    mixed = save(scan[0], tmp_path / "scan.nii.gz").rename(tmp_path / "scan.nii.GZ")
    assert "rename it" in refusal(mixed)


@pytest.mark.parametrize("lowest", [-850, -770])
def test_a_grey_level_window_that_was_burnt_in_is_told(lowest, scan, hu, tmp_path):
    path = save(from_array(np.clip(hu, lowest, 1000), scan[0]), tmp_path / "scan.nrrd")
    assert any("no value below" in text for text in read_ct(path)[1]) == (lowest == -770)


@pytest.mark.parametrize(("ending", "field"), [(".nrrd", b"space"), (".mha", b"ElementSpacing")])
def test_a_file_whose_header_lacks_a_voxel_size_is_read_with_a_warning(ending, field, scan, tmp_path):
    path = save(scan[0], tmp_path / f"scan{ending}")
    assert read_ct(path)[1] == []
    path.write_bytes(b"\n".join(line for line in path.read_bytes().split(b"\n") if not line.startswith(field)))
    volume, warnings = read_ct(path)
    assert volume.spacing_zyx == (1.0, 1.0, 1.0)
    assert any("1 mm was assumed" in text for text in warnings)


@pytest.mark.parametrize("size", [0.0, float("nan")])
def test_a_nifti_file_without_a_voxel_size_is_read_with_a_warning(size, scan, tmp_path):
    path = save(scan[0], tmp_path / "scan.nii")
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, 76 + 4 * 3, size)  # pixdim[3]
    path.write_bytes(content)
    volume, (warning,) = read_ct(path)
    assert volume.spacing_zyx[0] == 1.0
    assert "1 mm was assumed" in warning


def test_a_nifti_file_whose_voxels_are_nowhere_is_refused(scan, tmp_path):
    path = save(scan[0], tmp_path / "scan.nii")
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, 108, float("nan"))  # vox_offset
    path.write_bytes(content)
    assert "cannot be read" in refusal(path) or "cut off" in refusal(path)


@pytest.mark.parametrize("size", ["0 0 0", "40 30 0", "-3 30 20", "1e20 30 20", "2147483648 2147483648 4"])
def test_an_impossible_number_of_voxels_is_refused_in_a_scan_and_in_a_mask(size, scan, tmp_path):
    path = save(scan[0], tmp_path / "scan.mha")
    content = path.read_bytes()
    told = "DimSize = {} {} {}".format(*scan[0].GetSize()).encode()
    assert told in content
    path.write_bytes(content.replace(told, f"DimSize = {size}".encode()))
    assert "impossible size" in refusal(path)
    with pytest.raises(InputError, match="impossible size"):
        read_mask_file(path)


def test_a_voxel_of_a_sheared_grid_has_the_volume_between_its_axes(scan):
    image = sitk.Image(scan[0])
    image.SetSpacing((1.0, 2.0, 3.0))
    image.SetDirection((1.0, 0.6, 0.0, 0.0, 0.8, 0.0, 0.0, 0.0, 1.0))
    assert CTVolume.from_sitk(image, "sheared").voxel_ml == pytest.approx(0.006 * 0.8)


@pytest.mark.skipif(sys.platform == "win32", reason="names there are always valid")
def test_a_name_that_is_no_text_is_refused_in_a_sentence(scan, tmp_path):
    """SimpleITK would end the process."""
    path = save(scan[0], tmp_path / "scan.nii.gz")
    odd = path.rename(tmp_path / os.fsdecode(b"k\xf6ln.nii.gz"))
    with pytest.raises(InputError, match="characters that are not valid"):
        read_ct(odd)


def test_text_with_an_image_ending_is_refused(tmp_path):
    (tmp_path / "scan.nii.gz").write_bytes(gzip.compress(b"<html>not found</html>" * 50))
    (tmp_path / "scan.nrrd").write_text("<html>not found</html>")
    assert "cannot be read" in refusal(tmp_path / "scan.nii.gz")
    assert "cannot be read" in refusal(tmp_path / "scan.nrrd")


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_a_scan_without_its_rescale_is_shifted_with_a_warning(dtype, scan, hu, tmp_path):
    stored = np.maximum(hu + 1024, 0).astype(dtype)
    volume, warnings = read_ct(save(from_array(stored, scan[0]), tmp_path / "stored.nii.gz"))
    np.testing.assert_array_equal(volume.hu, np.maximum(hu, -1024))
    assert volume.hu.dtype == np.int16
    assert len(warnings) == 1
    assert "1024 was subtracted" in warnings[0]
    assert "24 HU too low" in warnings[0]


@pytest.mark.parametrize("padding", [-2000, -1024])
def test_padding_does_not_pass_for_air_in_a_scan_without_its_rescale(padding, scan, hu, tmp_path):
    stored = np.maximum(hu + 1024, 0).astype(np.int16)
    stored[:, :8] = stored[:, -8:] = padding
    volume, warnings = read_ct(save(from_array(stored, scan[0]), tmp_path / "padded.nrrd"))
    np.testing.assert_array_equal(volume.hu[:, 8:-8], np.maximum(hu, -1024)[:, 8:-8])
    assert "1024 was subtracted" in warnings[0]
    assert "24 HU too low" in warnings[0]


def test_a_ct_from_which_1024_was_subtracted_twice_is_refused_with_the_reason(scan, hu, tmp_path):
    twice = np.maximum(hu, -1024) - 1024
    assert "subtracted twice" in refusal(save(from_array(twice, scan[0]), tmp_path / "twice.nrrd"))


def test_padding_of_minus_2000_beside_lung_alone_is_no_offset(scan, hu, tmp_path):
    lung_only = np.where(sitk.GetArrayFromImage(scan[1]) > 0, hu, -2000)
    volume, _ = read_ct(save(from_array(lung_only, scan[0]), tmp_path / "lungs.nrrd"))
    assert volume.hu.min() == -1024


def test_a_picture_with_256_grey_levels_is_refused(scan, hu, tmp_path):
    grey = np.clip((hu + 1000) / 1600 * 255, 0, 255).astype(np.uint8)
    text = refusal(save(from_array(grey, scan[0]), tmp_path / "grey.nrrd"))
    assert "not a chest CT in Hounsfield units" in text
    assert "HU = lower end of the window + value x width / 255" in text


def test_a_scan_scaled_to_one_is_refused(scan, hu, tmp_path):
    scaled = np.clip((hu + 1024) / 1624, 0, 1).astype(np.float32)
    assert "values run from 0 to" in refusal(save(from_array(scaled, scan[0]), tmp_path / "scaled.nrrd"))


def test_magnetic_resonance_like_values_are_refused(scan, hu, tmp_path):
    """Dark air and lung, but tissues spread over a wide range under a coil profile."""
    profile = np.linspace(0.4, 2.0, hu.shape[2])
    tissue = np.where(hu > -500, 500.0 + hu.clip(-200, 600), 30.0) * profile
    values = np.abs(tissue + np.random.default_rng(1).normal(0, 20, hu.shape)).astype(np.int16)
    text = refusal(save(from_array(values, scan[0]), tmp_path / "mr.nrrd"))
    assert "not a chest CT" in text
    assert "window" not in text


def test_a_scan_whose_voxels_are_all_equal_is_refused(scan, hu, tmp_path):
    assert "all its voxels" in refusal(save(from_array(np.full_like(hu, -1000), scan[0]), tmp_path / "flat.nrrd"))


def test_a_mask_given_as_a_scan_is_called_a_mask(scan, tmp_path):
    assert "holds labels (a mask)" in refusal(save(scan[1], tmp_path / "mask.nii.gz"))


def test_a_narrow_field_of_view_inside_the_chest_is_accepted(scan, hu, tmp_path):
    volume, warnings = read_ct(save(scan[0][20:60, 15:40, 14:28], tmp_path / "narrow.nrrd"))
    np.testing.assert_array_equal(volume.hu, hu[14:28, 15:40, 20:60])
    assert warnings == []


def test_values_that_are_no_numbers_become_air_with_a_warning(scan, hu, tmp_path):
    values = hu.astype(np.float32)
    values[3, 4, :5] = np.nan
    values[3, 4, 5] = np.inf
    volume, warnings = read_ct(save(from_array(values, scan[0]), tmp_path / "nan.nrrd"))
    assert (volume.hu[3, 4, :6] == -1024).all()
    np.testing.assert_array_equal(volume.hu[5:], hu[5:])
    assert "6 voxels that are not numbers" in warnings[0]


def test_a_high_value_that_was_filled_in_around_the_field_of_view_is_air(scan, hu, tmp_path):
    values = hu.astype(np.float32)
    values[:, -8:] = 62512  # -2000 that was stored without a sign
    volume, (warning,) = read_ct(save(from_array(values, scan[0]), tmp_path / "scan.nrrd"))
    assert (volume.hu[:, -8:] == -1024).all()
    np.testing.assert_array_equal(volume.hu[:, :-8], hu[:, :-8])
    assert "has the value 62512 in" in warning
    values[:, -1] = 62511
    assert "is not a chest CT" in refusal(save(from_array(values, scan[0]), tmp_path / "scan.nrrd"))


def test_padding_and_metal_outside_the_scale_are_limited_with_a_warning(scan, hu, tmp_path):
    values = hu.astype(np.int32)
    values[:, 0, :] = -32768
    values[5, 20, 40] = 60000
    volume, warnings = read_ct(save(from_array(values, scan[0]), tmp_path / "padded.nrrd"))
    assert (volume.hu[:, 0, :] == -1024).all()
    assert volume.hu[5, 20, 40] == 10000
    assert "-32768 to 60000" in warnings[0]


def test_padding_around_the_field_of_view_becomes_air_without_a_warning(scan, hu, tmp_path):
    values = hu.copy()
    values[:, :8] = -2000
    values[:, -8:] = -3024
    volume, warnings = read_ct(save(from_array(values, scan[0]), tmp_path / "round.nrrd"))
    assert (volume.hu[:, :8] == -1024).all()
    assert (volume.hu[:, -8:] == -1024).all()
    np.testing.assert_array_equal(volume.hu[:, 8:-8], hu[:, 8:-8])
    assert warnings == []


def test_the_lowest_padding_in_a_scan_without_its_rescale_becomes_air(scan, hu, tmp_path):
    stored = np.maximum(hu + 1024, 0).astype(np.int16)
    stored[:, :8] = -32768
    volume, _ = read_ct(save(from_array(stored, scan[0]), tmp_path / "padded.nrrd"))
    assert (volume.hu[:, :8] == -1024).all()
    np.testing.assert_array_equal(volume.hu[:, 8:], np.maximum(hu, -1024)[:, 8:])


def test_a_path_that_the_system_refuses_is_named(tmp_path):
    assert "cannot be read" in refusal(tmp_path / f"{'x' * 300}.nii.gz")


def test_fractions_of_hounsfield_units_are_kept(scan, hu, tmp_path):
    values = hu.astype(np.float64) + 0.25
    volume, _ = read_ct(save(from_array(values, scan[0]), tmp_path / "fine.nrrd"))
    assert volume.hu.dtype == np.float32
    np.testing.assert_array_equal(volume.hu, values.astype(np.float32))


@pytest.mark.parametrize("spacing", [(0.001, 0.001, 1.0), (0.04, 0.04, 1.0), (25.0, 25.0, 5.0), (5.0, 5.0, 21.0)])
def test_an_impossible_voxel_size_is_refused(spacing, scan, tmp_path):
    image = sitk.Image(scan[0])
    image.SetSpacing(spacing)
    assert "impossible voxel size" in refusal(save(image, tmp_path / "size.nrrd"))


@pytest.fixture(scope="module")
def ct(scan: tuple[sitk.Image, sitk.Image]) -> CTVolume:
    return CTVolume.from_sitk(scan[0], "scan")


@pytest.fixture(scope="module")
def labels(scan: tuple[sitk.Image, sitk.Image]) -> np.ndarray:
    return sitk.GetArrayFromImage(scan[1])


class TestMasks:
    @staticmethod
    def slicer_file(path: Path, image: sitk.Image, *segments: dict[str, str]) -> Path:
        for number, fields in enumerate(segments):
            for key, value in {"ID": f"S_{number}", **fields}.items():
                image.SetMetaData(f"Segment{number}_{key}", value)
        return save(image, path)

    def test_a_label_file_on_the_same_grid_is_taken_without_a_warning(self, scan, ct, labels, tmp_path):
        mask = read_mask_file(save(turned(scan[1], (2, 0, 1), (1.0, -1.0, -1.0)), tmp_path / "mask.nii.gz")).labels
        values, warnings = mask_on_ct(mask, ct)
        np.testing.assert_array_equal(values, labels)
        assert values.dtype == np.uint8
        assert warnings == []

    def test_a_mask_that_says_it_lies_a_voxel_aside_is_laid_there(self, scan, ct, labels):
        aside = sitk.Image(scan[1])
        aside.SetOrigin(scan[1].TransformIndexToPhysicalPoint((1, 0, 0)))
        values, warnings = mask_on_ct(aside, ct)
        np.testing.assert_array_equal(values[..., 1:], labels[..., :-1])
        assert warnings == []

    def test_a_floating_point_label_file_is_read(self, scan, labels, tmp_path):
        mask = read_mask_file(save(sitk.Cast(scan[1], sitk.sitkFloat32), tmp_path / "mask.nii")).labels
        np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), labels)

    def test_a_scan_given_as_a_mask_is_refused(self, scan, tmp_path):
        with pytest.raises(InputError, match="is not a mask"):
            read_mask_file(save(scan[0], tmp_path / "ct.nrrd"))

    def test_a_cropped_slicer_segmentation_is_put_back_in_its_place(self, scan, ct, labels, tmp_path):
        z, y, x = (slice(int(places.min()), int(places.max()) + 1) for places in np.nonzero(labels))
        cropped = scan[1][x, y, z]
        assert cropped.GetNumberOfPixels() < labels.size / 2
        path = self.slicer_file(
            tmp_path / "crop.seg.nrrd",
            cropped,
            {"Name": "right lung", "LabelValue": "1", "Layer": "0"},
            {"Name": "left lung", "LabelValue": "2", "Layer": "0"},
        )
        values, warnings = mask_on_ct(read_mask_file(path).labels, ct)
        np.testing.assert_array_equal(values, labels)
        assert warnings == []

    def test_segments_are_brought_to_their_side_by_name_or_terminology(self, scan, labels, tmp_path):
        swapped = np.choose(labels, [0, 7, 3]).astype(np.uint8)
        swapped[0, 0, :4] = 9
        path = self.slicer_file(
            tmp_path / "named.seg.nrrd",
            from_array(swapped, scan[1]),
            {"Name": "Trachea", "LabelValue": "9", "Layer": "0"},
            {"Name": "LeftLung", "LabelValue": "3", "Layer": "0"},
            {
                "Name": "Segment_2",
                "LabelValue": "7",
                "Layer": "0",
                "Tags": "TerminologyEntry:x~SCT^123037004^Anatomical Structure~SCT^39607008^Lung~SCT^24028007^Right~~|",
            },
        )
        np.testing.assert_array_equal(sitk.GetArrayFromImage(read_mask_file(path).labels), labels)

    def test_overlapping_layers_of_a_slicer_segmentation_are_all_read(self, scan, labels, tmp_path):
        layers = np.stack([labels == 2, labels == 1], axis=-1).astype(np.uint8)
        image = sitk.GetImageFromArray(layers, isVector=True)
        image.CopyInformation(scan[1])
        path = self.slicer_file(
            tmp_path / "layers.seg.nrrd",
            image,
            {"Name": "lung_left", "LabelValue": "1", "Layer": "0"},
            {"Name": "lung_right", "LabelValue": "1", "Layer": "1"},
        )
        np.testing.assert_array_equal(sitk.GetArrayFromImage(read_mask_file(path).labels), labels)

    @pytest.mark.parametrize(
        ("names", "values"), [(("lung_left", "lung_right"), (2, 1)), (("Segment_1", "Segment_2"), (1, 2))]
    )
    def test_layers_that_the_segments_do_not_number_follow_their_order(self, names, values, scan, labels, tmp_path):
        layers = np.stack([labels == 2, labels == 1], axis=-1).astype(np.uint8)
        image = sitk.GetImageFromArray(layers, isVector=True)
        image.CopyInformation(scan[1])
        segments = [{"Name": name, "LabelValue": "1"} for name in names]
        path = self.slicer_file(tmp_path / "layers.seg.nrrd", image, *segments)
        expected = np.where(labels == 2, values[0], np.where(labels == 1, values[1], 0))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(read_mask_file(path).labels), expected)

    def test_other_segments_keep_their_label_values(self, scan, labels, tmp_path):
        path = self.slicer_file(
            tmp_path / "other.seg.nrrd",
            from_array(labels * 4, scan[1]),
            {"Name": "tumour in the right lung", "LabelValue": "4", "Layer": "0"},
            {
                "Name": "left",
                "LabelValue": "8",
                "Layer": "0",
                "Tags": "TerminologyEntry:x~c^1^Lesion~SCT^4147007^Mass~^^~y~SCT^39607008^Lung~SCT^7771000^Left|",
            },
        )
        np.testing.assert_array_equal(sitk.GetArrayFromImage(read_mask_file(path).labels), labels * 4)

    def test_a_slicer_segmentation_given_as_a_scan_is_named(self, scan, tmp_path):
        path = self.slicer_file(tmp_path / "x.seg.nrrd", sitk.Image(scan[1]), {"Name": "lung", "LabelValue": "1"})
        assert "segmentation of 3D Slicer" in refusal(path)

    def test_a_mask_on_another_grid_is_resampled_with_a_warning(self, ct, labels):
        _, fine = Thorax().scan(spacing=(2.5, 3.0, 5.0))
        values, warnings = mask_on_ct(fine, ct)
        overlap = (
            2
            * np.count_nonzero((values > 0) & (values == labels))
            / (np.count_nonzero(values) + np.count_nonzero(labels))
        )
        assert overlap > 0.9
        assert ["different grid" in text for text in warnings] == [True]

    def test_a_scan_too_large_for_the_memory_is_no_fault_of_the_mask(self, ct, scan):
        huge = replace(ct.geometry, size=(100_000, 100_000, 1_000))
        with pytest.raises(MemoryError):
            mask_on_ct(scan[1], replace(ct, geometry=huge))

    def test_a_mask_that_does_not_say_how_it_lies_is_read_with_a_warning(self, scan, tmp_path):
        image, mask = sitk.Image(scan[0]), sitk.Image(scan[1])
        for one in (image, mask):
            one.SetOrigin((0.0, 0.0, 0.0))
        ct, path = CTVolume.from_sitk(image, "scan"), save(mask, tmp_path / "lungs.nii")
        assert read_lungs(path, ct)[1] == []
        content = bytearray(path.read_bytes())
        content[252:256] = bytes(4)  # qform_code and sform_code
        path.write_bytes(content)
        assert any("does not say how its voxels lie" in text for text in read_lungs(path, ct)[1])

    def test_a_mask_of_another_place_is_refused(self, scan, ct):
        away = sitk.Image(scan[1])
        away.SetOrigin((5000.0, 0.0, 0.0))
        with pytest.raises(InputError, match="does not overlap"):
            mask_on_ct(away, ct)

    def test_a_mask_that_is_partly_outside_is_cut_off_with_a_warning(self, scan, labels):
        ct = CTVolume.from_sitk(scan[0][:, :, :18], "lower part")
        values, warnings = mask_on_ct(scan[1], ct)
        np.testing.assert_array_equal(values, labels[:18])
        assert "was cut off" in warnings[0]

    @pytest.mark.parametrize(("slices", "told"), [(29, []), (28, ["10 % of the mask lies outside part"])])
    def test_of_a_mask_more_than_a_twentieth_is_not_cut_off_without_a_word(self, slices, told, scan):
        block = np.zeros(scan[1].GetSize()[::-1], np.uint8)
        block[10:30, 20:30, 20:30] = 1
        ct = CTVolume.from_sitk(scan[0][:, :, :slices], "part")
        _, warnings = mask_on_ct(from_array(block, scan[1]), ct)
        assert [part in text for part, text in zip(told, warnings, strict=True)] == [True] * len(told)

    def test_a_mask_of_which_nothing_lies_inside_the_scan_is_refused(self, scan, labels):
        upper = labels.copy()
        upper[:20] = 0
        with pytest.raises(InputError, match="Nothing of the mask lies inside lower part"):
            mask_on_ct(from_array(upper, scan[1]), CTVolume.from_sitk(scan[0][:, :, :18], "lower part"))

    @pytest.mark.parametrize(("voxels", "is_told"), [(0.03, False), (0.1, True)])
    def test_a_mask_that_lies_a_part_of_a_voxel_aside_is_resampled_with_a_warning(self, voxels, is_told, scan, ct):
        aside = sitk.Image(scan[1])
        aside.SetOrigin(scan[1].TransformContinuousIndexToPhysicalPoint((voxels, 0.0, 0.0)))
        assert ["different grid" in text for text in mask_on_ct(aside, ct)[1]] == [True] * is_told

    def test_labels_of_right_and_left_lung_are_taken_as_they_are(self, scan, ct, labels, tmp_path):
        values, warnings = read_lungs(save(scan[1], tmp_path / "lungs.nii.gz"), ct)
        np.testing.assert_array_equal(values, labels)
        assert warnings == []

    def test_the_label_of_the_left_lung_alone_is_the_left_lung(self, scan, ct, labels, tmp_path):
        left = from_array(np.where(labels == 2, 2, 0).astype(np.uint8), scan[1])
        values, warnings = read_lungs(save(left, tmp_path / "lungs.nii.gz"), ct)
        np.testing.assert_array_equal(values, np.where(labels == 2, 2, 0))
        assert warnings == []

    @pytest.mark.parametrize("value", [-1, 256, 0.5, np.nan])
    def test_a_mask_of_other_values_than_whole_numbers_to_255_is_refused(self, value, scan, labels, tmp_path):
        values = np.where(labels == 1, np.float32(value), labels).astype(np.float32 if value % 1 else np.int16)
        with pytest.raises(InputError, match="values other than whole numbers from 0 to 255"):
            read_mask_file(save(from_array(values, scan[1]), tmp_path / "lungs.nrrd"))

    @pytest.mark.parametrize("value", [1, 3, 255])
    def test_a_file_with_one_label_gives_both_lungs_without_sides_and_says_so(self, value, scan, ct, labels, tmp_path):
        one = from_array(np.where(labels > 0, value, 0).astype(np.uint8), scan[1])
        values, warnings = read_lungs(save(one, tmp_path / "lungs.nrrd"), ct)
        assert values.dtype == bool
        np.testing.assert_array_equal(values, labels > 0)
        assert ["a single label" in text for text in warnings] == [True]

    def test_a_lone_lung_that_the_file_names_keeps_its_side(self, scan, ct, labels, tmp_path):
        image = from_array((labels == 2).astype(np.uint8), scan[1])
        path = self.slicer_file(tmp_path / "left.seg.nrrd", image, {"Name": "left lung", "LabelValue": "1"})
        values, warnings = read_lungs(path, ct)
        np.testing.assert_array_equal(values, np.where(labels == 2, 2, 0))
        assert warnings == []

    @pytest.mark.parametrize(
        ("right", "left"),
        [
            ("Right Lung corrected", "left lung"),
            ("right_lung_v2_final", "Left lung (manual)"),
            ("Lung R copy", "LungL 2"),
            ("Lunge rechts", "lung lt ROI"),
        ],
    )
    def test_a_lung_whose_name_also_tells_who_made_it_is_known(self, right, left, scan, ct, labels, tmp_path):
        path = self.slicer_file(
            tmp_path / "lungs.seg.nrrd",
            from_array(labels, scan[1]),
            {"Name": right, "LabelValue": "1", "Layer": "0"},
            {"Name": left, "LabelValue": "2", "Layer": "0"},
        )
        values, warnings = read_lungs(path, ct)
        np.testing.assert_array_equal(values, labels)
        assert warnings == []

    def test_lobes_are_read_as_the_lung_that_they_make_up_and_never_as_a_whole_one(self, scan, ct, labels, tmp_path):
        lobes = labels * 2
        lobes[: len(lobes) // 2][lobes[: len(lobes) // 2] > 0] -= 1
        names = {2: "right upper lobe", 1: "right lower lobe", 4: "left upper lobe", 3: "left lower lobe"}
        segments = [{"Name": name, "LabelValue": str(n), "Layer": "0"} for n, name in names.items()]
        path = self.slicer_file(tmp_path / "lobes.seg.nrrd", from_array(lobes, scan[1]), *segments)
        with pytest.raises(InputError, match=r"the left lung and segments of unknown side \('right upper lobe', 'ri"):
            read_lungs(path, ct)
        middle = {"Name": "right middle lobe", "LabelValue": "5", "Layer": "0"}
        path = self.slicer_file(tmp_path / "lobes.seg.nrrd", from_array(lobes, scan[1]), *segments, middle)
        values, warnings = read_lungs(path, ct)
        np.testing.assert_array_equal(values, labels)
        assert warnings == []
        path = self.slicer_file(tmp_path / "lobe.seg.nrrd", from_array(lobes, scan[1]), segments[0])
        with pytest.raises(
            InputError,
            match=r"does not contain all lobes of a lung, only 'right upper lobe'; add the "
            r"others",
        ):
            read_lungs(path, ct)

    def test_segments_beside_both_lungs_are_left_out_by_name(self, scan, ct, labels, tmp_path):
        marked = labels.copy()
        marked[0, 0, :4] = 3
        names = ("right lung", "left lung", "tumour in the right lung")
        segments = [{"Name": name, "LabelValue": str(n), "Layer": "0"} for n, name in enumerate(names, 1)]
        path = self.slicer_file(tmp_path / "three.seg.nrrd", from_array(marked, scan[1]), *segments)
        values, (warning,) = read_lungs(path, ct)
        np.testing.assert_array_equal(values, labels)
        assert "left out: 'tumour in the right lung'" in warning

    def test_where_segments_lie_that_were_left_out_is_told_also_in_layers_and_the_smallest_is_seen(
        self, scan, ct, labels, tmp_path
    ):
        body = np.ones_like(labels)
        dense = np.zeros_like(labels)
        dense[12:15, 20:30, 20:30] = 1
        layers = np.stack([labels, dense, body], axis=-1)
        image = sitk.GetImageFromArray(layers, isVector=True)
        image.CopyInformation(scan[1])
        path = self.slicer_file(
            tmp_path / "layers.seg.nrrd",
            image,
            {"Name": "right lung", "LabelValue": "1", "Layer": "0"},
            {"Name": "consolidation", "LabelValue": "1", "Layer": "1"},
            {"Name": "left lung", "LabelValue": "2", "Layer": "0"},
            {"Name": "body", "LabelValue": "1", "Layer": "2"},
        )
        mask = read_mask_file(path)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(mask.labels), labels)
        assert mask.left_out == ("consolidation", "body")
        found = left_out_on_ct(mask.left_out, mask.left_out_numbers, ct)
        np.testing.assert_array_equal(found.numbers, np.where(dense, 1, 2))
        # On another grid, and beyond it nothing.
        part = CTVolume.from_sitk(scan[0][:, :, 10:], "upper part")
        np.testing.assert_array_equal(
            left_out_on_ct(mask.left_out, mask.left_out_numbers, part).numbers, np.where(dense, 1, 2)[10:]
        )

    def test_a_lung_of_unknown_side_is_not_silently_lost(self, scan, ct, labels, tmp_path):
        path = self.slicer_file(
            tmp_path / "half.seg.nrrd",
            from_array(labels, scan[1]),
            {"Name": "Segment_1", "LabelValue": "1", "Layer": "0"},
            {"Name": "left lung", "LabelValue": "2", "Layer": "0"},
        )
        with pytest.raises(InputError, match=r"has the left lung and segments of unknown side \('Segment_1'\)"):
            read_lungs(path, ct)

    def test_a_label_value_that_the_voxels_cannot_have_is_refused(self, scan, ct, tmp_path):
        path = self.slicer_file(tmp_path / "x.seg.nrrd", sitk.Image(scan[1]), {"Name": "lung", "LabelValue": "300"})
        with pytest.raises(InputError, match="without a valid label value"):
            read_lungs(path, ct)

    @pytest.mark.parametrize("write", [ptk_files.write_mhd, ptk_files.write_coronal_mhd])
    def test_a_mask_of_ptk_that_has_lost_its_place_is_not_laid_somewhere(self, write, ct, labels, tmp_path):
        write(tmp_path / "lungs.mhd", labels, ct)
        with pytest.raises(InputError, match="does not say where it lies in the patient; lungsegresnet-train check"):
            read_lungs(tmp_path / "lungs.mhd", ct)

    @pytest.mark.parametrize("name", ["mask.dcm", "folder"])
    def test_a_mask_in_a_format_of_scans_only_is_told_what_masks_can_be(self, name, ct, tmp_path):
        (tmp_path / "folder").mkdir()
        (tmp_path / "mask.dcm").write_bytes(bytes(128) + b"DICM")
        with pytest.raises(InputError, match=r"is not a readable mask; readable are \.nii"):
            read_lungs(tmp_path / name, ct)

    def test_a_mask_that_may_not_be_read_is_not_called_damaged(self, scan, ct, tmp_path):
        path = save(scan[1], tmp_path / "mask.nrrd")
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("nothing is forbidden to this user")
        with pytest.raises(InputError, match="Permission denied"):
            read_lungs(path, ct)

    def test_the_path_of_a_mask_that_the_system_refuses_is_named(self, ct, tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_lungs(tmp_path / f"{'x' * 300}.nrrd", ct)

    def test_labels_of_lobes_are_refused_with_their_values(self, scan, ct, labels, tmp_path):
        lobes = np.where(labels > 0, labels + 10, 0).astype(np.uint8)
        lobes[labels.nonzero()[0][0]] *= 2
        with pytest.raises(InputError, match=r"labels 11, 12, \d\d.* 1 for the right and 2 for the left"):
            read_lungs(save(from_array(lobes, scan[1]), tmp_path / "lobes.nrrd"), ct)


def _nifti(path, hu, affine, qform_code=1, sform_code=1, pixel_mm=None, kind=nibabel.Nifti1Image):
    image = kind(hu.T, affine)
    image.set_qform(np.diag([2.0, 2.0, 8.0, 1.0]), qform_code)
    image.set_sform(affine, sform_code)
    if pixel_mm is not None:
        image.header["pixdim"][1:4] = pixel_mm
    image.to_filename(path)
    return path


SHEARED = [[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 2.0, 0.0], [0.0, 0.0, 8.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
TURNED = np.eye(4)
TURNED[:3, :3] = Rotation.from_euler("x", 12, degrees=True).as_matrix() * (2.0, 2.0, 8.0)


@pytest.mark.parametrize(
    ("affine", "codes", "pixel_mm", "told"),
    [
        (np.diag([2.0, 2.0, 8.0, 1.0]), (1, 1), None, None),
        (np.diag([2.0, 2.0, 16.0, 1.0]), (1, 0), None, None),
        (
            np.diag([2.0, 2.0, 16.0, 1.0]),
            (1, 1),
            None,
            "voxels of 2 x 2 x 8 mm were used; the sform gives 2 x 2 x 16 mm",
        ),
        (
            np.diag([2.0, 2.0, 8.0, 1.0]),
            (0, 1),
            (1, 1, 1),
            "voxels of 1 x 1 x 1 mm were used; the sform gives 2 x 2 x 8",
        ),
        (
            np.diag([-2.0, 2.0, 8.0, 1.0]),
            (1, 1),  # SimpleITK takes the sform then
            None,
            "by the qform, which was not used, right and left are exchanged. Check the sides",
        ),
        (np.diag([-2.0, 2.0, 8.0, 1.0]), (2, 1), None, "by the qform, which was not used, right and left are"),
        (np.diag([-2.0, -2.0, 8.0, 1.0]), (1, 1), None, "the qform, which was not used, right and left and front and"),
        (np.diag([2.0, 2.0, -8.0, 1.0]), (1, 1), None, "by the qform, which was not used, top and bottom are"),
        (np.diag([-2.0, 2.0, 8.0, 1.0]), (0, 1), None, None),  # the qform does not count
        (TURNED, (1, 1), None, "the qform, which was not used, has other axes and turns them by 12 degrees"),
        (np.diag([2.0, 2.0, 8.0, 1.0])[:, [1, 0, 2, 3]], (1, 1), None, "has other axes and mirrors them"),
        (np.array(SHEARED), (1, 1), None, "the sform gives 2 x 2 x 8.25 mm, with sheared axes"),
    ],
)
def test_a_nifti_file_that_says_two_geometries_is_read_with_a_warning_and_nothing_else_is_written(
    hu, affine, codes, pixel_mm, told, tmp_path, capfd
):
    _, warnings = read_ct(_nifti(tmp_path / "ct.nii.gz", hu, affine, *codes, pixel_mm))
    assert [told in text for text in warnings] == ([True] if told else [])
    assert capfd.readouterr().err == ""


def test_a_nifti_file_whose_geometries_differ_in_place_only_is_read_with_a_warning_as_scan_and_as_mask(hu, tmp_path):
    moved = np.diag([2.0, 2.0, 8.0, 1.0])
    moved[:3, 3] = 30.0, 0.0, 40.0
    told = "the sform puts its voxels 50.0 mm away"
    ct, warnings = read_ct(_nifti(tmp_path / "ct.nii.gz", hu, moved, sform_code=2))
    assert [told in text for text in warnings] == [True]
    lungs = (hu < -500).astype(np.uint8)
    _, warnings = read_lungs(_nifti(tmp_path / "lungs.nii.gz", lungs, moved, sform_code=2), ct)
    assert sum(told in text for text in warnings) == 1
    moved[:3, 3] = 0.9, 0.0, 0.0  # less than half a voxel
    assert read_ct(_nifti(tmp_path / "near.nii.gz", hu, moved, sform_code=2))[1] == []
    moved[:3, 3] = 30.0, 0.0, 40.0
    _, (text,) = read_ct(_nifti(tmp_path / "taken.nii.gz", hu, moved))
    assert "the qform puts its voxels 50.0 mm away" in text


@pytest.mark.parametrize("codes", [(1, 1), (1, 2), (2, 1)])
@pytest.mark.parametrize("seed", range(4))
def test_forms_that_agree_up_to_rounding_give_no_warning(hu, codes, seed, tmp_path):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.random(random_state=seed).as_matrix() * (0.7, -0.7, 1.25)
    affine[:3, 3] = 120.3, -87.7, 1204.1
    for name, rounded in (("exact", affine), ("rounded", np.round(affine, 4))):
        image = nibabel.Nifti1Image(hu.T, affine)
        image.set_qform(affine, codes[0])
        image.set_sform(rounded, codes[1])
        image.to_filename(tmp_path / f"{name}.nii.gz")
        assert read_ct(tmp_path / f"{name}.nii.gz")[1] == []


def test_files_that_are_healthy_but_of_a_kind_that_cannot_be_read_are_not_called_damaged(scan, hu, tmp_path):
    sheared = _nifti(tmp_path / "sheared.nii.gz", hu, np.array(SHEARED), qform_code=0)
    assert "not at right angles" in refusal(sheared)
    second = _nifti(tmp_path / "second.nii.gz", hu, np.eye(4), kind=nibabel.Nifti2Image)
    assert "NIfTI-2" in refusal(second)
    twice = save(scan[0], tmp_path / "twice.nii.gz")
    twice.write_bytes(gzip.compress(twice.read_bytes()))
    assert "compressed twice" in refusal(twice)


def _by_sform(path: Path, values: np.ndarray, affine: np.ndarray, code: int = 0) -> Path:
    """A file with a qform of this code."""
    image = nibabel.Nifti1Image(values.T, affine)
    image.set_qform(affine, code, strip_shears=True)
    image.set_sform(affine, 1)
    image.to_filename(path)
    return path


def _oblique(shear_degrees: float = 0.0) -> np.ndarray:
    shear = np.eye(3)
    shear[1, 2] = np.tan(np.deg2rad(shear_degrees))
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [7, 4, 9], degrees=True).as_matrix() @ shear * (-0.7, -0.7, 1.25)
    affine[:3, 3] = 120.0, 90.0, -300.0
    return affine


@pytest.mark.parametrize("kind", [np.int16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("affine", "told"),
    [
        (_oblique(0.02), []),
        (np.round(_oblique(), 3), []),
        (_oblique(0.1), ["has axes that are 0.10 degrees off right angles; the nearest ones"]),
    ],
)
def test_axes_that_are_a_little_off_right_angles_are_read_by_the_nearest_ones(hu, affine, told, kind, tmp_path):
    ct, warnings = read_ct(_by_sform(tmp_path / "ct.nii.gz", hu.astype(kind), affine))
    straight, _ = read_ct(_by_sform(tmp_path / "straight.nii.gz", hu, _oblique(), code=1))
    np.testing.assert_array_equal(ct.hu, straight.hu)
    assert [part in text for part, text in zip(told, warnings, strict=True)] == [True] * len(told)
    np.testing.assert_allclose(ct.native.axes.T @ ct.native.axes, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(ct.native.spacing, (0.7, 0.7, 1.25), rtol=1e-3)
    np.testing.assert_allclose(ct.native.corners, straight.native.corners, atol=0.6)
    # The mask of the scan is written on its grid, and one on the sheared grid of the scan fits it.
    lungs = (hu < -500).astype(np.uint8)
    sitk.WriteImage(ct.to_native(np.where(ct.hu < -500, 1, 0).astype(np.uint8)), str(tmp_path / "written.nii.gz"))
    for path in (_by_sform(tmp_path / "lungs.nii.gz", lungs, affine), tmp_path / "written.nii.gz"):
        mask, _ = read_lungs(path, ct)
        np.testing.assert_array_equal(mask, ct.hu < -500)


def test_axes_that_are_far_off_right_angles_or_missing_are_refused_each_with_its_reason(hu, tmp_path):
    assert "not at right angles" in refusal(_by_sform(tmp_path / "ct.nii.gz", hu, _oblique(5.0)))
    zeros = _nifti(tmp_path / "zeros.nii.gz", hu, np.eye(4), qform_code=0)
    content = bytearray(gzip.decompress(zeros.read_bytes()))
    content[280:328] = bytes(48)
    zeros.write_bytes(gzip.compress(content))
    assert "does not say how its voxels lie: its sform is empty or damaged" in refusal(zeros)
    cut_off = _by_sform(tmp_path / "cut.nii.gz", hu, _oblique(0.02))
    cut_off.write_bytes(gzip.compress(gzip.decompress(cut_off.read_bytes())[:-1000]))
    assert "cut off" in refusal(cut_off)
    series = _by_sform(tmp_path / "series.nii.gz", np.stack([hu, hu]), _oblique(0.02))
    assert "2 time points" in refusal(series)


@pytest.mark.parametrize("codes", [(1, 1), (0, 2)])
@pytest.mark.parametrize("sizes", [(-2.0, -2.0, 8.0), (2.0, 2.0, -8.0)])
def test_scans_and_masks_with_negative_sizes_are_read_by_their_sform_and_not_mirrored(hu, codes, sizes, tmp_path):
    affine = np.diag([-2.0, -2.0, 8.0, 1.0])
    lungs = (hu < -500).astype(np.uint8)
    ct, (text,) = read_ct(_nifti(tmp_path / "ct.nii.gz", hu, affine, *codes, sizes))
    assert "gives its voxels a negative size, for which some programs mirror it; its sform was used" in text
    np.testing.assert_array_equal(ct.hu, hu)
    assert ct.geometry.spacing == (2.0, 2.0, 8.0)
    mask, warnings = read_lungs(_nifti(tmp_path / "lungs.nii.gz", lungs, affine, *codes, sizes), ct)
    np.testing.assert_array_equal(mask, lungs)
    assert any("negative size" in text for text in warnings)


def test_negative_sizes_without_an_sform_are_refused_by_their_name(hu, tmp_path):
    path = _nifti(tmp_path / "ct.nii.gz", hu, np.eye(4), 1, 0)
    content = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into("<3f", content, 80, -2.0, -2.0, 8.0)
    path.write_bytes(gzip.compress(content))
    assert "gives its voxels a negative size and has no sform" in refusal(path)


def test_after_two_threads_have_read_files_at_once_the_library_warns_as_before(
    scan: tuple[sitk.Image, sitk.Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_is_in, second_is_in, first_is_out = (threading.Event() for _event in range(3))
    shown_to_second: list[bool] = []

    read_header = sitk.ImageFileReader.ReadImageInformation

    def overlapping(reader: sitk.ImageFileReader) -> None:
        if Path(reader.GetFileName()).stem == "first":
            first_is_in.set()
            assert second_is_in.wait(60)
        else:
            second_is_in.set()
            assert first_is_out.wait(60)
            shown_to_second.append(sitk.ProcessObject.GetGlobalWarningDisplay())
        read_header(reader)

    for name in ("first", "second"):
        sitk.WriteImage(scan[0], str(tmp_path / f"{name}.nrrd"))
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(True)
    monkeypatch.setattr(sitk.ImageFileReader, "ReadImageInformation", overlapping)
    try:
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(open_image_file, tmp_path / "first.nrrd")
            assert first_is_in.wait(60)
            second = threads.submit(open_image_file, tmp_path / "second.nrrd")
            first.result()
            first_is_out.set()
            second.result()
        assert shown_to_second == [False]
        assert sitk.ProcessObject.GetGlobalWarningDisplay()
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)
