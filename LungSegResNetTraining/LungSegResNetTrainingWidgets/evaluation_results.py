"""What an evaluation left in its folder, as rows for the panel and for a table node."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from LungSegResNetTrainingLib.data.cases import Case

REPORT, SUMMARY = "report.html", "summary.csv"
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
    """Mean, SD and range of each metric and group, of the network and both lungs; empty without an evaluation."""
    from LungSegResNetLib.figures.metrics import METRICS
    from LungSegResNetTrainingLib.evaluation.aggregation import ALL_CASES

    try:
        with (folder / SUMMARY).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        return []
    metrics = {metric.key: metric for metric in METRICS}
    table = []
    for row in rows:
        if (row["method"], row["region"], row["doubtful"]) != ("network", "lungs", "included"):
            continue
        metric = metrics[row["metric"]]
        figures = {key: float(row[key]) if row[key] else None for key in ("mean", "sd", "min", "max")}
        title = f"{metric.title} ({metric.unit})" if metric.unit else metric.title
        table.append({"group": row["group"], "metric": title, "cases": int(row["cases"]), **figures})
    # A single group is the same as all cases.
    several = len({row["group"] for row in table}) > 2
    return [row for row in table if several or row["group"] == ALL_CASES]


def worstSlices(folder: Path, caseList: Path) -> list[ListedSlice]:
    """The listed slices of all judged cases, the worst first; empty without an evaluation."""
    from LungSegResNetTrainingLib.data.cases import VALIDATION, read_cases
    from LungSegResNetTrainingLib.evaluation.finished_cases import folder_names

    if not (folder / SUMMARY).is_file():
        return []
    cases = read_cases(caseList, files_must_exist=False)
    cases = [case for case in cases if case.split == VALIDATION] or cases
    found = []
    for case, name in zip(cases, folder_names(cases), strict=True):
        try:
            result = json.loads((folder / "cases" / name / "result.json").read_text(encoding="utf-8"))["result"]
        except (OSError, ValueError, KeyError):
            continue  # a case that failed has no slices
        found += [
            ListedSlice(case, one["index"], one["position"], one["reason"], one["dice"])
            for one in result["worst_slices"]
        ]
    return sorted(found, key=lambda one: one.dice)[:_MOST_SLICES]
