"""The evaluation as files for other programs: cases.csv, summary.csv and differences.csv."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.figures.metric_definitions import METRICS
from LungSegResNetLib.tables import Cell, finite, write_csv, write_rows

from ..data.case_check import spacing_text
from .aggregation import ALL_CASES, groups_of, kinds_of, patients_of, values_of, with_lung, without_doubt
from .bootstrap import count_patients, mean_intervals
from .case_result import FAILED, JUDGED, LEFT_OUT, METHODS, REGIONS, WITH_DOUBTFUL, WITHOUT_DOUBTFUL, CaseResult
from .evaluate import Evaluation
from .group_comparison import GroupDifference
from .spread import spread_of

_TOLD, _PARTED = "told by the reference", "parted by position"
_DIFFERENCE_COLUMNS = (
    "group",
    "against",
    "metric",
    "cases",
    "cases_against",
    "patients",
    "patients_against",
    "difference",
    "difference_low_95",
    "difference_high_95",
    "p",
)
_KEYS = tuple(metric.key for metric in METRICS)


def write_cases(path: Path, evaluation: Evaluation) -> None:
    """Write a row for each case, method and region with every metric; others have one row with the reason.

    A metric that does not exist is an empty cell (see `Comparison` for empty masks).

    Raises
    ------
    OutputError : the file cannot be written.
    """
    rows: list[dict[str, Cell]] = []
    for result in evaluation.results:
        case = result.case
        about: dict[str, Cell] = {
            "case": case.name,
            "status": JUDGED,
            "patient": case.patient,
            "group": case.group,
            "split": case.split,
            "doubtful": result.doubtful,
            "accepted": result.accepted,
            "slices": result.slices,
            "spacing_mm": spacing_text(result.spacing_mm),
            "ct_sha256": result.ct_sha256,
            "mask_sha256": result.mask_sha256,
            "fold": result.fold,
            "sides": _TOLD if result.has_sides else _PARTED,
        }
        for method, comparisons in result.comparisons.items():
            for region, comparison in comparisons.items():
                figures: dict[str, Cell] = {key: getattr(comparison, key) for key in _KEYS}
                rows.append({**about, "method": method, "region": region, **figures, "cause": "", "error": ""})
    for status, cases in ((FAILED, evaluation.failed), (LEFT_OUT, evaluation.left_out)):
        for one in cases:
            told: dict[str, Cell] = {"group": one.group, "cause": one.cause, "error": one.reason}
            rows.append({"case": one.name, "status": status, **told})
    write_rows(path, rows, overwrite=True)


def write_summary(path: Path, evaluation: Evaluation) -> None:
    """Write statistics for each group, kind, method, region and metric, with and without cases of doubt.

    The kind is ``all``; where there are volumes and single slices, each has rows as well.

    Raises
    ------
    OutputError : the file cannot be written.
    """
    rows: list[dict[str, Cell]] = []
    certain = without_doubt(evaluation.results)
    versions = [(WITH_DOUBTFUL, evaluation.results)]
    if len(certain) < len(evaluation.results):
        versions.append((WITHOUT_DOUBTFUL, certain))
    for doubtful, results in versions:
        chosen = with_lung(results)
        for group, members in {**groups_of(chosen), ALL_CASES: chosen}.items():
            for kind in (ALL_CASES, *kinds_of(chosen)):
                some = [result for result in members if kind in (ALL_CASES, result.kind)]
                for method in METHODS:
                    for region in REGIONS:
                        about: dict[str, Cell] = {"group": group, "kind": kind, "doubtful": doubtful}
                        rows += _summary_rows(some, method, region, about)
    write_rows(path, rows, overwrite=True)


def write_differences(path: Path, differences: Sequence[GroupDifference]) -> None:
    """Write a row for each metric and pair of groups, without any where nothing is compared.

    With too few patients a row has neither interval nor p.

    Raises
    ------
    OutputError : the file cannot be written.
    """
    rows: list[dict[str, Cell]] = []
    for one in differences:
        limits = (one.interval.low, one.interval.high) if one.interval else (None, None)
        about = (one.group, one.against, one.metric.key, *one.cases, *one.patients)
        cells = (*about, *map(finite, (one.difference, *limits, one.p)))
        rows.append(dict(zip(_DIFFERENCE_COLUMNS, cells, strict=True)))
    with write_atomically(path, overwrite=True) as temporary:
        write_csv(temporary, _DIFFERENCE_COLUMNS, rows)


def _summary_rows(
    members: Sequence[CaseResult], method: str, region: str, about: dict[str, Cell]
) -> list[dict[str, Cell]]:
    values, patients = values_of(members, _KEYS, method, region), patients_of(members)
    intervals = mean_intervals(values, patients)
    with_reference = np.isfinite(values[:, _KEYS.index("reference_ml")]).sum()
    rows: list[dict[str, Cell]] = []
    for key, column, interval in zip(_KEYS, values.T, intervals, strict=True):
        spread = spread_of(column)
        if spread.count:
            limits = (interval.low, interval.high) if interval else (None, None)
            rows.append(
                {
                    **about,
                    "method": method,
                    "region": region,
                    "metric": key,
                    "cases": spread.count,
                    "patients": count_patients(patients, np.isfinite(column)),
                    "without_value": with_reference - spread.count,
                    "mean": spread.mean,
                    "mean_low_95": limits[0],
                    "mean_high_95": limits[1],
                    "sd": spread.sd,
                    "min": spread.least,
                    "max": spread.largest,
                    "median": spread.median,
                    "q1": spread.q1,
                    "q3": spread.q3,
                }
            )
    return rows
