"""Judging goes on where it was, with what is still true."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from synthetic_thorax import Thorax
from training_cases import write_case

from LungSegResNetLib.errors import InputError, OutputError
from LungSegResNetLib.network.model_file import default_model_path, load_model, save_model
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.evaluation.case_result import CaseResult, UnjudgedCase
from LungSegResNetTrainingLib.evaluation.evaluate import Judge, evaluate
from LungSegResNetTrainingLib.evaluation.findings import Findings
from LungSegResNetTrainingLib.evaluation.summary_text import sentences

_SMALL = {"spacing": (2.0, 2.0, 5.0), "extent": (402.0, 300.0, 5.0)}


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.load(default_model_path(), "cpu")


def test_an_interrupted_run_keeps_what_was_finished(judge: Judge, tmp_path: Path) -> None:
    assigned = [(write_case(tmp_path, name, **_SMALL), judge) for name in ("first", "second")]  # type: ignore[arg-type]

    finished = []

    def stop(number: int, count: int, outcome: CaseResult | UnjudgedCase, kept: bool) -> None:
        finished.append(outcome)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(assigned, tmp_path / "out", on_outcome=stop)
    seen: list[bool] = []
    again = evaluate(assigned, tmp_path / "out", on_outcome=lambda *about: seen.append(about[3]))
    assert seen == [True, False]
    assert again.results[0] == finished[0]
    assert [result.case.name for result in again.results] == ["first", "second"]


def test_a_changed_scan_a_damaged_result_or_a_lost_picture_is_judged_again(judge: Judge, tmp_path: Path) -> None:
    case: Case = write_case(tmp_path, "thorax", **_SMALL)  # type: ignore[arg-type]
    seen: list[bool] = []

    def run() -> None:
        evaluate(
            [(case, judge)], tmp_path / "out", with_baseline=False, on_outcome=lambda *about: seen.append(about[3]),
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
        on_outcome=lambda *about: seen.append(about[3]),
    )
    assert seen == [False]


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


@pytest.mark.parametrize("trouble", [InputError("It is not a CT."), MemoryError(), RuntimeError("out of luck")])
def test_trouble_of_one_case_costs_no_other(
    judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    cases = [Case(name, tmp_path / "ct", tmp_path / "mask", "validation", name) for name in "ab"]

    def fail(*arguments: object, **options: object) -> None:
        raise trouble

    monkeypatch.setattr("LungSegResNetTrainingLib.evaluation.evaluate.judge_case", fail)
    evaluation = evaluate([(case, judge) for case in cases], tmp_path / "out")
    words = {InputError: "It is not a CT.", MemoryError: "not enough memory", RuntimeError: "RuntimeError: out of luck"}
    assert [failed.name for failed in evaluation.failed] == ["a", "b"]
    assert all(words[type(trouble)] in failed.reason for failed in evaluation.failed)


def test_results_that_cannot_be_written_end_the_evaluation(
    judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OutputError("The disk is full.")

    monkeypatch.setattr("LungSegResNetTrainingLib.evaluation.evaluate.judge_case", fail)
    case = Case("a", tmp_path / "ct", tmp_path / "mask", "validation", "a")
    with pytest.raises(OutputError, match="full"):
        evaluate([(case, judge)], tmp_path / "out")
