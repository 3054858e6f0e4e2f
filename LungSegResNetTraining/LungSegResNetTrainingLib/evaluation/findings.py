"""What an evaluation found; each figure is worked out once, for sentences, tables and page alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from LungSegResNetLib.figures.metric_definitions import DICE
from LungSegResNetLib.wording import counted

from ..data.cases import Case
from ..data.scan_marks import ScanMarks, copied_scans
from .aggregation import (
    ALL_CASES,
    Column,
    kinds_of,
    patients_of,
    pooled_text,
    table1,
    values_of,
    with_lung,
    without_doubt,
)
from .baseline_comparison import BaselineComparison, compare_with_thresholding
from .bootstrap import LEVEL_PERCENT, Interval, mean_intervals, too_few
from .case_result import CaseResult, UnjudgedCase
from .evaluate import Evaluation
from .figure_text import interval_text
from .group_comparison import GroupDifference, compare_groups
from .left_out import is_doubt
from .provenance import provenance_of
from .spread import spread_of


@dataclass(frozen=True)
class MeanDice:
    """Mean Dice of some cases with its interval by patient."""

    cases: int
    patients: int
    mean: float
    interval: Interval | None

    @classmethod
    def of(cls, values: np.ndarray, patients: Sequence[str]) -> MeanDice:
        """The mean of the Dice of cases (cases, 1), whose ``patients`` are told."""
        (interval,) = mean_intervals(values, patients)
        return cls(len(values), len(set(patients)), spread_of(values[:, 0]).mean, interval)

    @property
    def confidence_text(self) -> str:
        """The interval with its level and what was drawn, or why there is none."""
        if not self.interval:
            return self.interval_text
        return f"{LEVEL_PERCENT} % confidence interval {self.interval_text}, bootstrap over patients"

    @property
    def interval_text(self) -> str:
        """Such as ``0.9701 to 0.9852``, or why there is none."""
        return interval_text(self.interval) if self.interval else f"no interval: {too_few(self.patients)}"


def mean_dice(results: Sequence[CaseResult]) -> MeanDice:
    """Mean over the cases with lung in the reference."""
    chosen = with_lung(results)
    return MeanDice.of(values_of(chosen, ["dice"]), patients_of(chosen))


def worst_first(results: Sequence[CaseResult]) -> list[CaseResult]:
    """Cases with lung, the lowest Dice first."""
    return sorted(with_lung(results), key=lambda result: result.dice)


@dataclass(frozen=True)
class Findings:
    """Figures of an evaluation that is finished, each worked out when it is first asked for.

    Cases are recognised by their ``marks``, among each other and among the scans of the networks.
    """

    evaluation: Evaluation
    marks: ScanMarks = field(default_factory=ScanMarks)

    @property
    def results(self) -> list[CaseResult]:
        """All judged cases."""
        return self.evaluation.results

    @cached_property
    def provenance(self) -> dict[str, str]:
        """What it was made with; all files of a report tell the same."""
        return provenance_of(self.evaluation)

    @cached_property
    def chosen(self) -> list[CaseResult]:
        """The cases that have lung; without one there are no figures."""
        return with_lung(self.results)

    @cached_property
    def certain(self) -> list[CaseResult]:
        """Those of them whose reference is not doubtful."""
        return without_doubt(self.chosen)

    @cached_property
    def dice(self) -> MeanDice:
        """Of the cases with lung."""
        return mean_dice(self.chosen)

    @property
    def of_cases_with_lung(self) -> str:
        """Of how many cases and patients the figures are; empty where all judged cases have lung."""
        if len(self.chosen) == len(self.results):
            return ""
        return f" of the {counted(self.dice.cases, 'case')} of {counted(self.dice.patients, 'patient')} with lung"

    @cached_property
    def certain_dice(self) -> MeanDice:
        """Of the cases whose reference is not doubtful."""
        return mean_dice(self.certain)

    @cached_property
    def dice_by_kind(self) -> dict[str, MeanDice]:
        """Of volumes and of single slices, where there are both."""
        return {kind: mean_dice(members) for kind, members in kinds_of(self.chosen).items()}

    @cached_property
    def dice_by_fold(self) -> dict[int, MeanDice]:
        """Of a cross-validation, by the number of the fold; empty for a single network."""
        folds = sorted({result.fold for result in self.chosen if result.fold is not None})
        return {fold: mean_dice([result for result in self.chosen if result.fold == fold]) for fold in folds}

    @property
    def range_of_folds(self) -> str:
        """Lowest and highest mean Dice of a fold in words; empty where there are not several."""
        means = [dice.mean for dice in self.dice_by_fold.values()]
        return f"means of the folds {DICE.text(min(means))} to {DICE.text(max(means))}" if len(means) > 1 else ""

    @property
    def doubted(self) -> list[UnjudgedCase]:
        """Cases that have no figure because their pair is doubtful or was refused."""
        return [one for one in (*self.evaluation.failed, *self.evaluation.left_out) if is_doubt(one.cause)]

    @cached_property
    def pooled(self) -> str:
        """A sentence with the numbers of volumes and single slices, where figures are of both."""
        kinds = pooled_text(self.chosen)
        return f"{kinds} are pooled." if kinds else ""

    @cached_property
    def nothing_found(self) -> list[CaseResult]:
        """Cases with lung in which the network found none."""
        return [result for result in self.chosen if result.found_nothing()]

    @cached_property
    def copies(self) -> list[tuple[Case, Case]]:
        """Copies of one CT that count as scans of several patients, each with the case that it is a copy of."""
        return copied_scans((result.case, self.marks.of(result.case)) for result in self.results)

    @cached_property
    def columns(self) -> list[Column]:
        """Table 1."""
        return table1(self.chosen)

    @property
    def column_of_all(self) -> Column:
        """That of all cases."""
        return next(column for column in self.columns if column.title == ALL_CASES)

    @cached_property
    def beside_thresholding(self) -> list[BaselineComparison]:
        """Network and thresholding; empty where thresholding was left out."""
        return compare_with_thresholding(self.chosen)

    @cached_property
    def group_differences(self) -> list[GroupDifference]:
        """Groups against one of them; empty with fewer than two."""
        return compare_groups(self.chosen)
