"""Evaluation from files to report with the shipped network: groups, a broken case, doubts, scans seen in training."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import html
import html.parser
import io
import json
import re
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from synthetic_thorax import Thorax
from training_cases import write_case

from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.figures.metric_definitions import METRICS
from LungSegResNetLib.network.model_file import default_model_path, load_model, save_model
from LungSegResNetTrainingLib.code_digest import own_code_digest
from LungSegResNetTrainingLib.command_line.main import main
from LungSegResNetTrainingLib.data.case_search import find_cases
from LungSegResNetTrainingLib.data.scan_marks import ScanMarks, ScanSet

_POOLED = ("plain", "network", "lungs")
_SMALL = {"spacing": (2.0, 2.0, 5.0), "extent": (402.0, 300.0, 5.0)}


def write_list(path: Path, rows: list[tuple[str, str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "ct", "mask", "group", "doubtful", "licence", "doi"])
        for name, group, doubtful in rows:
            writer.writerow([name, f"{name}_ct.nii", f"{name}_mask.nii", group, doubtful, "CC BY 4.0", "10.1/x&y"])


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path, Path]:
    """Exit code, report and data set of three thoraxes in two groups and one damaged scan."""
    data = tmp_path_factory.mktemp("data")
    shapes = {"plain": Thorax(), "other": Thorax(centre=(0.0, 10.0, 0.0)), "dense": Thorax(consolidation=True)}
    for name, thorax in shapes.items():
        write_case(data, name, spacing=(1.6, 1.6, 20.0), extent=(402.0, 300.0, 120.0), thorax=thorax)
    shutil.copy(data / "plain_mask.nii", data / "broken_mask.nii")
    (data / "broken_ct.nii").write_bytes(b"cut off")
    rows = [("plain", "normal", ""), ("broken", "normal", ""), ("other", "normal", ""), ("dense", "COVID-19", "<base>")]
    write_list(data / "list.csv", rows)
    out = data / "report"
    return main(["evaluate", "shipped", str(data / "list.csv"), "--out", str(out), "--progress", "none"]), out, data


def test_a_broken_case_is_listed_and_stops_no_other(report: tuple[int, Path, Path]) -> None:
    exit_code, out, _ = report
    assert exit_code == 7
    with (out / "cases.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["case"] for row in rows if row["status"] == "judged"} == {"plain", "other", "dense"}
    (broken,) = [row for row in rows if row["status"] == "failed"]
    assert (broken["case"], broken["dice"]) == ("broken", "")
    assert broken["error"]


def test_the_table_of_cases_has_every_metric_for_both_methods_and_all_regions(report: tuple[int, Path, Path]) -> None:
    with (report[1] / "cases.csv").open(newline="", encoding="utf-8") as file:
        rows = {(r["case"], r["method"], r["region"]): r for r in csv.DictReader(file)}
    for method in ("network", "thresholding"):
        for region in ("lungs", "right lung", "left lung"):
            row = rows["plain", method, region]
            # PSNR is infinite, which has no cell, where a mask is met exactly.
            assert all(row[metric.key] for metric in METRICS if metric.key != "psnr_db")
            assert float(row["dice"]) > 0.9
    assert rows["dense", "network", "lungs"]["doubtful"] == "<base>"


def test_the_table_of_cases_tells_which_voxels_were_compared(report: tuple[int, Path, Path], tmp_path: Path) -> None:
    _, out, data = report
    with (out / "cases.csv").open(newline="", encoding="utf-8") as file:
        (row,) = [r for r in csv.DictReader(file) if (r["case"], r["method"], r["region"]) == _POOLED]
    assert row["spacing_mm"] == "1.6 x 1.6 x 20"
    for part, kind in (("ct", sitk.sitkInt16), ("mask", sitk.sitkUInt8)):
        # The same voxels in another file, whose slices run downwards.
        image = sitk.Flip(sitk.ReadImage(str(data / f"plain_{part}.nii"), kind), (False, False, True))
        sitk.WriteImage(image, str(tmp_path / f"{part}.nrrd"))
        voxels = sitk.GetArrayFromImage(sitk.DICOMOrient(sitk.ReadImage(str(tmp_path / f"{part}.nrrd")), "LPS"))
        assert row[f"{part}_sha256"] == hashlib.sha256(voxels.tobytes()).hexdigest()


def test_the_summary_has_each_group_with_and_without_doubt(report: tuple[int, Path, Path]) -> None:
    with (report[1] / "summary.csv").open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if (r["metric"], r["method"]) == ("dice", "network")]
    pooled = {(r["group"], r["doubtful"]): r for r in rows if r["region"] == "lungs"}
    assert {key: r["cases"] for key, r in pooled.items()} == {
        ("normal", "included"): "2", ("COVID-19", "included"): "1", ("all", "included"): "3",
        ("normal", "left out"): "2", ("all", "left out"): "2",
    }  # fmt: skip
    normal = pooled["normal", "included"]
    assert 0.9 < float(normal["mean"]) <= 1.0
    assert (normal["patients"], normal["mean_low_95"], normal["mean_high_95"]) == ("2", "", "")


def test_the_report_needs_nothing_but_itself(report: tuple[int, Path, Path]) -> None:
    page = (report[1] / "report.html").read_text(encoding="utf-8")
    addresses: list[str] = []
    texts: list[str] = []

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag not in ("script", "link", "iframe")
            addresses.extend(value or "" for name, value in attrs if name in ("src", "srcset"))

        def handle_data(self, data: str) -> None:
            texts.append(data)

    Reader().feed(page)
    assert len(addresses) >= 2 + 2 + 3  # box plots in light and dark, a typical case of each group, worst slices
    assert all(address.startswith("data:image/") for address in addresses)
    assert "url(" not in page
    assert "@import" not in page
    said = " ".join(" ".join(texts).split())
    assert "was evaluated on 3 cases of 3 patients (2 normal, 1 COVID-19)" in said
    assert re.search(r"The mean Dice is 0\.\d{4} \(no interval: 3 patients are too few\)", said)
    assert "1 case could not be evaluated" in said
    assert "too few for a statement" in said
    assert "0.980 ± 0.003" in said  # of the article
    assert "doi:10.1/x&y" in said
    assert "The reference is doubtful: <base>." in said
    assert "Each case counts as a patient of its own" in said


def test_markdown_and_pictures_lie_beside_the_report(report: tuple[int, Path, Path]) -> None:
    text = (report[1] / "report.md").read_text(encoding="utf-8")
    header = next(line for line in text.splitlines() if "article: normal" in line)
    assert re.findall(r"n = (\d+)", header) == ["2", "120", "1", "120", "3"]
    with Image.open(report[1] / "box_plots.png") as picture:
        assert picture.width >= 2000
    for name in ("plain", "other", "dense"):
        assert (report[1] / "cases" / name / "overlay.png").is_file()


def test_all_files_of_a_report_tell_what_it_was_made_with(report: tuple[int, Path, Path]) -> None:
    out = report[1]
    told = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))["made with"]
    assert file_digest(default_model_path()) in told["network"]
    assert re.search(r"run with (openvino|torch) on \w+, \w+", told["network"])
    assert own_code_digest() in told["LungSegResNet"]
    assert datetime.fromisoformat(told["date"]).tzinfo is not None
    assert (told["numpy"], told["intervals"]) == (
        np.__version__, "95 %, percentiles of 5000 bootstrap draws of patients, seed 0",
    )  # fmt: skip
    assert told["processor"]
    for name in ("report.md", "report.html"):
        text = html.unescape((out / name).read_text(encoding="utf-8"))
        assert [what for what, which in told.items() if what not in text or which not in text] == []


def test_run_again_only_what_is_missing_is_done(report: tuple[int, Path, Path], capsys: pytest.CaptureFixture) -> None:
    _, out, data = report
    shutil.copy(data / "plain_ct.nii", data / "broken_ct.nii")
    before = (out / "cases" / "plain" / "overlay.png").stat().st_mtime_ns
    command = ["evaluate", "shipped", str(data / "list.csv"), "--out", str(out), "--progress", "none"]
    assert main(command) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert [line.endswith("(from the earlier run)") for line in lines] == [True, False, True, True]
    assert (out / "cases" / "plain" / "overlay.png").stat().st_mtime_ns == before


def test_scans_that_are_out_of_reach_cost_no_earlier_result(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    data, out = tmp_path / "data", tmp_path / "report"
    for noise, name in enumerate(("a", "b"), start=5):
        write_case(data, name, thorax=Thorax(noise=noise), **_SMALL)  # type: ignore[arg-type]
    write_list(tmp_path / "list.csv", [("data/a", "", ""), ("data/b", "", "")])
    command = ["evaluate", "shipped", str(tmp_path / "list.csv"), "--out", str(out), "--progress", "none"]
    command += ["--no-baseline"]
    assert main(command) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    data.rename(tmp_path / "unmounted")
    assert main(command) == 3
    assert "None of 2 CTs is there" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    data.mkdir()
    for path in (tmp_path / "unmounted").glob("a_*"):
        path.rename(data / path.name)
    assert main(command) == 7
    for path in (tmp_path / "unmounted").glob("b_*"):
        path.rename(data / path.name)
    capsys.readouterr()
    assert main(command) == 0
    assert capsys.readouterr().out.count("(from the earlier run)") == 2


def test_a_case_counts_as_seen_by_its_scan_or_where_no_patient_is_named_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    for noise, scan in enumerate(("P001/scan1", "P001/scan2", "P002/scan1", "P002/scan2"), start=5):
        write_case(data / scan, "x", thorax=Thorax(noise=float(noise)), **_SMALL)  # type: ignore[arg-type]
    card, weights = load_model(default_model_path())
    trained = [find_cases(data / place).cases for place in ("P001", "P002/scan1")]
    record = ScanSet(frozenset(ScanMarks().of(case) for cases in trained for case in cases))
    own = tmp_path / "own.safetensors"
    save_model(own, weights, dataclasses.replace(card, training={"seen_scans": record.as_json()}))
    command = ["--out", str(tmp_path / "out"), "--no-baseline", "--progress", "none", "--device", "cpu"]
    assert main(["evaluate", str(own), str(data / "P001"), *command]) == 3
    assert "trained on all patients of the data set" in capsys.readouterr().err
    # Of P002 one scan was seen; the other has the name that one of P001 was trained with, as a converted one would.
    assert main(["evaluate", str(own), str(data / "P002"), *command]) == 3
    assert "or on cases of their names" in capsys.readouterr().err
    (data / "P002" / "scan2").rename(data / "P002" / "scan3")
    assert main(["evaluate", str(own), str(data / "P002"), *command]) == 0
    assert "1 of 2 cases are evaluated" in capsys.readouterr().out
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "The network was trained on its scan or patient, or on one of this name" in report


@pytest.fixture(scope="module")
def odd_report(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, Path, str]:
    """Exit code, what was printed, data set and page: pairs that the check refuses and doubts, a note of reading."""
    data = tmp_path_factory.mktemp("odd")
    for name in ("fine", "other", "exchanged", "foreign", "listed"):
        write_case(data, name, spacing=(2.0, 2.0, 20.0), extent=(402.0, 300.0, 120.0))
    mask = sitk.ReadImage(str(data / "exchanged_mask.nii"))
    sitk.WriteImage(sitk.ChangeLabel(mask, {1: 2, 2: 1}), str(data / "exchanged_mask.nii"))
    dense = sitk.ReadImage(str(data / "foreign_ct.nii")) > -200
    sitk.WriteImage(sitk.Cast(dense, sitk.sitkUInt8), str(data / "foreign_mask.nii"))
    sitk.WriteImage(sitk.Cast(mask > 0, sitk.sitkUInt8), str(data / "other_mask.nii"))
    groups = {"fine": r"$\frac$", "other": "<b>$x_{</b>"}
    statuses = {"listed": "doubtful,Looks <odd>."}
    rows = [
        f"{name},{name}_ct.nii,{name}_mask.nii,{groups.get(name, '')},{statuses.get(name, ',')}"
        for name in ("fine", "other", "exchanged", "foreign", "listed")
    ]
    (data / "list.csv").write_text("\n".join(["case,ct,mask,group,status,reasons", *rows]), encoding="utf-8")
    command = ["evaluate", "shipped", str(data / "list.csv"), "--out", str(data / "out"), "--no-baseline"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = main([*command, "--progress", "none", "--device", "cpu"])
    return code, printed.getvalue(), data, (data / "out" / "report.html").read_text(encoding="utf-8")


def test_a_pair_that_the_check_refuses_is_not_judged(odd_report: tuple[int, str, Path, str]) -> None:
    code, printed, data, page = odd_report
    assert code == 7
    with (data / "out" / "cases.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert (rows["foreign"]["status"], rows["fine"]["status"]) == ("failed", "judged")
    assert "of the mask is aerated" in rows["foreign"]["error"]
    assert "foreign: Only" in printed
    assert rows["foreign"]["error"].split("(")[0] in page


def test_a_pair_that_the_check_doubts_is_judged_and_marked(odd_report: tuple[int, str, Path, str]) -> None:
    _, printed, data, page = odd_report
    reason = "Right and left are swapped: the right lung lies on the patient&#x27;s left side."
    assert f"<td>* exchanged</td><td>{reason}</td>" in page
    assert "doubtful: Right and left are swapped" in printed
    with (data / "out" / "cases.csv").open(newline="", encoding="utf-8") as file:
        doubtful = {row["case"]: row["doubtful"] for row in csv.DictReader(file) if row["status"] == "judged"}
    assert {name for name, why in doubtful.items() if why} == {"exchanged"}
    assert "exchanged*" in (data / "out" / "report.md").read_text(encoding="utf-8")


def test_the_doubt_of_the_check_is_kept_with_the_result(
    odd_report: tuple[int, str, Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = odd_report[2]
    shutil.copytree(data / "out", tmp_path / "out")
    command = ["evaluate", "shipped", str(data / "list.csv"), "--out", str(tmp_path / "out"), "--no-baseline"]
    assert main([*command, "--progress", "none", "--device", "cpu", "--include-doubtful"]) == 7
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert any("exchanged" in line and "doubtful: Right" in line and "earlier run" in line for line in lines)
    assert any("listed" in line for line in lines)


def test_what_reading_noted_stands_under_the_cases(odd_report: tuple[int, str, Path, str]) -> None:
    _, _, data, page = odd_report
    note = "The mask has one value; right and left lung were told apart by position."
    assert f"<td>{note}</td><td>other</td>" in page
    text = (data / "out" / "report.md").read_text(encoding="utf-8")
    assert note in text
    # Beside the table of the sides and beside that of the cases.
    assert text.count("The reference of 1 case has one value for both lungs.") == 2


def test_rows_that_the_list_leaves_out_are_told_with_their_reason(odd_report: tuple[int, str, Path, str]) -> None:
    _, printed, data, page = odd_report
    assert "listed is left out (doubtful): Looks <odd>." in printed
    assert "1 case was left out; the reasons are listed at the end." in page
    assert "<td>listed</td><td>Looks &lt;odd&gt;.</td>" in page
    told = "doubtful or was refused: 2 of 3 cases without a group. True pairs with dense disease"
    assert told in page  # foreign is refused
    assert "Excluded from all figures because the pair" in printed
    assert "Looks &lt;odd>." in (data / "out" / "report.md").read_text(encoding="utf-8")
    with (data / "out" / "cases.csv").open(newline="", encoding="utf-8") as file:
        errors = {row["case"]: row["error"] for row in csv.DictReader(file) if row["status"] == "left out"}
    assert errors == {"listed": "Looks <odd>."}


@pytest.mark.parametrize("patient", ["p1", "p2"])
def test_copies_of_a_scan_that_count_as_several_patients_are_told_of(
    patient: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_case(tmp_path, "scan", **_SMALL)  # type: ignore[arg-type]
    for part in ("ct", "mask"):
        shutil.copy(tmp_path / f"scan_{part}.nii", tmp_path / f"copy_{part}.nii")
    rows = [f"{name},{name}_ct.nii,{name}_mask.nii,{of}" for name, of in (("scan", "p1"), ("copy", patient))]
    (tmp_path / "list.csv").write_text("\n".join(["case,ct,mask,patient", *rows]), encoding="utf-8")
    command = ["evaluate", "shipped", str(tmp_path / "list.csv"), "--out", str(tmp_path / "out"), "--no-baseline"]
    assert main([*command, "--progress", "none", "--device", "cpu"]) == 0
    printed = capsys.readouterr()
    warned = "warning: copy has the same CT as scan, though they count as two patients" in printed.err
    note = "count as scans of several patients (copy of scan): there are fewer patients"
    pages = [(tmp_path / "out" / name).read_text(encoding="utf-8") for name in ("report.html", "report.md")]
    told = [note in text for text in (printed.out, *pages)]
    assert [warned, *told] == [patient == "p2"] * 4


def test_a_data_set_of_which_nothing_can_be_judged_says_why(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_list(tmp_path / "list.csv", [("broken", "", "")])
    (tmp_path / "broken_ct.nii").write_bytes(b"cut off")
    (tmp_path / "broken_mask.nii").write_bytes(b"cut off")
    assert main(["evaluate", "shipped", str(tmp_path / "list.csv"), "--out", str(tmp_path / "out")]) == 3
    assert "None of 1 case could be evaluated. broken: " in capsys.readouterr().err


def test_a_data_set_whose_cases_are_all_doubtful_says_so(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "list.csv").write_text("case,ct,mask,status,reasons\na,a.nii,m.nii,doubtful,Odd.\n", encoding="utf-8")
    assert main(["evaluate", "shipped", str(tmp_path / "list.csv"), "--out", str(tmp_path / "out")]) == 3
    assert "None of 1 case could be evaluated. a is left out (doubtful): Odd." in capsys.readouterr().err
