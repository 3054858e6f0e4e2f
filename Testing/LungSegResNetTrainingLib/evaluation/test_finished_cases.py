"""Results of finished cases: what they depend on, and how their folders are called."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import SimpleITK as sitk
from training_cases import write_case

from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.evaluation.finished_cases import case_key, folder_names

_SMALL = {"spacing": (2.0, 2.0, 5.0), "extent": (402.0, 300.0, 5.0)}


def test_folders_of_cases_deep_in_a_tree_are_told_apart_and_named_alike_among_other_cases(tmp_path: Path) -> None:
    way = "_".join(["x" * 70] * 4)
    cases = [Case(name, Path("ct"), Path("mask"), "train", name) for name in (f"{way}_a", f"{way}_b", "c")]
    names = folder_names(cases)
    for name in names:
        (tmp_path / name).mkdir()
    assert names == [*folder_names(cases[:1]), *folder_names(cases[1:2]), "c"]


def test_no_case_gets_a_folder_that_windows_cannot_make() -> None:
    cases = [Case(name, Path("ct"), Path("mask"), "train", name) for name in ("con", "COM1.a", "nul", "console")]
    assert folder_names(cases) == ["case_con", "case_COM1.a", "case_nul", "console"]


def test_voxels_that_lie_beside_a_header_belong_to_the_case(tmp_path: Path) -> None:
    case = write_case(tmp_path, "thorax", **_SMALL)  # type: ignore[arg-type]
    ct, mask = tmp_path / "ct.mhd", tmp_path / "mask.nhdr"
    for path, source in ((ct, case.ct), (mask, case.mask)):
        sitk.WriteImage(sitk.ReadImage(str(source)), str(path))
    keys = [case_key(dataclasses.replace(case, ct=ct, mask=mask), ())]
    for voxels in (ct.with_suffix(".raw"), mask.with_suffix(".raw")):
        content = bytearray(voxels.read_bytes())
        content[0] ^= 1
        voxels.write_bytes(content)
        keys.append(case_key(dataclasses.replace(case, ct=ct, mask=mask), ()))
    assert len(set(keys)) == 3


def test_a_result_of_other_code_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("a", tmp_path / "ct", tmp_path / "mask", "validation", "a")
    before = case_key(case, ("network",))
    assert case_key(case, ("network",)) == before
    monkeypatch.setattr("LungSegResNetTrainingLib.evaluation.finished_cases.own_code_digest", lambda: "of other code")
    assert case_key(case, ("network",)) != before


def test_a_result_of_an_accepted_case_is_not_kept_for_one_that_is_no_longer_accepted(tmp_path: Path) -> None:
    case = write_case(tmp_path, **_SMALL)  # type: ignore[arg-type]
    accepted = [case_key(dataclasses.replace(case, accepted=who), ()) for who in ("R.", "Dr. R.")]
    assert len(set(accepted)) == 1
    assert case_key(case, ()) not in accepted
