"""What is said about two groups is no more than the cases allow."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from judged_cases import case_of, comparison_of, judged_case

from LungSegResNetLib.figures.metrics import compare_masks
from LungSegResNetLib.network.model_file import ModelCard
from LungSegResNetTrainingLib.evaluation.aggregation import values_of
from LungSegResNetTrainingLib.evaluation.baseline_comparison import compare_with_thresholding
from LungSegResNetTrainingLib.evaluation.case_result import CaseResult
from LungSegResNetTrainingLib.evaluation.evaluate import Evaluation, Judge
from LungSegResNetTrainingLib.evaluation.findings import Findings
from LungSegResNetTrainingLib.evaluation.group_comparison import COMPARED_METRICS, compare_groups, statements_by_pair
from LungSegResNetTrainingLib.evaluation.summary_text import sentences


def group_of(name: str, mean: float, count: int, seed: int) -> list[CaseResult]:
    scatter = np.random.default_rng(seed).normal(0.0, 0.01, count)
    scatter -= scatter.mean()
    return [judged_case(f"{name}{n}", mean + float(s), name) for n, s in enumerate(scatter)]


def test_a_clear_difference_is_stated_with_its_direction() -> None:
    dice = compare_groups([*group_of("normal", 0.98, 12, 0), *group_of("COVID-19", 0.93, 12, 1)])[0]
    assert dice.difference == pytest.approx(-0.05)
    assert dice.interval is not None
    assert dice.interval.high < 0
    assert dice.statement.startswith(
        "Dice: the mean is lower in COVID-19 than in normal, difference of means -0.0500 (95 % interval -0.05"
    )
    assert dice.statement.endswith("; p < 0.001; 12 and 12 cases).")


def skewed_dice(count: int, rng: np.random.Generator) -> list[float]:
    """Most masks good, some far worse: what an interval of few patients is mistaken about."""
    good = np.linspace(0.982, 0.998, 58)
    return rng.choice([*good, 0.523, 0.65, 0.80, 0.80, 0.81, 0.89, 0.93, 0.95], count).tolist()


def of_dice(name: str, values: list[float]) -> list[CaseResult]:
    return [judged_case(f"{name}{n}", value, name) for n, value in enumerate(values)]


def test_groups_of_one_kind_are_seldom_said_to_differ_however_skewed_and_unequal() -> None:
    rng, said, excluded = np.random.default_rng(3), 0, 0
    for _ in range(30):
        results = of_dice("normal", skewed_dice(12, rng)) + of_dice("COVID-19", skewed_dice(120, rng))
        dice = compare_groups(results)[0]
        said += "the mean is" in dice.statement
        excluded += dice.interval is not None and not dice.interval.holds_zero
    assert excluded >= 6  # the interval alone would take a fifth and more for different
    assert said <= 3


def test_an_interval_and_a_p_that_disagree_are_both_told_and_no_difference_is_stated() -> None:
    # All of the few normals happen to be good; so are most of the others, whose worst cases lower their mean.
    lower = compare_groups(of_dice("normal", [0.99] * 12) + of_dice("COVID-19", [0.99] * 110 + [0.7] * 10))[0]
    assert lower.interval is not None
    assert lower.interval.high < 0
    assert re.search(r"-0\.0242 \(95 % interval -0\.0\d+ to -0\.0\d+; p = 0\.\d+\), is not dist", lower.statement)
    # One normal case is worse than all others, and the draws without it show no difference.
    higher = compare_groups(of_dice("normal", [0.99] * 11 + [0.5]) + of_dice("COVID-19", [0.99] * 300))[0]
    assert re.search(r"0\.0408 \(95 % interval 0\.0000 to 0\.1\d+; p = 0\.0[0-4]\d\), is not dist", higher.statement)


def test_a_difference_of_skewed_and_unequal_groups_is_found() -> None:
    rng = np.random.default_rng(5)
    worse = [value - 0.15 for value in skewed_dice(120, rng)]
    dice = compare_groups(of_dice("normal", skewed_dice(12, rng)) + of_dice("COVID-19", worse))[0]
    assert dice.statement.startswith("Dice: the mean is lower in COVID-19 than in normal, difference of means -0.1")


@pytest.mark.parametrize(("p", "told", "differs"), [(0.0494, "p = 0.049", True), (0.0496, "p = 0.050", False)])
def test_a_p_that_is_written_as_the_limit_is_not_below_it(p: float, told: str, differs: bool) -> None:
    dice = compare_groups([*group_of("normal", 0.98, 12, 0), *group_of("COVID-19", 0.93, 12, 1)])[0]
    text = replace(dice, p=p).statement
    assert told in text
    assert ("the mean is lower" in text) == differs


def test_densities_of_groups_are_compared_in_hu_which_dense_lung_does_not_blow_up() -> None:
    # 3 of 4 voxels are found: 10 HU too low in every case, which is 1 % of -850 HU and all of -10 HU.
    def case(name: str, group: str, more_hu: int) -> CaseResult:
        hu = np.array([[[-860, -860, -860, -820]]]) + more_hu
        reference = np.ones(hu.shape, bool)
        found = hu < -840 + more_hu
        return case_of(name, compare_masks(reference, found, np.diag((10.0, 10.0, 10.0)), hu), group)

    results = [case(f"a{n}", "normal", 0) for n in range(6)] + [case(f"b{n}", "COVID-19", 840) for n in range(6)]
    (said,) = [one for one in compare_groups(results) if "HU" in one.metric.title]
    assert said.metric.unit == "HU"
    assert said.difference == pytest.approx(0)


def test_a_difference_within_the_scatter_is_not_distinguishable_from_0() -> None:
    dice = compare_groups([*group_of("normal", 0.970, 12, 0), *group_of("COVID-19", 0.969, 9, 1)])[0]
    assert dice.statement.startswith("Dice: the difference of means, -0.00")
    assert dice.statement.endswith("is not distinguishable from 0 with these 9 and 12 cases.")


def test_cases_without_a_group_are_named_so_in_words() -> None:
    differences = compare_groups([*group_of("normal", 0.98, 12, 0), *group_of("", 0.93, 12, 1)])
    assert differences[0].statement.startswith("Dice: the mean is lower in cases without a group than in normal, ")
    assert list(statements_by_pair(differences)) == ["cases without a group against normal"]


def test_a_difference_that_is_written_as_0_is_none() -> None:
    results = [judged_case(f"a{n}", 0.97, "normal") for n in range(12)]
    results += [judged_case(f"b{n}", 0.97002, "tumour", baseline_dice=0.97) for n in range(12)]
    dice = compare_groups(results)[0]
    assert dice.interval is not None
    assert not dice.interval.holds_zero
    assert dice.statement == "Dice: the means do not differ at the precision shown, 0.0000 (12 and 12 cases)."
    said = " ".join(sentences(Findings(Evaluation([_judge()], results))))
    assert "a mean Dice of 0.9700 on the same cases; at this precision the network does not differ from it." in said
    assert "better by" not in said


def test_a_mean_difference_of_0_in_scattered_cases_is_no_equality() -> None:
    results = [judged_case(f"a{n}", 0.95 + 0.01 * (-1) ** n, baseline_dice=0.95) for n in range(12)]
    said = " ".join(sentences(Findings(Evaluation([_judge()], results))))
    assert re.search(
        r"the difference of 0\.0000 \(95 % interval -0\.00\d+ to \+0\.00\d+; p = \d\.\d+\) is not distinguishable", said
    )


def test_a_limit_that_is_written_as_0_is_not_beyond_it() -> None:
    # All draws are above 0, but the lowest of them by less than can be seen.
    results = [judged_case(f"a{n}", 0.95 + 0.00001 + 0.004 * (n == 0), baseline_dice=0.95) for n in range(12)]
    (dice, *_) = compare_with_thresholding(results)
    assert dice.interval is not None
    assert not dice.interval.holds_zero
    assert dice.p is not None
    assert dice.p < 0.05
    said = " ".join(sentences(Findings(Evaluation([_judge()], results))))
    assert "(95 % interval 0.0000 to +0.0010; p < 0.001) is not distinguishable from 0" in said


def test_the_network_is_not_called_better_for_one_skewed_case() -> None:
    """Two of twelve patients with a large gain: all draws have one of them, but exchanging the methods tells little."""
    gains = [0.10, 0.08, *[0.001 * (-1) ** n for n in range(10)]]
    results = [judged_case(f"a{n}", 0.85 + gain, baseline_dice=0.85) for n, gain in enumerate(gains)]
    (dice, *_) = compare_with_thresholding(results)
    assert dice.interval is not None
    assert dice.p is not None
    assert dice.p > 0.05
    said = " ".join(sentences(Findings(Evaluation([_judge()], results))))
    assert re.search(
        r"the difference of \+0\.01\d+ \(95 % interval .*; p = 0\.\d+\) is not distinguishable from 0", said
    )


def _judge(**training: Any) -> Judge:
    """A network of which nothing but its card is known."""
    loaded = SimpleNamespace(predictor=SimpleNamespace(card=ModelCard(config={}, training=training)))
    return Judge(loaded, "an engine", "a digest")  # type: ignore[arg-type]


def test_a_cross_validation_whose_steps_were_chosen_on_the_judged_cases_says_so() -> None:
    results = [replace(judged_case("a", 0.9), fold=1), replace(judged_case("b", 0.8), fold=2)]
    for training, count in (({}, 0), ({"choosing_scans": [["b"]]}, 1), ({"choosing_scans": [["a"]]}, 0)):
        judges = [replace(_judge(), fold=1), replace(_judge(**training), fold=2)]
        told = [text for text in sentences(Findings(Evaluation(judges, results))) if "The Dice is optimistic" in text]
        assert len(told) == count


def test_the_mean_of_each_fold_is_that_of_its_cases() -> None:
    folds = {"a": (0.9, 2), "b": (0.8, 1), "c": (0.6, 1)}
    results = [replace(judged_case(name, dice), fold=fold) for name, (dice, fold) in folds.items()]
    judges = [replace(_judge(), fold=fold) for fold in (1, 2)]
    said = sentences(Findings(Evaluation(judges, results)))
    assert "Mean Dice by fold: 1: 0.7000 (2 cases), 2: 0.9000 (1 case)." in said


def test_a_step_that_was_chosen_on_some_of_the_judged_cases_is_told_of() -> None:
    results = [judged_case("a", 0.9), judged_case("b", 0.8)]
    for chose, count in (("a", 1), ("other", 0)):
        judge = _judge(patience=None, validation_cases=["b"], choosing_scans=[[chose]])
        told = [text for text in sentences(Findings(Evaluation([judge], results))) if "The Dice is optimistic" in text]
        assert len(told) == count
        assert all(text.endswith("or of one that it came from, by 1 case among these.") for text in told)


@pytest.mark.parametrize("finished", [False, True])
def test_a_network_whose_training_has_not_finished_is_told_of(finished: bool) -> None:
    said = sentences(Findings(Evaluation([_judge(finished=finished)], [judged_case("a", 0.9)])))
    assert any("has not finished" in text for text in said) != finished


def test_what_is_missed_and_what_is_added_are_shares_of_all_lung_and_their_dense_parts_of_themselves() -> None:
    volumes = {"missed_ml": 2.0, "missed_dense_ml": 1.0, "added_ml": 1.0, "added_dense_ml": 0.25}
    result = replace(case_of("a", comparison_of(40, 38, 1)), **volumes)
    said = " ".join(sentences(Findings(Evaluation([_judge()], [result]))))
    assert "(40 ml) the network misses 5.0 % (false negatives), and it adds 2.5 % that" in said
    assert "50.0 % of what it misses is denser than -420 HU" in said
    assert "and so is 25.0 % of what it adds." in said


def test_the_most_that_was_found_where_there_is_no_lung_is_told_with_its_case() -> None:
    results = [replace(case_of(f"c{ml}", comparison_of(0, 0, 9)), added_ml=float(ml)) for ml in (3, 8, 5)]
    said = " ".join(sentences(Findings(Evaluation([_judge()], results))))
    assert "In 3 of them the network found some, at most 8 ml (c8)." in said


def test_one_doubtful_case_is_one() -> None:
    results = [judged_case("a", 0.9), judged_case("b", 0.8, doubtful="border estimated")]
    said = sentences(Findings(Evaluation([_judge()], results)))
    assert any(text.startswith("In 1 case the reference is doubtful, at least in part; it is marked") for text in said)


def test_few_patients_allow_no_statement_however_large_the_difference() -> None:
    results = [*group_of("normal", 0.98, 8, 0), *group_of("COVID-19", 0.5, 4, 1)]
    differences = compare_groups(results)
    assert differences[0].too_few
    assert differences[0].interval is None
    assert differences[0].p is None
    ((title, statements),) = statements_by_pair(differences).items()
    assert title == "COVID-19 against normal"
    assert statements == [
        "Dice: the means differ by -0.4800, but 4 and 8 cases of 4 and 8 patients are too few for a statement."
    ]


@pytest.mark.parametrize("patients", [1, 4, 5, 9, 10])
def test_with_few_patients_nothing_is_said_to_be_better_and_what_is_said_names_them(patients: int) -> None:
    # Two scans each: it is patients that count.
    results = [
        judged_case(f"{group}{n}", mean + n / 1000, group, patient=f"{group}{n // 2}", baseline_dice=0.8 + n / 900)
        for group, mean in (("normal", 0.95), ("sharp", 0.9))
        for n in range(2 * patients)
    ]
    alone = sentences(Findings(Evaluation([_judge()], results[: 2 * patients])))
    both = sentences(Findings(Evaluation([_judge()], results)))
    (headline,) = [text for text in alone if text.startswith("The mean Dice is")]
    (beside,) = [text for text in alone if text.startswith("Plain thresholding")]
    group = [text for text in both if text.startswith("Dice: the mean is lower in sharp than in normal")]
    if patients < 5:
        are = "patient is" if patients == 1 else "patients are"
        assert f"(no interval: {patients} {are} too few)" in headline
        assert beside.endswith(f", but {patients} {are} too few for a statement.")
        assert group == []
    else:
        narrow = [f"too narrow with {patients} patients" in text for text in (headline, beside, *group)]
        assert narrow == [patients < 10] * 3
        # All five are better: one of 16 ways to exchange the methods, and its mirror image, gives as much.
        assert ("the network is better by" if patients > 5 else "p = 0.062) is not distinguishable") in beside


def test_many_scans_of_few_patients_are_few() -> None:
    results = [judged_case(f"n{n}", 0.98, "normal", patient=f"n{n % 3}") for n in range(30)]
    results += [judged_case(f"c{n}", 0.9 + n / 1000, "COVID-19") for n in range(30)]
    assert compare_groups(results)[0].too_few


@pytest.mark.parametrize("with_value", [1, 2])
def test_only_patients_with_a_value_allow_a_statement_on_a_metric(with_value: int) -> None:
    results = group_of("normal", 0.98, 8, 0) + group_of("COVID-19", 0.9, 8, 1)
    for result in results[8 + with_value :]:
        figures = result.comparisons["network"]
        figures["lungs"] = replace(figures["lungs"], jaccard=float("nan"))
    ((_, statements),) = statements_by_pair(compare_groups(results)).items()
    assert statements[0].startswith("Dice: the mean is lower in COVID-19")
    (index,) = [text for text in statements if "too few" in text]
    assert f"{with_value} and 8 cases of {with_value} and 8 patients are too few for a statement" in index


def test_cases_in_which_nothing_was_found_are_told_of_where_they_have_no_value() -> None:
    def distance(result: CaseResult, mm: float, found: bool) -> CaseResult:
        figures = result.comparisons["network"]
        figures["lungs"] = replace(figures["lungs"], hd95_mm=mm, prediction_ml=10.0 * found)
        return result

    results = [distance(one, 3.0 + n / 10, True) for n, one in enumerate(group_of("normal", 0.98, 8, 0))]
    results += [distance(one, 3.0 + n / 10, True) for n, one in enumerate(group_of("COVID-19", 0.98, 8, 1))]
    results += [distance(judged_case(f"missed{n}", 0.0, "COVID-19"), float("nan"), False) for n in range(3)]
    ((_, statements),) = statements_by_pair(compare_groups(results)).items()
    told = "; 3 cases in which nothing was found have none and are not in it."
    ends = {text.split(":")[0].split(" is ")[0]: text.endswith(told) for text in statements}
    assert ends["95 % Hausdorff distance"]
    assert not ends["Dice"]
    said = sentences(Findings(Evaluation([_judge()], results)))
    assert (
        "In 3 cases with lung the network found none: their Dice is 0, and they are in no mean of distances or HU "
        "differences."
    ) in said


def test_groups_are_compared_by_the_volume_difference_and_not_by_me_which_is_a_hundredth_of_it() -> None:
    results = [case_of("more", comparison_of(40, 38, 3)), case_of("less", comparison_of(40, 31, 0))]
    keys = ["mean_error", "volume_difference_percent"]
    error, volume = values_of(results, keys).T
    assert volume == pytest.approx(100 * error)
    assert [key for key in keys if key in COMPARED_METRICS] == ["volume_difference_percent"]


def test_without_a_normal_group_the_largest_is_compared_against() -> None:
    results = [*group_of("nodule", 0.98, 6, 0), *group_of("tumour", 0.97, 9, 1), *group_of("fibrosis", 0.9, 6, 2)]
    pairs = {(difference.group, difference.against) for difference in compare_groups(results)}
    assert pairs == {("nodule", "tumour"), ("fibrosis", "tumour")}


def test_covid_is_compared_against_a_smaller_group_that_is_called_healthy() -> None:
    results = [*group_of("COVID-19 pneumonia", 0.95, 9, 0), *group_of("healthy subjects", 0.98, 6, 1)]
    pairs = {(difference.group, difference.against) for difference in compare_groups(results)}
    assert pairs == {("COVID-19 pneumonia", "healthy subjects")}


def test_one_group_is_compared_with_nothing() -> None:
    assert compare_groups(group_of("normal", 0.98, 6, 0)) == []


def test_the_same_patients_in_both_groups_are_compared_as_pairs() -> None:
    levels = np.linspace(0.80, 0.99, 10)
    results = [judged_case(f"a{n}", float(level), "normal", patient=f"p{n}") for n, level in enumerate(levels)]
    results += [judged_case(f"b{n}", float(level) - 0.01, "sharp", patient=f"p{n}") for n, level in enumerate(levels)]
    dice = compare_groups(results)[0]
    # Patients differ by 0.19, but each by the same 0.01 between its two scans.
    assert dice.interval is not None
    assert (dice.interval.low, dice.interval.high) == pytest.approx((-0.01, -0.01))
    assert dice.p == 2 / 2**10
    assert dice.statement.startswith("Dice: the mean is lower in sharp than in normal")


def test_network_and_thresholding_are_compared_case_by_case() -> None:
    results = [judged_case(f"p{n}", 0.9 + n / 100, baseline_dice=0.88 + n / 100) for n in range(6)]
    dice = compare_with_thresholding(results)[0]
    assert (dice.network.mean, dice.thresholding.mean) == pytest.approx((0.925, 0.905))
    assert dice.interval is not None
    assert (dice.interval.low, dice.interval.high) == pytest.approx((0.02, 0.02))
    assert dice.p == 2 / 2**6  # all six are better, or all worse
    assert compare_with_thresholding([judged_case("alone", 0.9)]) == []
