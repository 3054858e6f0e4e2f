"""Every mask format is written as its program writes it and has to come back voxel for voxel."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import dicom_files
import nibabel
import numpy as np
import ptk_files
import pydicom
import pytest
import SimpleITK as sitk
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.mask_reading import read_lungs
from LungSegResNetLib.files.reading import read_ct
from LungSegResNetLib.files.writing import write_mask
from LungSegResNetTrainingLib.data.cases import DOUBTFUL, Case
from LungSegResNetTrainingLib.data.data_check import check_case
from LungSegResNetTrainingLib.data.lung_values import as_right_and_left
from LungSegResNetTrainingLib.data.mask_files import read_reference_mask
from LungSegResNetTrainingLib.data.pair_check import check_pair

RAS = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)


@pytest.fixture(scope="module")
def scan() -> tuple[CTVolume, np.ndarray]:
    """An asymmetric scan away from the origin: rows, columns, slices and their spacings all differ."""
    image, mask = Thorax(consolidation=True, noise=5.0).scan((3.0, 3.5, 8.0), (400.0, 301.0, 304.0))
    ct, truth = CTVolume.from_sitk(image, "phantom"), CTVolume.from_sitk(mask, "truth").hu
    assert len(set(truth.shape)) == 3
    # No flip leaves the lungs as they are, so a test that passes has seen the right one.
    for axis in range(3):
        assert not np.array_equal(np.flip(truth, axis), truth)
    return ct, truth


def lobes_of(labels: np.ndarray) -> np.ndarray:
    """The lungs cut into lobes as PTK numbers them."""
    lobes = np.zeros_like(labels)
    z = np.arange(len(labels))[:, None, None] / len(labels)
    lobes[(labels == 1) & (z >= 0.6)] = 1
    lobes[(labels == 1) & (z >= 0.45) & (z < 0.6)] = 2
    lobes[(labels == 1) & (z < 0.45)] = 4
    lobes[(labels == 2) & (z >= 0.5)] = 5
    lobes[(labels == 2) & (z < 0.5)] = 6
    return lobes


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("offset", ["0.0000 0.0000 0.0000", "48.0000 32.0000 48.0000"])
def test_a_ptk_metafile_without_origin_is_laid_onto_its_ct(scan, tmp_path: Path, bits: int, offset: str) -> None:
    ct, truth = scan
    ptk_files.write_mhd(tmp_path / "lungs.mhd", truth, ct, offset, bits)
    mask = read_reference_mask(tmp_path / "lungs.mhd", ct)
    np.testing.assert_array_equal(mask.labels, truth)
    assert mask.labels.dtype == np.uint8
    assert mask.format == "PTK MetaImage"
    assert "origin" in mask.notes[0]


def test_a_ptk_metafile_finds_voxels_whose_name_has_other_letters_than_english(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_mhd(tmp_path / "größe.mhd", truth, ct)
    np.testing.assert_array_equal(read_reference_mask(tmp_path / "größe.mhd", ct).labels, truth)


@pytest.mark.skipif(sys.platform == "win32", reason="names there are always valid")
def test_a_pair_of_analyze_whose_name_is_no_text_is_refused_in_a_sentence(scan, tmp_path: Path) -> None:
    """SimpleITK would end the process."""
    for ending in (".hdr", ".img"):
        (tmp_path / os.fsdecode(b"gr\xf6sse" + ending.encode())).write_bytes(bytes(348))
    with pytest.raises(InputError, match="characters that are not valid"):
        read_reference_mask(tmp_path / os.fsdecode(b"gr\xf6sse.hdr"), scan[0])


def test_a_ptk_metafile_with_its_broken_coronal_header_is_read_right(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_coronal_mhd(tmp_path / "lungs.mhd", truth, ct)
    np.testing.assert_array_equal(read_reference_mask(tmp_path / "lungs.mhd", ct).labels, truth)


def test_a_metafile_with_an_origin_of_its_own_is_placed_by_it(scan, tmp_path: Path) -> None:
    ct, truth = scan
    # An origin that someone put right: x and y exchanged in the file, the position real.
    x, y, z = ct.geometry.origin
    ptk_files.write_mhd(tmp_path / "lungs.mhd", truth, ct, f"{x:.4f} {y:.4f} {z:.4f}")
    mask = read_reference_mask(tmp_path / "lungs.mhd", ct)
    np.testing.assert_array_equal(mask.labels, truth)
    assert mask.format == "label map"


@pytest.mark.parametrize("order", ["RAS", "LPS"])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_nifti_without_orientation_is_turned_until_it_fits_the_ct(
    scan, tmp_path: Path, order: str, ending: str
) -> None:
    ct, truth = scan
    ptk_files.write_nii(tmp_path / f"lungs{ending}", truth, ct, order)
    mask = read_reference_mask(tmp_path / f"lungs{ending}", ct)
    np.testing.assert_array_equal(mask.labels, truth)
    assert order in mask.notes[0]


@pytest.mark.parametrize("order", ["RAS", "LPS"])
@pytest.mark.parametrize(("dense_share", "rows"), [(0.5, 10), (0.7, -13), (0.85, 20)])
def test_the_axes_of_dense_lungs_off_centre_are_found_by_the_air_inside_the_body(
    scan, tmp_path: Path, order: str, dense_share: float, rows: int
) -> None:
    ct, truth = scan
    rear = np.arange(ct.hu.shape[1])[:, None] >= np.quantile(np.argwhere(truth)[:, 1], 1 - dense_share)
    hu = np.where((truth > 0) & rear, np.int16(30), ct.hu)
    moved, lungs = np.roll(hu, rows, 1), np.roll(truth, rows, 1)
    ptk_files.write_nii(tmp_path / "lungs.nii", lungs, ct, order)
    mask = read_reference_mask(tmp_path / "lungs.nii", replace(ct, hu=moved))
    np.testing.assert_array_equal(mask.labels, lungs)


@pytest.mark.parametrize("order", ["RAS", "LPS"])
def test_the_axes_are_found_where_the_field_of_view_cuts_the_lung(scan, tmp_path: Path, order: str) -> None:
    ct, truth = scan
    _, rows, columns = (int(middle) for middle in np.median(np.argwhere(truth == 1), axis=0))
    view = np.s_[5:-4, rows:, columns - 8 : columns + 8]
    part = replace(ct, hu=ct.hu[view])
    ptk_files.write_nii(tmp_path / "lungs.nii", truth[view], part, order)
    np.testing.assert_array_equal(read_reference_mask(tmp_path / "lungs.nii", part).labels > 0, truth[view] > 0)


@pytest.mark.parametrize("name", ["lungs.nii", "lungs.nii.gz", "lungs.hdr"])
def test_a_mask_without_orientation_that_is_cut_off_is_refused(scan, tmp_path: Path, name: str) -> None:
    ct, truth = scan
    path = tmp_path / name
    ptk_files.write_nii(tmp_path / "lungs.nii.gz", truth, ct)
    whole = nibabel.load(tmp_path / "lungs.nii.gz")
    nibabel.save(nibabel.Nifti1Pair(whole.dataobj, None, whole.header) if path.suffix == ".hdr" else whole, path)
    np.testing.assert_array_equal(read_reference_mask(path, ct).labels, truth)
    voxels = path.with_suffix(".img") if path.suffix == ".hdr" else path
    voxels.write_bytes(voxels.read_bytes()[: voxels.stat().st_size * 9 // 10])
    with pytest.raises(InputError, match="cut off"):
        read_reference_mask(path, ct)


def test_a_nifti_with_orientation_is_placed_by_it_and_not_taken_for_one_of_ptk(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_label_map(tmp_path / "lungs.nii.gz", truth, ct)
    mask = read_reference_mask(tmp_path / "lungs.nii.gz", ct)
    np.testing.assert_array_equal(mask.labels, truth)
    assert (mask.format, mask.notes) == ("label map", ())


def test_a_ptk_matlab_file_starts_at_the_top(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_mat(tmp_path / "lungs.mat", truth)
    np.testing.assert_array_equal(read_reference_mask(tmp_path / "lungs.mat", ct).labels, truth)


def test_ptk_files_fit_a_ct_that_is_stored_in_another_axis_order(tmp_path: Path) -> None:
    image, mask = Thorax(noise=0.0).scan((3.0, 3.5, 8.0), (400.0, 301.0, 304.0), RAS)
    ct, truth = CTVolume.from_sitk(image, "phantom"), CTVolume.from_sitk(mask, "truth").hu
    ptk_files.write_mhd(tmp_path / "lungs.mhd", truth, ct)
    np.testing.assert_array_equal(read_reference_mask(tmp_path / "lungs.mhd", ct).labels, truth)


@pytest.mark.parametrize("named", ["folder", "file"])
def test_colour_pictures_become_labels(scan, tmp_path: Path, named: str) -> None:
    ct, truth = scan
    ptk_files.write_color_dicom(tmp_path / "export", truth, ct)
    path = tmp_path / "export" if named == "folder" else tmp_path / "export" / "lungs0.dcm"
    mask = read_reference_mask(path, ct)
    np.testing.assert_array_equal(mask.labels, truth)
    assert mask.format == "PTK colour DICOM"


def test_colour_pictures_of_lobes_become_right_and_left(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_color_dicom(tmp_path, lobes_of(truth), ct)
    mask = read_reference_mask(tmp_path, ct)
    np.testing.assert_array_equal(mask.labels, truth)
    assert "lobes" in mask.notes[-1]


def test_a_missing_colour_picture_is_noticed(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_color_dicom(tmp_path, truth, ct)
    (tmp_path / "lungs20.dcm").unlink()
    with pytest.raises(InputError, match="missing or double"):
        read_reference_mask(tmp_path, ct)


def test_lobe_files_of_ptk_are_told_from_lung_files(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_mhd(tmp_path / "lobes.mhd", lobes_of(truth), ct)
    mask = read_reference_mask(tmp_path / "lobes.mhd", ct)
    np.testing.assert_array_equal(mask.labels, truth)
    assert "PTK" in mask.notes[-1]


def test_lobe_files_of_lungmask_are_told_from_those_of_ptk(scan, tmp_path: Path) -> None:
    ct, truth = scan
    lungmask = np.array([0, 3, 4, 0, 5, 1, 2], np.uint8)[lobes_of(truth)]
    ptk_files.write_label_map(tmp_path / "lobes.nii.gz", lungmask, ct)
    np.testing.assert_array_equal(read_reference_mask(tmp_path / "lobes.nii.gz", ct).labels, truth)


def _write_slicer_segmentation(path: Path, values: np.ndarray, ct: CTVolume, names: dict[int, str]) -> None:
    image = ct.geometry.apply_to(sitk.GetImageFromArray(values))
    for number, (value, name) in enumerate(names.items()):
        about = {"ID": f"Segment_{number}", "Name": name, "LabelValue": str(value), "Layer": "0"}
        for key, text in about.items():
            image.SetMetaData(f"Segment{number}_{key}", text)
    sitk.WriteImage(image, str(path))


@pytest.mark.parametrize("other", ["Trachea", "Tumour"])
@pytest.mark.parametrize("lungs", [1, 2])
def test_what_lies_beside_a_segment_of_both_lungs_is_no_lung(scan, tmp_path: Path, other: str, lungs: int) -> None:
    ct, truth = scan
    values = (truth > 0).astype(np.uint8) * lungs
    values[_trachea(ct, truth)] = 3 - lungs
    path = tmp_path / "lungs.seg.nrrd"
    _write_slicer_segmentation(path, values, ct, {lungs: "Both lungs", 3 - lungs: other})
    mask = read_reference_mask(path, ct)
    np.testing.assert_array_equal(mask.labels > 0, truth > 0)
    assert np.mean(mask.labels == truth) > 0.999
    _write_slicer_segmentation(path, values, ct, {1: "Lungs", 2: "Lungs_2"})
    with pytest.raises(InputError, match="several segments that may be both lungs"):
        read_reference_mask(path, ct)


def _trachea(ct: CTVolume, truth: np.ndarray) -> np.ndarray:
    """Air in the middle of the body."""
    middle = np.zeros(truth.shape, bool)
    middle[:, :, truth.shape[2] // 2 - 3 : truth.shape[2] // 2 + 3] = True
    return middle & (truth == 0) & (ct.hu > -2000)


@pytest.mark.parametrize("airways", [True, False])
@pytest.mark.parametrize("single", [True, False])
def test_lungs_are_read_as_luna16_numbers_them_and_airways_left_out(
    scan, tmp_path: Path, airways: bool, single: bool
) -> None:
    ct, truth = scan
    values = np.array([0, 4, 3], np.uint8)[truth]
    if airways:
        values[_trachea(ct, truth)] = 5
    if single:
        z = len(truth) // 2
        ct, truth, values = replace(ct, hu=ct.hu[z : z + 1]), truth[z : z + 1], values[z : z + 1]
    labels, notes = as_right_and_left(values, ct, "luna")
    np.testing.assert_array_equal(labels, truth)
    assert "LUNA16" in notes[0]


@pytest.mark.parametrize("sides", [(1, 2), (2, 1)], ids=["right is 1", "left is 1"])
@pytest.mark.parametrize("third", ["airways", "disease"])
def test_a_third_value_beside_right_and_left_lung_is_no_lobe(
    scan, tmp_path: Path, sides: tuple[int, int], third: str
) -> None:
    ct, truth = scan
    values = np.array([0, *sides], np.uint8)[truth]
    y = np.arange(truth.shape[1])[None, :, None]
    values[_trachea(ct, truth) if third == "airways" else (truth == 1) & (y > truth.shape[1] // 2)] = 3
    ptk_files.write_label_map(tmp_path / "lungs.nii.gz", values, ct)
    with pytest.raises(InputError, match=r"has the values 1, 2, 3; expected .* Remove what is not lung"):
        read_reference_mask(tmp_path / "lungs.nii.gz", ct)


@pytest.mark.parametrize("value", [1, 3, 255])
def test_a_mask_with_one_value_is_parted_into_right_and_left(scan, tmp_path: Path, value: int) -> None:
    ct, truth = scan
    ptk_files.write_label_map(tmp_path / "lungs.nrrd", (truth > 0).astype(np.uint8) * value, ct)
    mask = read_reference_mask(tmp_path / "lungs.nrrd", ct)
    np.testing.assert_array_equal(mask.labels > 0, truth > 0)
    assert np.mean(mask.labels == truth) > 0.999
    assert "one value" in mask.notes[-1]


@pytest.fixture(params=[1, 2], ids=["right", "left"])
def lone_lung(request: pytest.FixtureRequest, scan) -> tuple[CTVolume, np.ndarray, str]:
    """A scan, a lung of it that lies on the other side of the body, as its label, and its name."""
    ct, truth = scan
    label = request.param
    return ct, np.where(truth == 3 - label, label, 0).astype(np.uint8), {1: "right lung", 2: "left lung"}[label]


def _exchanged(ct: CTVolume, labels: np.ndarray) -> bool:
    return any("Right and left are swapped" in reason for reason in check_pair(ct, labels).reasons)


def test_a_lone_lung_that_is_written_comes_back_on_its_side(lone_lung, tmp_path: Path) -> None:
    ct, labels, _ = lone_lung
    mask = read_reference_mask(write_mask(tmp_path / "lung.seg.nrrd", labels, ct, overwrite=False), ct)
    np.testing.assert_array_equal(mask.labels, labels)
    assert mask.notes == ()
    assert _exchanged(ct, mask.labels)


def test_a_lone_lung_of_a_structure_set_keeps_the_side_that_its_name_tells(lone_lung, tmp_path: Path) -> None:
    ct, labels, name = lone_lung
    ptk_files.write_structure_set(tmp_path / "rs.dcm", labels, ct, {int(labels.max()): name})
    mask = read_reference_mask(tmp_path / "rs.dcm", ct)
    np.testing.assert_array_equal(mask.labels, labels)
    assert _exchanged(ct, mask.labels)


def test_the_label_of_the_left_lung_alone_is_the_left_lung_wherever_it_lies(scan, tmp_path: Path) -> None:
    ct, truth = scan
    labels = np.where(truth == 1, 2, 0).astype(np.uint8)
    ptk_files.write_label_map(tmp_path / "lung.nii.gz", labels, ct)
    mask = read_reference_mask(tmp_path / "lung.nii.gz", ct)
    np.testing.assert_array_equal(mask.labels, labels)
    assert _exchanged(ct, mask.labels)


@pytest.mark.parametrize("name", ["lungs", "Segment_2"])
def test_the_number_of_a_lone_segment_tells_no_side(scan, tmp_path: Path, name: str) -> None:
    ct, truth = scan
    _write_slicer_segmentation(tmp_path / "lungs.seg.nrrd", (truth > 0).astype(np.uint8) * 2, ct, {2: name})
    mask = read_reference_mask(tmp_path / "lungs.seg.nrrd", ct)
    assert np.mean(mask.labels == truth) > 0.999
    assert read_lungs(tmp_path / "lungs.seg.nrrd", ct)[0].dtype == bool


def test_segments_that_are_left_out_of_a_reference_are_told(scan, tmp_path: Path) -> None:
    ct, truth = scan
    values = truth.copy()
    values[_trachea(ct, truth)] = 3
    names = {1: "right lung", 2: "left lung", 3: "Trachea"}
    _write_slicer_segmentation(tmp_path / "lungs.seg.nrrd", values, ct, names)
    mask = read_reference_mask(tmp_path / "lungs.seg.nrrd", ct)
    np.testing.assert_array_equal(mask.labels, truth)
    assert mask.notes == ("lungs.seg.nrrd has other segments than lungs, which were left out: 'Trachea'.",)


def test_a_structure_set_is_filled_on_the_slices_of_the_ct(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_structure_set(tmp_path / "rs.dcm", truth, ct, {2: "Lung_L", 1: "Lung_R"})
    mask = read_reference_mask(tmp_path / "rs.dcm", ct)
    # Contours run through the middle between lung and other pixels, so no pixel is lost.
    np.testing.assert_array_equal(mask.labels, truth)
    assert mask.format == "structure set (RTSTRUCT)"


def test_a_structure_set_is_filled_on_the_slices_of_an_oblique_ct(tmp_path: Path) -> None:
    cosine, sine = np.cos(np.deg2rad(12.0)), np.sin(np.deg2rad(12.0))
    oblique = (cosine, -sine, 0.0, sine, cosine, 0.0, 0.0, 0.0, 1.0)
    image, mask = Thorax().scan((3.0, 3.5, 8.0), (400.0, 301.0, 304.0), oblique)
    ct, truth = CTVolume.from_sitk(image, "phantom"), CTVolume.from_sitk(mask, "truth").hu
    ptk_files.write_structure_set(tmp_path / "rs.dcm", truth, ct, {2: "Lung_L", 1: "Lung_R"})
    np.testing.assert_array_equal(read_reference_mask(tmp_path / "rs.dcm", ct).labels, truth)


def _change_contours(path: Path, **tags: object) -> None:
    """Set tags of the first contour of the first structure, or of all with ``everywhere``."""
    data = pydicom.dcmread(path)
    for number, contour in enumerate(data.ROIContourSequence[0].ContourSequence):
        if tags.get("everywhere") or number == 0:
            for keyword in tags.keys() - {"everywhere"}:
                setattr(contour, keyword, tags[keyword])
    data.save_as(path)


def test_contours_that_exclude_each_other_by_their_type_are_read(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_structure_set(tmp_path / "rs.dcm", truth, ct, {2: "Lung_L", 1: "Lung_R"})
    _change_contours(tmp_path / "rs.dcm", ContourGeometricType="CLOSEDPLANAR_XOR", everywhere=True)
    mask = read_reference_mask(tmp_path / "rs.dcm", ct)
    np.testing.assert_array_equal(mask.labels, truth)
    assert mask.notes == ()


def test_an_empty_contour_costs_nothing_and_an_open_one_is_told(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_structure_set(tmp_path / "rs.dcm", truth, ct, {2: "Lung_L", 1: "Lung_R"})
    whole = (tmp_path / "rs.dcm").read_bytes()
    _change_contours(tmp_path / "rs.dcm", ContourData=None)
    without = read_reference_mask(tmp_path / "rs.dcm", ct)
    first = np.flatnonzero((truth == 2).any(axis=(1, 2)))[0]
    assert 0 < np.count_nonzero(truth[first] != without.labels[first]) <= np.count_nonzero(truth[first] == 2)
    np.testing.assert_array_equal(np.delete(without.labels, first, 0), np.delete(truth, first, 0))
    assert without.notes == ()
    (tmp_path / "rs.dcm").write_bytes(whole)
    _change_contours(tmp_path / "rs.dcm", ContourGeometricType="OPEN_PLANAR")
    mask = read_reference_mask(tmp_path / "rs.dcm", ct)
    np.testing.assert_array_equal(mask.labels, without.labels)
    (note,) = mask.notes
    assert "contours of the structure 'Lung_L' is no closed contour and was left out" in note


@pytest.mark.parametrize(("lost", "told"), [(1, "1 slice"), (2, "2 slices")])
def test_slices_that_a_structure_skips_are_counted(scan, tmp_path: Path, lost: int, told: str) -> None:
    ct, truth = scan
    drawn = truth.copy()
    middle = int(np.flatnonzero(truth.any(axis=(1, 2))).mean())
    drawn[middle : middle + lost] = 0
    ptk_files.write_structure_set(tmp_path / "rs.dcm", drawn, ct, {2: "Lung_L", 1: "Lung_R"})
    notes = read_reference_mask(tmp_path / "rs.dcm", ct).notes
    assert notes[0] == f"The structure 'Lung_L' is not drawn on {told} between its first and its last one."


def test_contours_beyond_the_slices_of_the_ct_are_told_as_voxels_are(scan, tmp_path: Path) -> None:
    ct, truth = scan
    lung = np.flatnonzero(truth.any(axis=(1, 2)))
    low, high = lung[0] + len(lung) // 4, lung[-1] + 1 - len(lung) // 4
    part = CTVolume.from_sitk(ct.geometry.apply_to(sitk.GetImageFromArray(ct.hu))[:, :, int(low) : int(high)], "part")
    ptk_files.write_structure_set(tmp_path / "rs.dcm", truth, ct, {2: "Lung_L", 1: "Lung_R"})
    ptk_files.write_label_map(tmp_path / "lungs.nii.gz", truth, ct)
    contours, label_map = (read_reference_mask(tmp_path / name, part) for name in ("rs.dcm", "lungs.nii.gz"))
    assert len(contours.notes) == 1
    assert contours.notes == label_map.notes
    assert "% of the mask lies outside part and was cut off" in contours.notes[0]
    np.testing.assert_array_equal(contours.labels, label_map.labels)


def test_lobes_of_a_structure_set_are_joined_to_their_lung_where_all_are_drawn(scan, tmp_path: Path) -> None:
    ct, truth = scan
    names = {1: "Lobe upper R", 2: "Lobe middle R", 4: "Lobe lower R", 5: "Lung left upper", 6: "Lung left lower"}
    ptk_files.write_structure_set(tmp_path / "rs.dcm", lobes_of(truth), ct, names)
    np.testing.assert_array_equal(read_reference_mask(tmp_path / "rs.dcm", ct).labels, truth)


def test_contours_between_the_slices_of_the_ct_are_refused(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_structure_set(tmp_path / "rs.dcm", truth, ct, {1: "Right Lung", 2: "Left Lung"})
    other, _ = Thorax(centre=(12.0, -20.0, -146.0), noise=0.0).scan((3.0, 3.5, 8.0), (400.0, 301.0, 304.0))
    with pytest.raises(InputError, match="off the slices"):
        read_reference_mask(tmp_path / "rs.dcm", CTVolume.from_sitk(other, "other"))


def test_a_structure_set_without_lungs_says_what_it_has(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_structure_set(tmp_path / "rs.dcm", truth, ct, {1: "Heart", 2: "GTV lung"})
    with pytest.raises(InputError, match="'Heart', 'GTV lung'"):
        read_reference_mask(tmp_path / "rs.dcm", ct)


def test_of_two_structures_that_may_be_both_lungs_none_is_taken(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_structure_set(tmp_path / "rs.dcm", truth, ct, {1: "Lungs-eval", 2: "Lungs"})
    with pytest.raises(InputError, match="'Lungs-eval' and 'Lungs'"):
        read_reference_mask(tmp_path / "rs.dcm", ct)


def _dicom_scan(folder: Path) -> tuple[sitk.Image, sitk.Image, list[Path]]:
    """A thorax, its lungs, and the files of a series of it with all that a DICOM segmentation takes over."""
    image, mask = Thorax(noise=0.0).scan((4.0, 5.0, 8.0), (400.0, 300.0, 304.0))
    files = dicom_files.write_series(
        folder, image, FrameOfReferenceUID="1.2.3", StudyID="", SeriesNumber=1, PatientBirthDate="",
        PatientSex="", StudyDate="", StudyTime="", AccessionNumber="", ReferringPhysicianName="",
    )  # fmt: skip
    return image, mask, files


@pytest.mark.parametrize("names", [{1: "right lung", 2: "left lung"}, {2: "Lunge rechts"}, {1: "lung lt ROI"}])
def test_a_dicom_segmentation_lies_on_its_dicom_ct(tmp_path: Path, names: dict[int, str]) -> None:
    _, mask, files = _dicom_scan(tmp_path / "ct")
    truth = sitk.GetArrayFromImage(mask)
    ptk_files.write_segmentation(tmp_path / "seg.dcm", truth, files, names)
    ct, _ = read_ct(tmp_path / "ct")
    reference = read_reference_mask(tmp_path / "seg.dcm", ct)
    # A lone lung has the side that its name tells, which is not where it lies.
    np.testing.assert_array_equal(
        reference.labels, truth if len(names) == 2 else np.where(truth == [*names], 3 - truth, 0)
    )
    assert reference.format == "DICOM segmentation"


@pytest.mark.parametrize("disease", ["consolidation", "Segment_3"])
@pytest.mark.parametrize("kind", ["mask.seg.nrrd", "mask.dcm"])
def test_disease_that_was_drawn_as_a_segment_of_its_own_is_told_and_doubted(
    tmp_path: Path, kind: str, disease: str
) -> None:
    image, mask, files = _dicom_scan(tmp_path / "ct")
    truth = sitk.GetArrayFromImage(mask)
    z, y, x = np.ogrid[tuple(map(slice, truth.shape))]
    middle = np.argwhere(truth == 2).mean(axis=0)
    ball = ((z - middle[0]) * 8) ** 2 + ((y - middle[1]) * 5) ** 2 + ((x - middle[2]) * 4) ** 2 < 40**2
    drawn = np.where(ball & (truth == 2), 3, truth).astype(np.uint8)
    hu = np.where(drawn == 3, 30, sitk.GetArrayFromImage(image)).astype(np.int16)
    files = [_with_pixels(path, section) for path, section in zip(files, hu, strict=True)]
    names = {1: "right lung", 2: "left lung", 3: disease, 4: "empty"}
    if kind == "mask.dcm":
        ptk_files.write_segmentation(tmp_path / kind, drawn, files, names)
    else:
        segmentation = sitk.GetImageFromArray(drawn)
        segmentation.CopyInformation(mask)
        segmentation = segmentation[3:-2, 2:, 1:]  # as Slicer saves it, so that it lies on another grid than the CT
        for number, (value, name) in enumerate(names.items()):
            for key, text in (("ID", f"s{number}"), ("Name", name), ("LabelValue", str(value)), ("Layer", "0")):
                segmentation.SetMetaData(f"Segment{number}_{key}", text)
        sitk.WriteImage(segmentation, str(tmp_path / kind))
    check = check_case(Case("case", tmp_path / "ct", tmp_path / kind, "train", "p"), with_picture=False)
    ml = np.count_nonzero(drawn == 3) * 0.16
    told = f"The segment '{disease}' ({ml:.0f} ml) lies within the lungs and is no part of them: give disease to its"
    assert check.verdict.reasons == (f"{told} lung.",)
    assert check.verdict.status == DOUBTFUL
    assert f"{kind} has other segments than lungs, which were left out: '{disease}', 'empty'." in check.notes


def _with_pixels(path: Path, hu: np.ndarray) -> Path:
    data = pydicom.dcmread(path)
    data.PixelData = ((hu - float(data.RescaleIntercept)) / float(data.RescaleSlope)).astype("<i2").tobytes()
    data.save_as(path)
    return path


def test_a_ptk_mask_of_a_cropped_scan_is_refused(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_mat(tmp_path / "lungs.mat", truth[3:])
    with pytest.raises(InputError, match="whole scan"):
        read_reference_mask(tmp_path / "lungs.mat", ct)


def test_a_ptk_mask_of_another_spacing_is_refused(scan, tmp_path: Path) -> None:
    ct, truth = scan
    image, _ = Thorax(noise=0.0).scan((3.1, 3.6, 8.0), (400.0 * 3.1 / 3, 301.0 * 3.6 / 3.5, 304.0))
    ptk_files.write_mhd(tmp_path / "lungs.mhd", truth, CTVolume.from_sitk(image, "other"))
    with pytest.raises(InputError, match="another scan"):
        read_reference_mask(tmp_path / "lungs.mhd", ct)


def test_a_mask_whose_raw_file_was_renamed_is_refused_with_the_name_it_needs(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_mhd(tmp_path / "lungs.mhd", truth, ct)
    (tmp_path / "lungs.raw").rename(tmp_path / "lungs_mask.raw")
    with pytest.raises(InputError, match=r"lungs\.raw .* is missing; if that was renamed, give it back this name"):
        read_reference_mask(tmp_path / "lungs.mhd", ct)


def test_values_that_are_no_lungs_are_refused(scan, tmp_path: Path) -> None:
    ct, truth = scan
    ptk_files.write_label_map(tmp_path / "lungs.nii.gz", truth * 7, ct)
    with pytest.raises(InputError, match="values 7, 14"):
        read_reference_mask(tmp_path / "lungs.nii.gz", ct)


@pytest.mark.parametrize("content", [b"", b"not a mask", b"MATLAB 5.0 MAT-file" + b"\0" * 200])
@pytest.mark.parametrize("name", ["lungs.mat", "lungs.nii", "lungs.mhd", "lungs.dcm", "lungs.nrrd", "lungs.seg.nrrd"])
def test_a_damaged_file_is_refused_with_a_sentence(scan, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError):
        read_reference_mask(tmp_path / name, scan[0])


def test_colour_pictures_that_lie_less_than_a_voxel_beside_their_ct_are_moved_onto_it(scan, tmp_path: Path) -> None:
    ct, truth = scan
    x, y, z = ct.geometry.origin
    aside = replace(ct, geometry=replace(ct.geometry, origin=(x + 0.4 * ct.geometry.spacing[0], y, z)))
    ptk_files.write_color_dicom(tmp_path, truth, aside)
    mask = read_reference_mask(tmp_path, ct)
    np.testing.assert_array_equal(mask.labels, truth)
    assert mask.notes == ("The mask lay 0.4 voxels beside its CT and was moved onto it.",)
