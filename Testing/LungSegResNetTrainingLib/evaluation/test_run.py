"""Evaluation from files to report with the shipped network: groups, a broken case, interruption, another network."""

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
from LungSegResNetLib.errors import InputError, OutputError, OutputExistsError
from LungSegResNetLib.figures.metrics import METRICS
from LungSegResNetLib.network.model_file import default_model_path, load_model, save_model
from LungSegResNetTrainingLib.code_digest import own_code_digest
from LungSegResNetTrainingLib.command_line.main import main
from LungSegResNetTrainingLib.data.case_search import FoundCases, find_cases
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.evaluation.case_result import CaseResult, FailedCase
from LungSegResNetTrainingLib.evaluation.findings import Findings
from LungSegResNetTrainingLib.evaluation.finished_cases import case_key, folder_names
from LungSegResNetTrainingLib.evaluation.run import (
    Judge,
    cases_digest,
    cases_trained_on,
    choose_cases,
    claim_folder,
    evaluate,
    holds_another,
    tell_provenance,
)
from LungSegResNetTrainingLib.evaluation.summary import sentences
from LungSegResNetTrainingLib.training.seen_scans import ScanMark, ScanRecord

_POOLED = ("plain", "network", "lungs")
_SMALL = {"spacing": (2.0, 2.0, 5.0), "extent": (402.0, 300.0, 5.0)}


def write_list(path: Path, rows: list[tuple[str, str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "ct", "mask", "group", "doubtful", "licence", "doi"])
        for name, group, doubtful in rows:
            writer.writerow([name, f"{name}_ct.nii", f"{name}_mask.nii", group, doubtful, "CC BY 4.0", "10.1/x&y"])


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.load(default_model_path(), "cpu")


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
    assert "was judged on 3 cases of 3 patients (2 normal, 1 COVID-19)" in said
    assert re.search(r"The mean Dice is 0\.\d{4} \(no interval: 3 patients are too few\)", said)
    assert "1 case could not be judged" in said
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


def test_what_a_report_was_made_with_makes_no_other_evaluation_of_it(tmp_path: Path) -> None:
    mark = tmp_path / "evaluation.json"
    claim_folder(tmp_path, {"network": "a"}, overwrite=False, cases=[])
    tell_provenance(tmp_path, {"date": "yesterday"})
    assert not holds_another(tmp_path, {"network": "a"})
    claim_folder(tmp_path, {"network": "a"}, overwrite=False, cases=[])
    assert json.loads(mark.read_text(encoding="utf-8")) == {"network": "a", "made with": {"date": "yesterday"}}
    claim_folder(tmp_path, {"network": "b"}, overwrite=True, cases=[])
    assert json.loads(mark.read_text(encoding="utf-8")) == {"network": "b"}


def test_run_again_only_what_is_missing_is_done(report: tuple[int, Path, Path], capsys: pytest.CaptureFixture) -> None:
    _, out, data = report
    shutil.copy(data / "plain_ct.nii", data / "broken_ct.nii")
    before = (out / "cases" / "plain" / "overlay.png").stat().st_mtime_ns
    command = ["evaluate", "shipped", str(data / "list.csv"), "--out", str(out), "--progress", "none"]
    assert main(command) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert [line.endswith("(from the earlier run)") for line in lines] == [True, False, True, True]
    assert (out / "cases" / "plain" / "overlay.png").stat().st_mtime_ns == before


def test_an_interrupted_run_keeps_what_was_finished(judge: Judge, tmp_path: Path) -> None:
    assigned = [(write_case(tmp_path, name, **_SMALL), judge) for name in ("first", "second")]  # type: ignore[arg-type]

    finished = []

    def stop(number: int, count: int, outcome: CaseResult | FailedCase, kept: bool) -> None:
        finished.append(outcome)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(assigned, tmp_path / "out", on_case=stop)
    seen: list[bool] = []
    again = evaluate(assigned, tmp_path / "out", on_case=lambda *about: seen.append(about[3]))
    assert seen == [True, False]
    assert again.results[0] == finished[0]
    assert [result.case.name for result in again.results] == ["first", "second"]


def test_a_changed_scan_a_damaged_result_or_a_lost_picture_is_judged_again(judge: Judge, tmp_path: Path) -> None:
    case: Case = write_case(tmp_path, "thorax", **_SMALL)  # type: ignore[arg-type]
    seen: list[bool] = []

    def run() -> None:
        evaluate(
            [(case, judge)], tmp_path / "out", with_baseline=False, on_case=lambda *about: seen.append(about[3]),
        )  # fmt: skip

    run()
    run()
    write_case(tmp_path, "thorax", thorax=Thorax(noise=5.0), **_SMALL)  # type: ignore[arg-type]
    run()
    (tmp_path / "out" / "cases" / "thorax" / "result.json").write_text('{"key": ', encoding="utf-8")
    run()
    (tmp_path / "out" / "cases" / "thorax" / "overlay.png").unlink()
    run()
    run()
    assert seen == [False, True, False, False, False, True]


def test_the_folder_of_another_evaluation_is_not_overwritten_silently(tmp_path: Path) -> None:
    out = tmp_path / "out"
    claim_folder(out, {"network": "a"}, overwrite=False, cases=[])
    claim_folder(out, {"network": "a"}, overwrite=False, cases=[])
    with pytest.raises(OutputExistsError, match="another evaluation; choose another folder"):
        claim_folder(out, {"network": "b"}, overwrite=False, cases=[])
    (out / "cases.csv").write_text("figures of a", encoding="utf-8")
    claim_folder(out, {"network": "a"}, overwrite=True, cases=[])
    assert (out / "cases.csv").is_file()
    claim_folder(out, {"network": "b"}, overwrite=True, cases=[])
    assert not (out / "cases.csv").exists()  # its figures are not those of b
    assert json.loads((out / "evaluation.json").read_text(encoding="utf-8")) == {"network": "b"}
    (tmp_path / "mine.txt").write_text("notes", encoding="utf-8")
    for overwrite in (False, True):  # it may be a run or a data set, whose case list is called as a report's table is
        with pytest.raises(OutputError, match="no evaluation"):
            claim_folder(tmp_path, {"network": "a"}, overwrite, cases=[])


def test_a_report_is_not_written_to_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("notes", encoding="utf-8")
    with pytest.raises(OutputError, match="is a file; choose a folder"):
        claim_folder(tmp_path / "report", {"network": "a"}, overwrite=True, cases=[])
    assert (tmp_path / "report").read_text(encoding="utf-8") == "notes"


def test_an_evaluation_goes_on_where_its_data_set_has_moved(tmp_path: Path) -> None:
    shapes = {"here": Thorax(), "there": Thorax(), "elsewhere": Thorax(noise=5.0)}
    about = {}
    for place, shape in shapes.items():
        case = write_case(tmp_path / place, "x", thorax=shape, **_SMALL)  # type: ignore[arg-type]
        about[place] = {"network": "a", "data set": place, "cases": cases_digest([case])}
    claim_folder(tmp_path / "out", about["here"], overwrite=False, cases=[])
    claim_folder(tmp_path / "out", about["there"], overwrite=False, cases=[])
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8")) == about["there"]
    # Who does not tell the cases knows the data set by its place only.
    untold = {key: value for key, value in about["there"].items() if key != "cases"}
    assert not holds_another(tmp_path / "out", untold)
    assert holds_another(tmp_path / "out", untold | {"data set": "here"})
    assert holds_another(tmp_path / "out", untold | {"network": "b"})
    # A data set may grow where it is, but one with other scans somewhere else is another.
    claim_folder(tmp_path / "out", about["there"] | {"cases": "more"}, overwrite=False, cases=[])
    with pytest.raises(OutputExistsError, match="another evaluation; choose another folder"):
        claim_folder(tmp_path / "out", about["elsewhere"], overwrite=False, cases=[])


def test_a_corrected_mask_takes_the_report_on_the_earlier_one_away_and_is_judged_anew(
    judge: Judge, tmp_path: Path
) -> None:
    out, case = tmp_path / "out", write_case(tmp_path, "x", **_SMALL)  # type: ignore[arg-type]
    kept: list[bool] = []

    def run() -> None:
        about = {"network": "n", "data set": str(tmp_path), "cases": cases_digest([case])}
        claim_folder(out, about, overwrite=False, cases=[case])
        kept.append((out / "report.html").exists())
        (out / "report.html").touch()
        evaluate([(case, judge)], out, with_baseline=False, on_case=lambda *told: kept.append(told[3]))

    run()
    run()
    sitk.WriteImage(sitk.BinaryErode(sitk.ReadImage(str(case.mask)) > 0, (1, 1, 0)), str(case.mask))
    run()
    assert kept == [False, False, True, True, False, False]


def test_an_evaluation_that_replaces_another_leaves_no_picture_of_it(judge: Judge, tmp_path: Path) -> None:
    case = write_case(tmp_path, "kept", **_SMALL)  # type: ignore[arg-type]
    out = tmp_path / "out"
    claim_folder(out, {"network": "a"}, overwrite=False, cases=[])
    files = ("result.json", "overlay.png", "slice_099.png", "slice_099.png.txt", "mine.png")
    for name in ("kept", "gone", "with mine"):
        (out / "cases" / name).mkdir(parents=True)
        for file in files if name != "gone" else files[:3]:
            (out / "cases" / name / file).touch()
    claim_folder(out, {"network": "b"}, True, [case])
    evaluate([(case, judge)], out, with_baseline=False)
    left = {path.relative_to(out / "cases").as_posix() for path in (out / "cases").rglob("*.*")}
    assert {path for path in left if not path.startswith("kept/slice_001")} == {
        "kept/result.json", "kept/overlay.png", "kept/slice_099.png.txt", "kept/mine.png",
        "with mine/slice_099.png.txt", "with mine/mine.png",
    }  # fmt: skip
    assert not (out / "cases" / "gone").exists()


def test_a_data_set_with_other_cases_keeps_no_report_of_the_earlier_ones_and_all_results_of_its_own(
    tmp_path: Path,
) -> None:
    out, data = tmp_path / "out", tmp_path / "data"
    cases = [write_case(data, name, thorax=Thorax(noise=n), **_SMALL) for n, name in enumerate("abc", 5)]  # type: ignore[arg-type]

    def claim(chosen: list[Case]) -> set[str]:
        about = {"network": "n", "data set": str(data), "split": "", "cases": cases_digest(chosen)}
        claim_folder(out, about, overwrite=False, cases=chosen)
        return {path.relative_to(out).as_posix() for path in out.rglob("*.*")} - {"evaluation.json"}

    claim(cases[:2])
    for name in "ab":
        (out / "cases" / name).mkdir(parents=True)
        (out / "cases" / name / "result.json").touch()
    (out / "report.html").touch()
    assert claim(cases[:2]) == {"report.html", "cases/a/result.json", "cases/b/result.json"}
    assert claim(cases[1:]) == {"cases/b/result.json"}


def test_a_folder_that_only_its_system_has_written_to_may_be_used(tmp_path: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).touch()
    claim_folder(tmp_path, {"network": "a"}, overwrite=False, cases=[])
    assert (tmp_path / "evaluation.json").is_file()


def test_folders_of_cases_deep_in_a_tree_are_told_apart_and_named_alike_among_other_cases(tmp_path: Path) -> None:
    way = "_".join(["x" * 70] * 4)
    cases = [Case(name, Path("ct"), Path("mask"), "train", name) for name in (f"{way}_a", f"{way}_b", "c")]
    names = folder_names(cases)
    for name in names:
        (tmp_path / name).mkdir()
    assert names == [*folder_names(cases[:1]), *folder_names(cases[1:2]), "c"]


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


def test_no_case_gets_a_folder_that_windows_cannot_make() -> None:
    cases = [Case(name, Path("ct"), Path("mask"), "train", name) for name in ("con", "COM1.a", "nul", "console")]
    assert folder_names(cases) == ["case_con", "case_COM1.a", "case_nul", "console"]


def test_another_network_gets_no_result_of_the_first(judge: Judge, tmp_path: Path) -> None:
    case = write_case(tmp_path, "thorax", **_SMALL)  # type: ignore[arg-type]
    evaluate([(case, judge)], tmp_path / "out", with_baseline=False)
    card, weights = load_model(default_model_path())
    other = tmp_path / "other.safetensors"
    save_model(other, {name: value * 0 if name.endswith("bias") else value for name, value in weights.items()}, card)
    seen: list[bool] = []
    evaluate(
        [(case, Judge.load(other, "cpu"))],
        tmp_path / "out",
        with_baseline=False,
        on_case=lambda *about: seen.append(about[3]),
    )
    assert seen == [False]


def test_the_split_is_validation_where_there_is_one_and_all_elsewhere() -> None:
    def cases(*splits: str) -> FoundCases:
        return FoundCases([Case(f"{n}", Path("ct"), Path("mask"), split, f"{n}") for n, split in enumerate(splits)])

    assert [case.name for case in choose_cases(cases("train", "validation"), None)] == ["1"]
    assert [case.name for case in choose_cases(cases("train", "train"), None)] == ["0", "1"]
    assert [case.name for case in choose_cases(cases("train", "validation"), "all")] == ["0", "1"]
    with pytest.raises(InputError, match=r"no case in the split 'test'; there are train"):
        choose_cases(cases("train"), "test")


def test_without_a_split_no_patient_is_judged_that_the_network_was_trained_on() -> None:
    patients = {"a1": "a", "a2": "a", "b1": "b"}
    found = FoundCases([Case(name, Path("ct"), Path("mask"), "train", who) for name, who in patients.items()])
    assert [case.name for case in choose_cases(found, None, ScanRecord.by_names({"a1"}))] == ["b1"]
    assert [case.name for case in choose_cases(found, "all", ScanRecord.by_names({"a1"}))] == ["a1", "a2", "b1"]
    with pytest.raises(InputError, match=r"trained on all patients .* --split all"):
        choose_cases(found, None, ScanRecord.by_names({"a1", "b1"}))


def test_a_validation_case_of_a_patient_that_the_network_was_trained_on_is_judged_only_if_asked_for() -> None:
    splits = {"a": "train", "b": "validation", "c": "validation"}
    found = FoundCases([Case(name, Path("ct"), Path("mask"), split, name) for name, split in splits.items()])
    seen = ScanRecord.by_names({"b"})
    assert [case.name for case in choose_cases(found, None, seen)] == ["c"]
    assert [case.name for case in cases_trained_on(found, None, seen)] == ["b"]
    assert [case.name for case in choose_cases(found, "validation", seen)] == ["b", "c"]
    assert cases_trained_on(found, "validation", seen) == []
    with pytest.raises(InputError, match="trained on all validation cases"):
        choose_cases(found, None, ScanRecord.by_names({"b", "c"}))


def test_a_case_counts_as_seen_by_its_scan_or_where_no_patient_is_named_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    for noise, scan in enumerate(("P001/scan1", "P001/scan2", "P002/scan1", "P002/scan2"), start=5):
        write_case(data / scan, "x", thorax=Thorax(noise=float(noise)), **_SMALL)  # type: ignore[arg-type]
    card, weights = load_model(default_model_path())
    trained = [find_cases(data / place).cases for place in ("P001", "P002/scan1")]
    record = ScanRecord(frozenset(ScanMark.of(case) for cases in trained for case in cases))
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
    assert "1 of 2 cases are judged" in capsys.readouterr().out
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "left out: the network was trained on its scan or patient, or on one of this name" in report


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
    reason = "Right and left are exchanged: the right lung lies on the patient&#x27;s left side."
    assert f"<td>* exchanged</td><td>{reason}</td>" in page
    assert "doubtful: Right and left are exchanged" in printed
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
    assert "<td>listed</td><td>left out (doubtful): Looks &lt;odd&gt;.</td>" in page
    told = "doubtful or was refused: 2 of 3 cases without a group. True pairs with dense disease"
    assert told in page  # foreign is refused
    assert "In no figure, because the pair" in printed
    assert "Looks &lt;odd>." in (data / "out" / "report.md").read_text(encoding="utf-8")


def test_the_summary_says_how_many_cases_the_network_was_trained_on(judge: Judge, tmp_path: Path) -> None:
    card, weights = load_model(default_model_path())
    trained = dataclasses.replace(card, training={"training_cases": ["first"]})
    save_model(tmp_path / "own.safetensors", weights, trained)
    cases = [write_case(tmp_path, name, **_SMALL) for name in ("first", "second")]  # type: ignore[arg-type]
    own = Judge.load(tmp_path / "own.safetensors", "cpu")
    evaluation = evaluate([(case, own) for case in cases], tmp_path / "out", with_baseline=False)
    assert [text for text in sentences(Findings(evaluation)) if "trained on patients of 1 case among these" in text]
    other = evaluate([(case, judge) for case in cases], tmp_path / "shipped", with_baseline=False)
    assert not [text for text in sentences(Findings(other)) if "trained on patients" in text]


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


def test_a_result_of_an_accepted_case_is_not_kept_for_one_that_is_no_longer_accepted(tmp_path: Path) -> None:
    case = write_case(tmp_path, **_SMALL)  # type: ignore[arg-type]
    accepted = [case_key(dataclasses.replace(case, accepted=who), ()) for who in ("R.", "Dr. R.")]
    assert len(set(accepted)) == 1
    assert case_key(case, ()) not in accepted


def test_a_data_set_of_which_nothing_can_be_judged_says_why(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_list(tmp_path / "list.csv", [("broken", "", "")])
    (tmp_path / "broken_ct.nii").write_bytes(b"cut off")
    (tmp_path / "broken_mask.nii").write_bytes(b"cut off")
    assert main(["evaluate", "shipped", str(tmp_path / "list.csv"), "--out", str(tmp_path / "out")]) == 3
    assert "None of 1 cases could be judged. broken: " in capsys.readouterr().err


@pytest.mark.parametrize("trouble", [InputError("It is no CT."), MemoryError(), RuntimeError("out of luck")])
def test_trouble_of_one_case_costs_no_other(
    judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    cases = [Case(name, tmp_path / "ct", tmp_path / "mask", "validation", name) for name in "ab"]

    def fail(*arguments: object, **options: object) -> None:
        raise trouble

    monkeypatch.setattr("LungSegResNetTrainingLib.evaluation.run.judge_case", fail)
    evaluation = evaluate([(case, judge) for case in cases], tmp_path / "out")
    words = {InputError: "It is no CT.", MemoryError: "not enough memory", RuntimeError: "RuntimeError: out of luck"}
    assert [failed.name for failed in evaluation.failed] == ["a", "b"]
    assert all(words[type(trouble)] in failed.reason for failed in evaluation.failed)


def test_results_that_cannot_be_written_end_the_evaluation(
    judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OutputError("The disk is full.")

    monkeypatch.setattr("LungSegResNetTrainingLib.evaluation.run.judge_case", fail)
    case = Case("a", tmp_path / "ct", tmp_path / "mask", "validation", "a")
    with pytest.raises(OutputError, match="full"):
        evaluate([(case, judge)], tmp_path / "out")


def test_a_result_of_other_code_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("a", tmp_path / "ct", tmp_path / "mask", "validation", "a")
    before = case_key(case, ("network",))
    assert case_key(case, ("network",)) == before
    monkeypatch.setattr("LungSegResNetTrainingLib.evaluation.finished_cases.own_code_digest", lambda: "of other code")
    assert case_key(case, ("network",)) != before
