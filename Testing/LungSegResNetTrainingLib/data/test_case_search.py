from __future__ import annotations

from pathlib import Path

import dicom_files
import pytest
from synthetic_thorax import Thorax

from LungSegResNetTrainingLib.data.case_search import find_cases


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found_in(folder: Path) -> dict[str, tuple[str, str]]:
    return {
        case.name: (case.ct.relative_to(folder).as_posix(), case.mask.relative_to(folder).as_posix())
        for case in find_cases(folder).cases
    }


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
    image, _ = Thorax().scan((20.0, 20.0, 80.0))
    dicom_files.write_series(tmp_path / "below" / "ct" / "series", image)
    dicom_files.write_series(tmp_path / "below" / "lungs", image, prefix="lungs")
    dicom_files.write_series(tmp_path / "loose", image)
    touch(tmp_path / "loose" / "lungs.mat")
    dicom_files.write_series(tmp_path / "structures", image)
    touch(tmp_path / "structures" / "RTSTRUCT.dcm")
    assert found_in(tmp_path) == {
        "below": ("below/ct", "below/lungs"),
        "loose": ("loose", "loose/lungs.mat"),
        "structures": ("structures", "structures/RTSTRUCT.dcm"),
    }


def test_cases_deep_in_a_tree_are_named_by_their_way(tmp_path: Path) -> None:
    touch(tmp_path / "centre" / "x_ct.nii", tmp_path / "centre" / "x_lungs.nii")
    assert list(found_in(tmp_path)) == ["centre_x"]


def test_what_is_no_pair_is_told_with_its_reason(tmp_path: Path) -> None:
    touch(tmp_path / "one" / "ct.nii", tmp_path / "two" / "mask.nii")
    touch(tmp_path / "three" / "ct.nii", tmp_path / "three" / "lungs.nii", tmp_path / "three" / "lobes.nii")
    touch(tmp_path / "four" / "a.nii", tmp_path / "four" / "b.nii", tmp_path / "four" / "mask.nii")
    touch(tmp_path / "five" / "a_ct.nii", tmp_path / "five" / "b_lungs.nii")
    problems = dict(find_cases(tmp_path).problems)
    assert "no mask" in problems["one"]
    assert "no CT" in problems["two"]
    assert "several masks (lobes.nii, lungs.nii)" in problems["three"]
    assert "may be the CT (a.nii, b.nii)" in problems["four"]
    assert "no mask" in problems["five/a"]
    assert not find_cases(tmp_path).cases
