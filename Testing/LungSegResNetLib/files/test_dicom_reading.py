"""DICOM folders and files: the right series, in the right order, complete - or one clear sentence."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import make_colour_picture, write_enhanced_ct, write_localizer, write_screenshot, write_series
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, generate_uid
from synthetic_thorax import Thorax

from LungSegResNetLib.errors import InputError, UsageError
from LungSegResNetLib.files.dicom_headers import list_series, scan_folder
from LungSegResNetLib.files.dicom_image import Header
from LungSegResNetLib.files.dicom_repeats import without_repeats
from LungSegResNetLib.files.reading import read_ct


@pytest.fixture(scope="module")
def image() -> sitk.Image:
    return Thorax().scan(spacing=(5.0, 6.0, 10.0))[0]


@pytest.fixture(scope="module")
def hu(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


def test_a_series_in_subfolders_is_read_in_order_of_position(image, hu, tmp_path):
    # Instance numbers run downwards and files are scattered; only positions count.
    files = write_series(tmp_path / "a", image, InstanceNumber=lambda n: 100 - n)
    (tmp_path / "b").mkdir()
    for number, file in enumerate(files):
        file.rename(tmp_path / ("a" if number % 2 else "b") / f"{(number * 7) % 32:03d}")
    volume, warnings = read_ct(tmp_path)
    np.testing.assert_array_equal(volume.hu, hu)
    assert volume.hu.dtype == np.int16
    assert volume.geometry.size == image.GetSize()
    np.testing.assert_allclose(volume.geometry.origin, image.GetOrigin(), atol=1e-6)
    np.testing.assert_allclose(volume.geometry.spacing, image.GetSpacing(), rtol=1e-6)
    assert warnings == []


def test_slices_behind_links_are_read_once_and_those_in_the_trash_are_not(image, hu, tmp_path):
    series = tmp_path / "in"
    write_series(tmp_path / "disk", image)
    (series / ".Trash").mkdir(parents=True)
    for place in ("first", "again"):
        try:
            (series / place).symlink_to(tmp_path / "disk", target_is_directory=True)
        except OSError:
            pytest.skip("links are forbidden to this user")
    write_series(series / ".Trash", image + 1)
    volume, warnings = read_ct(series)
    np.testing.assert_array_equal(volume.hu, hu)
    assert warnings == []


def test_a_folder_of_slices_that_cannot_be_opened_is_told(image, tmp_path):
    write_series(tmp_path / "in", image)
    closed = tmp_path / "in" / "closed"
    closed.mkdir(mode=0)
    try:
        if os.access(closed, os.R_OK):
            pytest.skip("nothing is forbidden to this user")
        _, (warning,) = read_ct(tmp_path / "in")
        with pytest.raises(InputError, match="Permission denied"):
            read_ct(closed / "in")
    finally:
        closed.chmod(0o700)
    assert f"{closed} cannot be opened" in warning


def test_scouts_screenshots_reports_and_copies_do_not_disturb(image, hu, tmp_path):
    uid = "1.2.3.4"
    files = write_series(tmp_path / "ct", image, SeriesInstanceUID=uid)
    write_localizer(tmp_path / "ct", image, SeriesInstanceUID=uid)
    write_localizer(tmp_path / "scout", image)
    write_screenshot(tmp_path / "shots")
    shutil.copy(files[4], tmp_path / "copy of a slice.dcm")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "readme.txt").write_text("export")
    volume, warnings = read_ct(tmp_path)
    np.testing.assert_array_equal(volume.hu, hu)
    assert warnings == []
    assert sorted(info.kind for info in list_series(tmp_path)) == ["localizer", "original", "secondary capture"]
    with pytest.raises(InputError, match="DICOMDIR only lists DICOM files; give the folder that it lies in"):
        read_ct(tmp_path / "DICOMDIR")


def test_the_largest_original_axial_series_is_chosen(image, hu, tmp_path):
    write_series(tmp_path / "thick", image[:, :, :15], SeriesDescription="thick", SeriesNumber=2)
    write_series(tmp_path / "thin", image, SeriesDescription="thin", SeriesNumber=3)
    write_series(tmp_path / "mip", image, SeriesDescription="MIP", SeriesNumber=4, ImageType=["DERIVED", "SECONDARY"])
    coronal = sitk.PermuteAxes(image, (0, 2, 1))
    write_series(tmp_path / "coronal", coronal, SeriesDescription="coronal", SeriesNumber=5)
    volume, _ = read_ct(tmp_path)
    assert volume.source == "thin"
    np.testing.assert_array_equal(volume.hu, hu)
    found = list_series(tmp_path)
    assert [(info.number, info.description, info.plane, info.slices) for info in found] == [
        (1, "thick", "axial", 15),
        (2, "thin", "axial", 32),
        (3, "MIP", "axial", 32),
        (4, "coronal", "coronal", 50),
    ]


@pytest.fixture(scope="module")
def two_series(image: sitk.Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    for number, (name, kernel, shift) in enumerate((("Lung 1.0", "B60f", 0), ("Soft 1.0", "B31f", 1))):
        write_series(
            folder / kernel,
            image + shift,
            SeriesDescription=name,
            ConvolutionKernel=kernel,
            SeriesNumber=number + 1,
            SeriesInstanceUID=f"1.2.3.{number + 1}7654321",
        )
    return folder


def test_two_equal_series_without_a_choice_are_listed(two_series):
    with pytest.raises(UsageError) as caught:
        read_ct(two_series)
    text = str(caught.value)
    assert "--series" in text
    for part in ("1: Lung 1.0", "2: Soft 1.0", "B60f", "B31f", "32 slices", "10 mm", "...27654321"):
        assert part in text


@pytest.mark.parametrize("choice", ["2", "1.2.3.27654321", "27654321", "soft"])
def test_number_uid_and_description_choose_one(choice, two_series, hu):
    np.testing.assert_array_equal(read_ct(two_series, choice)[0].hu, hu + 1)


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ("1.0", "fits 2 series"),
        ("9", "names no"),
        ("54321", "names no"),  # a number of the archive, and by chance the end of a UID
        ("²", "names no"),
        ("hips", "names no"),
    ],
)
def test_a_choice_that_fits_none_or_both_is_refused_with_the_list(choice, reason, two_series):
    with pytest.raises(UsageError, match=reason) as caught:
        read_ct(two_series, choice)
    assert "Lung 1.0" in str(caught.value)


@pytest.mark.parametrize("modality", ["MR", "PT"])
def test_another_modality_is_named(modality, image, tmp_path):
    files = write_series(tmp_path, image, Modality=modality)
    with pytest.raises(InputError, match=modality):
        read_ct(tmp_path)
    with pytest.raises(InputError, match=f"modality is {modality}"):
        read_ct(files[0])


def test_a_folder_without_dicom_is_refused(tmp_path):
    with pytest.raises(InputError, match="no DICOM image"):
        read_ct(tmp_path)


@pytest.mark.parametrize("top_first", [False, True])
def test_an_enhanced_multi_frame_ct_is_read_in_order_of_position(top_first, image, hu, tmp_path):
    path = write_enhanced_ct(tmp_path / "enhanced.dcm", image, top_first=top_first)
    for source in (path, tmp_path):
        volume, warnings = read_ct(source)
        np.testing.assert_array_equal(volume.hu, hu)
        np.testing.assert_allclose(volume.geometry.origin, image.GetOrigin(), atol=1e-6)
        np.testing.assert_allclose(volume.geometry.spacing, image.GetSpacing(), rtol=1e-6)
        assert warnings == []


def test_a_missing_frame_of_an_enhanced_ct_is_interpolated(image, hu, tmp_path):
    volume, warnings = read_ct(write_enhanced_ct(tmp_path / "enhanced.dcm", image, skip=(10,)))
    assert volume.hu.shape == hu.shape
    np.testing.assert_array_equal(np.delete(volume.hu, 10, axis=0), np.delete(hu, 10, axis=0))
    assert "lacks 1 slice" in warnings[0]


def test_of_enhanced_files_in_a_series_the_largest_without_time_points_is_read(image, hu, tmp_path):
    uid = {"SeriesInstanceUID": "1.2.3"}
    write_enhanced_ct(tmp_path / "part.dcm", image, skip=tuple(range(12, 32)), **uid)
    write_enhanced_ct(tmp_path / "scan.dcm", image, **uid)
    path = write_enhanced_ct(tmp_path / "two_times.dcm", image, **uid)
    data = dcmread(path)
    data.PerFrameFunctionalGroupsSequence = Sequence(2 * list(data.PerFrameFunctionalGroupsSequence))
    data.NumberOfFrames, data.PixelData = 2 * len(hu), 2 * data.PixelData
    dcmwrite(path, data)
    volume, (warning,) = read_ct(tmp_path)
    np.testing.assert_array_equal(volume.hu, hu)
    assert "one with 1 was taken" in warning


def test_an_enhanced_ct_with_an_icon_is_read(image, hu, tmp_path):
    icon = Dataset()
    icon.Rows, icon.Columns, icon.BitsAllocated, icon.BitsStored, icon.HighBit = 4, 4, 8, 8, 7
    icon.SamplesPerPixel, icon.PhotometricInterpretation, icon.PixelRepresentation = 1, "MONOCHROME2", 0
    icon.PixelData = bytes(16)
    path = write_enhanced_ct(tmp_path / "enhanced.dcm", image, IconImageSequence=Sequence([icon]))
    np.testing.assert_array_equal(read_ct(path)[0].hu, hu)


def with_rescale_of_each_frame(path: Path, hu: np.ndarray, rescales: list[tuple[int, int]]) -> None:
    """Give the frames of an enhanced CT these slopes and intercepts, and stored values to fit."""
    data = dcmread(path)
    del data.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
    stored = []
    for frame, section, (slope, intercept) in zip(data.PerFrameFunctionalGroupsSequence, hu, rescales, strict=False):
        rescale = Dataset()
        rescale.RescaleIntercept, rescale.RescaleSlope, rescale.RescaleType = intercept, slope, "HU"
        frame.PixelValueTransformationSequence = Sequence([rescale])
        stored.append(np.rint((section - intercept) / slope))
    data.PixelData = np.stack(stored).astype("<i2").tobytes()
    data.save_as(path)


def test_each_frame_of_an_enhanced_ct_has_the_rescale_that_it_says(image, hu, tmp_path):
    path = write_enhanced_ct(tmp_path / "enhanced.dcm", image)
    even = hu // 2 * 2  # what slopes of 1 and 2 can hold
    with_rescale_of_each_frame(path, even, [(1 + n % 2, -1024 - 10 * n) for n in range(len(hu))])
    volume, warnings = read_ct(path)
    np.testing.assert_array_equal(volume.hu, even)
    assert volume.hu.dtype == np.int16
    assert warnings == []


def test_an_enhanced_ct_that_lacks_the_rescale_of_some_frames_is_refused(image, hu, tmp_path):
    path = write_enhanced_ct(tmp_path / "enhanced.dcm", image)
    with_rescale_of_each_frame(path, hu, [(1, -1024 - 10 * n) for n in range(len(hu))])
    data = dcmread(path)
    del data.PerFrameFunctionalGroupsSequence[3].PixelValueTransformationSequence
    data.save_as(path)
    with pytest.raises(InputError, match="does not tell for each of its frames how its values become Hounsfield"):
        read_ct(path)


@pytest.mark.parametrize("is_enhanced", [True, False])
def test_a_ct_that_is_deflated_as_a_whole_is_read(is_enhanced, image, hu, tmp_path):
    files = [write_enhanced_ct(tmp_path / "enhanced.dcm", image)] if is_enhanced else write_series(tmp_path, image)
    for file in files:
        data = dcmread(file)
        data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        data.save_as(file)
    volume, warnings = read_ct(tmp_path)
    np.testing.assert_array_equal(volume.hu, hu)
    assert volume.spacing_zyx == pytest.approx((10.0, 6.0, 5.0))
    assert warnings == []


def test_an_enhanced_ct_of_one_frame_is_read_at_its_place(image, hu, tmp_path):
    number = image.GetDepth() // 2
    frame = image[:, :, number : number + 1]
    volume, warnings = read_ct(write_enhanced_ct(tmp_path / "enhanced.dcm", frame))
    np.testing.assert_array_equal(volume.hu, hu[number : number + 1])
    np.testing.assert_allclose(volume.geometry.origin, frame.GetOrigin(), atol=1e-6)
    np.testing.assert_allclose(volume.geometry.spacing, frame.GetSpacing(), atol=1e-6)
    assert warnings == []


def test_missing_slices_are_named_by_their_place_in_the_patient_whichever_way_the_slices_face(image, tmp_path):
    turned = sitk.Flip(image, (True, False, True))  # the normal of the slices points to the feet
    write_series(tmp_path, turned, skip=(5,))
    *_, z = turned.TransformIndexToPhysicalPoint((0, 0, 5))
    _, (warning,) = read_ct(tmp_path)
    assert f"lacks 1 slice at {z:.1f} mm, interpolated" in warning


def test_a_choice_of_series_for_a_single_file_is_refused(image, tmp_path):
    (tmp_path / "in").mkdir()
    sitk.WriteImage(image, str(tmp_path / "ct.nrrd"))
    for path in (write_series(tmp_path / "in", image)[0], tmp_path / "ct.nrrd"):
        with pytest.raises(UsageError, match="is a single file"):
            read_ct(path, "2")


def test_a_single_slice_file_is_a_volume_with_a_hint_at_its_folder(image, hu, tmp_path):
    files = write_series(tmp_path, image)
    volume, warnings = read_ct(files[16])
    np.testing.assert_array_equal(volume.hu, hu[16:17])
    assert volume.geometry.spacing == pytest.approx((5.0, 6.0, 10.0))
    assert "Only the slice" in warnings[0]


@pytest.mark.parametrize("name", ["1.2.840.{}", "IM{}"])
def test_a_single_slice_is_told_from_a_lone_one_whatever_its_neighbours_are_called(name, image, hu, tmp_path):
    files = [file.rename(tmp_path / name.format(1000 + n)) for n, file in enumerate(write_series(tmp_path, image))]
    volume, warnings = read_ct(files[8])
    np.testing.assert_array_equal(volume.hu, hu[8:9])
    assert ["Only the slice" in text for text in warnings] == [True]
    (tmp_path / "alone").mkdir()
    lone = files[8].rename(tmp_path / "alone" / files[8].name)
    (tmp_path / "alone" / f"notes{lone.suffix}").write_text("export")
    assert read_ct(lone)[1] == []


@pytest.mark.parametrize("thickness", [None, "0"])
def test_a_single_slice_of_unknown_thickness_is_read_with_a_warning(thickness, image, tmp_path):
    (file,) = write_series(tmp_path, image[:, :, 16:17], SliceThickness=thickness)
    volume, (warning,) = read_ct(file)
    assert volume.spacing_zyx[0] == 1.0
    assert "does not give its slice thickness; 1 mm was assumed" in warning


@pytest.mark.parametrize("ending", [".dcm", ".ima", ".dicom"])
def test_a_file_from_before_the_dicom_mark_is_read_alone_as_in_its_folder(ending, image, hu, tmp_path):
    (file,) = write_series(tmp_path / "new", image[:, :, 16:17])
    data = dcmread(file)
    data.preamble, data.file_meta = None, FileMetaDataset()
    old = tmp_path / "old" / f"slice{ending}"
    old.parent.mkdir()
    dcmwrite(old, data, implicit_vr=True, little_endian=True)
    for path in (old, old.parent):
        volume, warnings = read_ct(path)
        np.testing.assert_array_equal(volume.hu, hu[16:17])
        assert warnings == []


def test_missing_slices_are_interpolated_at_their_true_positions(image, hu, tmp_path):
    write_series(tmp_path, image, skip=(5, 20, 21))
    volume, warnings = read_ct(tmp_path)
    assert volume.hu.shape == hu.shape
    present = [n for n in range(32) if n not in (5, 20, 21)]
    np.testing.assert_array_equal(volume.hu[present], hu[present])
    expected = np.rint((2 * hu[19].astype(float) + hu[22]) / 3)
    np.testing.assert_allclose(volume.hu[20], expected, atol=1)
    z = image.GetOrigin()[2]
    assert len(warnings) == 1
    assert f"lacks 3 slices at {z + 50:.1f}, {z + 200:.1f}, {z + 210:.1f} mm" in warnings[0]


@pytest.mark.parametrize(("missing", "is_read"), [(3, True), (4, False)])
def test_a_gap_of_more_than_30_mm_is_not_filled(missing, is_read, image, tmp_path):
    write_series(tmp_path, image, skip=tuple(range(10, 10 + missing)))
    if is_read:
        assert "lacks 3 slices" in read_ct(tmp_path)[1][0]
    else:
        with pytest.raises(InputError, match="gap of 40 mm between its slices"):
            read_ct(tmp_path)


def test_a_scan_of_which_more_than_a_third_would_be_made_up_is_refused(image, tmp_path):
    kept = (*range(7), *range(10, 27, 4))  # a gap is seldom wider than the others, but there are many
    write_series(tmp_path, image, skip=tuple(set(range(image.GetDepth())) - set(kept)))
    with pytest.raises(InputError, match="15 of its 27 slices are missing"):
        read_ct(tmp_path)


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_even(tmp_path):
    image = Thorax(noise=0).scan(spacing=(8.0, 8.0, 0.625), extent=(400.0, 300.0, 20.0))[0]

    def rounded(number: int) -> list[str]:
        x, y, z = image.TransformIndexToPhysicalPoint((0, 0, number))
        return [f"{x:.1f}", f"{y:.1f}", f"{z:.1f}"]

    write_series(tmp_path, image, ImagePositionPatient=rounded)
    volume, warnings = read_ct(tmp_path)
    assert volume.geometry.spacing[2] == pytest.approx(0.625, abs=0.003)
    assert warnings == []


@pytest.mark.parametrize(("shift", "reason"), [(4.0, "irregular slice distances"), (60.0, "gap of")])
def test_slices_that_lie_unevenly_are_refused(shift, reason, image, tmp_path):
    def moved(number: int) -> list[str]:
        x, y, z = image.TransformIndexToPhysicalPoint((0, 0, number))
        return [str(x), str(y), str(z + (shift if number >= 16 else 0.0))]

    write_series(tmp_path, image, ImagePositionPatient=moved)
    with pytest.raises(InputError, match=reason):
        read_ct(tmp_path)


def test_slices_that_move_off_an_even_grid_little_by_little_are_refused(image, tmp_path):
    def wider(number: int) -> list[str]:  # 10 mm apart in the lower half, 11.8 mm in the upper one
        x, y, z = image.TransformIndexToPhysicalPoint((0, 0, number))
        return [str(x), str(y), str(z + 1.8 * max(0, number - 16))]

    write_series(tmp_path, image, ImagePositionPatient=wider)
    with pytest.raises(InputError, match=r"irregular slice distances \(10.00 to 11.80 mm\)"):
        read_ct(tmp_path)


def test_two_reconstructions_in_one_series_are_parted_with_a_warning(image, hu, tmp_path):
    common = {"SeriesInstanceUID": "1.2.3", "SeriesDescription": "chest"}
    write_series(tmp_path / "a", image, ConvolutionKernel="B31f", **common)
    write_series(tmp_path / "b", image[:, :, :20] + 7, ConvolutionKernel="B60f", **common)
    volume, warnings = read_ct(tmp_path)
    np.testing.assert_array_equal(volume.hu, hu)
    assert "32 slices, 10 mm, kernel B31f) was taken; left aside: 'chest'" in warnings[0]


def test_acquisitions_of_one_slice_each_do_not_pass_for_stacks(image, tmp_path):
    def moved(number: int) -> list[str]:
        x, y, z = image.TransformIndexToPhysicalPoint((0, 0, number))
        return [str(x), str(y), str(z + (4.0 if number >= 16 else 0.0))]

    write_series(tmp_path, image, ImagePositionPatient=moved, AcquisitionNumber=lambda number: number + 1)
    with pytest.raises(InputError, match="irregular slice distances"):
        read_ct(tmp_path)


def test_slices_that_were_given_one_identifier_are_all_read(image, hu, tmp_path):
    write_series(tmp_path / "numbered", image, SOPInstanceUID="1.2.3.4")
    write_series(tmp_path / "unnumbered", image, SOPInstanceUID="1.2.3.4", InstanceNumber=None)
    for folder in tmp_path.iterdir():
        np.testing.assert_array_equal(read_ct(folder)[0].hu, hu)


def test_slices_with_a_series_identifier_each_are_one_scan_with_a_warning(image, hu, tmp_path):
    same = {"SeriesInstanceUID": lambda n: f"1.2.{n + 1}", "SeriesDescription": "Chest"}
    write_series(tmp_path / "in", image, **same)
    volume, (warning,) = read_ct(tmp_path / "in")
    np.testing.assert_array_equal(volume.hu, hu)
    assert "The slices of Series 'Chest' say that each is a series of its own" in warning
    assert [info.slices for info in list_series(tmp_path / "in")] == [len(hu)]


def test_slices_with_a_series_identifier_each_are_parted_by_series_number_and_kernel(image, hu, tmp_path):
    study = generate_uid()
    for number, kernel in ((2, "B60f"), (3, "B31f"), (3, "B45f")):
        write_series(
            tmp_path / kernel,
            image,
            StudyInstanceUID=study,
            SeriesInstanceUID=lambda n, kernel=kernel: f"1.2.{kernel[1:3]}.{n + 1}",
            SeriesNumber=number,
            ConvolutionKernel=kernel,
        )
    found = [(info.slices, info.kernel) for info in list_series(tmp_path)]
    assert found == [(len(hu), "B60f"), (len(hu), "B31f"), (len(hu), "B45f")]
    volume, _ = read_ct(tmp_path, when_in_doubt="choose")
    np.testing.assert_array_equal(volume.hu, hu)


def test_bolus_images_of_one_place_with_a_series_identifier_each_are_no_scan(image, tmp_path):
    bolus = sitk.JoinSeries([image[:, :, 16]] * 4)
    bolus.SetSpacing((*image.GetSpacing()[:2], 1e-3))
    write_series(tmp_path, bolus, SeriesInstanceUID=lambda n: f"1.2.{n + 1}", StudyInstanceUID="1.3")
    assert [info.slices for info in list_series(tmp_path)] == [1, 1, 1, 1]


def test_repeated_scans_told_apart_only_by_instance_numbers_are_parted(image, hu, tmp_path):
    write_series(tmp_path / "a", image, SeriesInstanceUID="1.2.3")
    write_series(tmp_path / "b", image + 7, SeriesInstanceUID="1.2.3", InstanceNumber=lambda n: 101 + n)
    volume, warnings = read_ct(tmp_path)
    np.testing.assert_array_equal(volume.hu, hu)
    assert "several scans" in warnings[0]


def test_what_the_larger_of_two_overlapping_acquisitions_covers_is_told(image, hu, tmp_path):
    series = {"SeriesInstanceUID": "1.2.3"}
    write_series(tmp_path / "a", image[:, :, :20], AcquisitionNumber=1, **series)
    write_series(tmp_path / "b", image[:, :, 18:], AcquisitionNumber=2, InstanceNumber=lambda n: 50 + n, **series)
    volume, warnings = read_ct(tmp_path)
    np.testing.assert_array_equal(volume.hu, hu[:20])
    assert "one with 20 was taken, which covers 190 of 310 mm" in warnings[0]


def test_a_slice_with_fewer_pixels_than_it_says_does_not_get_those_of_another(image, tmp_path):
    files = write_series(tmp_path, image)
    data = dcmread(files[5])
    data.PixelData = data.PixelData[:1000]
    data.save_as(files[5])
    with pytest.raises(InputError, match="holds fewer pixels than it says"):
        read_ct(tmp_path)


def test_doubled_positions_with_other_pixels_are_refused(image, tmp_path):
    write_series(tmp_path / "a", image, SeriesInstanceUID="1.2.3")
    write_series(tmp_path / "b", image[:, :, 3:9] + 1, SeriesInstanceUID="1.2.3")
    write_series(tmp_path / "c", image[:, :, 3:6], SeriesInstanceUID="1.2.3")
    with pytest.raises(InputError, match="several slices at the same position"):
        read_ct(tmp_path)


@pytest.mark.parametrize("repeated", [slice(4, 5), slice(-1, None), slice(3, 9)])
def test_slices_that_lie_twice_in_a_series_are_taken_once_with_a_warning(repeated, image, hu, tmp_path):
    first = write_series(tmp_path / "a", image, SeriesInstanceUID="1.2.3", SeriesDescription="thorax")
    again = image[:, :, repeated] if repeated.stop else image[:, :, image.GetDepth() - 1 :]
    tags = {"SeriesInstanceUID": "1.2.3", "SeriesDescription": "thorax"}
    count = len(write_series(tmp_path / "b", again, InstanceNumber=lambda n: 90 + n, **tags))
    ct, (text,) = read_ct(tmp_path)
    np.testing.assert_array_equal(ct.hu, hu)
    assert text == (
        "Series 'thorax' holds slices more than once, with equal pixels at the same place; the first of each was taken "
        f"({count} of {len(first) + count} files left out)."
    )


def test_slices_that_lie_three_times_in_a_scan_of_two_kernels_are_found_before_these_are_parted(image, hu, tmp_path):
    for kernel, added in (("B30f", 0), ("B70f", 7)):
        write_series(tmp_path / kernel, image + added, SeriesInstanceUID="1.2.3", ConvolutionKernel=kernel)
    for name in "xy":
        write_series(tmp_path / name, image[:, :, 2:4], SeriesInstanceUID="1.2.3", ConvolutionKernel="B30f")
    ct, warnings = read_ct(tmp_path)
    np.testing.assert_array_equal(ct.hu, hu)
    assert "(4 of " in warnings[0]
    assert "several scans or reconstructions" in warnings[1]


def test_only_slices_that_share_a_place_are_compared(image, tmp_path):
    files = write_series(tmp_path / "a", image, SeriesInstanceUID="1.2.3")
    (again,) = write_series(tmp_path / "b", image[:, :, 4:5], SeriesInstanceUID="1.2.3")
    (series,), _ = scan_folder(tmp_path)
    opened = []

    def read(header: Header) -> sitk.Image:
        opened.append(header.path)
        return sitk.ReadImage(str(header.path))

    assert [header.path for header in without_repeats(series.headers, read)] == files
    assert opened == [files[4], again]


def test_a_tilted_gantry_is_told(image, hu, tmp_path):
    def moved(number: int) -> list[str]:
        x, y, z = image.TransformIndexToPhysicalPoint((0, 0, number))
        return [str(x), str(y + number * 10 * np.tan(np.deg2rad(15))), str(z)]

    write_series(tmp_path, image, ImagePositionPatient=lambda n: [v[:16] for v in moved(n)])
    volume, warnings = read_ct(tmp_path)
    np.testing.assert_array_equal(volume.hu, hu)
    assert "tilted by 15 degrees" in warnings[0]


def test_a_ct_without_its_rescale_is_shifted_with_a_warning(image, hu, tmp_path):
    write_series(tmp_path, sitk.Maximum(image, -1024) + 1024, RescaleIntercept=None, RescaleSlope=None)
    volume, warnings = read_ct(tmp_path)
    np.testing.assert_array_equal(volume.hu, np.maximum(hu, -1024))
    assert "1024 was subtracted" in warnings[0]


@pytest.mark.parametrize(
    ("intercept", "lost"),
    [
        (lambda n: None if n < 12 else "-1024", 12),
        (lambda n: None if n == 3 else "-1024", 1),
        (lambda n: "0" if n % 2 else "-1024", 16),
    ],
    ids=["lower part", "one slice", "zero on every second"],
)
@pytest.mark.parametrize("padding", [None, -2048, -3024])
def test_a_rescale_that_only_some_slices_have_is_refused(padding, intercept, lost, image, tmp_path):
    image = sitk.Maximum(image, -1024)
    if padding:  # around the field of view
        image[:8, :, :] = padding
    for number, file in enumerate(write_series(tmp_path, image)):
        data = dcmread(file)
        if (value := intercept(number)) is None:
            del data.RescaleIntercept, data.RescaleSlope
        else:
            data.RescaleIntercept = value
        data.save_as(file)
    with pytest.raises(InputError, match=f"{lost} of its 32 slices lack the rescale"):
        read_ct(tmp_path)


def test_a_rescale_that_is_left_out_where_it_would_be_none_is_no_matter(image, hu, tmp_path):
    for number, file in enumerate(write_series(tmp_path, image, RescaleIntercept="0")):
        data = dcmread(file)
        data.PixelRepresentation = 1
        data.PixelData = hu[number].astype("<i2").tobytes()
        if number not in (0, 31):
            del data.RescaleIntercept, data.RescaleSlope
        data.save_as(file)
    volume, warnings = read_ct(tmp_path)
    np.testing.assert_array_equal(volume.hu, hu)
    assert warnings == []


def test_inverted_grey_values_are_refused(image, tmp_path):
    for file in write_series(tmp_path, image):
        data = dcmread(file)
        data.PhotometricInterpretation = "MONOCHROME1"
        data.save_as(file)
    with pytest.raises(InputError, match="inverted grey values"):
        read_ct(tmp_path)


def test_series_whose_files_all_have_one_identifier_are_both_there(image, tmp_path):
    for number, kernel in enumerate(("B70f", "B30f")):
        write_series(tmp_path, image + number, prefix=kernel, SOPInstanceUID="1.2.3", ConvolutionKernel=kernel)
    assert {(info.kernel, info.slices) for info in list_series(tmp_path)} == {("B70f", 32), ("B30f", 32)}


@pytest.mark.parametrize("tag", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_a_series_without_geometry_is_refused(tag, image, tmp_path):
    write_series(tmp_path, image, **{tag: None})
    with pytest.raises(InputError, match=r"does not (say|give)"):
        read_ct(tmp_path)


@pytest.mark.parametrize("value", ["0\\0", "a\\b", "-5\\-5", "\\"])
def test_a_pixel_spacing_that_is_none_is_refused_instead_of_taken_for_1_mm(value, image, tmp_path):
    _set_pixel_spacing(write_series(tmp_path, image), value)
    with pytest.raises(InputError, match="does not give its voxel size"):
        read_ct(tmp_path)


def test_one_value_of_pixel_spacing_stands_for_rows_and_columns(image, tmp_path):
    _set_pixel_spacing(write_series(tmp_path, image), "6.0")
    assert read_ct(tmp_path)[0].geometry.spacing == pytest.approx((6.0, 6.0, 10.0))


def _set_pixel_spacing(files: list[Path], value: str) -> None:
    """In the bytes of the files, since no writer stores a wrong one."""
    content = value.encode() + b" " * (len(value) % 2)
    for file in files:
        before, _, rest = file.read_bytes().partition(b"\x28\x00\x30\x00DS")
        rest = rest[2 + int.from_bytes(rest[:2], "little") :]
        file.write_bytes(before + b"\x28\x00\x30\x00DS" + len(content).to_bytes(2, "little") + content + rest)


def test_direction_cosines_that_were_cut_to_three_decimals_are_no_tilt_and_change_no_volume(tmp_path):
    cosine, sine = np.cos(np.deg2rad(1.5)), np.sin(np.deg2rad(1.5))
    turned = Thorax().scan((6.0, 6.0, 10.0), direction=(cosine, -sine, 0, sine, cosine, 0, 0, 0, 1))[0]
    write_series(tmp_path, turned, ImageOrientationPatient=["0.999", "0.026", "0", "-0.026", "0.999", "0"])
    volume, warnings = read_ct(tmp_path)
    assert warnings == []
    assert volume.voxel_ml == pytest.approx(0.36, rel=1e-5)


def test_axes_that_are_nearly_at_right_angles_are_taken_as_if_they_were(image, tmp_path):
    write_series(tmp_path, image, ImageOrientationPatient=["1", "0", "0", "0.009", "0.99996", "0"])
    volume, _ = read_ct(tmp_path)
    axes = np.array(volume.native.direction).reshape(3, 3)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    assert volume.voxel_ml == pytest.approx(0.3, rel=1e-6)


@pytest.mark.parametrize("cosines", ["2 0 0 0 2 0", "0 0 0 0 0 0", "1 0 0 0.1 0.995 0", "0.98 0 0 0 0.98 0"])
@pytest.mark.parametrize("slices", [1, 10])
def test_direction_cosines_that_are_no_axes_are_refused(cosines, slices, image, tmp_path):
    write_series(tmp_path / "slices", image[:, :, 10 : 10 + slices], ImageOrientationPatient=cosines.split())
    with pytest.raises(InputError, match="no valid orientation"):
        read_ct(tmp_path / "slices")


def test_a_colour_picture_among_the_slices_is_left_out_or_ends_the_reading_of_a_short_scan(image, hu, tmp_path):
    for name, scan in (("long", image), ("short", image[:, :, 10:20])):
        make_colour_picture(write_series(tmp_path / name, scan)[5])
    volume, warnings = read_ct(tmp_path / "long")
    assert "or colour, which were left out (1 of 32 files)" in warnings[0]
    assert "lacks 1 slice" in warnings[1]
    np.testing.assert_array_equal(np.delete(volume.hu, 5, axis=0), np.delete(hu, 5, axis=0))
    with pytest.raises(InputError, match="1 of its 10 slices differ"):
        read_ct(tmp_path / "short")


@pytest.mark.parametrize("number", ["--5 ", "\u00b2"])
def test_a_series_number_that_is_none_is_no_obstacle(number, image, hu, tmp_path):
    for file in write_series(tmp_path, image, SeriesNumber="12"):
        content, value = file.read_bytes(), number.encode()
        mark = b"\x20\x00\x11\x00IS"
        assert mark + b"\x02\x0012" in content
        file.write_bytes(content.replace(mark + b"\x02\x0012", mark + len(value).to_bytes(2, "little") + value))
    np.testing.assert_array_equal(read_ct(tmp_path)[0].hu, hu)


def test_a_cut_off_slice_is_left_out_with_its_name_and_interpolated(image, hu, tmp_path):
    files = write_series(tmp_path, image)
    files[7].write_bytes(files[7].read_bytes()[:3000])
    volume, warnings = read_ct(tmp_path)
    assert volume.hu.shape == hu.shape
    np.testing.assert_array_equal(np.delete(volume.hu, 7, axis=0), np.delete(hu, 7, axis=0))
    assert warnings[0] == f"Left out: 1 damaged DICOM file (the first is {files[7].name})."
    assert "lacks 1 slice" in warnings[1]
    with pytest.raises(InputError, match="cut off"):
        read_ct(files[7])


def test_a_sagittal_series_is_turned_to_axial_order(image, hu, tmp_path):
    write_series(tmp_path, sitk.PermuteAxes(image, (1, 2, 0)))
    volume, warnings = read_ct(tmp_path)
    np.testing.assert_array_equal(volume.hu, hu)
    assert "is sagittal, not axial" in warnings[0]


def test_a_description_with_accents_is_readable(image, tmp_path):
    write_series(tmp_path, image, SpecificCharacterSet="ISO_IR 100", SeriesDescription="Poumon été")
    assert "Poumon" in str(list_series(tmp_path)[0])
    str(list_series(tmp_path)[0]).encode("utf-8")
