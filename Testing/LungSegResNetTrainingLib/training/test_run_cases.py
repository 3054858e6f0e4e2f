"""Which cases of a data set a run has, which of them validate, and what is told of them before it begins."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
from synthetic_thorax import Thorax
from training_cases import change_a_voxel, write_case, write_huge_ct

from LungSegResNetLib.errors import DeviceError, InputError, OutputError
from LungSegResNetLib.tables import read_rows
from LungSegResNetTrainingLib.training.parallel import Processes
from LungSegResNetTrainingLib.training.reporting import NullTrainingReporter
from LungSegResNetTrainingLib.training.run_cases import TrainingCases, prepare_cases, record_cases
from LungSegResNetTrainingLib.training.settings import RECOMMENDED
from LungSegResNetTrainingLib.training.training_job import CaseChoice, choose_cases

_SHAPE = (32, 40)
_GRID = (6.0, 6.0, 20.0), (400.0, 300.0, 160.0)  # spacing and extent of the scans: 8 slices


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for noise, name in enumerate("ab", start=5):
        write_case(tmp_path / "data", name, *_GRID, thorax=Thorax(noise=float(noise)))
    return tmp_path / "data"


def test_a_broken_case_is_left_out_with_its_reason(data: Path, tmp_path: Path) -> None:
    (data / "b_ct.nii").write_bytes(b"cut off")
    cases = prepare_cases(data, tmp_path / "cache", _SHAPE)
    assert [case.name for case in cases.cases] == ["a"]
    assert [(item.name, item.verdict.status) for item in cases.left_out] == [("b", "refused")]


def test_a_scan_too_large_for_the_memory_is_not_left_out_of_the_run(data: Path, tmp_path: Path) -> None:
    (data / "b_ct.nii").unlink()
    write_huge_ct(data / "b_ct.nrrd")
    with pytest.raises(DeviceError, match="not enough memory to read case b"):
        prepare_cases(data, tmp_path / "cache", _SHAPE)


def test_a_cache_that_cannot_be_written_ends_the_run(data: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(OutputError):
        prepare_cases(data, tmp_path / "cache", _SHAPE)


class Told(NullTrainingReporter):
    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []

    def warning(self, text: str, case: str = "") -> None:
        self.warnings.append(text)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three good cases and one whose sides are exchanged; nothing in this folder is changed."""
    folder = tmp_path_factory.mktemp("scans") / "data"
    for noise, name in enumerate(("a", "b", "c", "exchanged"), start=5):
        case = write_case(folder, name, *_GRID, thorax=Thorax(noise=float(noise)))
    mask = sitk.ReadImage(str(case.mask))
    sitk.WriteImage(sitk.ChangeLabel(mask, {1: 2, 2: 1}), str(case.mask))
    return folder


def _chosen(data_set: Path, scans: Path, **choice: Any) -> tuple[TrainingCases, list[str]]:
    """The cases of a run, and what is told of them."""
    reporter = Told()
    settings = replace(RECOMMENDED, slice_shape=_SHAPE)
    cases = choose_cases(CaseChoice(data_set, scans.parent / "cache", **choice), settings, Processes(), reporter)
    return cases, reporter.warnings


def _write_list(path: Path, scans: Path, columns: str, *rows: str) -> Path:
    """A case list with these columns after case, ct and mask; a row begins with the name of its case."""
    lines = [f"case,ct,mask,{columns}"]
    for row in rows:
        name, _, cells = row.partition(",")
        lines.append(f"{name},{scans / name}_ct.nii,{scans / name}_mask.nii,{cells}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("choice", [{}, {"folds": 2, "fold": 1}, {"validation_share": 0.0}], ids=str)
def test_cases_without_patients_are_pointed_out(scans: Path, choice: dict[str, Any]) -> None:
    _, told = _chosen(scans, scans, **choice)
    assert sum("Each case counts as a patient of its own" in text for text in told) == 1


def test_cases_without_patients_are_pointed_out_where_the_list_names_a_split(scans: Path, tmp_path: Path) -> None:
    rows = ["a,train,", "b,train,", "c,validation,"]
    cases, told = _chosen(_write_list(tmp_path / "list.csv", scans, "split,patient", *rows), scans)
    assert any("Each case counts as a patient of its own" in text for text in told)
    record_cases(tmp_path, cases)
    # The run's own list does not name the patients either.
    assert [row["patient"] for row in read_rows(tmp_path / "cases.csv")] == ["", "", ""]
    rows = [row + row[0] for row in rows]
    cases, told = _chosen(_write_list(tmp_path / "list.csv", scans, "split,patient", *rows), scans)
    assert not any("as a patient of its own" in text for text in told)
    record_cases(tmp_path, cases)  # goes on


def test_a_split_whose_validation_cases_are_left_out_is_not_replaced_by_another(scans: Path, tmp_path: Path) -> None:
    rows = ["a,train", "b,train", "c,", "exchanged,validation"]
    listed = _write_list(tmp_path / "list.csv", scans, "split", *rows)
    with pytest.raises(InputError, match="All validation cases that the data set names are left out"):
        _chosen(listed, scans)
    assert _chosen(listed, scans, folds=2, fold=1)[0].of_split("validation")


def test_a_doubtful_scan_is_not_included_on_the_other_side_of_its_patient(scans: Path, tmp_path: Path) -> None:
    rows = ["a,train,p,", "b,validation,q,", "exchanged,train,q,doubtful"]
    listed = _write_list(tmp_path / "list.csv", scans, "split,patient,status", *rows)
    assert [case.name for case in _chosen(listed, scans)[0].cases] == ["a", "b"]
    with pytest.raises(InputError, match="Patient q is in both validation and train"):
        _chosen(listed, scans, include_doubtful=True)


def test_folds_validate_every_case_once(scans: Path) -> None:
    validated: list[str] = []
    for fold in (1, 2, 3):
        cases, _ = _chosen(scans, scans, folds=3, fold=fold)
        assert sorted(case.name for case in cases.cases) == ["a", "b", "c"]
        validated += [case.name for case in cases.of_split("validation")]
    assert sorted(validated) == ["a", "b", "c"]


def _changes_told(data_set: Path, run: Path) -> list[str]:
    """What a run in ``run`` says of the files of its cases when it begins or goes on."""
    told: list[str] = []
    record_cases(run, prepare_cases(data_set, run / "cache", _SHAPE), told.append)
    return told


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_run_goes_on_with_its_list_as_a_spreadsheet_saves_it(data: Path, tmp_path: Path, separator: str) -> None:
    assert _changes_told(data, tmp_path) == []
    path = tmp_path / "cases.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    assert _changes_told(data, tmp_path) == []
    change_a_voxel(data / "a_mask.nii")
    (text,) = _changes_told(data, tmp_path)
    assert "CT or mask of a changed since the run began" in text


def test_a_changed_mask_of_a_case_that_is_listed_twice_is_told(data: Path, tmp_path: Path) -> None:
    rows = [f"{name},{name}_ct.nii,{name}_mask.nii" for name in "aba"]
    listed = data / "cases.csv"
    listed.write_text("\n".join(["case,ct,mask", *rows]), encoding="utf-8")
    assert [item.name for item in prepare_cases(listed, tmp_path / "cache", _SHAPE).left_out] == ["a"]
    assert _changes_told(listed, tmp_path) == []
    change_a_voxel(data / "a_mask.nii")
    (text,) = _changes_told(listed, tmp_path)
    assert "CT or mask of a changed since the run began" in text
