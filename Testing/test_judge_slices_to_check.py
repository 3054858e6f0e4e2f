"""The figures of the script that judges the ranking of slices, on scans whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from judge_slices_to_check import QUESTIONS, JudgedScan, area_under_curve, interval, main
from synthetic_thorax import Thorax


def scan(patient: str, score: list[float], dice: list[float], area: float = 50.0) -> JudgedScan:
    cm2 = np.full(len(score), area)
    return JudgedScan(patient, patient, np.array(score), np.array(dice), cm2, cm2, [int(np.argmax(score))])


def test_the_area_is_the_share_of_pairs_in_the_right_order_and_half_of_those_that_tie() -> None:
    wanted = np.array([True, False, False, True])
    assert area_under_curve(np.array([0.9, 0.5, 0.1, 0.3]), wanted) == 0.75
    assert area_under_curve(np.zeros(4), wanted) == 0.5
    assert np.isnan(area_under_curve(np.arange(4.0), np.zeros(4, bool)))


def test_patients_are_drawn_and_not_slices() -> None:
    right, reversed_ = scan("a", [3, 2, 1], [0.5, 1, 1]), scan("b", [1, 2, 3], [0.5, 1, 1])
    low, high = interval(QUESTIONS[0], [right, reversed_])
    # Half of the draws hold one patient twice, so the ends are those of the two alone.
    assert (low, high) == (0.0, 1.0)
    assert interval(QUESTIONS[0], [right, right]) == (1.0, 1.0)


def test_small_sections_are_left_out_where_only_large_ones_are_asked_for() -> None:
    large = next(question for question in QUESTIONS if "or more" in question.title)
    small = scan("small", [1, 2, 3], [0.5, 1, 1], area=2.0)
    assert large.area_under_curve([scan("a", [3, 2, 1], [0.5, 1, 1]), small]) == 1.0


def test_each_network_is_judged_on_the_volumes_of_its_own_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = []
    for fold, slices in (("one", 5), ("two", 1)):
        images = Thorax().scan((4.0, 4.0, 20.0), (400.0, 300.0, 20.0 * slices))
        for part, image in zip(("ct", "lungs"), images, strict=True):
            sitk.WriteImage(image, str(tmp_path / f"{fold}_{part}.nrrd"))
        lines = ["case,ct,mask,split", f"{fold},{fold}_ct.nrrd,{fold}_lungs.nrrd,validation"]
        (tmp_path / f"{fold}.csv").write_text("\n".join(lines), encoding="utf-8")
        arguments += ["shipped", str(tmp_path / f"{fold}.csv")]
    main(arguments)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")][2:]
    assert [row.split(" | ")[:2] for row in rows] == [["| one", "5"], ["| **all 1** (1 patients)", "5"]]
