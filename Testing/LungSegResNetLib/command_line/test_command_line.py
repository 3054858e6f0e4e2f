"""``lungsegresnet`` as a user runs it: files in, files out, one sentence and an exit code when something is wrong."""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from dicom_files import write_series
from overlap import dice
from refusals import refused_options
from synthetic_thorax import Thorax

from LungSegResNetLib.command_line.main import main
from LungSegResNetLib.command_line.program import Program
from LungSegResNetLib.figures.overlay import write_overlay
from LungSegResNetLib.files.mask_reading import read_lungs, read_mask_file
from LungSegResNetLib.files.reading import read_ct
from LungSegResNetLib.network.model_file import default_model_path
from LungSegResNetLib.process_exit import stop_on_signals

COMMAND = [sys.executable, "-m", "LungSegResNetLib.command_line.main"]


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom CT of 8 slices with its truth beside it."""
    folder = tmp_path_factory.mktemp("scan")
    image, truth = Thorax().scan((2.5, 2.5, 15.0), (400.0, 300.0, 120.0))
    sitk.WriteImage(image, str(folder / "ct.nii.gz"))
    sitk.WriteImage(truth, str(folder / "truth.nii.gz"))
    return folder / "ct.nii.gz"


@pytest.fixture(scope="module")
def results(scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that a folder as OUTPUT gets."""
    folder = tmp_path_factory.mktemp("results")
    assert main(["segment", str(scan), str(folder)]) == 0
    return folder


def dice_of_files(first: Path, second: Path) -> float:
    return dice(*(sitk.GetArrayFromImage(read_mask_file(path).labels) > 0 for path in (first, second)))


def test_a_folder_gets_masks_measurements_and_a_picture(scan: Path, results: Path) -> None:
    names = {"lungs.seg.nrrd", "lungs.nii.gz", "measurements.csv", "measurements.json", "overlay.png"}
    assert {path.name for path in results.iterdir()} == names
    for name in ("lungs.seg.nrrd", "lungs.nii.gz"):
        assert dice_of_files(results / name, scan.with_name("truth.nii.gz")) > 0.97
    regions = [row["region"] for row in csv.DictReader((results / "measurements.csv").open())]
    assert regions == ["right lung", "left lung", "lungs"]


def test_the_mask_lies_on_the_grid_of_the_ct(scan: Path, results: Path) -> None:
    ct, mask = sitk.ReadImage(str(scan)), sitk.ReadImage(str(results / "lungs.nii.gz"))
    assert mask.GetSize() == ct.GetSize()
    np.testing.assert_allclose(mask.GetOrigin(), ct.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(mask.GetDirection(), ct.GetDirection(), atol=1e-6)
    assert set(np.unique(sitk.GetArrayFromImage(mask))) == {0, 1, 2}


def test_json_gives_one_summary_and_json_progress_one_event_a_line(
    scan: Path, tmp_path: Path, quick_network: Path
) -> None:
    options = ["--json", "--progress", "json", "--measurements", str(tmp_path / "m.json")]
    done = subprocess.run(
        [*COMMAND, "segment", str(scan), str(tmp_path / "lungs.nrrd"), *options, "--model", str(quick_network)],
        capture_output=True,
        text=True,
        check=True,
    )
    summary = json.loads(done.stdout)
    assert summary["slices"] == 8
    assert summary["outputs"] == [str(tmp_path / "lungs.nrrd"), str(tmp_path / "m.json")]
    assert {"read", "network", "post-processing", "total"} <= summary["seconds"].keys()
    assert [row["region"] for row in summary["measurements"]] == ["right lung", "left lung", "lungs"]
    events = [json.loads(line) for line in done.stderr.splitlines()]
    slices = [event["done"] for event in events if event["event"] == "progress"]
    assert slices == sorted(slices)
    assert (slices[0], slices[-1]) == (0, 8)
    assert [event["stage"] for event in events if event["event"] == "stage"] == [
        "read",
        "load network",
        "segment",
        "write",
    ]


def test_smoothing_changes_the_border_and_not_the_volume(
    scan: Path, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["segment", str(scan), str(tmp_path / "lungs.nii.gz"), "--smoothing", "8", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["smoothing_mm"] == 8
    rough, smooth = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "lungs.nii.gz"))) for folder in (results, tmp_path)
    )
    assert (rough != smooth).any()
    np.testing.assert_array_equal(np.bincount(rough.ravel()), np.bincount(smooth.ravel()))


def test_both_lungs_can_be_written_as_one_segment(scan: Path, results: Path, tmp_path: Path) -> None:
    assert main(["segment", str(scan), str(tmp_path / "lungs.seg.nrrd"), "--one-segment"]) == 0
    two, one = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "lungs.seg.nrrd"))) for folder in (results, tmp_path)
    )
    np.testing.assert_array_equal(one, two > 0)


@pytest.mark.parametrize("width", ["-1", "21", "wide"])
def test_a_smoothing_that_makes_no_sense_is_refused(
    scan: Path, tmp_path: Path, width: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["segment", str(scan), str(tmp_path / "lungs.nii.gz"), "--smoothing", width])
    assert stopped.value.code == 2
    assert "must be a number of mm from 0 to 20" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["0", "-2", "x", "1.5"])
def test_a_number_of_slices_that_is_none_is_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["segment", "ct.nrrd", "lungs.nrrd", "--batch-size", size])
    assert stopped.value.code == 2
    assert "must be a whole number of 1 or more" in capsys.readouterr().err


def test_json_names_slices_to_check_as_the_file_counts_them_and_where_they_lie(
    scan: Path, tmp_path: Path, quick_network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upwards = sitk.ReadImage(str(scan))
    sitk.WriteImage(sitk.DICOMOrient(upwards, "RAI"), str(tmp_path / "downwards.nrrd"))
    lists = []
    options = ["--model", str(quick_network), "--json", "--overwrite"]
    for source in (scan, tmp_path / "downwards.nrrd"):
        assert main(["segment", str(source), str(tmp_path / "lungs.nrrd"), *options]) == 0
        lists.append(json.loads(capsys.readouterr().out)["slices_to_check"])
    assert 1 <= len(lists[0]) <= 8
    for one, turned in zip(*lists, strict=True):
        assert one["slice"] + turned["slice"] == 8 + 1
        assert {key: one[key] for key in one if key != "slice"} == {key: turned[key] for key in one if key != "slice"}
        *_, z = upwards.TransformIndexToPhysicalPoint((0, 0, one["slice"] - 1))
        assert one["position"] == f"{'S' if z >= 0 else 'I'} {abs(z):.1f} mm"
        x, y, up = one["point_lps_mm"]
        assert up == pytest.approx(z, abs=0.06)
        index = upwards.TransformPhysicalPointToIndex((x, y, z))
        assert all(0 <= n < size for n, size in zip(index, upwards.GetSize(), strict=True))
        assert "cm²" in one["reason"]
    scores = [one["score"] for one in lists[0]]
    assert scores == sorted(scores, reverse=True)


def test_slices_to_check_are_ranked_inside_of_a_box(
    tmp_path: Path, quick_network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, _truth = Thorax().scan((4.0, 4.0, 12.0), (400.0, 300.0, 240.0))
    sitk.WriteImage(image, str(tmp_path / "ct.nrrd"))
    command = ["segment", str(tmp_path / "ct.nrrd"), str(tmp_path / "lungs.nrrd"), "--json", "--overwrite"]
    command += ["--model", str(quick_network)]

    def listed(*options: str) -> list[int]:
        assert main([*command, *options]) == 0
        return [one["slice"] for one in json.loads(capsys.readouterr().out)["slices_to_check"]]

    first = listed()
    assert len(first) == 8
    later = min(set(range(1, image.GetSize()[2] + 1)) - set(first))
    z = image.TransformIndexToPhysicalPoint((0, 0, later - 1))[2]
    assert listed(f"--check-inside=0,0,0,0,0,0,0,0,0,0,1,{-z}") == [later]
    assert listed(f"--check-inside=1,0,0,5000,0,0,0,0,0,0,1,{-z}") == []


@pytest.mark.parametrize("box", ["", "1,2,3", "1,0,0,0,0,1,0,0,0,0,1,x", "1,0,0,0,0,1,0,0,0,0,1,inf"])
def test_a_box_that_is_none_is_refused(box: str, tmp_path: Path) -> None:
    arguments = ["segment", "ct.nrrd", "lungs.nrrd", f"--check-inside={box}"]
    assert "must be 12 numbers" in refused_options(main, arguments, tmp_path)


def test_results_that_exist_are_kept_unless_overwriting_is_allowed(
    scan: Path, tmp_path: Path, quick_network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "lungs.nii.gz"
    target.write_text("corrected by hand")
    assert main(["segment", str(scan), str(target)]) == 4
    told = capsys.readouterr().err
    assert "exists already" in told
    assert "give --overwrite" in told
    assert main(["segment", str(scan), str(target), "--progress", "json"]) == 4
    assert "overwrite" not in capsys.readouterr().err, "an option that a panel has not"
    assert target.read_text() == "corrected by hand"
    assert main(["segment", str(scan), str(target), "--overwrite", "--model", str(quick_network)]) == 0
    assert sitk.ReadImage(str(target)).GetSize()[2] == 8


def test_measure_agrees_with_the_measurements_of_segment(
    scan: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", str(scan), str(results / "lungs.seg.nrrd"), "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured == json.loads((results / "measurements.json").read_text())


def test_compare_prints_and_writes_the_metrics(
    scan: Path, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = [tmp_path / "metrics.csv", tmp_path / "both.png"]
    arguments = [str(scan), str(scan.with_name("truth.nii.gz")), str(results / "lungs.nii.gz")]
    assert main(["compare", *arguments, "--output", str(written[0]), "--overlay", str(written[1])]) == 0
    assert "Dice" in capsys.readouterr().out
    rows = list(csv.DictReader(written[0].open()))
    assert float(rows[0]["dice"]) == pytest.approx(
        dice_of_files(scan.with_name("truth.nii.gz"), results / "lungs.nii.gz"), abs=1e-5
    )
    assert written[1].stat().st_size > 1000


def test_compare_takes_the_first_mask_for_right(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, half = scan.with_name("truth.nii.gz"), tmp_path / "half.nii.gz"
    lungs = sitk.ReadImage(str(truth))
    lungs[:, : lungs.GetHeight() // 2, :] = 0
    sitk.WriteImage(lungs, str(half))
    arguments = ["compare", str(scan), str(truth), str(half), "--json", "--overlay", str(tmp_path / "both.png")]
    assert main(arguments) == 0
    row = json.loads(capsys.readouterr().out)[0]
    assert row["reference_ml"] > 1.5 * row["prediction_ml"]
    assert (row["false_positive_ratio"], row["sensitivity"] < 0.7) == (0.0, True)
    ct, _ = read_ct(scan)
    (reference, _), (prediction, _) = (read_lungs(path, ct) for path in (truth, half))
    write_overlay(tmp_path / "expected.png", ct, prediction, False, title=ct.source, reference=reference)
    assert (tmp_path / "both.png").read_bytes() == (tmp_path / "expected.png").read_bytes()


def test_measure_and_compare_read_the_series_that_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, truth = Thorax().scan((5.0, 5.0, 15.0), (400.0, 300.0, 120.0))
    for number in (1, 2):
        write_series(tmp_path / "scan", image + 50 * number, prefix=f"S{number}_", SeriesNumber=number)
    mask = str(tmp_path / "mask.nii.gz")
    sitk.WriteImage(truth, mask)
    inside = sitk.GetArrayFromImage(image)[sitk.GetArrayFromImage(truth) > 0].mean()
    for number in (1, 2):
        options = [str(tmp_path / "scan"), mask, "--series", str(number), "--json"]
        assert main(["measure", *options]) == 0
        assert json.loads(capsys.readouterr().out)[2]["mean_hu"] == pytest.approx(inside + 50 * number)
        assert main(["compare", options[0], mask, *options[1:]]) == 0
        capsys.readouterr()


def test_info_describes_the_shipped_network_and_a_ct(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["architecture"] == "HighRes2DNet"
    assert main(["info"]) == 0
    told = capsys.readouterr().out
    for key in ("seen_scans", "training_cases"):
        assert f"{key}: {len(card['training'][key])} (--json lists them)" in told
    parts = ["limits:\n  - consolidation of", "figures:\n  ", "training:\n  ", "settings:\n  "]
    assert sorted(parts, key=told.index) == parts
    assert main(["info", str(scan)]) == 0
    assert "spacing (mm): 2.5, 2.5, 15.0" in capsys.readouterr().out


def test_info_knows_a_network_file_by_an_ending_in_capital_letters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "NET.SAFETENSORS"
    path.write_bytes(default_model_path().read_bytes())
    assert main(["info", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "network"


def test_a_reader_that_has_enough_of_the_output_ends_the_command_without_a_word() -> None:
    process = subprocess.Popen([*COMMAND, "info"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 130


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_disk_behind_the_standard_output_is_no_fault_of_the_program() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, "info"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (4, "lungsegresnet: No space left on device.\n")


@pytest.mark.skipif(os.name == "nt", reason="streams are closed by a POSIX shell")
def test_a_command_whose_streams_are_closed_does_its_work() -> None:
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        line = ["/bin/sh", "-c", f'"$0" "$@" {closed}', *COMMAND, "info"]
        result = subprocess.run(line, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["segment", "", "lungs.nii.gz"],
        ["segment", "ct.nii.gz", ""],
        ["segment-folder", "", "out"],
        ["measure", "", "m"],
    ],
)
def test_an_empty_path_is_not_the_current_folder(arguments: list[str], tmp_path: Path) -> None:
    assert "must not be empty" in refused_options(main, arguments, tmp_path)


def test_the_terminal_is_told_where_slices_to_check_lie(
    scan: Path, tmp_path: Path, quick_network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", str(scan), str(tmp_path / "lungs.nrrd"), "--model", str(quick_network)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("slices to check first:")]
    image = sitk.ReadImage(str(scan))
    places = re.findall(r"(\d+) \(([SI]) (\d+\.\d) mm\)", line)
    assert places
    for number, side, mm in places:
        *_, z = image.TransformIndexToPhysicalPoint((0, 0, int(number) - 1))
        assert (side, float(mm)) == ("S" if z >= 0 else "I", pytest.approx(abs(z), abs=0.06))


@pytest.mark.parametrize(("name", "code"), [("network.safetensors", 5), ("ct.nrrd", 3), ("folder", 3)])
def test_what_a_forbidden_folder_holds_is_told_with_the_exit_code_of_its_kind(
    name: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    try:
        if os.access(closed, os.R_OK):
            pytest.skip("nothing is forbidden to this user")
        assert main(["info", str(closed / name)]) == code
        if code == 3:
            assert main(["segment", str(closed / name), str(tmp_path / "lungs.nrrd")]) == code
            assert main(["measure", str(closed / name), str(closed / name)]) == code
            assert main(["segment-folder", str(closed / name), str(tmp_path / "out")]) == code
    finally:
        closed.chmod(0o700)
    assert all("cannot be read (Permission denied)" in line for line in capsys.readouterr().err.splitlines())


@pytest.mark.parametrize(("ending", "code"), [(".safetensors", 5), (".nrrd", 3), ("", 3)])
def test_a_name_that_is_too_long_is_told_with_the_exit_code_of_its_kind(ending: str, code: int) -> None:
    assert main(["info", "m" * 300 + ending]) == code


def bad_inputs(folder: Path) -> dict[str, tuple[Path, str]]:
    """Name -> path and a part of the sentence it must give."""
    generator = np.random.default_rng(0)

    def image(name: str, array: np.ndarray, vector: bool = False) -> Path:
        path = folder / name
        sitk.WriteImage(sitk.GetImageFromArray(array, isVector=vector), str(path))
        return path

    empty = folder / "empty.nii.gz"
    empty.touch()
    cut, _ = Thorax().scan((4.0, 4.0, 20.0))
    sitk.WriteImage(cut, str(folder / "cut.nrrd"))
    content = (folder / "cut.nrrd").read_bytes()
    (folder / "cut.nrrd").write_bytes(content[: len(content) // 2])
    mr = generator.gamma(2.0, 150.0, (6, 64, 64)).astype(np.uint16)
    colour = generator.integers(0, 255, (6, 64, 64, 3), dtype=np.uint8)
    (folder / "nothing").mkdir()
    solid, _ = Thorax(right_lung=False, left_lung=False).scan((4.0, 4.0, 20.0))
    sitk.WriteImage(solid, str(folder / "solid.nrrd"))
    return {
        "missing": (folder / "missing.nii.gz", "missing.nii.gz"),
        "empty": (empty, "empty"),
        "truncated": (folder / "cut.nrrd", "cut.nrrd"),
        "MR": (image("mr.nii.gz", mr), "Hounsfield"),
        "colour": (image("colour.nrrd", colour, vector=True), "colo"),
        "four-dimensional": (image("time.nii.gz", np.zeros((3, 4, 32, 32), np.int16)), "time points"),
        "no lung": (folder / "solid.nrrd", "No lung was found in solid.nrrd"),
        "empty folder": (folder / "nothing", "nothing"),
    }


@pytest.mark.parametrize(
    "name", ["missing", "empty", "truncated", "MR", "colour", "four-dimensional", "no lung", "empty folder"]
)
def test_bad_input_ends_with_one_sentence_and_leaves_nothing(
    name: str, tmp_path: Path, quick_network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, part = bad_inputs(tmp_path)[name]
    before = set(tmp_path.rglob("*"))
    assert main(["segment", str(path), str(tmp_path / "out.seg.nrrd"), "--model", str(quick_network)]) == 3
    error = capsys.readouterr().err.strip()
    assert part in error
    assert len(error.splitlines()) == 1
    assert "Traceback" not in error
    assert set(tmp_path.rglob("*")) == before


def test_a_broken_network_is_named(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"weights": torch.zeros(3)}, tmp_path / "network.safetensors")
    assert (
        main(["segment", str(scan), str(tmp_path / "out.nii.gz"), "--model", str(tmp_path / "network.safetensors")])
        == 5
    )
    assert "pickle" in capsys.readouterr().err
    assert not (tmp_path / "out.nii.gz").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_asked_for_where_there_is_none_is_said(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", str(scan), str(tmp_path / "out.nii.gz"), "--device", "cuda"]) == 6
    assert "No CUDA GPU" in capsys.readouterr().err


def test_an_output_format_that_does_not_exist_is_refused_before_any_work(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", str(scan), str(tmp_path / "lungs.stl")]) == 2
    assert ".seg.nrrd" in capsys.readouterr().err


def test_a_table_format_that_does_not_exist_is_refused_before_any_work(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", str(scan), str(tmp_path / "out"), "--measurements", str(tmp_path / "m.xlsx")]) == 2
    assert ".csv or .json" in capsys.readouterr().err
    assert main(["measure", str(scan), str(tmp_path / "no such mask.nrrd"), "--output", str(tmp_path / "m.xlsx")]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({1: 2, 2: 1}, "exchanged.nii.gz has the right lung on the patient's left side"),
        ({1: 0, 2: 0}, "contains no lung"),
    ],
)
def test_a_mask_with_exchanged_sides_or_without_lung_is_measured_and_compared_with_a_warning(
    scan: Path, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[int, int], told: str
) -> None:
    lungs, odd = results / "lungs.nii.gz", tmp_path / "exchanged.nii.gz"
    sitk.WriteImage(sitk.ChangeLabel(sitk.ReadImage(str(lungs)), change), str(odd))
    for command in (["measure", str(scan), str(odd)], ["compare", str(scan), str(lungs), str(odd)]):
        assert main(command) == 0
        assert capsys.readouterr().err.count(told) == 1


def test_a_mask_without_sides_is_measured_and_compared_as_both_lungs(
    scan: Path, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pooled = sitk.Cast(sitk.ReadImage(str(results / "lungs.nii.gz")) > 0, sitk.sitkUInt8) * 255
    sitk.WriteImage(pooled, str(tmp_path / "pooled.nii.gz"))
    assert main(["measure", str(scan), str(tmp_path / "pooled.nii.gz"), "--json"]) == 0
    output = capsys.readouterr()
    assert "single label" in output.err
    (both,) = json.loads(output.out)
    assert both == json.loads((results / "measurements.json").read_text())[2]
    masks = [str(tmp_path / "pooled.nii.gz"), str(results / "lungs.nii.gz")]
    assert main(["compare", str(scan), *masks, "--json", "--overlay", str(tmp_path / "both.png")]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["region"], row["dice"]) == ("lungs", 1.0)


def test_an_output_folder_that_holds_the_scans_is_refused(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment-folder", str(scan.parent), str(scan.parent)]) == 2
    assert "holds the scans themselves" in capsys.readouterr().err


def test_a_case_folder_is_done_again_only_where_needed_and_one_bad_case_does_not_stop_it(
    scan: Path, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases, out = tmp_path / "in", tmp_path / "out"
    (cases / "ward").mkdir(parents=True)
    for target in (cases / "a.nii.gz", cases / "ward" / "b.nii.gz"):
        target.write_bytes(scan.read_bytes())
    (cases / "broken.nii.gz").write_text("this is no image")

    assert main(["segment-folder", str(cases), str(out), "--shard", "1/2", "--processes", "1"]) == 0
    assert main(["segment-folder", str(cases), str(out), "--shard", "2/2", "--processes", "1"]) == 7
    assert (out / "a.seg.nrrd").is_file()
    assert (out / "ward" / "b.seg.nrrd").is_file()
    rows = {row["case"]: row for row in csv.DictReader((out / "results.csv").open())}
    assert {name: row["status"] for name, row in rows.items()} == {"a": "done", "ward/b": "done", "broken": "failed"}
    assert float(rows["a"]["lungs volume_ml"]) > 500
    masks = [results / "lungs.seg.nrrd", out / "a.seg.nrrd", out / "ward" / "b.seg.nrrd"]
    expected, *found = (sitk.GetArrayFromImage(sitk.ReadImage(str(mask))) for mask in masks)
    assert all(np.array_equal(mask, expected) for mask in found)

    written = (out / "a.seg.nrrd").stat().st_mtime_ns
    (out / "ward" / "b.seg.nrrd").unlink()
    capsys.readouterr()
    options = ["--processes", "1", "--progress", "json", "--model", str(default_model_path())]  # as without --model
    assert main(["segment-folder", str(cases), str(out), *options]) == 7
    output = capsys.readouterr()
    assert "1 segmented, 1 already done, 1 failed" in output.out
    events = [json.loads(line) for line in output.err.splitlines() if line.startswith('{"event": "case"')]
    assert [(event["case"], event["number"], event["status"]) for event in events] == [
        ("a", 1, "already done"),
        ("broken", 2, "running"),
        ("broken", 2, "failed"),
        ("ward/b", 3, "running"),
        ("ward/b", 3, "done"),
    ]
    assert {event["total"] for event in events} == {3}
    assert [event["case"] for event in events if event["error"]] == ["broken"]
    assert "broken.nii.gz" in events[2]["error"]
    assert (out / "a.seg.nrrd").stat().st_mtime_ns == written


@pytest.mark.skipif(os.name == "nt", reason="processes are interrupted in another way on Windows")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_run_leaves_no_file(tmp_path: Path, name: str) -> None:
    stop = signal.Signals[name]
    image, _ = Thorax().scan((2.5, 2.5, 2.0))
    sitk.WriteImage(image, str(tmp_path / "ct.nii.gz"))
    out = tmp_path / "out"
    # Where tests run in the background of a shell, Ctrl-C is ignored, which a child would inherit.
    before = signal.signal(stop, lambda number, frame: None)
    process = subprocess.Popen(
        [*COMMAND, "segment", str(tmp_path / "ct.nii.gz"), str(out), "--progress", "json"],
        stderr=subprocess.PIPE,
        text=True,
    )
    signal.signal(stop, before)
    assert process.stderr is not None
    for line in process.stderr:
        event = json.loads(line)
        if event["event"] == "progress" and event["done"] > 0:
            break
    process.send_signal(stop)
    rest = process.stderr.read()
    assert process.wait(timeout=60) == 130
    assert json.loads(rest.splitlines()[-1])["text"].startswith("Stopped")
    assert not out.exists() or not list(out.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="there is no such signal on Windows")
def test_a_terminal_that_is_closed_interrupts_as_a_request_to_end_does_unless_it_is_ignored() -> None:
    before = {stop: signal.getsignal(stop) for stop in (signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        stop_on_signals()
        for stop in before:
            assert callable(signal.getsignal(stop))  # else it would end the tests
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup has it
        stop_on_signals()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        for stop, handler in before.items():
            signal.signal(stop, handler)


def test_help_imports_neither_torch_nor_simpleitk() -> None:
    code = (
        "import sys; from LungSegResNetLib.command_line.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'SimpleITK', 'skimage', 'scipy', 'numpy'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_ctrl_c_while_the_commands_are_loaded_is_one_sentence(monkeypatch, capsys):
    command = ModuleType("slow_commands.wait")

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        raise KeyboardInterrupt  # as the signal comes

    command.SUMMARY, command.add_arguments = "wait", add_arguments
    monkeypatch.setitem(sys.modules, "slow_commands", ModuleType("slow_commands"))
    monkeypatch.setitem(sys.modules, "slow_commands.wait", command)
    assert Program("wait", "Waits.", "slow_commands", {"wait": "wait"}).main(["wait"]) == 130
    assert capsys.readouterr().err == "wait: Stopped; no unfinished file was left behind.\n"


@pytest.mark.parametrize("part", ["0/2", "3/2", "-1/2", "2", "a/b"])
def test_a_shard_that_is_none_of_the_folder_is_refused(part: str, tmp_path: Path) -> None:
    assert "argument --shard: " in refused_options(main, ["segment-folder", "in", "out", f"--shard={part}"], tmp_path)


def test_too_little_memory_is_a_sentence(
    scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill_memory(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("LungSegResNetLib.jobs.case_job.read_ct", fill_memory)
    assert main(["segment", str(scan), str(tmp_path / "lungs.nrrd"), "--progress", "none"]) == 6
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "not enough memory" in sentence
