"""A folder keeps the report of one evaluation, and never another's figures beside its own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import SimpleITK as sitk
from synthetic_thorax import Thorax
from training_cases import write_case

from LungSegResNetLib.errors import OutputError, OutputExistsError
from LungSegResNetLib.network.model_file import default_model_path
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.data.scan_marks import ScanMarks
from LungSegResNetTrainingLib.evaluation.evaluate import Judge, evaluate
from LungSegResNetTrainingLib.evaluation.report_folder import (
    EvaluationId,
    cases_digest,
    claim_folder,
    evaluation_in,
    holds_another,
    tell_provenance,
)

_SMALL = {"spacing": (2.0, 2.0, 5.0), "extent": (402.0, 300.0, 5.0)}


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.load(default_model_path(), "cpu")


def test_what_an_evaluation_is_known_by_is_kept(tmp_path: Path) -> None:
    about = EvaluationId("n", "/data", "test", "c")
    claim_folder(tmp_path, about, overwrite=False, cases=[])
    kept = {"network": "n", "data set": "/data", "split": "test", "cases": "c"}
    assert json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8")) == kept
    assert evaluation_in(tmp_path) == about
    (tmp_path / "evaluation.json").write_text("[]", encoding="utf-8")
    assert evaluation_in(tmp_path) is None


def test_what_a_report_was_made_with_makes_no_other_evaluation_of_it(tmp_path: Path) -> None:
    mark = tmp_path / "evaluation.json"
    claim_folder(tmp_path, EvaluationId("a"), overwrite=False, cases=[])
    tell_provenance(tmp_path, {"date": "yesterday"})
    assert not holds_another(tmp_path, EvaluationId("a"))
    claim_folder(tmp_path, EvaluationId("a"), overwrite=False, cases=[])
    assert json.loads(mark.read_text(encoding="utf-8")) == EvaluationId("a").as_json() | {
        "made with": {"date": "yesterday"}
    }
    claim_folder(tmp_path, EvaluationId("b"), overwrite=True, cases=[])
    assert json.loads(mark.read_text(encoding="utf-8")) == EvaluationId("b").as_json()


def test_the_folder_of_another_evaluation_is_not_overwritten_silently(tmp_path: Path) -> None:
    out = tmp_path / "out"
    claim_folder(out, EvaluationId("a"), overwrite=False, cases=[])
    claim_folder(out, EvaluationId("a"), overwrite=False, cases=[])
    with pytest.raises(OutputExistsError, match="another evaluation; choose another folder"):
        claim_folder(out, EvaluationId("b"), overwrite=False, cases=[])
    (out / "cases.csv").write_text("figures of a", encoding="utf-8")
    claim_folder(out, EvaluationId("a"), overwrite=True, cases=[])
    assert (out / "cases.csv").is_file()
    claim_folder(out, EvaluationId("b"), overwrite=True, cases=[])
    assert not (out / "cases.csv").exists()  # its figures are not those of b
    assert evaluation_in(out) == EvaluationId("b")
    (tmp_path / "mine.txt").write_text("notes", encoding="utf-8")
    for overwrite in (False, True):  # it may be a run or a data set, whose case list is called as a report's table is
        with pytest.raises(OutputError, match="not an evaluation"):
            claim_folder(tmp_path, EvaluationId("a"), overwrite, cases=[])


def test_a_report_is_not_written_to_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("notes", encoding="utf-8")
    with pytest.raises(OutputError, match="is a file; choose a folder"):
        claim_folder(tmp_path / "report", EvaluationId("a"), overwrite=True, cases=[])
    assert (tmp_path / "report").read_text(encoding="utf-8") == "notes"


def test_an_evaluation_goes_on_where_its_data_set_has_moved(tmp_path: Path) -> None:
    shapes = {"here": Thorax(), "there": Thorax(), "elsewhere": Thorax(noise=5.0)}
    about = {}
    for place, shape in shapes.items():
        case = write_case(tmp_path / place, "x", thorax=shape, **_SMALL)  # type: ignore[arg-type]
        about[place] = EvaluationId("a", place, cases=cases_digest([case], ScanMarks()))
    claim_folder(tmp_path / "out", about["here"], overwrite=False, cases=[])
    claim_folder(tmp_path / "out", about["there"], overwrite=False, cases=[])
    assert evaluation_in(tmp_path / "out") == about["there"]
    # Who does not tell the cases knows the data set by its place only.
    untold = replace(about["there"], cases=None)
    assert not holds_another(tmp_path / "out", untold)
    assert holds_another(tmp_path / "out", replace(untold, data_set="here"))
    assert holds_another(tmp_path / "out", replace(untold, network="b"))
    # A data set may grow where it is, but one with other scans somewhere else is another.
    claim_folder(tmp_path / "out", replace(about["there"], cases="more"), overwrite=False, cases=[])
    with pytest.raises(OutputExistsError, match="another evaluation; choose another folder"):
        claim_folder(tmp_path / "out", about["elsewhere"], overwrite=False, cases=[])


def test_a_corrected_mask_takes_the_report_on_the_earlier_one_away_and_is_judged_anew(
    judge: Judge, tmp_path: Path
) -> None:
    out, case = tmp_path / "out", write_case(tmp_path, "x", **_SMALL)  # type: ignore[arg-type]
    kept: list[bool] = []

    def run() -> None:
        about = EvaluationId("n", str(tmp_path), cases=cases_digest([case], ScanMarks()))
        claim_folder(out, about, overwrite=False, cases=[case])
        kept.append((out / "report.html").exists())
        (out / "report.html").touch()
        evaluate([(case, judge)], out, with_baseline=False, on_outcome=lambda *told: kept.append(told[3]))

    run()
    run()
    sitk.WriteImage(sitk.BinaryErode(sitk.ReadImage(str(case.mask)) > 0, (1, 1, 0)), str(case.mask))
    run()
    assert kept == [False, False, True, True, False, False]


def test_an_evaluation_that_replaces_another_leaves_no_picture_of_it(judge: Judge, tmp_path: Path) -> None:
    case = write_case(tmp_path, "kept", **_SMALL)  # type: ignore[arg-type]
    out = tmp_path / "out"
    claim_folder(out, EvaluationId("a"), overwrite=False, cases=[])
    files = ("result.json", "overlay.png", "slice_099.png", "slice_099.png.txt", "mine.png")
    for name in ("kept", "gone", "with mine"):
        (out / "cases" / name).mkdir(parents=True)
        for file in files if name != "gone" else files[:3]:
            (out / "cases" / name / file).touch()
    claim_folder(out, EvaluationId("b"), True, [case])
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
        about = EvaluationId("n", str(data), cases=cases_digest(chosen, ScanMarks()))
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
    claim_folder(tmp_path, EvaluationId("a"), overwrite=False, cases=[])
    assert (tmp_path / "evaluation.json").is_file()
