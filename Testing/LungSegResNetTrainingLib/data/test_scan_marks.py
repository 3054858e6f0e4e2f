"""A scan that a network was trained on is recognised by its CT or patient, and by its name where a CT is not known."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import dicom_files
import pytest
import SimpleITK as sitk
from synthetic_thorax import Thorax
from training_cases import write_case

from LungSegResNetLib.digests import file_digest
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.data.ct_digests import CtDigests
from LungSegResNetTrainingLib.data.scan_marks import ScanMark, ScanMarks, ScanSet
from LungSegResNetTrainingLib.training.run_cases import prepare_cases


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A case whose patient is named."""
    return replace(write_case(tmp_path / "data", "scan1", (6.0, 6.0, 40.0)), patient="p1")


def _stranger(case: Case) -> Case:
    """A case of another patient's scan that has the same name."""
    folder = case.ct.parent.with_name("strangers")
    other = write_case(folder, case.name, (6.0, 6.0, 40.0), thorax=Thorax(noise=3.0))
    return replace(other, patient="p2")


def test_a_ct_is_recognised_under_another_name_and_another_mans_scan_is_not(case: Case) -> None:
    record = ScanSet(frozenset({ScanMarks().of(case)}))
    moved = shutil.copy(case.ct, case.ct.with_name("renamed.nii"))
    nobody = replace(case, name="other", ct=Path(moved), patient="other", patient_is_named=False)
    assert record.holds(ScanMarks().of(nobody))
    assert not record.holds(ScanMarks().of(_stranger(case)))


def test_another_scan_of_a_named_patient_is_recognised_and_of_nobody_not(case: Case) -> None:
    record = ScanSet(frozenset({ScanMarks().of(case)}))
    other = replace(_stranger(case), name="other", patient="p1")
    assert record.holds(ScanMarks().of(other))
    assert not record.holds(ScanMarks().of(replace(other, patient_is_named=False)))


@pytest.mark.parametrize("known", ["record", "scan"])
def test_the_name_decides_where_one_ct_is_not_known(case: Case, known: str) -> None:
    gone = replace(case, ct=case.ct.with_name("gone.nii"), patient_is_named=False)
    here = replace(case, patient_is_named=False)
    trained, judged = (here, gone) if known == "record" else (gone, here)
    record = ScanSet(frozenset({ScanMarks().of(trained)}))
    assert record.holds(ScanMarks().of(judged))
    assert not record.holds(ScanMarks().of(replace(judged, name="other")))


def test_a_ct_that_was_compressed_is_recognised_by_its_name_where_no_patient_differs(case: Case) -> None:
    sitk.WriteImage(sitk.ReadImage(str(case.ct)), str(case.ct.with_suffix(".nii.gz")))
    nobody = replace(case, patient_is_named=False)
    compressed = replace(nobody, ct=case.ct.with_suffix(".nii.gz"))
    record = ScanSet(frozenset({ScanMarks().of(nobody)}))
    assert record.holds(ScanMarks().of(compressed))
    assert record.holds_scan(ScanMarks().of(compressed))
    assert not record.holds(ScanMarks().of(replace(compressed, name="other")))
    of_p1, other_of_p1 = (replace(one, patient="p1", patient_is_named=True) for one in (nobody, compressed))
    assert ScanSet(frozenset({ScanMarks().of(of_p1)})).holds_scan(ScanMarks().of(other_of_p1))
    # A patient of its own makes it another scan, and a mean of networks is refused only for what is sure.
    assert not record.holds(ScanMarks().of(replace(compressed, patient="p2", patient_is_named=True)))
    assert ScanSet(frozenset({ScanMarks().of(compressed)})).shared_with(record) == ScanSet()
    assert record.shared_with(record) == record


def test_the_slices_of_a_dicom_folder_count_and_not_what_lies_beside_them(tmp_path: Path) -> None:
    image, _ = Thorax().scan((20.0, 20.0, 80.0))
    dicom_files.write_series(tmp_path / "ct", image)
    case = Case("a", tmp_path / "ct", tmp_path / "mask.nii", "train", "a", patient_is_named=False)
    before = ScanMarks().of(case).ct
    (tmp_path / "ct" / "lungs.mat").write_bytes(b"corrected by hand")
    dicom_files.write_screenshot(tmp_path / "ct")
    (tmp_path / "ct").rename(tmp_path / "moved")
    assert ScanMarks().of(replace(case, ct=tmp_path / "moved")).ct == before != ""
    next((tmp_path / "moved").glob("IM*.dcm")).unlink()
    assert ScanMarks().of(replace(case, ct=tmp_path / "moved")).ct != before


def test_a_record_is_small_names_no_patient_and_comes_back_as_it_was(case: Case) -> None:
    record = ScanSet(
        frozenset({ScanMarks().of(replace(case, name=f"case{n}", patient="Miller^Jane")) for n in range(88)})
    )
    text = json.dumps(record.as_json())
    assert len(text) < 6000
    assert "Miller" not in text
    assert ScanSet.from_json(json.loads(text)) == record


def test_the_files_of_a_scan_are_read_once_and_again_when_one_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return file_digest(path)

    monkeypatch.setattr("LungSegResNetTrainingLib.data.ct_digests.file_digest", counted)
    image, _ = Thorax().scan((20.0, 20.0, 80.0))
    files = dicom_files.write_series(tmp_path / "ct", image)
    case = Case("a", tmp_path / "ct", tmp_path / "mask.nii", "train", "a")
    digests = CtDigests()
    marks = [ScanMarks(digests).of(case) for _ in range(3)]
    assert len(read) == len(files)
    files[0].write_bytes(files[0].read_bytes() + b"\0\0")
    assert ScanMarks(digests).of(case) != marks[0]


def test_a_command_looks_for_the_files_of_a_scan_once(case: Case) -> None:
    marks = ScanMarks()
    before = marks.of(case)
    assert before.ct
    case.ct.unlink()
    assert marks.of(case) == before
    assert marks.of(case, with_ct=False).ct == ScanMarks().of(case).ct == ""


def test_a_process_that_finds_cached_cases_reads_only_cts_that_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [
        write_case(tmp_path / "data", name, (6.0, 6.0, 20.0), thorax=Thorax(noise=n)) for n, name in enumerate("ab", 5)
    ]
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return file_digest(path)

    def marks() -> dict[str, ScanMark]:
        read.clear()
        return prepare_cases(tmp_path / "data", tmp_path / "cache", (48, 64)).marks

    monkeypatch.setattr("LungSegResNetTrainingLib.data.ct_digests.file_digest", counted)
    first = marks()
    assert read == [case.ct for case in cases]
    assert marks() == first
    assert read == []
    (tmp_path / "cache" / "digests.json").write_text("{")
    assert marks() == first
    shutil.copy(cases[0].ct, cases[1].ct)
    assert marks()["b"].ct == first["a"].ct
    assert read == [cases[1].ct]


def test_a_cache_keeps_digests_of_its_own_cases_and_of_no_others(tmp_path: Path) -> None:
    for number, name in enumerate("ab", 5):
        write_case(tmp_path / name / "data", name, (6.0, 6.0, 20.0), thorax=Thorax(noise=number))
        prepare_cases(tmp_path / name / "data", tmp_path / name / "cache", (48, 64))
        assert len(json.loads((tmp_path / name / "cache" / "digests.json").read_text(encoding="utf-8"))) == 1
