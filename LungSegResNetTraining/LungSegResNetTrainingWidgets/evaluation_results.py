"""What an evaluation left in its folder, as rows for the panel and for a table node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.figures.metric_definitions import METRIC_BY_KEY, Metric
from LungSegResNetLib.tables import read_rows
from LungSegResNetTrainingLib.evaluation.report_files import CASES, CASES_FOLDER, SUMMARY

if TYPE_CHECKING:
    from LungSegResNetTrainingLib.data.cases import Case
    from LungSegResNetTrainingLib.evaluation.case_result import WorstSlice

_COLUMNS = ("method", "group", "region", "doubtful", "metric", "cases", "mean", "sd", "min", "max")
_MOST_SLICES = 30


@dataclass(frozen=True)
class ListedSlice:
    """A slice worth looking at, and the case that it is of."""

    case: Case
    worst: WorstSlice


@dataclass(frozen=True)
class Table1Row:
    """A metric over the cases of a group; None is a figure that there is not."""

    group: str
    metric: Metric
    cases: int
    mean: float | None
    sd: float | None
    min: float | None
    max: float | None

    @property
    def title(self) -> str:
        """The metric with its unit."""
        return self.metric.title_with_unit

    def texts(self) -> list[str]:
        """Mean, SD, lowest and highest value, with the decimals of the report."""
        return ["-" if one is None else self.metric.text(one) for one in (self.mean, self.sd, self.min, self.max)]

    def cells(self) -> dict[str, Any]:
        """Of a table node."""
        figures = {"mean": self.mean, "sd": self.sd, "min": self.min, "max": self.max}
        return {"group": self.group, "metric": self.title, "cases": self.cases, **figures}


def table1Rows(folder: Path) -> list[Table1Row]:
    """Each metric and group, of the network, both lungs and cases of all kinds; empty without an evaluation.

    Raises
    ------
    InputError : the table cannot be read, or is not as an evaluation writes it.
    """
    from LungSegResNetTrainingLib.evaluation.aggregation import ALL_CASES
    from LungSegResNetTrainingLib.evaluation.case_result import LUNGS, NETWORK, WITH_DOUBTFUL

    if not (folder / SUMMARY).is_file():
        return []
    table = []
    for row in read_rows(folder / SUMMARY, _COLUMNS):
        if (row["method"], row["region"], row["doubtful"]) != (NETWORK, LUNGS, WITH_DOUBTFUL):
            continue
        if row.get("kind", ALL_CASES) != ALL_CASES:  # tables of older evaluations do not have it
            continue
        try:
            figures = [_number(row[key]) for key in ("mean", "sd", "min", "max")]
            table.append(Table1Row(row["group"], METRIC_BY_KEY[row["metric"]], int(row["cases"]), *figures))
        except (KeyError, ValueError) as error:
            text = _("The table {path} is not as an evaluation writes it; click Evaluate to have it written again.")
            raise InputError(text.format(path=folder / SUMMARY)) from error
    # A single group is the same as all cases.
    several = len({row.group for row in table}) > 2
    return [row for row in table if several or row.group == ALL_CASES]


def worstSlices(folder: Path, caseList: Path) -> list[ListedSlice]:
    """The listed slices of all judged cases, the worst first; empty without an evaluation.

    Raises
    ------
    InputError : a list of cases cannot be read.
    """
    from LungSegResNetTrainingLib.data.cases import read_cases
    from LungSegResNetTrainingLib.evaluation.case_result import FAILED, JUDGED
    from LungSegResNetTrainingLib.evaluation.finished_cases import folder_names, stored_worst_slices

    if not (folder / CASES).is_file():
        return []
    statuses = {row["case"]: row["status"] for row in read_rows(folder / CASES, ("case", "status"))}
    cases = read_cases(caseList)
    cases = [case for case in cases if statuses.get(case.name) in (JUDGED, FAILED)]
    found: list[ListedSlice] = []
    for case, name in zip(cases, folder_names(cases), strict=True):
        if statuses[case.name] == JUDGED:  # else its folder may have the result of an earlier network
            found += [ListedSlice(case, worst) for worst in stored_worst_slices(folder / CASES_FOLDER / name)]
    return sorted(found, key=lambda one: one.worst.dice)[:_MOST_SLICES]


def _number(text: str) -> float | None:
    return float(text.replace(",", ".")) if text else None  # spreadsheets may write decimals with a comma
