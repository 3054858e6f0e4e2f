"""Table 1 worked out by hand, with groups, doubt, and masks that are empty or equal."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from judged_cases import case_of, comparison_of, judged_case

from LungSegResNetLib.figures.metric_definitions import METRIC_BY_KEY
from LungSegResNetTrainingLib.data.dois import address_of
from LungSegResNetTrainingLib.data.mask_notes import ONE_VALUE
from LungSegResNetTrainingLib.evaluation.aggregation import (
    ALL_CASES,
    groups_of,
    table1,
    with_lung,
    without_doubt,
)
from LungSegResNetTrainingLib.evaluation.baseline_comparison import compare_with_thresholding
from LungSegResNetTrainingLib.evaluation.bootstrap import Interval
from LungSegResNetTrainingLib.evaluation.csv_tables import write_cases, write_summary
from LungSegResNetTrainingLib.evaluation.evaluate import Evaluation
from LungSegResNetTrainingLib.evaluation.figure_text import interval_text, mean_and_sd, range_text
from LungSegResNetTrainingLib.evaluation.paper_figures import PAPER, PAPER_DECIMALS, PAPER_METRICS, paper_group
from LungSegResNetTrainingLib.evaluation.report_tables import (
    baseline_text,
    cases_text,
    doubts_text,
    sides_text,
    sources,
    table1_text,
)
from LungSegResNetTrainingLib.evaluation.spread import Spread, spread_of


def test_mean_sample_sd_and_range_worked_out_by_hand() -> None:
    assert spread_of([1.0, 2.0, 6.0]) == Spread(3, 3.0, pytest.approx(math.sqrt(7.0)), 1.0, 6.0, 2.0)


def test_median_and_quartiles_worked_out_by_hand_from_five_values_on() -> None:
    spread = spread_of([9.0, 1.0, 2.0, 4.0, math.nan, 3.0])
    assert (spread.q1, spread.median, spread.q3) == (2.0, 3.0, 4.0)
    assert spread_of([1.0, 2.0, 4.0, 8.0]).median == 3.0
    assert math.isnan(spread_of([1.0, 2.0, 4.0, 8.0]).q1)


def test_what_is_not_finite_counts_in_no_mean() -> None:
    assert spread_of([1.0, math.nan, math.inf, 3.0]) == Spread(2, 2.0, pytest.approx(math.sqrt(2.0)), 1.0, 3.0, 2.0)


def test_one_value_has_no_sd_and_none_has_nothing() -> None:
    one, none = spread_of([0.5]), spread_of([math.nan])
    assert (one.count, one.mean) == (1, 0.5)
    assert math.isnan(one.sd)
    assert none.count == 0
    assert math.isnan(none.mean)


def test_columns_are_the_groups_beside_the_article_and_all() -> None:
    results = [
        judged_case("a", 0.90, "tumour"),
        judged_case("b", 0.96, "COVID-19"),
        judged_case("c", 0.98, "Normal"),
        judged_case("d", 0.94, "covid19"),
    ]
    columns = table1(results)
    assert [(column.title, column.cases) for column in columns] == [
        ("Normal", 1), ("article: normal", 120), ("COVID-19", 2), ("article: COVID-19", 120), ("tumour", 1), ("all", 4),
    ]  # fmt: skip
    dice = {column.title: column.spreads["dice"] for column in columns}
    assert dice["COVID-19"] == Spread(
        2, pytest.approx(0.95), pytest.approx(0.02 / math.sqrt(2)), 0.94, 0.96, pytest.approx(0.95)
    )
    assert dice["all"].mean == pytest.approx(0.945)
    assert dice["article: normal"] == Spread(120, 0.980, 0.003, 0.970, 0.985)


@pytest.mark.parametrize("group", ["", "tumour"])
def test_cases_of_one_group_have_one_column(group: str) -> None:
    assert [column.title for column in table1([judged_case("a", 0.9, group), judged_case("b", 0.8, group)])] == ["all"]


def test_a_case_without_group_is_named_so_beside_others() -> None:
    assert list(groups_of([judged_case("a", 0.9), judged_case("b", 0.9, "tumour")])) == ["tumour", "no group"]


def test_a_group_that_is_called_all_is_not_taken_for_all_cases(tmp_path: Path) -> None:
    results = [judged_case("a", 0.8, "All"), judged_case("b", 0.9, "tumour"), judged_case("c", 1.0, "all")]
    assert [column.title for column in table1(results)] == ["group All", "tumour", "all"]
    write_summary(tmp_path / "summary.csv", Evaluation([], results))
    with (tmp_path / "summary.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "dice"]
    assert [(row["group"], row["cases"], row["mean"]) for row in rows] == [
        ("group All", "2", "0.9"), ("tumour", "1", "0.9"), ("all", "3", "0.9"),
    ]  # fmt: skip


def test_an_empty_prediction_counts_with_its_zeros() -> None:
    # Dice 0 and 1; the mean HU of nothing does not exist, so that metric has one case only.
    results = [case_of("missed", comparison_of(10, 0, 0)), case_of("found", comparison_of(10, 10, 0))]
    (column,) = table1(results)
    assert column.spreads["dice"] == Spread(2, 0.5, pytest.approx(math.sqrt(0.5)), 0.0, 1.0, 0.5)
    assert column.spreads["volume_difference_percent"].mean == -50.0
    assert column.spreads["mean_hu_difference_percent"].count == 1
    assert "\nn = 1" in table1_text([column])[0].rows[PAPER_METRICS.index("mean_hu_difference_percent")][1]


def test_a_reference_without_lung_is_in_no_mean() -> None:
    empty, found = case_of("abdomen", comparison_of(0, 0, 5)), case_of("chest", comparison_of(8, 6, 2))
    assert with_lung([empty, found]) == [found]
    (column,) = table1([empty, found])
    assert (column.title, column.cases) == (ALL_CASES, 1)
    assert column.spreads["dice"].mean == pytest.approx(2 * 6 / (2 * 6 + 2 + 2))
    assert column.spreads["mean_error"].mean == 0.0
    assert column.spreads["mean_absolute_error"].mean == pytest.approx(4 / 8)


def test_the_figures_of_the_article_belong_to_their_metrics() -> None:
    for figures in PAPER.values():
        assert tuple(figures) == PAPER_METRICS
        # Dice and Jaccard are two views of one overlap: J = D / (2 - D).
        assert figures["jaccard"].mean == pytest.approx(figures["dice"].mean / (2 - figures["dice"].mean), abs=0.008)
        assert figures["mean_error"].least < figures["mean_error"].mean < figures["mean_error"].largest


_TABLE_1 = """
Dice Coefficient 0.970 0.985 0.980 ± 0.003 0.903 0.986 0.971 ± 0.017
Jaccard Index 0.942 0.971 0.962 ± 0.007 0.823 0.973 0.938 ± 0.040
ME -0.031 0.015 -0.015 ± 0.009 -0.155 0.042 -0.024 ± 0.042
MAE 0.028 0.057 0.037 ± 0.007 0.026 0.176 0.061 ± 0.040
False Positive Ratio 0.001 0.022 0.005 ± 0.004 0.003 0.028 0.007 ± 0.004
False Negative Ratio 0.020 0.036 0.026 ± 0.003 0.011 0.167 0.044 ± 0.040
Relative Mean HU Diff (%) -3.673 -2.020 -2.679 ± 0.382 -16.799 -1.183 -4.403 ± 4.097
Absolute Relative Mean HU Diff (%) 0 0.374 0.828 ± 1.318 0.921 10.894 3.253 ± 3.106
Relative Volume Diff (%) -4.726 29.524 2.405 ± 7.359 -12.666 90.561 5.928 ± 17.261
Absolute Relative Volume Diff (%) 1.960 33.164 7.875 ± 6.548 2.199 91.486 12.743 ± 16.384
"""


def test_the_figures_of_the_article_are_those_of_its_table_1_each_of_them() -> None:
    """The article prints minimum, maximum and mean ± SD, of normal subjects and then of COVID-19."""
    number = r"(-?\d+(?:\.\d+)?)"
    rows = re.findall(" ".join([*[number] * 2, f"{number} ± {number}"] * 2) + "$", _TABLE_1, re.MULTILINE)
    for figures, first in ((PAPER["normal"], 0), (PAPER["COVID-19"], 4)):
        printed = [tuple(map(float, row[first : first + 4])) for row in rows]
        assert [(one.least, one.largest, one.mean, one.sd) for one in figures.values()] == printed


def test_the_articles_relative_differences_contradict_themselves_as_the_report_says() -> None:
    for figures in PAPER.values():
        error, volume = figures["mean_error"], figures["volume_difference_percent"]
        assert error.mean < 0 < volume.mean
        assert volume.largest > 5 * 100 * error.largest
        assert figures["absolute_volume_difference_percent"].largest > max(volume.largest, -volume.least)
        hu = figures["mean_hu_difference_percent"]
        assert hu.largest < 0
        assert figures["absolute_mean_hu_difference_percent"].mean < -hu.mean - 1
    absolute = PAPER["normal"]["absolute_mean_hu_difference_percent"]
    assert absolute.mean > absolute.largest


@pytest.mark.parametrize(
    ("group", "meant"),
    [
        *((name, "normal") for name in ("NORMAL", "normal subjects", "Healthy", "healthy volunteers", "controls")),
        *((name, "normal") for name in ("normal_lungs", "Normal controls")),
        *((name, "COVID-19") for name in ("Covid 19", "covid", "covid19", "COVID-19 pneumonia", "COVID pos", "COVID+")),
        *((name, "COVID-19") for name in ("COVID-19 patients", "PCR-confirmed COVID-19", "SARS-CoV-2 positive")),
        *((name, None) for name in ("", "abnormal", "non-COVID", "COVID negative", "COVID-", "no covid", "post-COVID")),
        *((name, None) for name in ("COVID-19 controls", "severe COVID-19", "normal dose", "pneumonia", "patients")),
    ],
)
def test_groups_of_the_article_are_known_by_what_they_are_called(group: str, meant: str | None) -> None:
    assert paper_group(group) == meant


def test_groups_that_both_mean_one_of_the_article_stay_two_with_its_figures_beside_the_last() -> None:
    results = [judged_case("a", 0.90, "healthy"), judged_case("b", 0.96, "controls"), judged_case("c", 0.98, "tumour")]
    columns = table1(results)
    assert [column.title for column in columns] == ["controls", "healthy", "article: normal", "tumour", "all"]


def test_doubtful_cases_can_be_left_out_and_bear_a_mark() -> None:
    results = [judged_case("sure", 0.9), judged_case("unsure", 0.7, doubtful="border estimated")]
    assert [result.case.name for result in without_doubt(results)] == ["sure"]
    assert [row[0].split("\n")[0] for row in cases_text(results).rows] == ["unsure*", "sure"]


def test_a_case_that_the_list_accepts_is_in_no_doubt_and_bears_a_mark_of_its_own() -> None:
    accepted = judged_case("white", 0.8)
    accepted = replace(accepted, case=replace(accepted.case, accepted="seen by R."), doubts=("Only 9 % is aerated.",))
    results = [judged_case("sure", 0.9), accepted]
    assert without_doubt(results) == results
    assert [row[0].split("\n")[0] for row in cases_text(results).rows] == ["white†", "sure"]
    assert doubts_text(results).rows == [["† white", "accepted: seen by R. Only 9 % is aerated."]]
    # What the list itself calls doubtful stays so, and what nobody doubted needs no acceptance.
    both = replace(accepted, case=replace(accepted.case, doubtful="border estimated"))
    assert without_doubt([both]) == []
    assert doubts_text([both]).rows[0][1] == "border estimated accepted: seen by R. Only 9 % is aerated."
    assert doubts_text([replace(accepted, doubts=())]).rows == []


def test_a_lung_that_is_not_there_is_in_no_mean_of_its_side() -> None:
    one_lung = judged_case("one", 0.9)
    one_lung.comparisons["network"] |= {"right lung": comparison_of(4, 4, 0), "left lung": comparison_of(0, 0, 2)}
    table = sides_text([one_lung])
    assert table.head[1:] == ["both lungs\nn = 1", "right lung\nn = 1", "left lung\nn = 0"]
    assert [cell.strip() for cell in table.rows[0][1:]] == ["0.9000", "1.0000", "-"]


def test_sides_that_were_parted_here_are_in_no_mean_of_a_side(tmp_path: Path) -> None:
    results = [judged_case(name, 0.9) for name in "ab"]
    for result, common in zip(results, (4, 2), strict=True):
        result.comparisons["network"] |= dict.fromkeys(("right lung", "left lung"), comparison_of(4, common, 0))
    results[1] = replace(results[1], notes=(ONE_VALUE,))
    table = sides_text(results)
    assert table.head[1:] == ["both lungs\nn = 2", "right lung\nn = 1", "left lung\nn = 1"]
    assert [cell.split("\n")[0].split(" ")[0] for cell in table.rows[0][1:]] == ["0.9000", "1.0000", "1.0000"]
    assert [row[3:5] for row in cases_text(results).rows] == [["1.0000", "1.0000"], ["-", "-"]]
    # The table of cases has the figures, and says where they are from.
    evaluation = Evaluation([], results)
    write_cases(tmp_path / "cases.csv", evaluation)
    write_summary(tmp_path / "summary.csv", evaluation)
    cases, summary = (list(csv.DictReader((tmp_path / name).open(newline=""))) for name in ("cases.csv", "summary.csv"))
    assert {(row["case"], row["sides"]) for row in cases} == {
        ("a", "told by the reference"), ("b", "parted by position"),
    }  # fmt: skip
    counts = {row["region"]: row["cases"] for row in summary if row["metric"] == "dice"}
    assert counts == {"lungs": "2", "right lung": "1", "left lung": "1"}


def test_a_figure_that_a_case_lacks_says_of_how_many_it_is() -> None:
    results = [judged_case(name, 0.9, baseline_dice=0.8) for name in "abc"]
    found = replace(comparison_of(4, 4, 0), hd95_mm=3.0)
    missed = replace(comparison_of(4, 0, 0), hd95_mm=float("nan"))
    for result in results:
        result.comparisons["network"] |= dict.fromkeys(("lungs", "right lung", "left lung"), found)
        result.comparisons["thresholding"] = {"lungs": found}
    results[2].comparisons["network"] |= {"lungs": missed, "right lung": missed}
    (hd95,) = (row for row in sides_text(results).rows if row[0].startswith("95 % Hausdorff"))
    assert [cell.split("\n")[1] for cell in hd95[1:]] == [
        "3.00 ± 0.00 (3.00, 3.00) n = 2", "3.00 ± 0.00 (3.00, 3.00) n = 2", "3.00 ± 0.00 (3.00, 3.00)",
    ]  # fmt: skip
    table = baseline_text(compare_with_thresholding(results))
    assert table.head[1:3] == ["network\nn = 3", "thresholding\nn = 3"]
    (hd95,) = (row for row in table.rows if row[0].startswith("95 % Hausdorff"))
    assert [cell.endswith("n = 2") for cell in hd95[1:3]] == [True, True]


def test_of_distances_the_median_comes_first_because_one_stray_part_spoils_a_mean(tmp_path: Path) -> None:
    distances = (1.0, 2.0, 3.0, 4.0, 90.0)
    results = [case_of(f"{mm}", replace(comparison_of(4, 4, 0), hd95_mm=mm)) for mm in distances]
    _, further = table1_text(table1(results))
    (hd95,) = (row for row in further.rows if row[0].startswith("95 % Hausdorff"))
    assert hd95[0].endswith("\nmedian [quartiles], then mean ± SD")
    assert hd95[1] == "3.00 [2.00, 4.00]\n20.00 ± 39.15 (1.00, 90.00)"
    _, of_one_case = table1_text(table1(results[:1]))
    assert [row[1] for row in of_one_case.rows if row[0] == hd95[0]] == ["1.00"]
    write_summary(tmp_path / "summary.csv", Evaluation([], results))
    with (tmp_path / "summary.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "hd95_mm"]
    assert {(row["q1"], row["median"], row["q3"]) for row in rows} == {("2.0", "3.0", "4.0")}


def test_a_doi_counts_as_one_source_however_it_is_written() -> None:
    written = ("10.1/x", "https://doi.org/10.1/x", "doi:10.1/x", "https://example.org/data")
    results = [judged_case(str(number), 0.9) for number in range(len(written))]
    results = [replace(one, case=replace(one.case, doi=doi)) for one, doi in zip(results, written, strict=True)]
    assert sources(results) == [("", "10.1/x", 3), ("", "https://example.org/data", 1)]
    assert address_of("10.1/x") == "https://doi.org/10.1/x"
    assert address_of("https://example.org/data") == "https://example.org/data"


def test_numbers_are_written_as_in_the_article() -> None:
    spread, metric = PAPER["normal"]["mean_error"], METRIC_BY_KEY["mean_error"]
    assert mean_and_sd(spread, metric, PAPER_DECIMALS) == "-0.015 ± 0.009"
    assert range_text(spread, metric, PAPER_DECIMALS) == "(-0.031, 0.015)"


def test_volumes_and_single_slices_have_figures_of_their_own_where_there_are_both(tmp_path: Path) -> None:
    slices = {"a": 30, "b": 40, "c": 1, "d": 1, "e": 1}
    results = [
        replace(judged_case(name, 0.99 if count > 1 else 0.9, "normal" if name in "abc" else "tumour"), slices=count)
        for name, count in slices.items()
    ]
    article, _ = table1_text(table1(results))
    assert article.head[1:] == [
        "normal\nn = 3 (2 volumes and 1 single slice)", "article: normal\nn = 120", "tumour\nn = 2",
        "all\nn = 5 (2 volumes and 3 single slices)", "all volumes\nn = 2", "all single slices\nn = 3",
    ]  # fmt: skip
    assert [cell.split(" ")[0] for cell in article.rows[0][-3:]] == ["0.9360", "0.9900", "0.9000"]
    write_summary(tmp_path / "summary.csv", Evaluation([], results))
    with (tmp_path / "summary.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "dice"]
    assert [(row["group"], row["kind"], row["cases"], row["mean"]) for row in rows] == [
        ("normal", "all", "3", "0.96"), ("normal", "volumes", "2", "0.99"), ("normal", "single slices", "1", "0.9"),
        ("tumour", "all", "2", "0.9"), ("tumour", "single slices", "2", "0.9"),
        ("all", "all", "5", "0.936"), ("all", "volumes", "2", "0.99"), ("all", "single slices", "3", "0.9"),
    ]  # fmt: skip


def test_own_ratios_have_a_decimal_more_than_those_of_the_article_beside_them() -> None:
    article, _ = table1_text(table1([judged_case("a", 0.9997, "normal"), judged_case("b", 0.9999, "normal")]))
    assert [cell.split("\n")[0] for cell in article.rows[0]] == [
        "Dice", "0.9998 ± 0.0001", "0.980 ± 0.003", "0.9998 ± 0.0001",
    ]  # fmt: skip


def test_an_interval_whose_ends_are_written_alike_is_not_written_as_a_range() -> None:
    assert interval_text(Interval(0.99981, 0.99984, 20)) == "0.9998 at both ends"
    assert interval_text(Interval(-0.00001, 0.0012, 20), signed=True) == "0.0000 to +0.0012"
