"""Judged cases whose figures are known, made from masks of a few voxels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from LungSegResNetLib.figures.metrics import Comparison, compare_masks
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.evaluation.case_result import LUNGS, NETWORK, THRESHOLDING, CaseResult


def comparison_of(reference: int, common: int, extra: int) -> Comparison:
    """Comparison of two rows of voxels of 1 ml: so many in the reference, found of them, and found beside them."""
    row = np.arange(reference + extra)[None, None]
    found = (row < common) | (row >= reference)
    hu = np.full(row.shape, -800, np.int16)
    return compare_masks(row < reference, found, np.diag((10.0, 10.0, 10.0)), hu)


def judged_case(
    name: str,
    dice: float,
    group: str = "",
    patient: str = "",
    doubtful: str = "",
    baseline_dice: float | None = None,
) -> CaseResult:
    """A case with the Dice given and the other figures of a perfect one."""
    perfect = comparison_of(10, 10, 0)
    comparisons = {NETWORK: {LUNGS: replace(perfect, dice=dice)}}
    if baseline_dice is not None:
        comparisons[THRESHOLDING] = {LUNGS: replace(perfect, dice=baseline_dice)}
    case = Case(name, Path("ct"), Path("mask"), "validation", patient or name, group=group, doubtful=doubtful)
    return _result(case, comparisons)


def case_of(name: str, comparison: Comparison, group: str = "") -> CaseResult:
    """A case with this comparison of both lungs."""
    case = Case(name, Path("ct"), Path("mask"), "validation", name, group=group)
    return _result(case, {NETWORK: {LUNGS: comparison}})


def _result(case: Case, comparisons: dict[str, dict[str, Comparison]]) -> CaseResult:
    return CaseResult(case, Path(), 1, comparisons, 0.0, 0.0, 0.0, 0.0, "", (), (), (5.0, 0.7, 0.7), "ct", "mask")
