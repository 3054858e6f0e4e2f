from __future__ import annotations

import os
import socket
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import dicom_files
import numpy as np
import ptk_files
import pytest
import SimpleITK as sitk
from synthetic_thorax import Thorax
from training_cases import write_case

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetTrainingLib.data.case_reading import read_case
from LungSegResNetTrainingLib.data.case_search import find_cases
from LungSegResNetTrainingLib.data.data_check import check_case, check_data_set
from LungSegResNetTrainingLib.data.found_cases import FoundCases

WHERE = (
    "put CT and mask into one folder as name_ct.* and name_lungs.*, or both alone into a folder of the case, or list "
    "them in a CSV file (case, ct, mask)"
)


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found_in(folder: Path) -> dict[str, tuple[str, str]]:
    return {
        case.name: (case.ct.relative_to(folder).as_posix(), case.mask.relative_to(folder).as_posix())
        for case in find_cases(folder).cases
    }


def problems_in(folder: Path) -> list[tuple[str, str]]:
    return [(item.name, item.reason) for item in find_cases(folder).left_out if item.case is None]


@pytest.mark.parametrize(("ct", "mask"), [("ct/scan.nii.gz", "masks/lungs.nii.gz"), ("scan.nii", "Segmentation/x.mhd")])
def test_a_ct_or_mask_may_lie_in_a_folder_of_its_case_that_is_named_for_it(tmp_path: Path, ct: str, mask: str) -> None:
    touch(*(tmp_path / case / file for case in ("p1", "p2") for file in (ct, mask)))
    assert found_in(tmp_path) == {case: (f"{case}/{ct}", f"{case}/{mask}") for case in ("p1", "p2")}


def test_a_series_may_lie_beside_the_folder_of_its_mask(
    tmp_path: Path, thorax: tuple[sitk.Image, CTVolume, np.ndarray]
) -> None:
    dicom_files.write_series(tmp_path / "p1" / "CT", thorax[0])
    touch(tmp_path / "p1" / "masks" / "lungs.nii.gz")
    assert found_in(tmp_path) == {"p1": ("p1/CT", "p1/masks/lungs.nii.gz")}


@pytest.mark.parametrize(
    ("ct", "mask"),
    [
        ("site/p1/scan.nii.gz", "site/p2/lungs.nii.gz"),
        ("site/CT/p1.nii.gz", "site/masks/p2_mask.nii.gz"),
        ("data/train/imagesTr/001_0000.nii.gz", "data/train/labelsTr/002.nii.gz"),
        ("site/p1.nii.gz", "site/masks/p2_lungs.nii.gz"),
        ("p1/CT_2019/scan.nii.gz", "p1/Seg_2021/lungs.nii.gz"),
    ],
)
def test_a_ct_and_a_mask_of_two_patients_or_days_are_no_pair(tmp_path: Path, ct: str, mask: str) -> None:
    touch(tmp_path / ct, tmp_path / mask)
    assert found_in(tmp_path) == {}


@pytest.mark.parametrize("further", ["labels/tumour.nii.gz", "images/pet.nii.gz", "Segmentations/nodule.nrrd"])
def test_what_lies_in_the_folder_of_a_case_goes_before_what_lies_in_folders_in_it(tmp_path: Path, further: str) -> None:
    touch(tmp_path / "p1" / "ct.nii.gz", tmp_path / "p1" / "lungs.nii.gz", tmp_path / "p1" / further)
    assert found_in(tmp_path) == {"p1": ("p1/ct.nii.gz", "p1/lungs.nii.gz")}


def test_a_mask_alone_in_its_folder_may_be_named_for_the_case(tmp_path: Path) -> None:
    touch(tmp_path / "p1" / "CT" / "scan.nii.gz", tmp_path / "p1" / "masks" / "p1_lungs.nii.gz")
    assert found_in(tmp_path) == {"p1": ("p1/CT/scan.nii.gz", "p1/masks/p1_lungs.nii.gz")}


@pytest.mark.parametrize("mask", ["a_lungs.nii.gz", "a_mask.nrrd", "a_seg.seg.nrrd", "a_lungs.mhd", "a_mask.mat"])
def test_files_side_by_side_are_paired_by_name(tmp_path: Path, mask: str) -> None:
    touch(tmp_path / "a_ct.nii.gz", tmp_path / mask, tmp_path / "b_ct.nii.gz", tmp_path / "b_lungs.nii.gz")
    assert found_in(tmp_path) == {"a": ("a_ct.nii.gz", mask), "b": ("b_ct.nii.gz", "b_lungs.nii.gz")}


def test_a_folder_for_each_case_is_a_case(tmp_path: Path) -> None:
    touch(tmp_path / "p1" / "CTChest.nrrd", tmp_path / "p1" / "Segmentation.seg.nrrd")
    touch(tmp_path / "p2" / "scan.nii", tmp_path / "p2" / "lungs.mhd", tmp_path / "p2" / "lungs.raw")
    assert found_in(tmp_path) == {
        "p1": ("p1/CTChest.nrrd", "p1/Segmentation.seg.nrrd"),
        "p2": ("p2/scan.nii", "p2/lungs.mhd"),
    }


def test_dicom_folders_are_found_whether_slices_lie_loose_or_below(tmp_path: Path) -> None:
    image, mask = Thorax().scan((20.0, 20.0, 80.0))
    dicom_files.write_series(tmp_path / "below" / "ct" / "series", image)
    labels = sitk.GetArrayFromImage(mask)
    ptk_files.write_color_dicom(tmp_path / "below" / "lungs", labels, CTVolume.from_sitk(image, "phantom"))
    dicom_files.write_series(tmp_path / "loose", image)
    touch(tmp_path / "loose" / "lungs.mat")
    dicom_files.write_series(tmp_path / "structures", image)
    touch(tmp_path / "structures" / "RTSTRUCT.dcm")
    assert found_in(tmp_path) == {
        "below": ("below/ct", "below/lungs"),
        "loose": ("loose", "loose/lungs.mat"),
        "structures": ("structures", "structures/RTSTRUCT.dcm"),
    }


def test_a_case_whose_folder_holds_the_ct_of_another_one_is_left_out(tmp_path: Path) -> None:
    image, _ = Thorax().scan((20.0, 20.0, 80.0))
    for folder in (tmp_path / "p1", tmp_path / "p1" / "followup"):
        dicom_files.write_series(folder, image)
        touch(folder / "lungs.mat")
    assert found_in(tmp_path) == {"p1_followup": ("p1/followup", "p1/followup/lungs.mat")}
    (left_out,) = find_cases(tmp_path).left_out
    assert left_out.name == "p1"
    assert "give it a folder of its own" in left_out.reason


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", "DICOMDIR", ".DS_Store", "._IM0001.dcm"])
def test_what_a_system_or_an_archive_adds_to_a_dicom_folder_hides_no_scan(tmp_path: Path, name: str) -> None:
    image, _ = Thorax().scan((20.0, 20.0, 80.0))
    dicom_files.write_series(tmp_path / "p1" / "ct", image)
    touch(tmp_path / "p1" / "lungs.nrrd")
    (tmp_path / "p1" / "ct" / name).write_bytes(b"no DICOM")
    assert found_in(tmp_path) == {"p1": ("p1/ct", "p1/lungs.nrrd")}
    assert problems_in(tmp_path) == []


def test_files_that_cannot_be_opened_are_told_and_hide_no_case(tmp_path: Path) -> None:
    image, _ = Thorax().scan((20.0, 20.0, 80.0))
    touch(tmp_path / "a_ct.nii", tmp_path / "a_lungs.nii", tmp_path / "p1" / "lungs.nrrd")
    dicom_files.write_series(tmp_path / "p1" / "ct", image)
    for path in (tmp_path / "notes", tmp_path / "p1" / "old" / "notes", tmp_path / "p1" / "ct" / "IM99"):
        path.parent.mkdir(exist_ok=True)
        link(path, tmp_path / "gone")
    assert found_in(tmp_path) == {"a": ("a_ct.nii", "a_lungs.nii"), "p1": ("p1/ct", "p1/lungs.nrrd")}
    reason = "It cannot be opened; remove it or make it readable."
    assert problems_in(tmp_path) == [("notes", reason), ("p1/old/notes", reason)]


def test_a_folder_that_cannot_be_opened_is_told_and_hides_no_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "a_ct.nii", tmp_path / "a_lungs.nii", tmp_path / "b" / "deep" / "b_ct.nii")
    folders_of = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        """Nothing is forbidden to some users."""
        if folder in closed:
            raise PermissionError
        return folders_of(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    closed = [tmp_path / "b" / "deep"]
    reason = "It cannot be opened; remove it or make it readable."
    assert found_in(tmp_path) == {"a": ("a_ct.nii", "a_lungs.nii")}
    assert problems_in(tmp_path) == [("b/deep", reason)]
    closed = [tmp_path]
    assert problems_in(tmp_path) == [(tmp_path.name, reason)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("name", ["b_ct.nii", "pipe", "p1/ct/IM99"])
def test_a_named_pipe_is_no_file_that_is_waited_for(tmp_path: Path, name: str) -> None:
    image, _ = Thorax().scan((20.0, 20.0, 80.0))
    touch(tmp_path / "a_ct.nii", tmp_path / "a_lungs.nii", tmp_path / "p1" / "lungs.nrrd")
    dicom_files.write_series(tmp_path / "p1" / "ct", image)
    os.mkfifo(tmp_path / name)
    found: list[FoundCases] = []
    search = threading.Thread(target=lambda: found.append(find_cases(tmp_path)), daemon=True)
    search.start()
    search.join(60)
    assert [case.name for case in found[0].cases] == ["a", "p1"]
    assert found[0].left_out == []


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="sockets are no files here")
def test_a_socket_hides_no_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "a_ct.nii", tmp_path / "a_lungs.nii")
    monkeypatch.chdir(tmp_path)  # a socket's path may not be long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert list(found_in(tmp_path)) == ["a"]


def test_masks_are_paired_by_the_names_that_programs_give_them(tmp_path: Path) -> None:
    names = ["a_ct.nii", "a_ct_mask.nii", "b_ct.nii", "b_lung_mask.nii", "c_lung_ct.nii", "c_lung_mask.nii"]
    touch(*(tmp_path / name for name in names))
    assert found_in(tmp_path) == {case: tuple(n for n in names if n[0] == case[0]) for case in ("a", "b", "c_lung")}


def test_capital_letters_and_forms_of_unicode_part_no_pair(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Jörg") for form in ("NFC", "NFD"))
    names = [("Case1_CT.nii.gz", "case1_lungs.nii.gz"), (f"{composed}_ct.nii", f"{decomposed}_lungs.nii")]
    touch(*(tmp_path / name for pair in names for name in pair), tmp_path / "CASE1_vessels.nii.gz")
    assert found_in(tmp_path) == {"Case1": names[0], composed: names[1]}
    assert problems_in(tmp_path) == []


def test_of_cases_that_differ_in_capital_letters_each_has_its_own_mask(tmp_path: Path) -> None:
    names = ["A_ct.nii", "A_lungs.nii", "a_ct.nii", "a_lungs.nii"]
    touch(*(tmp_path / name for name in names))
    if len(list(tmp_path.iterdir())) < len(names):
        pytest.skip("capital letters make no other file here")
    assert found_in(tmp_path) == {"A": ("A_ct.nii", "A_lungs.nii"), "a": ("a_ct.nii", "a_lungs.nii")}


def test_a_case_whose_folder_is_the_current_one_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "p1" / "scan.nii", tmp_path / "p1" / "lungs.nii")
    monkeypatch.chdir(tmp_path / "p1")
    assert [case.name for case in find_cases(Path()).cases] == ["p1"]


def test_nothing_that_may_be_a_case_is_lost_without_a_word(tmp_path: Path) -> None:
    names = ["a_ct.nii", "a_lungs.nii", "a_vessels.nii", "b_lungs.nii", "c.nii", "c_lungs.nii", "d_CT1.nii"]
    touch(*(tmp_path / name for name in names), tmp_path / "e_ct.nii", tmp_path / "e_ct.nrrd", tmp_path / "e_mask.nii")
    problems = dict(problems_in(tmp_path))
    assert found_in(tmp_path) == {"a": ("a_ct.nii", "a_lungs.nii")}
    assert set(problems) == {"b_lungs", "c", "c_lungs", "d_CT1", "e"}
    assert problems["b_lungs"] == f"There is no CT or no mask to b_lungs.nii; {WHERE}."
    assert "several files that may be the CT (e_ct.nii, e_ct.nrrd)" in problems["e"]


def test_of_two_cases_of_one_name_the_second_is_left_out(tmp_path: Path) -> None:
    for folder in (tmp_path / "a" / "b", tmp_path / "a_b"):
        touch(folder / "ct.nii", folder / "mask.nii")
    found = find_cases(tmp_path)
    assert [case.name for case in found.cases] == ["a_b"]
    assert [item.reason for item in found.left_out] == ["Another case has the same name; give each its own."]


@pytest.fixture
def thorax() -> tuple[sitk.Image, CTVolume, np.ndarray]:
    """CT as an image and as a volume, and its lungs."""
    image, mask = Thorax().scan((6.0, 6.0, 20.0))
    return image, CTVolume.from_sitk(image, "phantom"), sitk.GetArrayFromImage(mask)


def test_a_structure_set_in_folders_of_its_own_is_found_and_read(
    thorax: tuple[sitk.Image, CTVolume, np.ndarray], tmp_path: Path
) -> None:
    image, ct, labels = thorax
    dicom_files.write_series(tmp_path / "P1" / "CT" / "1.2.2", image)
    folder = tmp_path / "P1" / "RTSTRUCT" / "1.2.3"
    folder.mkdir(parents=True)
    ptk_files.write_structure_set(folder / "rs.dcm", labels, ct, {1: "Lung_R", 2: "Lung_L"})
    assert found_in(tmp_path) == {"P1": ("P1/CT", "P1/RTSTRUCT")}
    (case,) = find_cases(tmp_path).cases
    np.testing.assert_array_equal(read_case(case)[1].labels, labels)


def test_a_ct_that_is_named_for_its_lung_kernel_is_a_ct(
    thorax: tuple[sitk.Image, CTVolume, np.ndarray], tmp_path: Path
) -> None:
    image, ct, labels = thorax
    dicom_files.write_series(tmp_path / "P1" / "3_Thorax_Lung_1.0_B60f", image)
    ptk_files.write_label_map(tmp_path / "P1" / "mask.nii.gz", labels, ct)
    dicom_files.write_series(tmp_path / "P2", image, prefix="Thorax_Lung_")
    ptk_files.write_label_map(tmp_path / "P2" / "mask.nii.gz", labels, ct)
    assert found_in(tmp_path) == {
        "P1": ("P1/3_Thorax_Lung_1.0_B60f", "P1/mask.nii.gz"),
        "P2": ("P2", "P2/mask.nii.gz"),
    }
    assert all(check_case(case).ok for case in find_cases(tmp_path).cases)


def test_dicom_that_is_named_by_numbers_is_told_apart_by_its_kind(
    thorax: tuple[sitk.Image, CTVolume, np.ndarray], tmp_path: Path
) -> None:
    image, ct, labels = thorax
    dicom_files.write_series(tmp_path / "1.1" / "1.1.1", image)
    (tmp_path / "1.1" / "1.1.2").mkdir()
    ptk_files.write_structure_set(tmp_path / "1.1" / "1.1.2" / "1.dcm", labels, ct, {1: "Lung_R", 2: "Lung_L"})
    dicom_files.write_screenshot(tmp_path / "1.1" / "1.1.3")
    dicom_files.write_series(tmp_path / "1.1" / "1.1.4", image, Modality="MR")
    assert found_in(tmp_path) == {"1.1": ("1.1/1.1.1", "1.1/1.1.2")}


@pytest.mark.parametrize("loose", [True, False], ids=["slices beside it", "slices in a folder"])
def test_colour_pictures_in_the_folder_of_their_case_are_one_mask(
    thorax: tuple[sitk.Image, CTVolume, np.ndarray], tmp_path: Path, loose: bool
) -> None:
    image, ct, labels = thorax
    scan = tmp_path / "P1" if loose else tmp_path / "P1" / "CT"
    dicom_files.write_series(scan, image)
    ptk_files.write_color_dicom(tmp_path / "P1", labels, ct)
    assert found_in(tmp_path) == {"P1": (scan.relative_to(tmp_path).as_posix(), "P1/lungs0.dcm")}
    (case,) = find_cases(tmp_path).cases
    np.testing.assert_array_equal(read_case(case)[1].labels, labels)
    ptk_files.write_color_dicom(tmp_path / "P1", labels, ct, "lobes")
    assert "several masks (lobes0.dcm, lungs0.dcm)" in dict(problems_in(tmp_path))["P1"]


def test_colour_pictures_are_paired_by_the_name_of_their_series(
    thorax: tuple[sitk.Image, CTVolume, np.ndarray], tmp_path: Path
) -> None:
    _, ct, labels = thorax
    touch(tmp_path / "a_ct.nii")
    ptk_files.write_color_dicom(tmp_path, labels, ct, "a_lungs")
    assert found_in(tmp_path) == {"a": ("a_ct.nii", "a_lungs0.dcm")}


def test_patients_of_whom_only_a_scan_or_only_a_mask_is_there_are_named_and_never_paired(
    thorax: tuple[sitk.Image, CTVolume, np.ndarray], tmp_path: Path
) -> None:
    image, ct, labels = thorax
    without_mask = f"There is no mask; {WHERE}."
    dicom_files.write_series(tmp_path / "p1" / "CT", image)
    assert problems_in(tmp_path) == [("p1/CT", without_mask)]
    dicom_files.write_series(tmp_path / "p2" / "CT" / "1.2.2", image)
    dicom_files.write_series(tmp_path / "p3", image)
    scans = [("p1/CT", without_mask), ("p2/CT/1.2.2", without_mask), ("p3", without_mask)]
    assert problems_in(tmp_path) == scans
    (tmp_path / "p4" / "RS").mkdir(parents=True)
    ptk_files.write_structure_set(tmp_path / "p4" / "RS" / "rs.dcm", labels, ct, {1: "Lung_R", 2: "Lung_L"})
    assert problems_in(tmp_path) == [*scans, ("p4/RS", f"There is a mask (RS) but no CT; {WHERE}.")]
    assert found_in(tmp_path) == {}
    dicom_files.write_series(tmp_path / "p5" / "CT", image)
    (tmp_path / "p5" / "rs.dcm").write_bytes((tmp_path / "p4" / "RS" / "rs.dcm").read_bytes())
    assert found_in(tmp_path) == {"p5": ("p5/CT", "p5/rs.dcm")}
    assert len(problems_in(tmp_path)) == 4


def test_of_a_scan_and_a_mask_each_alone_in_the_folder_of_its_patient_no_case_is_made(
    thorax: tuple[sitk.Image, CTVolume, np.ndarray], tmp_path: Path
) -> None:
    image, ct, labels = thorax
    dicom_files.write_series(tmp_path / "p7" / "CT", image)
    (tmp_path / "p6" / "RS").mkdir(parents=True)
    ptk_files.write_structure_set(tmp_path / "p6" / "RS" / "rs.dcm", labels, ct, {1: "Lung_R", 2: "Lung_L"})
    assert found_in(tmp_path) == {}
    assert [name for name, _ in problems_in(tmp_path)] == ["p6/RS", "p7/CT"]


def test_several_scans_of_a_patient_without_a_mask_are_each_named(
    thorax: tuple[sitk.Image, CTVolume, np.ndarray], tmp_path: Path
) -> None:
    for name in ("first", "second"):
        dicom_files.write_series(tmp_path / "p1" / name, thorax[0])
    assert [name for name, _ in problems_in(tmp_path)] == ["p1/first", "p1/second"]
    assert all(reason.startswith("There is no mask;") for _, reason in problems_in(tmp_path))


def link(path: Path, target: Path) -> None:
    try:
        path.symlink_to(target, target_is_directory=target.is_dir())
    except OSError:
        pytest.skip("links are not allowed here")


def test_a_link_to_a_patient_adds_no_patient(tmp_path: Path) -> None:
    for scan in ("P001/scan1", "P001/scan2", "P002/scan1"):
        write_case(tmp_path / scan, "a", spacing=(6.0, 6.0, 20.0))
    link(tmp_path / "A_latest", tmp_path / "P001")
    link(tmp_path / "P002" / "all", tmp_path)
    names = ["P001_scan1_a", "P001_scan2_a", "P002_scan1_a"]
    found = find_cases(tmp_path)
    assert [case.name for case in found.cases] == names
    assert [item.name for item in found.left_out] == ["A_latest_scan1_a", "A_latest_scan2_a"]
    assert "Its CT is that of case P001_scan1_a" in found.left_out[0].reason
    assert {check.name for check in check_data_set(tmp_path) if check.ok} == set(names)


def test_cases_deep_in_a_tree_are_named_by_their_way(tmp_path: Path) -> None:
    touch(tmp_path / "centre" / "x_ct.nii", tmp_path / "centre" / "x_lungs.nii")
    assert list(found_in(tmp_path)) == ["centre_x"]


SIBLINGS = {
    "equal names": ("ct/{}.nii.gz", "masks/{}.nii.gz"),
    "names with endings": ("CTs/{}_ct.nii.gz", "lung_masks/{}_lungs.seg.nrrd"),
    "nnU-Net": ("imagesTr/{}_0000.nii.gz", "labelsTr/{}.nii.gz"),
    "Medical Segmentation Decathlon": ("imagesTr/lung_{}.nii.gz", "labelsTr/lung_{}.nii.gz"),
    "a folder for each patient": ("normal/images/{}/thorax.nii", "normal/labels/{}/result.nii"),
}


@pytest.mark.parametrize(("ct", "mask"), SIBLINGS.values(), ids=SIBLINGS)
def test_folders_of_cts_and_of_masks_are_paired_by_the_names_in_them(tmp_path: Path, ct: str, mask: str) -> None:
    numbers = ("001", "002", "003")
    touch(*(tmp_path / name.format(number) for name in (ct, mask) for number in numbers), tmp_path / "dataset.json")
    assert list(found_in(tmp_path).values()) == [(ct.format(number), mask.format(number)) for number in numbers]
    assert problems_in(tmp_path) == []


def test_what_has_no_partner_in_folders_of_cts_and_of_masks_is_told(tmp_path: Path) -> None:
    touch(*(tmp_path / "ct" / name for name in ("1.nii", "2.nii", "3.nii", "P4/a.nii", "P4/b.nii")))
    touch(*(tmp_path / "masks" / name for name in ("1.nii", "3.nii", "3_lungs.nii", "5.nii")))
    link(tmp_path / "ct" / "notes", tmp_path / "gone")
    problems = dict(problems_in(tmp_path))
    assert found_in(tmp_path) == {"1": ("ct/1.nii", "masks/1.nii")}
    assert set(problems) == {"2", "3", "5", "ct/P4/a.nii", "ct/P4/b.nii", "ct/notes"}
    assert problems["2"] == f"There is no mask; {WHERE}."
    assert "several masks (3.nii, 3_lungs.nii)" in problems["3"]


@pytest.mark.parametrize(
    "names",
    [
        ("ct/1.nii", "masks/1.nii", "lobes/1.nii"),
        ("ct/1.nii", "ct_followup/2.nii", "scans/1.nii", "masks/1.nii"),
        ("ct/1.nii", "ct/1_lungs.nii", "ct/2.nii", "masks/2.nii"),
        ("ct/1.nii", "masks/2.nii"),
        ("ct_day1/1.nii", "masks_day2/1.nii"),
    ],
    ids=["two folders of masks", "two folders of CTs", "masks in both folders", "other names", "other days"],
)
def test_of_folders_that_leave_a_choice_none_are_paired(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(*(tmp_path / name for name in names))
    within = {"ct_1": ("ct/1.nii", "ct/1_lungs.nii")} if "ct/1_lungs.nii" in names else {}
    assert found_in(tmp_path) == within
    assert problems_in(tmp_path)


def test_several_folders_of_cts_and_of_masks_give_their_cases_different_names(tmp_path: Path) -> None:
    touch(*(tmp_path / f"{kind}_{group}" / "1.nii" for kind in ("ct", "masks") for group in ("normal", "covid")))
    assert found_in(tmp_path) == {
        f"{group}_1": (f"ct_{group}/1.nii", f"masks_{group}/1.nii") for group in ("covid", "normal")
    }


@pytest.mark.parametrize("cases", [("001",), ("001", "002")])
def test_dicom_folders_are_paired_with_the_masks_that_have_their_names(
    thorax: tuple[sitk.Image, CTVolume, np.ndarray], tmp_path: Path, cases: tuple[str, ...]
) -> None:
    image, ct, labels = thorax
    for folder in ("apart/Masks", "beside"):
        (tmp_path / folder).mkdir(parents=True)
    for name in cases:
        dicom_files.write_series(tmp_path / "apart" / "CT" / name, image)
        ptk_files.write_mhd(tmp_path / "apart" / "Masks" / f"{name}.mhd", labels, ct)
        dicom_files.write_series(tmp_path / "beside" / name, image)
        ptk_files.write_mhd(tmp_path / "beside" / f"{name}.mhd", labels, ct)
    found = find_cases(tmp_path / "apart").cases
    assert [case.name for case in found] == list(cases)
    assert all(check_case(case).ok for case in found)
    if len(cases) > 1:
        assert found_in(tmp_path / "beside") == {name: (name, f"{name}.mhd") for name in cases}


def test_in_one_folder_a_mask_is_paired_with_the_ct_whose_name_it_bears(tmp_path: Path) -> None:
    pairs = [("001.nii.gz", "001_mask.nii.gz"), ("002.nii.gz", "002_Seg.nrrd"), ("005.nrrd", "005.seg.nrrd")]
    touch(*(tmp_path / "covid" / name for pair in pairs for name in pair))
    touch(tmp_path / "covid" / "003.nii.gz", tmp_path / "covid" / "004_mask.nii.gz")
    assert found_in(tmp_path) == {f"covid_{ct[:3]}": (f"covid/{ct}", f"covid/{mask}") for ct, mask in pairs}
    assert [name for name, _ in problems_in(tmp_path)] == ["covid/004_mask", "covid/003"]


@pytest.mark.parametrize("name", ["PTKLeftAndRightLungs", "LeftAndRightLungs", "PTKLobes", "LungMask", "lungsPTK"])
def test_words_that_begin_with_capital_letters_name_a_mask(tmp_path: Path, name: str) -> None:
    for ct in ("CTLung", "LungCT", "scan"):
        touch(tmp_path / ct / f"{ct}.nii", tmp_path / ct / f"{name}.mhd")
    assert found_in(tmp_path) == {ct: (f"{ct}/{ct}.nii", f"{ct}/{name}.mhd") for ct in ("CTLung", "LungCT", "scan")}


def test_files_as_ptk_writes_masks_are_masks_where_names_say_nothing(
    thorax: tuple[sitk.Image, CTVolume, np.ndarray], tmp_path: Path
) -> None:
    image, ct, labels = thorax
    for name in ("p1", "p2", "p3", "p4"):
        dicom_files.write_series(tmp_path / name / ("." if name == "p4" else "DICOM"), image)
    ptk_files.write_mhd(tmp_path / "p1" / "result.mhd", labels, ct)
    ptk_files.write_nii(tmp_path / "p2" / "p2.nii", labels, ct)
    sitk.WriteImage(image, str(tmp_path / "p3" / "result.nii"))
    ptk_files.write_mhd(tmp_path / "p4" / "result.mhd", labels, ct)
    assert found_in(tmp_path) == {
        "p1": ("p1/DICOM", "p1/result.mhd"),
        "p2": ("p2/DICOM", "p2/p2.nii"),
        "p4": ("p4", "p4/result.mhd"),
    }
    assert [name for name, _ in problems_in(tmp_path)] == ["p3/DICOM", "p3/result.nii"]


def test_of_a_scan_and_a_mask_whose_names_are_of_two_patients_no_case_is_made(
    thorax: tuple[sitk.Image, CTVolume, np.ndarray], tmp_path: Path
) -> None:
    image, ct, labels = thorax
    dicom_files.write_series(tmp_path / "p1", image)
    ptk_files.write_mhd(tmp_path / "p2.mhd", labels, ct)
    assert found_in(tmp_path) == {}
    assert [name for name, _ in problems_in(tmp_path)] == [f"{tmp_path.name}/p1", f"{tmp_path.name}/p2.mhd"]


def test_what_is_no_pair_is_told_with_its_reason(tmp_path: Path) -> None:
    touch(tmp_path / "one" / "ct.nii", tmp_path / "two" / "mask.nii")
    touch(tmp_path / "three" / "ct.nii", tmp_path / "three" / "lungs.nii", tmp_path / "three" / "lobes.nii")
    touch(tmp_path / "four" / "a.nii", tmp_path / "four" / "b.nii", tmp_path / "four" / "mask.nii")
    touch(tmp_path / "five" / "a_ct.nii", tmp_path / "five" / "b_lungs.nii")
    touch(tmp_path / "six" / "Thorax_1.0_Lung_B70f.nii.gz", tmp_path / "six" / "lungs.nii.gz")
    problems = dict(problems_in(tmp_path))
    assert "no mask" in problems["one"]
    assert problems["two"] == f"There is a mask (mask.nii) but no CT; {WHERE}."
    assert "several masks (lobes.nii, lungs.nii)" in problems["three"]
    assert "may be the CT (a.nii, b.nii); list the cases in a CSV file, or" in problems["four"]
    assert "no mask" in problems["five/a"]
    assert "masks (Thorax_1.0_Lung_B70f.nii.gz, lungs.nii.gz) but no CT; if one of them is the CT" in problems["six"]
    assert not find_cases(tmp_path).cases
