"""Masks with a file for each structure, written as TotalSegmentator and 3D Slicer write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import ptk_files
import pytest
import SimpleITK as sitk
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.reading import read_ct
from LungSegResNetTrainingLib.data.case_files import mask_files_of
from LungSegResNetTrainingLib.data.case_search import find_cases
from LungSegResNetTrainingLib.data.cases import DOUBTFUL, OK, Case, read_cases
from LungSegResNetTrainingLib.data.data_check import check_case
from LungSegResNetTrainingLib.data.mask_files import read_reference_mask
from LungSegResNetTrainingLib.data.scan_marks import ScanMarks
from LungSegResNetTrainingLib.evaluation.report_folder import cases_digest

LOBES = (
    "lung_upper_lobe_right",
    "lung_middle_lobe_right",
    "lung_lower_lobe_right",
    "lung_upper_lobe_left",
    "lung_lower_lobe_left",
)


def write_scan(path: Path) -> tuple[CTVolume, sitk.Image]:
    """A CT in a file; the scan as it is read, and an image of its lungs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image, mask = Thorax(noise=5.0).scan((6.0, 6.0, 20.0), (402.0, 300.0, 320.0))
    sitk.WriteImage(image, str(path))
    return read_ct(path)[0], mask


def write_structures(folder: Path, lungs: sitk.Image, structures: dict[str, np.ndarray]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawn in structures.items():
        image = sitk.GetImageFromArray(drawn.astype(np.uint8))
        image.CopyInformation(lungs)
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))


def lobes_of(lungs: sitk.Image) -> dict[str, np.ndarray]:
    labels = sitk.GetArrayFromImage(lungs)
    z = np.arange(len(labels))[:, None, None] / len(labels)
    right, left = labels == 1, labels == 2
    parts = (right & (z > 0.6), right & (z > 0.4) & (z <= 0.6), right & (z <= 0.4), left & (z > 0.5), left & (z <= 0.5))
    return dict(zip(LOBES, parts, strict=True))


def lungs_of(lungs: sitk.Image) -> dict[str, np.ndarray]:
    labels = sitk.GetArrayFromImage(lungs)
    return {"right_lung": labels == 1, "left_lung": labels == 2}


def found_in(folder: Path) -> dict[str, tuple[str, str]]:
    return {
        case.name: (case.ct.relative_to(folder).as_posix(), case.mask.relative_to(folder).as_posix())
        for case in find_cases(folder).cases
    }


def test_lobes_among_the_organs_of_a_body_are_lungs(tmp_path: Path) -> None:
    ct, lungs = write_scan(tmp_path / "s0001" / "ct.nii.gz")
    nothing = np.zeros(ct.hu.shape)
    organs = dict.fromkeys(("liver", "heart", "lung_vessels", *(f"rib_left_{n}" for n in range(1, 13))), nothing)
    write_structures(tmp_path / "s0001" / "segmentations", lungs, lobes_of(lungs) | organs)
    assert found_in(tmp_path) == {"s0001": ("s0001/ct.nii.gz", "s0001/segmentations")}
    mask = read_reference_mask(tmp_path / "s0001" / "segmentations", ct)
    truth = CTVolume.from_sitk(lungs, "truth").hu
    np.testing.assert_array_equal(mask.labels, truth)
    assert mask.format == "files of structures"
    (note,) = mask.notes
    assert note == (
        "segmentations has files of other structures than lungs, which were left out: 'heart', 'liver', "
        "'lung_vessels', 'rib_left_1', 'rib_left_10', 'rib_left_11', 'rib_left_12', 'rib_left_2' and 7 more."
    )
    case = Case("s0001", tmp_path / "s0001" / "ct.nii.gz", tmp_path / "s0001" / "segmentations", "train", "s0001")
    assert check_case(case).verdict.status == OK


def test_two_lungs_beside_their_ct_are_one_mask(tmp_path: Path) -> None:
    ct, lungs = write_scan(tmp_path / "p1" / "ct.nii.gz")
    write_structures(tmp_path / "p1", lungs, lungs_of(lungs))
    assert found_in(tmp_path) == {"p1": ("p1/ct.nii.gz", "p1")}
    np.testing.assert_array_equal(
        read_reference_mask(tmp_path / "p1", ct).labels, CTVolume.from_sitk(lungs, "truth").hu
    )


def test_folders_of_structures_are_paired_with_cts_beside_their_folder(tmp_path: Path) -> None:
    for name in ("001", "002"):
        _, lungs = write_scan(tmp_path / "ct" / f"{name}.nii.gz")
        write_structures(tmp_path / "masks" / name, lungs, lungs_of(lungs))
    assert found_in(tmp_path) == {name: (f"ct/{name}.nii.gz", f"masks/{name}") for name in ("001", "002")}


def test_a_list_may_name_a_folder_of_structures(tmp_path: Path) -> None:
    _, lungs = write_scan(tmp_path / "scan.nii.gz")
    write_structures(tmp_path / "drawn", lungs, lungs_of(lungs))
    (tmp_path / "cases.csv").write_text("case,ct,mask\na,scan.nii.gz,drawn\n", encoding="utf-8")
    (case,) = read_cases(tmp_path / "cases.csv")
    assert check_case(case).verdict.status == OK


def test_files_of_several_patients_are_no_mask(tmp_path: Path) -> None:
    for name in ("001", "002"):
        _, lungs = write_scan(tmp_path / "cts" / f"{name}.nii.gz")
        write_structures(tmp_path, lungs, {f"{name}_{lung}": drawn for lung, drawn in lungs_of(lungs).items()})
    assert found_in(tmp_path) == {}


def test_some_lobes_of_a_lung_are_no_mask(tmp_path: Path) -> None:
    _, lungs = write_scan(tmp_path / "s0001" / "ct.nii.gz")
    lobes = lobes_of(lungs)
    del lobes["lung_middle_lobe_right"]
    write_structures(tmp_path / "s0001" / "segmentations", lungs, lobes)
    assert found_in(tmp_path) == {}


def test_lungs_among_organs_beside_a_file_called_ct_are_its_mask(tmp_path: Path) -> None:
    _, lungs = write_scan(tmp_path / "p1" / "ct.nii.gz")
    write_structures(tmp_path / "p1", lungs, lungs_of(lungs) | {"liver": sitk.GetArrayFromImage(lungs) > 0})
    assert found_in(tmp_path) == {"p1": ("p1/ct.nii.gz", "p1")}


def test_a_structure_that_is_named_for_a_volume_is_no_ct(tmp_path: Path) -> None:
    ct, lungs = write_scan(tmp_path / "p1" / "ct.nii.gz")
    nothing = {"tumour_volume": np.zeros(ct.hu.shape)}
    write_structures(tmp_path / "p1" / "segmentations", lungs, lungs_of(lungs) | nothing)
    (tmp_path / "p1" / "segmentations" / ".cache").mkdir()
    assert found_in(tmp_path) == {"p1": ("p1/ct.nii.gz", "p1/segmentations")}


@pytest.mark.parametrize("folder", ["segmentations", "totalseg"])
def test_a_mask_beside_its_ct_is_not_lost_for_structures_in_a_folder(tmp_path: Path, folder: str) -> None:
    """As a draft or the mask of a network has that was corrected into one file."""
    _, lungs = write_scan(tmp_path / "p1" / "ct.nii.gz")
    write_structures(tmp_path / "p1", lungs, {"lungs": sitk.GetArrayFromImage(lungs)})
    write_structures(tmp_path / "p1" / folder, lungs, lungs_of(lungs))
    assert found_in(tmp_path) == {"p1": ("p1/ct.nii.gz", "p1/lungs.nii.gz")}


def test_a_file_of_both_lungs_beside_those_of_each_leaves_a_choice(tmp_path: Path) -> None:
    _, lungs = write_scan(tmp_path / "p1" / "ct.nii.gz")
    both = {"lungs": sitk.GetArrayFromImage(lungs) > 0}
    write_structures(tmp_path / "p1", lungs, lungs_of(lungs) | both)
    assert found_in(tmp_path) == {}


def test_a_mask_with_the_name_of_its_ct_goes_before_structures_beside_it(tmp_path: Path) -> None:
    _, lungs = write_scan(tmp_path / "p1" / "p1.nii.gz")
    write_structures(tmp_path / "p1", lungs, lungs_of(lungs) | {"p1_lungs": sitk.GetArrayFromImage(lungs)})
    assert found_in(tmp_path) == {"p1_p1": ("p1/p1.nii.gz", "p1/p1_lungs.nii.gz")}


def test_structures_of_one_patient_are_no_mask_of_another_one(tmp_path: Path) -> None:
    _, lungs = write_scan(tmp_path / "p1.nii.gz")
    write_structures(tmp_path / "p2", lungs, lungs_of(lungs))
    assert found_in(tmp_path) == {}
    assert any("p2" in item.name for item in find_cases(tmp_path).left_out)


def test_the_folder_of_one_case_may_be_the_data_set(tmp_path: Path) -> None:
    _, lungs = write_scan(tmp_path / "ct.nii.gz")
    write_structures(tmp_path / "segmentations", lungs, lobes_of(lungs))
    assert found_in(tmp_path) == {tmp_path.name: ("ct.nii.gz", "segmentations")}


def test_files_of_the_structures_alone_are_those_of_the_mask(tmp_path: Path) -> None:
    """What else lies in the case's folder makes no other mask, and right and left exchanged do."""
    _, lungs = write_scan(tmp_path / "p1" / "ct.nii.gz")
    write_structures(tmp_path / "p1", lungs, lungs_of(lungs))
    (tmp_path / "p1" / "report").mkdir()
    (tmp_path / "p1" / "report" / "notes.txt").write_text("looked at", encoding="utf-8")
    names = [path.name for path in mask_files_of(tmp_path / "p1")]
    assert names == ["left_lung.nii.gz", "right_lung.nii.gz"]
    (case,) = find_cases(tmp_path).cases
    before = cases_digest([case], ScanMarks())
    left, right, spare = (tmp_path / "p1" / f"{name}.nii.gz" for name in ("left_lung", "right_lung", "spare"))
    left.rename(spare)
    right.rename(left)
    spare.rename(right)
    assert cases_digest([case], ScanMarks()) != before


def test_lungs_that_lie_over_each_other_are_refused_and_a_little_is_told(tmp_path: Path) -> None:
    ct, lungs = write_scan(tmp_path / "p1" / "ct.nii.gz")
    structures = lungs_of(lungs)
    write_structures(
        tmp_path / "p1", lungs, structures | {"left_lung": structures["left_lung"] | structures["right_lung"]}
    )
    with pytest.raises(InputError, match="in common: are they of one patient"):
        read_reference_mask(tmp_path / "p1", ct)
    structures["left_lung"] |= structures["right_lung"] & (np.cumsum(structures["right_lung"].ravel()) <= 5).reshape(
        structures["right_lung"].shape
    )
    write_structures(tmp_path / "p1", lungs, structures)
    (note,) = read_reference_mask(tmp_path / "p1", ct).notes
    assert "in common, which were given to one of them" in note


def test_a_lung_in_two_files_leaves_a_choice(tmp_path: Path) -> None:
    _, lungs = write_scan(tmp_path / "p1" / "ct.nii.gz")
    write_structures(tmp_path / "p1", lungs, lungs_of(lungs))
    sitk.WriteImage(lungs, str(tmp_path / "p1" / "left_lung.nrrd"))
    assert found_in(tmp_path) == {}


def test_a_lung_that_has_lost_its_place_is_refused(tmp_path: Path) -> None:
    ct, lungs = write_scan(tmp_path / "p1" / "ct.nii.gz")
    labels = CTVolume.from_sitk(lungs, "truth").hu
    for name, label in (("right_lung", 1), ("left_lung", 2)):
        ptk_files.write_mhd(tmp_path / "p1" / f"{name}.mhd", (labels == label).astype(np.uint8), ct)
    with pytest.raises(InputError, match="does not say where it lies in the patient"):
        read_reference_mask(tmp_path / "p1", ct)


def test_a_lung_that_was_removed_is_an_empty_file(tmp_path: Path) -> None:
    ct, lungs = write_scan(tmp_path / "p1" / "ct.nii.gz")
    structures = lungs_of(lungs)
    structures["left_lung"][:] = False
    write_structures(tmp_path / "p1" / "masks", lungs, structures)
    labels = read_reference_mask(tmp_path / "p1" / "masks", ct).labels
    np.testing.assert_array_equal(labels, CTVolume.from_sitk(lungs, "truth").hu == 1)


@pytest.mark.parametrize("organs", [0, 30])
def test_disease_in_a_file_of_its_own_is_doubted(tmp_path: Path, organs: int) -> None:
    """Also among the many files of a whole body, most of which are not read."""
    ct, lungs = write_scan(tmp_path / "p1" / "ct.nii.gz")
    structures = lungs_of(lungs)
    back = structures["right_lung"].copy()
    back[:, : ct.hu.shape[1] // 2] = False
    structures["right_lung"] &= ~back
    structures |= {f"vertebra_{n}": np.zeros(ct.hu.shape) for n in range(organs)}
    write_structures(tmp_path / "p1" / "masks", lungs, structures | {"consolidation": back})
    verdict = check_case(Case("p1", tmp_path / "p1" / "ct.nii.gz", tmp_path / "p1" / "masks", "train", "p1")).verdict
    assert verdict.status == DOUBTFUL
    assert "'consolidation'" in verdict.explanation


def test_a_map_of_doses_beside_the_lungs_is_left_alone(tmp_path: Path) -> None:
    ct, lungs = write_scan(tmp_path / "p1" / "ct.nii.gz")
    write_structures(tmp_path / "p1" / "masks", lungs, lungs_of(lungs))
    dose = sitk.Cast(lungs, sitk.sitkFloat32) * 1.7
    sitk.WriteImage(dose, str(tmp_path / "p1" / "masks" / "dose.nii.gz"))
    mask = read_reference_mask(tmp_path / "p1" / "masks", ct)
    assert mask.left_out is None
    assert mask.notes == ("masks has files of other structures than lungs, which were left out: 'dose'.",)


def test_a_broken_file_of_a_lung_is_named(tmp_path: Path) -> None:
    ct, lungs = write_scan(tmp_path / "p1" / "ct.nii.gz")
    write_structures(tmp_path / "p1" / "masks", lungs, lungs_of(lungs))
    (tmp_path / "p1" / "masks" / "left_lung.nii.gz").write_bytes(b"no image")
    with pytest.raises(InputError, match="left_lung"):
        read_reference_mask(tmp_path / "p1" / "masks", ct)
