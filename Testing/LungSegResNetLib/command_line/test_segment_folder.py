"""``lungsegresnet segment-folder`` run again: with other scans, other settings, other files in its way."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from archives import killer, write_archive
from dicom_files import write_localizer, write_referring_object, write_screenshot, write_series
from synthetic_thorax import Thorax

from LungSegResNetLib.command_line.main import main
from LungSegResNetLib.network.model_file import load_model, save_model

ONE = ["--processes", "1"]


@pytest.fixture(autouse=True)
def with_quick_network(monkeypatch: pytest.MonkeyPatch, quick_network: Path) -> None:
    """What becomes of files does not depend on the network; with the shipped one test_command_line.py segments."""
    monkeypatch.setitem(globals(), "ONE", [*ONE, "--model", str(quick_network)])


def table(output: Path) -> dict[str, dict[str, str]]:
    with (output / "results.csv").open(encoding="utf-8") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def segment_folder(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and rows of a run in this process."""
    capsys.readouterr()
    code = main(["segment-folder", *ONE, *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def write_other_scan(path: Path) -> None:
    image, _ = Thorax().scan((4.0, 4.0, 15.0), (400.0, 300.0, 120.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_result_of_another_patient_s_scan_of_the_same_name_is_neither_taken_nor_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, out = write_archive(tmp_path / "A", "a"), tmp_path / "out"
    write_other_scan(tmp_path / "B" / "a.nii.gz")
    assert segment_folder(capsys, first, out)[0] == 0
    before = contents(out)

    code, (row,) = segment_folder(capsys, tmp_path / "B", out)
    assert (code, row["status"]) == (7, "failed")
    assert "another scan" in row["error"]
    assert "choose another folder for the results" in row["error"]
    assert contents(out) == before
    code, (row,) = segment_folder(capsys, tmp_path / "B", out, "--format", "nii.gz")
    assert (code, row["status"]) == (7, "failed")
    assert contents(out) == before

    code, (row,) = segment_folder(capsys, tmp_path / "B", out, "--overwrite")
    assert (code, row["status"], row["slices"]) == (0, "done", 8)
    assert table(out)["a"]["slices"] == "8"
    assert segment_folder(capsys, tmp_path / "B", out)[1][0]["status"] == "already done"


def test_results_of_another_smoothing_or_network_are_neither_taken_nor_replaced(
    tmp_path: Path, quick_network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, out = write_archive(tmp_path / "in", "a"), tmp_path / "out"
    card, weights = load_model(quick_network)
    save_model(tmp_path / "other.safetensors", weights, replace(card, name="other"))
    same = shutil.copy(quick_network, tmp_path / "same.safetensors")
    assert segment_folder(capsys, archive, out)[0] == 0
    before = contents(out)
    for options, part in (
        (["--smoothing", "15"], "with a smoothing of 0 mm"),
        (["--model", tmp_path / "other.safetensors"], "another network"),
    ):
        code, (row,) = segment_folder(capsys, archive, out, *options)
        assert (code, row["status"]) == (7, "failed")
        assert part in row["error"]
    assert contents(out) == before
    assert segment_folder(capsys, archive, out, "--model", same)[1][0]["status"] == "already done"


def test_both_lungs_as_one_segment_are_one_label_with_both_volumes_and_another_result_than_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, one, two = write_archive(tmp_path / "in", "a"), tmp_path / "one", tmp_path / "two"
    assert segment_folder(capsys, archive, two)[0] == 0
    wanted = sitk.GetArrayFromImage(sitk.ReadImage(str(two / "a.seg.nrrd"))) > 0
    for ending in ("seg.nrrd", "nii.gz"):
        code, (row,) = segment_folder(capsys, archive, one, "--one-segment", "--format", ending)
        assert (code, row["status"]) == (0, "done")
        written = sitk.ReadImage(str(one / f"a.{ending}"))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(written), wanted)
    segmentation = sitk.ReadImage(str(one / "a.seg.nrrd"))
    assert segmentation.GetMetaData("Segment0_Name") == "lungs"
    assert not segmentation.HasMetaDataKey("Segment1_Name")
    volumes = [{key: value for key, value in table(out)["a"].items() if "volume_ml" in key} for out in (one, two)]
    assert len(volumes[0]) == 3
    assert volumes[0] == volumes[1]
    assert segment_folder(capsys, archive, one, "--one-segment")[1][0]["status"] == "already done"
    assert "was made as one segment" in segment_folder(capsys, archive, one)[1][0]["error"]
    assert "was made as two segments" in segment_folder(capsys, archive, two, "--one-segment")[1][0]["error"]


def test_a_run_goes_on_after_its_scans_were_moved_and_not_after_they_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, out = write_archive(tmp_path / "in", "a"), tmp_path / "out"
    assert segment_folder(capsys, archive, out)[0] == 0
    shutil.copytree(archive, tmp_path / "copied")
    archive.rename(tmp_path / "moved")
    for folder in ("moved", "copied"):
        (row,) = segment_folder(capsys, tmp_path / folder, out)[1]
        assert row["status"] == "already done"
        assert row["input"] == table(out)["a"]["input"] == str(tmp_path / folder / "a.nii.gz")
    out.rename(tmp_path / "results")
    out = tmp_path / "results"
    assert segment_folder(capsys, tmp_path / "moved", out)[1][0]["outputs"] == [str(out / "a.seg.nrrd")]
    write_other_scan(tmp_path / "moved" / "a.nii.gz")
    assert "the files of this one changed" in segment_folder(capsys, tmp_path / "moved", out)[1][0]["error"]


def test_a_file_that_takes_another_one_s_name_does_not_get_its_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_other_scan(tmp_path / "in" / "a.nrrd")
    out = tmp_path / "out"
    assert segment_folder(capsys, tmp_path / "in", out)[0] == 0
    shutil.copy(write_archive(tmp_path / "new", "a") / "a.nii.gz", tmp_path / "in")
    code, rows = segment_folder(capsys, tmp_path / "in", out)
    assert code == 7
    assert {row["case"]: row["status"] for row in rows} == {"a": "failed", "a.nrrd": "done"}
    assert table(out)["a"]["slices"] == "8"


def test_both_formats_can_be_made_of_the_same_scans_in_turn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, out = write_archive(tmp_path / "in", "a"), tmp_path / "out"
    for ending in ("seg.nrrd", "nii.gz"):
        for status in ("done", "already done"):
            code, (row,) = segment_folder(capsys, archive, out, "--format", ending)
            assert (code, row["status"]) == (0, status)
    assert row["outputs"] == [str(out / "a.nii.gz"), str(out / "a.seg.nrrd")]
    assert segment_folder(capsys, archive, out, "--format", "seg.nrrd")[1][0]["status"] == "already done"


def test_a_table_of_somebody_else_is_kept_unless_overwriting_is_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, out = write_archive(tmp_path / "in", "a"), tmp_path / "out"
    out.mkdir()
    theirs = "patient,fev1\n1,2.5\n"
    (out / "results.csv").write_text(theirs)
    assert main(["segment-folder", str(archive), str(out), *ONE]) == 4
    assert "results.csv exists already" in capsys.readouterr().err
    assert contents(out) == {"results.csv": theirs.encode()}
    assert main(["segment-folder", str(archive), str(out), *ONE, "--overwrite"]) == 0
    assert list(table(out)) == ["a"]


def test_a_file_that_only_has_the_name_of_a_summary_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, out = write_archive(tmp_path / "in", "a"), tmp_path / "out"
    out.mkdir()
    (out / "a.summary.json").write_text('{"foo": 1}')
    code, (row,) = segment_folder(capsys, archive, out)
    assert (code, row["status"]) == (7, "failed")
    assert "a.summary.json exists already" in row["error"]
    assert (out / "a.summary.json").read_text() == '{"foo": 1}'
    assert table(out)["a"]["status"] == "failed"


def test_a_case_that_fails_is_told_once_and_to_programs_as_json_only(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.nrrd").write_text("this is no image")
    folders = [str(tmp_path / "in"), str(tmp_path / "out")]
    assert main(["segment-folder", *folders, *ONE, "--progress", "json"]) == 7
    events = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [(event["event"], event["status"]) for event in events if event["event"] != "stage"] == [
        ("case", "running"),
        ("case", "failed"),
    ]
    assert main(["segment-folder", *folders, *ONE, "--progress", "none"]) == 7
    assert capfd.readouterr().err.count("a.nrrd cannot be read") == 1


@pytest.mark.skipif(os.name == "nt", reason="names are limited in another way on Windows")
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_name_too_long_for_its_result_costs_no_other_case_and_warnings_name_theirs(
    tmp_path: Path, processes: str, capfd: pytest.CaptureFixture[str]
) -> None:
    archive, out = write_archive(tmp_path / "in", "az"), tmp_path / "out"
    name = "m" * 243
    shutil.copy(archive / "a.nii.gz", archive / f"{name}.nii.gz")
    assert main(["segment-folder", str(archive), str(out), *ONE, "--processes", processes]) == 7
    assert {case: row["status"] for case, row in table(out).items()} == {"a": "done", "z": "done", name: "failed"}
    assert "File name too long" in table(out)[name]["error"]
    warnings = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert {line.split()[1] for line in warnings} >= {"a:", "z:"}
    assert {line.split()[1] for line in warnings} <= {"a:", "z:", f"{name}:"}


def test_a_file_in_the_way_of_a_sub_folder_costs_no_other_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, out = write_archive(tmp_path / "in", "az"), tmp_path / "out"
    (archive / "ward").mkdir()
    shutil.copy(archive / "a.nii.gz", archive / "ward" / "b.nii.gz")
    out.mkdir()
    (out / "ward").write_text("notes about the ward")
    code, rows = segment_folder(capsys, archive, out)
    assert code == 7
    assert {row["case"]: row["status"] for row in rows} == {"a": "done", "ward/b": "failed", "z": "done"}
    assert (out / "ward").read_text() == "notes about the ward"


def test_a_forbidden_sub_folder_costs_no_other_case_and_a_forbidden_folder_ends_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, out = write_archive(tmp_path / "in", "az"), tmp_path / "out"
    for ward in ("closed", "locked"):
        (archive / ward).mkdir()
        shutil.copy(archive / "a.nii.gz", archive / ward / "b.nii.gz")
        (out / ward).mkdir(parents=True)
    (out / "closed").chmod(0o500)
    (out / "locked").chmod(0)
    if os.access(out / "closed", os.W_OK):
        pytest.skip("nothing is forbidden to this user")
    try:
        code, rows = segment_folder(capsys, archive, out)
    finally:
        (out / "closed").chmod(0o700)
        (out / "locked").chmod(0o700)
    assert code == 7
    statuses = {row["case"]: row["status"] for row in rows}
    assert statuses == {"a": "done", "closed/b": "failed", "locked/b": "failed", "z": "done"}
    assert all("no permission" in row["error"] for row in rows if row["status"] == "failed")
    (tmp_path / "other").mkdir(mode=0o500)
    assert main(["segment-folder", str(archive), str(tmp_path / "other"), *ONE]) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="all names are text on this system")
def test_a_name_that_is_no_text_fails_its_case_in_a_sentence_and_costs_no_other(tmp_path: Path) -> None:
    archive, out = write_archive(tmp_path / "in", "az"), tmp_path / "out"
    shutil.copy(archive / "a.nii.gz", archive / os.fsdecode(b"k\xf6ln.nii.gz"))
    (archive / "ward").mkdir()
    (archive / "ward" / os.fsdecode(b"\xf6.dcm")).write_bytes(bytes(128) + b"DICM")
    # In a process of its own, because SimpleITK ends it.
    run = subprocess.run(
        [sys.executable, "-m", "LungSegResNetLib.command_line.main", "segment-folder", archive, out, *ONE],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 7
    assert "2 segmented, 0 already done, 2 failed" in run.stdout
    assert run.stderr.count("rename it") == 2
    statuses = {case: row["status"] for case, row in table(out).items()}
    assert statuses == {"a": "done", "z": "done", "ward": "failed", r"k\udcf6ln": "failed"}


def test_a_case_that_ends_the_whole_run_is_done_last_in_the_next_and_its_ends_are_counted(tmp_path: Path) -> None:
    archive, out = write_archive(tmp_path / "in", "ab"), tmp_path / "out"
    command = [sys.executable, "-m", "LungSegResNetLib.command_line.main", "segment-folder", archive, out, *ONE]
    with killer(out, {"a": 2}):
        codes = [subprocess.run(command, capture_output=True).returncode for _ in range(2)]
    assert 0 not in codes
    assert {case: row["status"] for case, row in table(out).items()} == {"b": "done"}
    assert json.loads((out / "a.summary.json").read_text())["starts"] == 2


def test_of_two_reconstructions_of_a_scan_one_is_taken_and_the_other_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = sitk.ReadImage(str(write_archive(tmp_path / "one", "a") / "a.nii.gz"))
    for number, (name, kernel) in enumerate({"lung": "B70f", "soft": "B30f"}.items()):
        tags = {"SeriesDescription": name, "SeriesNumber": number, "ConvolutionKernel": kernel}
        write_series(tmp_path / "in" / "patient", image, prefix=name, **tags)
    code, (row,) = segment_folder(capsys, tmp_path / "in", tmp_path / "out")
    assert (code, row["status"], row["slices"]) == (0, "done", image.GetDepth())
    (warning,) = [text for text in row["warnings"] if "left aside" in text]
    assert "'soft'" in warning.split("was taken")[0]
    assert "'lung'" in warning.split("was taken")[1]
    assert table(tmp_path / "out")["patient"]["warnings"].count(warning) == 1


def test_the_end_of_a_run_tells_that_a_folder_had_the_scans_of_several_patients(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = sitk.ReadImage(str(write_archive(tmp_path / "one", "a") / "a.nii.gz"))
    for number, patient in enumerate(("p1", "p2", "p3")):
        write_series(tmp_path / "in" / "export", image, prefix=patient, PatientID=patient, SeriesNumber=number)
        write_series(tmp_path / "in" / patient, image, PatientID=patient)
    command = ["segment-folder", str(tmp_path / "in"), str(tmp_path / "out"), *ONE]
    for told in ("4 segmented, 0 already done", "0 segmented, 4 already done"):
        assert main(command) == 0
        ending = "1 folder with series left aside (1 with another patient or study); see the warnings; see "
        assert f"{told}, 0 failed; {ending}" in capsys.readouterr().out


def test_a_loose_file_beside_the_folder_of_a_series_is_a_case_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = sitk.ReadImage(str(write_archive(tmp_path / "one", "a") / "a.nii.gz"))
    patient = tmp_path / "in" / "pat1"
    middle = image.GetDepth() // 2
    write_series(patient, image[:, :, middle : middle + 1], prefix="loose")
    write_series(patient / "ax", image)
    _, rows = segment_folder(capsys, tmp_path / "in", tmp_path / "out")
    assert {row["case"]: row.get("slices", row.get("error")) for row in rows} == {
        "pat1": 1,
        "pat1/ax": image.GetDepth(),
    }


def write_pacs_export(study: Path) -> list[Path]:
    """A CT as an archive exports it: each series of its study in a folder of its own; returns the slices."""
    image = sitk.ReadImage(str(write_archive(study.parent / ".one", "a") / "a.nii.gz"))
    slices = write_series(study / "SE2", image)
    write_localizer(study / "SE1", image)
    write_screenshot(study / "SE3")
    write_referring_object(study / "SE4" / "IM1.dcm", "SR", slices)
    write_referring_object(study / "SE5" / "IM1.dcm", "PR", slices)
    return slices


def test_series_of_a_study_that_are_no_ct_are_no_failures_and_not_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, out = tmp_path / "in", tmp_path / "out"
    slices = write_pacs_export(archive)
    others = ["SE1", "SE3", "SE4", "SE5"]
    code, rows = segment_folder(capsys, archive, out)
    statuses = {row["case"]: row["status"] for row in rows}
    assert (code, statuses) == (0, {"SE2": "done"} | dict.fromkeys(others, "no CT"))
    assert "only CT (localizer)" in table(out)["SE1"]["error"]
    assert [name for name, row in table(out).items() if row["status"] == "no CT"] == others

    written = {name: (out / f"{name}.summary.json").stat().st_mtime_ns for name in others}
    capsys.readouterr()
    assert main(["segment-folder", str(archive), str(out), *ONE]) == 0
    assert "0 segmented, 1 already done, 0 failed, 4 without CT" in capsys.readouterr().out
    assert {name: (out / f"{name}.summary.json").stat().st_mtime_ns for name in others} == written

    for number, file in enumerate(slices):  # more was exported meanwhile
        shutil.copy(file, archive / "SE5" / f"CT{number}.dcm")
    (archive / "broken.nii.gz").write_text("nothing of this kind")
    code, rows = segment_folder(capsys, archive, out)
    assert code == 7
    statuses = {row["case"]: row["status"] for row in rows}
    assert (statuses["SE5"], statuses["SE1"], statuses["broken"]) == ("done", "no CT", "failed")


def test_a_folder_without_ct_ends_segment_with_its_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pacs_export(tmp_path / "in")
    for name, sentence in (("SE1", "There is no CT series in"), ("SE5", "There is no DICOM image in")):
        assert main(["segment", str(tmp_path / "in" / name), str(tmp_path / "lungs.nii.gz")]) == 3
        assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("beside", ["nothing", "scout"])
def test_a_ct_of_which_nothing_can_be_opened_is_a_failure(
    beside: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = sitk.ReadImage(str(write_archive(tmp_path / "one", "a") / "a.nii.gz"))
    for file in write_series(tmp_path / "in" / "ct", image):
        file.write_bytes(file.read_bytes()[:1000])
    if beside == "scout":
        write_localizer(tmp_path / "in" / "ct", image)
    code, (row,) = segment_folder(capsys, tmp_path / "in", tmp_path / "out")
    assert (code, row["status"]) == (7, "failed")
    assert "damaged" in row["error"]


def test_a_series_that_lies_in_two_folders_is_told_of_in_both_rows(
    tmp_path: Path, quick_network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = Thorax().scan((4.0, 4.0, 20.0))[0]
    archive, out = tmp_path / "in", tmp_path / "out"
    (archive / "B").mkdir(parents=True)
    files = write_series(archive / "A", image)
    for file in files[len(files) // 2 :]:
        file.rename(archive / "B" / file.name)
    code, rows = segment_folder(capsys, archive, out)
    assert (code, [row["status"] for row in rows]) == (0, ["done", "done"])
    for row, other in zip(rows, "BA", strict=True):
        assert row["warnings"][0].startswith(f"The series of this folder continues in {archive / other}; ")
        assert row["warnings"][0] in table(out)[row["case"]]["warnings"]
    options = ["--model", str(quick_network), "--json"]
    assert main(["segment", str(archive), str(tmp_path / "lungs.nii.gz"), *options]) == 0
    assert json.loads(capsys.readouterr().out)["slices"] == image.GetDepth()
