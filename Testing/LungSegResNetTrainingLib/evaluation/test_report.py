"""The report of judged cases whose figures are known, without any scan."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from judged_cases import case_of, comparison_of, judged_case
from PIL import Image

from LungSegResNetLib.network.model_file import ModelCard
from LungSegResNetTrainingLib.evaluation import findings as findings_module
from LungSegResNetTrainingLib.evaluation.bootstrap import SKEWED_NOTE
from LungSegResNetTrainingLib.evaluation.case_result import LUNGS, THRESHOLDING, CaseResult
from LungSegResNetTrainingLib.evaluation.evaluate import Evaluation, Judge
from LungSegResNetTrainingLib.evaluation.findings import Findings
from LungSegResNetTrainingLib.evaluation.report import write_report
from LungSegResNetTrainingLib.evaluation.summary_text import sentences


def write_page(findings: Findings, folder: Path) -> Path:
    return write_report(findings, sentences(findings), folder)


def findings_on(results: Sequence[CaseResult], folder: Path) -> Findings:
    """What was found about cases that all have the same picture."""
    Image.new("RGB", (8, 8)).save(folder / "overlay.png")
    loaded = SimpleNamespace(device="cpu", predictor=SimpleNamespace(card=ModelCard(config={})))
    judge = Judge(loaded, "an engine", "a digest")  # type: ignore[arg-type]
    pictured = [replace(result, folder=folder, overlay="overlay.png") for result in results]
    return Findings(Evaluation([judge], pictured))


def two_groups() -> list[CaseResult]:
    """Six cases each, judged by thresholding as well."""
    return [judged_case(f"{group} {n}", 0.9 + n / 100, group, baseline_dice=0.8) for group in "ab" for n in range(6)]


def test_the_largest_groups_have_a_typical_case_and_the_page_says_how_many_there_are(tmp_path: Path) -> None:
    results = [judged_case(f"case {number}", 0.9, group) for number, group in enumerate("abcdef" + "zz")]
    page = write_page(findings_on(results, tmp_path), tmp_path / "out").read_text(encoding="utf-8")
    assert "The case at the middle of each of the 6 largest of 7 groups by Dice." in page
    shown = [group for group in "abcdefz" if f", {group}: Dice 0.9000, 0 ml missed" in page]
    assert shown == ["a", "b", "c", "d", "e", "z"]


@pytest.mark.parametrize(("patients", "told"), [(4, 2), (9, 2), (10, 0)])
def test_few_patients_are_told_of_beside_both_comparisons(tmp_path: Path, patients: int, told: int) -> None:
    results = [judged_case(f"a{n}", 0.9, "a", baseline_dice=0.8) for n in range(patients)]
    results += [judged_case(f"b{n}", 0.9, "b") for n in range(10)]
    page = write_page(findings_on(results, tmp_path), tmp_path / "out").with_name("report.md")
    assert page.read_text(encoding="utf-8").count("Below 5 patients there is no interval") == told


def test_the_comparison_with_thresholding_says_whom_corrected_references_favour(tmp_path: Path) -> None:
    page = write_page(findings_on(two_groups(), tmp_path), tmp_path / "out").with_name("report.md")
    told = "draft of thresholding and then corrected favours thresholding.*favours that network"
    assert re.search(rf"## Comparison with plain thresholding\n\n.*{told}", page.read_text(encoding="utf-8"))


def test_differences_of_groups_are_a_table_for_other_programs_too(tmp_path: Path) -> None:
    results = [*two_groups(), *(judged_case(f"c {n}", 0.8 + n / 100, "c") for n in range(4))]
    for folder, judged in (("three", results), ("one", two_groups()[:6])):
        write_page(findings_on(judged, tmp_path), tmp_path / folder)
    with (tmp_path / "three" / "differences.csv").open(newline="", encoding="utf-8") as file:
        b, c = (row for row in csv.DictReader(file) if row["metric"] == "dice")
    assert [b[key] for key in ("group", "against", "cases", "patients_against")] == ["b", "a", "6", "6"]
    assert (float(b["difference"]), float(b["p"])) == (0.0, 1.0)
    assert float(b["difference_low_95"]) < 0 < float(b["difference_high_95"])
    assert (c["group"], c["difference_low_95"], c["p"]) == ("c", "", "")
    header, *rows = (tmp_path / "one" / "differences.csv").read_text(encoding="utf-8").splitlines()
    assert header.endswith(",p")
    assert rows == []


def test_a_comparison_of_groups_says_how_a_difference_is_told_from_chance(tmp_path: Path) -> None:
    page = write_page(findings_on(two_groups(), tmp_path), tmp_path / "out").with_name("report.md")
    text = page.read_text(encoding="utf-8")
    assert re.search(r"## Groups compared\n\n.*10000 permutations of patients.* excludes 0 and p &lt; 0\.05", text)
    assert "| p values | two-sided, 10000 permutations of patients or all, seed 0 |" in text
    assert SKEWED_NOTE in text


def test_a_comparison_of_groups_says_that_it_is_of_their_means(tmp_path: Path) -> None:
    page = write_page(findings_on(two_groups(), tmp_path), tmp_path / "out").with_name("report.md")
    told = r"The means of the groups are compared, not single cases\. Intervals contain the difference of means"
    assert re.search(rf"## Groups compared\n\n{told}", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("group", ["normal", "tumour"])
def test_rows_of_the_article_that_cannot_be_compared_are_told_of_where_they_are_shown(
    tmp_path: Path, group: str
) -> None:
    page = write_page(findings_on([judged_case("a", 0.9, group)], tmp_path), tmp_path / "out")
    text = page.with_name("report.md").read_text(encoding="utf-8")
    assert ("+2.405 % beside an ME of -0.015" in text) == ("2.405 ± 7.359" in text) == (group == "normal")
    assert ("Groups called normal (healthy, controls) and COVID-19 have" in text) == (group == "tumour")


def test_pooled_volumes_and_single_slices_are_counted_beside_every_figure_of_both(tmp_path: Path) -> None:
    results = [replace(one, slices=1 + n % 3) for n, one in enumerate(two_groups())]
    findings = findings_on(results, tmp_path)
    page = write_page(findings, tmp_path / "out").with_name("report.md").read_text(encoding="utf-8")
    sections = re.findall(r"^###? (.*)\n\n.*8 volumes and 4 single slices are pooled\.", page, re.MULTILINE)
    assert sections == ["Right and left lung", "Comparison with plain thresholding", "Groups compared"]
    assert "Volumes and single slices are pooled but for the last two columns." in page
    (told,) = [text for text in sentences(findings) if text.startswith("The pooled cases are")]
    assert re.sub(r"\(.*?\)", "(...)", told) == (
        "The pooled cases are 8 volumes with a mean Dice of 0.9300 (...) and 4 single slices with a mean Dice of "
        "0.9150 (...)."
    )
    alike = findings_on(two_groups(), tmp_path)
    assert "ooled" not in " ".join(sentences(alike))


def test_cases_in_which_nothing_was_found_are_told_of_beside_the_figures_that_leave_them_out(tmp_path: Path) -> None:
    missed = case_of("missed", comparison_of(10, 0, 0))
    missed.comparisons[THRESHOLDING] = {LUNGS: comparison_of(10, 9, 0)}
    findings = findings_on([*two_groups(), missed], tmp_path)
    page = write_page(findings, tmp_path / "out").with_name("report.md").read_text(encoding="utf-8")
    told = r"^###? (.*)\n\n.*1 case in which nothing was found has no distance and no mean HU and is not in them\."
    assert re.findall(told, page, re.MULTILINE) == [
        "Table 1", "Further metrics", "Right and left lung", "Comparison with plain thresholding",
    ]  # fmt: skip
    with (tmp_path / "out" / "summary.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row["group"], row["method"]) == ("all", "network")]
    left_out = {row["metric"]: row["without_value"] for row in rows}
    assert (left_out["dice"], left_out["mean_hu_difference_percent"]) == ("0", "1")


def test_a_cross_validation_tells_the_range_of_its_folds_and_of_what_its_intervals_are(tmp_path: Path) -> None:
    results = [replace(judged_case(f"case {n}", 0.90 + n / 100), fold=1 + n % 2) for n in range(6)]
    findings = findings_on(results, tmp_path)
    findings.evaluation.judges = [replace(findings.evaluation.judges[0], fold=fold) for fold in (1, 2)]
    page = write_page(findings, tmp_path / "out")
    note = "they say nothing about how another training would come out."
    for text in (page.read_text(encoding="utf-8"), page.with_name("report.md").read_text(encoding="utf-8")):
        assert "bootstrap over patients; means of the folds 0.9200 to 0.9300)." in text
        assert "Mean Dice by fold: 1: 0.9200 (3 cases), 2: 0.9300 (3 cases). Intervals draw patients and take" in text
        assert text.count(note) == 2  # beside the folds and under the definitions
    one_network = findings_on([replace(one, fold=None) for one in results], tmp_path)
    assert note not in write_page(one_network, tmp_path / "one").with_name("report.md").read_text(encoding="utf-8")


def test_the_mean_names_its_cases_and_patients_where_some_judged_cases_have_no_lung(tmp_path: Path) -> None:
    results = [judged_case(f"a{n}", 0.9, patient=f"p{n // 2}") for n in range(3)]
    page = write_page(findings_on(results, tmp_path), tmp_path / "all").read_text(encoding="utf-8")
    assert "The mean Dice is 0.9000 (" in page
    assert "mean Dice (no interval" in page
    results.append(case_of("empty", comparison_of(0, 0, 0)))
    page = write_page(findings_on(results, tmp_path), tmp_path / "some").read_text(encoding="utf-8")
    assert "The mean Dice of the 3 cases of 2 patients with lung is 0.9000 (" in page
    assert ">mean Dice of the 3 cases of 2 patients with lung (no interval" in page


def test_of_two_cases_in_the_middle_the_worse_is_the_typical_one(tmp_path: Path) -> None:
    results = [judged_case(str(dice), dice) for dice in (0.9, 0.8, 0.95, 0.7)]
    page = write_page(findings_on(results, tmp_path), tmp_path / "out").read_text(encoding="utf-8")
    assert ", no group: Dice 0.8000, 0 ml missed" in page


def test_each_figure_is_worked_out_once_for_report_and_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any) -> Any:
            called.append(name)
            return real(*arguments)

        return count

    names = ["compare_groups", "compare_with_thresholding", "mean_dice", "table1"]
    for name in names:
        monkeypatch.setattr(findings_module, name, counted(name, getattr(findings_module, name)))
    findings = findings_on(two_groups(), tmp_path)
    write_report(findings, sentences(findings), tmp_path / "out")
    assert sorted(called) == names


def test_page_and_markdown_have_the_same_sections_in_the_same_order_but_for_those_of_pictures(tmp_path: Path) -> None:
    page = write_page(findings_on(two_groups(), tmp_path), tmp_path / "out")
    in_page = re.findall(r"<h[23]>(.*?)</h", page.read_text(encoding="utf-8"))
    text = page.with_name("report.md").read_text(encoding="utf-8")
    in_text = re.findall(r"^###? (.*)$", text, re.MULTILINE)
    assert [title for title in in_page if title not in ("Distributions", "Typical results")] == in_text
    assert in_text == [
        "Table 1", "Further metrics", "Right and left lung", "Comparison with plain thresholding", "Groups compared",
        "b against a", "Cases", "Definitions", "How this was made",
    ]  # fmt: skip
    assert "R reference, P prediction; TP, FP and FN count voxels of the whole scan that are" in text
    assert "TN those of the lung box, the box around R, that are in neither" in text
    assert "what of the other mask stops short of such a cut is measured to the cut." in text
    # A bar shows as one and parts no columns.
    assert "100 * sum of &#124;P - R&#124; / sum of R" in text


def test_the_page_begins_with_the_shares_that_were_missed_and_added(tmp_path: Path) -> None:
    results = [case_of("a", comparison_of(40, 38, 1)), case_of("b", comparison_of(40, 36, 3))]
    page = write_page(findings_on(results, tmp_path), tmp_path / "out").read_text(encoding="utf-8")
    assert "<b>7.5 %</b><span>of the lung missed, mean over cases</span>" in page
    assert "<b>5.0 %</b><span>added to it, mean over cases</span>" in page
