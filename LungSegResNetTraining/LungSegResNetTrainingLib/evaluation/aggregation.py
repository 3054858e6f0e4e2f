"""Results of cases brought together: groups, and the columns of Table 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from LungSegResNetLib.figures.metric_definitions import METRICS
from LungSegResNetLib.wording import counted

from .case_result import KINDS, LUNGS, NETWORK, CaseResult
from .paper_figures import COVID, NORMAL, PAPER, PAPER_METRICS, paper_group, spelling_of
from .spread import Spread, spread_of

T = TypeVar("T")
FURTHER_METRICS = tuple(m.key for m in METRICS if m.key not in PAPER_METRICS and m.unit != "ml")
ALL_CASES = "all"
NO_GROUP = "no group"


@dataclass(frozen=True)
class Column:
    """A column of Table 1: a group of cases, all of them or those of a kind, or the article's figures for a group.

    ``pooled`` says in words how many there are of which kind, where there are both.
    """

    title: str
    cases: int
    spreads: dict[str, Spread]
    from_paper: bool = False
    pooled: str = ""


def with_lung(results: Sequence[CaseResult]) -> list[CaseResult]:
    """Cases whose reference has lung: only for them do the metrics exist."""
    return [result for result in results if result.has_lung]


def without_doubt(results: Sequence[CaseResult]) -> list[CaseResult]:
    """Cases whose reference neither the case list nor the check of pairs calls doubtful."""
    return [result for result in results if not result.doubtful]


def groups_of(results: Sequence[CaseResult]) -> dict[str, list[CaseResult]]:
    """Cases by group: normal first, then COVID-19, then the others by name; upper and lower case do not matter.

    A group with the name of all cases together is called otherwise.
    """
    return grouped(results, lambda result: result.case.group)


def grouped(items: Iterable[T], group_of: Callable[[T], str]) -> dict[str, list[T]]:
    """Whatever has a group, as `groups_of` does with judged cases."""
    groups: dict[str, list[T]] = {}
    titles: dict[str, str] = {}
    for item in items:
        group = group_of(item) or NO_GROUP
        if group.casefold() == ALL_CASES:
            group = f"group {group}"
        title = titles.setdefault(spelling_of(group), group)
        groups.setdefault(title, []).append(item)

    def rank(title: str) -> tuple[int, str]:
        return {NORMAL: 0, COVID: 1}.get(paper_group(title) or "", 2 + (title == NO_GROUP)), title.casefold()

    return {title: groups[title] for title in sorted(groups, key=rank)}


def kinds_of(results: Sequence[CaseResult]) -> dict[str, list[CaseResult]]:
    """Volumes and single slices, where there are both; else nothing that would have to be told apart."""
    kinds = {kind: [result for result in results if result.kind == kind] for kind in KINDS}
    return kinds if all(kinds.values()) else {}


def pooled_text(results: Sequence[CaseResult]) -> str:
    """Such as ``3 volumes and 1 single slice``; empty where all cases are of one kind."""
    return " and ".join(counted(len(members), kind.removesuffix("s")) for kind, members in kinds_of(results).items())


def nothing_found_text(count: int) -> str:
    """What figures leave out where nothing was found in so many cases, in a sentence; empty where there are none."""
    if not count:
        return ""
    have, are = ("has", "is") if count == 1 else ("have", "are")
    cases = f"{counted(count, 'case')} in which nothing was found"
    return f"{cases} {have} no distance and no mean HU and {are} not in them."


def table1(results: Sequence[CaseResult]) -> list[Column]:
    """Columns of Table 1 over the cases with lung: each group, beside it the article's (once, where several groups mean
    the same), and at last all together.

    Without groups, or with a single one that the article does not know, there is only the column of all cases. Where
    there are volumes and single slices, each kind has a column after that.
    """
    chosen = with_lung(results)
    columns = []
    groups = groups_of(chosen)
    meant = {title: paper_group(title) for title in groups}
    last = {known: title for title, known in meant.items()}
    for title, members in groups.items():
        known = meant[title]
        if len(groups) > 1 or known:
            columns.append(_column(title, members))
        if known and last[known] == title:
            columns.append(Column(f"article: {known}", PAPER[known]["dice"].count, PAPER[known], from_paper=True))
    kinds = [_column(f"{ALL_CASES} {kind}", members) for kind, members in kinds_of(chosen).items()]
    return [*columns, _column(ALL_CASES, chosen), *kinds]


def values_of(
    results: Sequence[CaseResult], keys: Sequence[str], method: str = NETWORK, region: str = LUNGS
) -> np.ndarray:
    """Metrics as an array (cases, keys), nan where one does not exist."""
    rows = [[result.value(key, method, region) for key in keys] for result in results]
    return np.array(rows, float).reshape(len(results), len(keys))


def patients_of(results: Sequence[CaseResult]) -> list[str]:
    """Patient of each case."""
    return [result.case.patient for result in results]


def _column(title: str, members: Sequence[CaseResult]) -> Column:
    keys = (*PAPER_METRICS, *FURTHER_METRICS)
    columns = values_of(members, keys).T
    spreads = {key: spread_of(column) for key, column in zip(keys, columns, strict=True)}
    return Column(title, len(members), spreads, pooled=pooled_text(members))
