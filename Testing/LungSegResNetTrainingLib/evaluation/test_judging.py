"""What is said about a single case: by the network beside it, in its picture and in its notes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
from predictors import Fixed, FullCard
from training_cases import write_case

from LungSegResNetLib.errors import DeviceError, InputError
from LungSegResNetLib.network.engines import LoadedEngine
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.evaluation.judging import judge_case

_SMALL: dict[str, Any] = {"spacing": (2.0, 2.0, 5.0), "extent": (402.0, 300.0, 5.0)}


def fixed(below: float = 0.5) -> LoadedEngine:
    """That predictor on a processor."""
    return LoadedEngine(Fixed(below), "cpu", "")


@pytest.fixture
def titles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Titles of the pictures that are drawn from now on."""
    drawn: list[str] = []
    place = "LungSegResNetTrainingLib.evaluation.judging.write_overlay"
    monkeypatch.setattr(place, lambda path, ct, mask, overwrite, title, reference: drawn.append(title))
    return drawn


def _without_lung(folder: Path) -> Case:
    """A slice whose reference has no lung."""
    case = write_case(folder, "abdomen", **_SMALL)
    sitk.WriteImage(sitk.ReadImage(str(case.mask)) * 0, str(case.mask))
    return case


def test_a_card_that_fails_hands_its_case_to_the_processor_and_the_report_says_so(tmp_path: Path) -> None:
    case = write_case(tmp_path, "thorax", **_SMALL)
    card, processor = LoadedEngine(FullCard(), "cuda", "", on_processor=fixed), fixed()
    judged = [judge_case(case, tmp_path / "out", engine, with_baseline=False) for engine in (card, processor)]
    assert judged[0].comparisons == judged[1].comparisons
    told, *others = judged[0].notes
    assert told.endswith("too little free memory for a single slice. The scan was segmented on the CPU instead.")
    assert tuple(others) == judged[1].notes
    with pytest.raises(DeviceError, match="too little free memory"):
        judge_case(case, tmp_path / "out", LoadedEngine(FullCard(), "cuda", ""), with_baseline=False)


def test_a_case_in_which_no_lung_is_found_has_a_note_of_its_own(tmp_path: Path) -> None:
    result = judge_case(_without_lung(tmp_path), tmp_path / "out", fixed(below=-1.0), with_baseline=False)
    assert result.notes[-1] == "No lung was found in abdomen_ct.nii; is it a chest CT?"


def test_the_picture_of_a_case_begins_with_its_dice(tmp_path: Path, titles: list[str]) -> None:
    result = judge_case(write_case(tmp_path, "thorax", **_SMALL), tmp_path / "out", fixed(), with_baseline=False)
    assert titles == [f"Dice {result.dice:.4f}: thorax"]


@pytest.mark.parametrize("below", [-1.0, 0.5], ids=["found none", "found some"])
def test_the_picture_of_a_case_without_lung_shows_no_dice(tmp_path: Path, titles: list[str], below: float) -> None:
    judge_case(_without_lung(tmp_path), tmp_path / "out", fixed(below=below), with_baseline=False)
    assert titles == ["No lung in the reference: abdomen"]


def test_what_was_missed_and_what_was_added_are_told_apart_and_so_is_what_of_them_is_dense(tmp_path: Path) -> None:
    case = write_case(tmp_path, "thorax", **_SMALL)
    truth = sitk.ReadImage(str(case.mask))
    small, large = sitk.BinaryErode(truth == 1, (4, 4, 0)), sitk.BinaryDilate(truth == 2, (6, 6, 0))
    sitk.WriteImage(small + 2 * large, str(case.mask))  # a rim of aerated lung too few, and one of chest wall too many
    result = judge_case(case, tmp_path / "out", fixed(), with_baseline=True)
    lungs = result.comparisons["network"]["lungs"]
    assert result.comparisons["thresholding"]["lungs"].reference_ml == lungs.reference_ml
    assert result.missed_ml == pytest.approx(lungs.false_negative_ratio * lungs.reference_ml)
    assert result.added_ml - result.missed_ml == pytest.approx(lungs.prediction_ml - lungs.reference_ml)
    assert result.added_ml > 2.0 * result.missed_ml > 0
    assert result.missed_dense_ml > 0.8 * result.missed_ml
    assert result.added_dense_ml < 0.2 * result.added_ml
    (only,) = result.worst_slices
    slice_cm = _SMALL["spacing"][2] / 10
    assert (only.missed_cm2 * slice_cm, only.added_cm2 * slice_cm) == pytest.approx((result.missed_ml, result.added_ml))


def test_a_result_goes_when_its_case_is_judged_anew_and_not_before(tmp_path: Path) -> None:
    case, earlier = write_case(tmp_path, "thorax", **_SMALL), tmp_path / "out" / "result.json"
    for stays in (False, True):
        earlier.parent.mkdir(exist_ok=True)
        earlier.write_text("{}")
        if stays:
            case.mask.unlink()
        with pytest.raises(InputError if stays else DeviceError):
            judge_case(case, earlier.parent, LoadedEngine(FullCard(), "cuda", ""), with_baseline=False)
        assert earlier.exists() == stays
