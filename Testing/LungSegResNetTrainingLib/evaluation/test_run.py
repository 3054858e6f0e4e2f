"""Evaluation from files to report with the shipped network: groups, a broken case, interruption, another network."""

from __future__ import annotations

import csv
import dataclasses
import html.parser
import json
import re
import shutil
from pathlib import Path

import pytest
import SimpleITK as sitk
from PIL import Image
from synthetic_thorax import Thorax
from training_cases import write_case

from LungSegResNetLib.errors import InputError, OutputError
from LungSegResNetLib.figures.metrics import METRICS
from LungSegResNetLib.network.model_file import default_model_path, load_model, save_model
from LungSegResNetTrainingLib.command_line.main import main
from LungSegResNetTrainingLib.data.case_search import FoundCases
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.evaluation.case_result import CaseResult, FailedCase
from LungSegResNetTrainingLib.evaluation.finished_cases import case_key
from LungSegResNetTrainingLib.evaluation.run import Judge, choose_cases, claim_folder, evaluate
from LungSegResNetTrainingLib.evaluation.summary import sentences

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


def test_the_summary_has_each_group_with_and_without_doubt(report: tuple[int, Path, Path]) -> None:
    with (report[1] / "summary.csv").open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if (r["metric"], r["method"]) == ("dice", "network")]
    pooled = {(r["group"], r["doubtful"]): r for r in rows if r["region"] == "lungs"}
    assert {key: r["cases"] for key, r in pooled.items()} == {
        ("normal", "included"): "2", ("COVID-19", "included"): "1", ("all", "included"): "3",
        ("normal", "left out"): "2", ("all", "left out"): "2",
    }  # fmt: skip
    low, mean, high = (float(pooled["normal", "included"][key]) for key in ("mean_low_95", "mean", "mean_high_95"))
    assert 0.9 < low <= mean <= high <= 1.0


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
    assert re.search(r"The mean Dice is 0\.\d{3} \(95 % confidence interval 0\.\d{3} to [01]\.\d{3}", said)
    assert "1 case could not be judged" in said
    assert "too few for a statement" in said
    assert "0.980 ± 0.003" in said  # of the article
    assert "doi:10.1/x&y" in said
    assert "The reference is doubtful: <base>." in said


def test_markdown_and_pictures_lie_beside_the_report(report: tuple[int, Path, Path]) -> None:
    text = (report[1] / "report.md").read_text(encoding="utf-8")
    header = next(line for line in text.splitlines() if "article: normal" in line)
    assert re.findall(r"n = (\d+)", header) == ["2", "120", "1", "120", "3"]
    with Image.open(report[1] / "box_plots.png") as picture:
        assert picture.width >= 2000
    for name in ("plain", "other", "dense"):
        assert (report[1] / "cases" / name / "overlay.png").is_file()


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
    claim_folder(out, {"network": "a"}, overwrite=False)
    claim_folder(out, {"network": "a"}, overwrite=False)
    with pytest.raises(OutputError, match="another evaluation"):
        claim_folder(out, {"network": "b"}, overwrite=False)
    claim_folder(out, {"network": "b"}, overwrite=True)
    assert json.loads((out / "evaluation.json").read_text(encoding="utf-8")) == {"network": "b"}
    (tmp_path / "mine.txt").write_text("notes", encoding="utf-8")
    for overwrite in (False, True):  # it may be a run or a data set, whose case list is called as a report's table is
        with pytest.raises(OutputError, match="no evaluation"):
            claim_folder(tmp_path, {"network": "a"}, overwrite)


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
    assert [case.name for case in choose_cases(found, None, {"a1"})] == ["b1"]
    assert [case.name for case in choose_cases(found, "all", {"a1"})] == ["a1", "a2", "b1"]
    with pytest.raises(InputError, match=r"trained on all patients .* --split all"):
        choose_cases(found, None, {"a1", "b1"})


def test_the_summary_says_how_many_cases_the_network_was_trained_on(judge: Judge, tmp_path: Path) -> None:
    card, weights = load_model(default_model_path())
    trained = dataclasses.replace(card, training={**card.training, "training_cases": ["first"]})
    save_model(tmp_path / "own.safetensors", weights, trained)
    cases = [write_case(tmp_path, name, **_SMALL) for name in ("first", "second")]  # type: ignore[arg-type]
    own = Judge.load(tmp_path / "own.safetensors", "cpu")
    evaluation = evaluate([(case, own) for case in cases], tmp_path / "out", with_baseline=False)
    assert [text for text in sentences(evaluation) if "trained on patients of 1 case among these" in text]
    other = evaluate([(case, judge) for case in cases], tmp_path / "shipped", with_baseline=False)
    assert not [text for text in sentences(other) if "trained on patients" in text]


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


def test_a_data_set_of_which_nothing_can_be_judged_says_why(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_list(tmp_path / "list.csv", [("broken", "", "")])
    (tmp_path / "broken_ct.nii").write_bytes(b"cut off")
    (tmp_path / "broken_mask.nii").write_bytes(b"cut off")
    assert main(["evaluate", "shipped", str(tmp_path / "list.csv"), "--out", str(tmp_path / "out")]) == 3
    assert "None of 1 cases could be judged. broken: " in capsys.readouterr().err
