"""What an evaluation left in its folder, as rows for the panel and for a table node."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.tables import read_rows
from LungSegResNetTrainingLib.evaluation.report_files import CASES, CASES_FOLDER, RESULT, SUMMARY

if TYPE_CHECKING:
    from LungSegResNetTrainingLib.data.cases import Case

_COLUMNS = ("method", "group", "region", "doubtful", "metric", "cases", "mean", "sd", "min", "max")
_MOST_SLICES = 30


@dataclass(frozen=True)
class ListedSlice:
    """A slice worth looking at: its case, its number from 0 at the bottom, and why."""

    case: Case
    index: int
    position: str
    reason: str
    dice: float


def table1Rows(folder: Path) -> list[dict[str, Any]]:
    """Mean, SD and range of each metric and group, of the network, both lungs and cases of all kinds.

    Empty without an evaluation.

    Raises
    ------
    InputError : the table cannot be read, or is not as an evaluation writes it.
    """
    from LungSegResNetLib.figures.metrics import METRICS
    from LungSegResNetTrainingLib.evaluation.aggregation import ALL_CASES
    from LungSegResNetTrainingLib.evaluation.case_result import INCLUDED, LUNGS, NETWORK

    if not (folder / SUMMARY).is_file():
        return []
    metrics = {metric.key: metric for metric in METRICS}
    table = []
    for row in read_rows(folder / SUMMARY, _COLUMNS):
        if (row["method"], row["region"], row["doubtful"]) != (NETWORK, LUNGS, INCLUDED):
            continue
        if row.get("kind", ALL_CASES) != ALL_CASES:  # tables of older evaluations do not have it
            continue
        try:
            metric = metrics[row["metric"]]
            figures = {key: _number(row[key]) for key in ("mean", "sd", "min", "max")}
            count = int(row["cases"])
        except (KeyError, ValueError) as error:
            text = _("The table {path} is not as an evaluation writes it; click Evaluate to have it written again.")
            raise InputError(text.format(path=folder / SUMMARY)) from error
        title = f"{metric.title} ({metric.unit})" if metric.unit else metric.title
        table.append({"group": row["group"], "metric": title, "cases": count, **figures})
    # A single group is the same as all cases.
    several = len({row["group"] for row in table}) > 2
    return [row for row in table if several or row["group"] == ALL_CASES]


def worstSlices(folder: Path, caseList: Path) -> list[ListedSlice]:
    """The listed slices of all judged cases, the worst first; empty without an evaluation.

    Raises
    ------
    InputError : a list of cases cannot be read.
    """
    from LungSegResNetTrainingLib.data.cases import read_cases
    from LungSegResNetTrainingLib.evaluation.case_result import FAILED, JUDGED
    from LungSegResNetTrainingLib.evaluation.finished_cases import folder_names

    if not (folder / CASES).is_file():
        return []
    statuses = {row["case"]: row["status"] for row in read_rows(folder / CASES, ("case", "status"))}
    cases = read_cases(caseList)
    cases = [case for case in cases if statuses.get(case.name) in (JUDGED, FAILED)]
    found = []
    for case, name in zip(cases, folder_names(cases), strict=True):
        if statuses[case.name] != JUDGED:
            continue  # its folder may have the result of an earlier network
        try:
            result = json.loads((folder / CASES_FOLDER / name / RESULT).read_text(encoding="utf-8"))["result"]
            found += [
                ListedSlice(case, one["index"], one["position"], one["reason"], one["dice"])
                for one in result["worst_slices"]
            ]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # the next evaluation judges it again
    return sorted(found, key=lambda one: one.dice)[:_MOST_SLICES]


def _number(text: str) -> float | None:
    return float(text.replace(",", ".")) if text else None  # spreadsheets may write decimals with a comma
