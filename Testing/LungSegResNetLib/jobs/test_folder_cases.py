"""Which files below a folder are scans."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from dicom_files import write_series
from synthetic_thorax import Thorax

from LungSegResNetLib.errors import InputError, UsageError
from LungSegResNetLib.jobs import folder_cases
from LungSegResNetLib.jobs.folder_cases import find_cases


def test_dicom_files_are_known_by_their_mark_whatever_they_are_called(tmp_path: Path) -> None:
    image = Thorax().scan((8.0, 8.0, 60.0))[0]
    names = {"uid": "1.2.840.113619.{}", "siemens": "CT.{}.IMA", "plain": "IM{}"}
    for patient, name in names.items():
        for number, file in enumerate(write_series(tmp_path / "in" / patient, image)):
            file.rename(file.with_name(name.format(number)))
    mark = bytes(128) + b"DICM"
    (tmp_path / "in" / "DICOMDIR").write_bytes(mark)
    (tmp_path / "in" / "readme.txt").write_text("a CD")
    (tmp_path / "in" / "b.nii.gz").touch()
    (tmp_path / "in" / "._b.nii.gz").touch()
    cases = find_cases(tmp_path / "in", tmp_path / "out")
    assert sorted(case.name for case in cases) == ["b", "plain", "siemens", "uid"]
    assert {case.path for case in cases if case.name != "b"} == {tmp_path / "in" / name for name in names}


def test_results_are_no_scans(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "a.nii.gz").touch()
    (tmp_path / "out" / "a.nii.gz").touch()
    assert [case.path for case in find_cases(tmp_path, tmp_path / "out")] == [tmp_path / "a.nii.gz"]


def test_scans_in_the_folder_for_results_are_told(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for path in (tmp_path / "a.nii.gz", out / "b.nii.gz", out / "c.nii.gz", out / "d.nrrd"):
        path.touch()
    write_summary(out / "b.summary.json", "done", ["b.nii.gz"])
    write_summary(out / "d.summary.json", "started", [])
    warnings: list[str] = []
    assert [case.name for case in find_cases(tmp_path, out, warnings.append)] == ["a"]
    (text,) = warnings
    assert f"The folder for results holds 1 scan ({out / 'c.nii.gz'})" in text


def test_masks_of_an_earlier_run_are_no_scans(tmp_path: Path) -> None:
    (tmp_path / "earlier").mkdir()
    for path in (tmp_path / "a.nii.gz", tmp_path / "earlier" / "a.nii.gz", tmp_path / "earlier" / "b.nii.gz"):
        path.touch()
    write_summary(tmp_path / "earlier" / "a.summary.json", "done", ["a.nii.gz"])
    (tmp_path / "earlier" / "b.summary.json").write_text('{"status": "of another program", "outputs": 1}')
    assert [case.name for case in find_cases(tmp_path, tmp_path / "out")] == ["a", "earlier/b"]


def write_summary(path: Path, status: str, outputs: list[str]) -> None:
    row = {"status": status, "outputs": [str(path.with_name(name)) for name in outputs]}
    path.write_text(json.dumps(row), encoding="utf-8")


def test_a_file_is_neither_a_folder_of_scans_nor_one_for_results(tmp_path: Path) -> None:
    scan = tmp_path / "in" / "a.nii.gz"
    scan.parent.mkdir()
    scan.touch()
    with pytest.raises(InputError, match=r"a\.nii\.gz is a file; give the folder of the scans, or take 'segment'"):
        find_cases(scan, tmp_path / "out")
    with pytest.raises(UsageError, match=r"The folder for results, .*a\.nii\.gz, is a file"):
        find_cases(scan.parent, scan)


@pytest.mark.parametrize("output", ["in", "."])
def test_an_output_folder_that_holds_the_scans_is_refused(output: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.nii.gz").touch()
    with pytest.raises(UsageError, match="holds the scans"):
        find_cases(tmp_path / "in", tmp_path / output)


@pytest.mark.parametrize(
    "name", ["lungs.seg.nrrd", ".Trash/b.nii.gz", ".snapshot/deep/b.nii.gz", "$RECYCLE.BIN/S-1-5-21/$RQ1.nrrd"]
)
def test_segmentations_and_what_is_hidden_are_no_scans(name: str, tmp_path: Path) -> None:
    for path in ("a.nii.gz", name):
        (tmp_path / "in" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / path).touch()
    assert [case.name for case in find_cases(tmp_path / "in", tmp_path / "out")] == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="links are forbidden to most users")
def test_an_output_folder_that_is_a_link_in_a_circle_does_not_stop_the_search(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").touch()
    (tmp_path / "out").symlink_to(tmp_path / "out")
    assert [case.name for case in find_cases(tmp_path, tmp_path / "out")] == ["a"]


def test_a_path_that_the_system_refuses_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        find_cases(tmp_path / ("x" * 300), tmp_path / "out")


def test_a_folder_without_a_scan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="no CT"):
        find_cases(tmp_path / "in", tmp_path / "out")


def test_scans_in_pairs_of_files_that_cannot_be_read_are_counted_in_one_warning(tmp_path: Path) -> None:
    (tmp_path / "in" / "ward").mkdir(parents=True)
    headers = ("b.hdr", "ward/C.HDR", "ward/d.hdr", "ward/e.hdr.gz")
    pairs = (*headers, "b.img", "ward/c.img", "ward/d.img.gz", "ward/e.img.gz")
    for name in (*pairs, "alone.hdr", "ward/alone.img", "f.nhdr", "f.img", "out.mhd", "out.raw"):
        (tmp_path / "in" / name).touch()
    warnings: list[str] = []
    assert names(tmp_path / "in", warnings) == ["f", "out"]
    (text,) = warnings
    first = tmp_path / "in" / "b.hdr"
    assert text.startswith(f"Left out: 4 pairs of files .hdr and .img (the first is {first}), which cannot be read")
    (tmp_path / "pairs").mkdir()
    for name in ("a.hdr", "a.img"):
        (tmp_path / "pairs" / name).touch()
    with pytest.raises(InputError, match="no CT"):
        names(tmp_path / "pairs", warnings)
    assert "Left out: 1 pair of files" in warnings[1]


def link(place: Path, target: Path) -> None:
    try:
        place.symlink_to(target, target_is_directory=True)
    except OSError:
        pytest.skip("links are forbidden to this user")


def names(folder: Path, warnings: list[str] | None = None) -> list[str]:
    warn = (lambda text: None) if warnings is None else warnings.append
    return [case.name for case in find_cases(folder, folder.parent / "out", warn)]


def test_a_linked_folder_is_searched_once_under_the_name_of_the_place_where_it_lies(tmp_path: Path) -> None:
    for folder in ("in/b", "elsewhere/deep"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "scan.nii.gz").touch()
    link(tmp_path / "in" / "a", tmp_path / "in" / "b")
    link(tmp_path / "in" / "c", tmp_path / "elsewhere")
    link(tmp_path / "elsewhere" / "deep" / "circle", tmp_path / "elsewhere")
    link(tmp_path / "in" / "itself", tmp_path / "in" / "itself")
    warnings: list[str] = []
    assert names(tmp_path / "in", warnings) == ["b/scan", "c/deep/scan"]
    assert warnings == []


def test_a_link_to_a_folder_around_the_scans_is_left_out_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for path in (tmp_path / "other.nii.gz", tmp_path / "in" / "a.nii.gz"):
        path.touch()
    link(tmp_path / "in" / "up", tmp_path)
    warnings: list[str] = []
    assert names(tmp_path / "in", warnings) == ["a"]
    (warning,) = warnings
    assert str(tmp_path / "in" / "up") in warning


def test_a_folder_that_cannot_be_opened_is_left_out_with_a_warning(tmp_path: Path) -> None:
    closed = tmp_path / "in" / "closed"
    closed.mkdir(parents=True)
    (tmp_path / "in" / "a.nii.gz").touch()
    closed.chmod(0)
    try:
        if os.access(closed, os.R_OK):
            pytest.skip("nothing is forbidden to this user")
        warnings: list[str] = []
        assert names(tmp_path / "in", warnings) == ["a"]
    finally:
        closed.chmod(0o700)
    (warning,) = warnings
    assert str(closed) in warning


def test_no_case_takes_the_name_of_another(tmp_path: Path) -> None:
    mark = bytes(128) + b"DICM"
    for path in ("in/in.nii.gz", "in/in/0.dcm", "in/z.dcm", "in/b.mha", "in/b.nii", "in/b.nrrd"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(mark if path.endswith("dcm") else b"")
    cases = find_cases(tmp_path / "in", tmp_path / "out")
    assert {case.name: case.scan for case in cases} == {
        "in": ".",
        "in_2": "in",
        "in.nii.gz": "in.nii.gz",
        "b": "b.mha",
        "b.nii": "b.nii",
        "b.nrrd": "b.nrrd",
    }


def test_a_case_is_known_by_its_files_wherever_its_folder_lies(tmp_path: Path) -> None:
    def digests() -> dict[str, str]:
        return {case.scan: case.files for case in find_cases(tmp_path / "in", tmp_path / "out")}

    write_series(tmp_path / "in" / "ward", Thorax().scan((8.0, 8.0, 60.0))[0])
    for name in ("a.nii.gz", "b.mhd", "b.raw"):
        (tmp_path / "in" / name).write_bytes(b"some voxels")
    (tmp_path / "in" / "ward" / "notes.txt").write_text("no part of the scan")
    before = digests()
    (tmp_path / "in").rename(tmp_path / "moved")
    shutil.copytree(tmp_path / "moved", tmp_path / "in")
    (tmp_path / "in" / "ward" / "notes.txt").write_text("other notes")
    assert digests() == before

    (tmp_path / "in" / "ward" / "IM0002.dcm").unlink()
    (tmp_path / "in" / "b.raw").write_bytes(b"other voxels")
    changed = (tmp_path / "in" / "a.nii.gz").stat().st_mtime + 60
    os.utime(tmp_path / "in" / "a.nii.gz", (changed, changed))
    after = digests()
    assert [scan for scan in before if before[scan] == after[scan]] == []


@pytest.mark.parametrize("kept_ns", [1_700_000_001_234_567_800, 1_700_000_000_000_000_000, 1_700_003_601_234_567_891])
def test_a_case_is_the_same_on_a_disk_that_keeps_times_less_exactly_or_in_local_time(
    kept_ns: int, tmp_path: Path
) -> None:
    file = tmp_path / "a.nii.gz"
    file.touch()
    digests = set()
    for time_ns in (1_700_000_001_234_567_891, kept_ns):
        os.utime(file, ns=(time_ns, time_ns))
        digests |= {case.files for case in find_cases(tmp_path, tmp_path / "out")}
    assert len(digests) == 1


def test_names_of_cases_differ_by_more_than_capital_letters(tmp_path: Path) -> None:
    for name in ("Scan.nii", "scan.nrrd", "SCAN.mha"):
        (tmp_path / name).touch()
    found = [case.name for case in find_cases(tmp_path, tmp_path / "out")]
    assert len({name.casefold() for name in found}) == 3


def test_slices_in_the_root_of_a_disk_get_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(tmp_path.anchor)
    monkeypatch.setattr(folder_cases, "files_of_folders", lambda *_, **__: [[root / "IM0001.dcm"]])
    assert [case.name for case in find_cases(root, tmp_path / "out")] == ["scan"]


def test_the_output_folder_is_known_whatever_its_letters_where_capitals_make_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("in", "in/Results"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.nii.gz").touch()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert [case.name for case in find_cases(tmp_path / "in", tmp_path / "IN" / "results")] == ["a"]
    with pytest.raises(UsageError, match="holds the scans"):
        find_cases(tmp_path / "in", tmp_path / "IN")


@pytest.mark.skipif(sys.platform != "linux", reason="all names are text on this system")
def test_a_name_that_is_no_text_is_a_problem_of_its_case_only(tmp_path: Path) -> None:
    for name in (b"a.nii.gz", b"k\xf6ln.nii.gz"):
        (tmp_path / os.fsdecode(name)).touch()
    cases = find_cases(tmp_path, tmp_path / "out")
    assert [("rename it" in case.problem) for case in cases] == [False, True]
