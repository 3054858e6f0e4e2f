"""Tables of the report as plain text, for the page and for Markdown alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from LungSegResNetLib.figures.metric_definitions import METRIC_BY_KEY, METRICS, Metric

from ..data.dois import plain_doi
from .aggregation import FURTHER_METRICS, Column, values_of, with_lung
from .baseline_comparison import BaselineComparison
from .bootstrap import LEVEL_PERCENT
from .case_result import LEFT, LUNGS, NETWORK, RIGHT, THRESHOLDING, CaseResult, UnjudgedCase
from .figure_text import limits_text, mean_and_sd, median_and_quartiles, p_value_text, range_text
from .paper_figures import PAPER_DECIMALS, PAPER_METRICS
from .spread import Spread, spread_of

DOUBT_MARK, ACCEPTED_MARK = "*", "†"
_SKEWED_UNITS = ("mm",)  # of distances
_SIDE_METRICS = ("dice", "jaccard", "volume_difference_percent", "surface_dice_2mm", "hd95_mm")
_CASE_METRICS = (
    ("dice", NETWORK, LUNGS, "Dice"),
    ("dice", NETWORK, RIGHT, "right"),
    ("dice", NETWORK, LEFT, "left"),
    ("mean_error", NETWORK, LUNGS, "ME"),
    ("mean_absolute_error", NETWORK, LUNGS, "MAE"),
    ("mean_hu_difference_hu", NETWORK, LUNGS, "mean HU\ndifference"),
    ("volume_difference_percent", NETWORK, LUNGS, "volume\n%"),
    ("surface_dice_2mm", NETWORK, LUNGS, "surface Dice\n2 mm"),
    ("hd95_mm", NETWORK, LUNGS, "HD95\nmm"),
    ("dice", THRESHOLDING, LUNGS, "thresholding\nDice"),
)


@dataclass(frozen=True)
class TextTable:
    """Cells as plain text; a line break parts a cell from its small print.

    ``faint`` columns are for comparison; a table that ``is_text`` has words in all its columns, no figures.
    """

    head: list[str]
    rows: list[list[str]]
    faint: tuple[int, ...] = field(default=())
    is_text: bool = False

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        # An entity of HTML shows the bar and parts no columns.
        marks = str.maketrans({"\n": " ", "<": "&lt;", "|": "&#124;"})
        plain = [[cell.translate(marks) for cell in row] for row in lines]
        return "\n".join(f"| {' | '.join(row)} |" for row in plain)


def table1_text(columns: Sequence[Column]) -> tuple[TextTable, TextTable]:
    """Table 1 as in the article, and the further metrics, for which the article has no figures."""
    paper = tuple(n for n, column in enumerate(columns, start=1) if column.from_paper)
    own = [column for column in columns if not column.from_paper]
    return _spreads(columns, PAPER_METRICS, paper), _spreads(own, FURTHER_METRICS, ())


def sides_text(results: Sequence[CaseResult]) -> TextTable:
    """Both lungs, the right and the left one: a few metrics."""
    regions = (LUNGS, RIGHT, LEFT)
    counts = [sum(result.value("reference_ml", region=region) > 0 for result in results) for region in regions]
    rows = []
    for key in _SIDE_METRICS:
        metric = METRIC_BY_KEY[key]
        spreads = [spread_of(values_of(results, [key], region=region)[:, 0]) for region in regions]
        cells = [_spread_text(s, metric, count) for s, count in zip(spreads, counts, strict=True)]
        rows.append([_row_title(metric), *cells])
    names = ("both lungs", RIGHT, LEFT)
    return TextTable(["", *(f"{name}\nn = {n}" for name, n in zip(names, counts, strict=True))], rows)


def baseline_text(comparisons: Sequence[BaselineComparison]) -> TextTable:
    """Network and thresholding side by side, with the difference, its interval and p."""
    rows, cases = [], max((one.network.count for one in comparisons), default=0)
    for one in comparisons:
        metric, interval = one.metric, one.interval
        limits = limits_text(interval, metric) if interval else "-"
        p = "-" if one.p is None else p_value_text(one.p)
        spreads = [_spread_text(s, metric, cases) for s in (one.network, one.thresholding)]
        rows.append([_row_title(metric), *spreads, metric.text(one.difference), limits, p])
    methods = [f"{method}\nn = {cases}" for method in (NETWORK, THRESHOLDING)]
    return TextTable(["", *methods, "mean difference", f"{LEVEL_PERCENT} % interval", "p"], rows)


def cases_text(results: Sequence[CaseResult]) -> TextTable:
    """A row for each case, the lowest Dice first, cases without lung last, doubtful and accepted ones with a mark."""
    ordered = sorted(with_lung(results), key=lambda result: result.dice)
    ordered += [result for result in results if not result.has_lung]
    shown = [column for column in _CASE_METRICS if any(column[1] in result.comparisons for result in results)]
    folds = any(result.fold for result in results)
    rows = []
    for result in ordered:
        case = result.case
        figures = [METRIC_BY_KEY[key].text(result.value(key, method, region)) for key, method, region, _ in shown]
        mark = _mark(result)
        volumes = f"{result.missed_ml:.0f} / {result.added_ml:.0f}"
        fold = [str(result.fold)] if folds else []
        rows.append([f"{case.name}{mark}\n{case.group}", str(result.slices), *fold, *figures, volumes])
    about = ["case\ngroup", "slices", *(["fold"] if folds else [])]
    head = [*about, *(title for *_, title in shown), "missed / added\nml"]
    return TextTable(head, rows)


def doubts_text(results: Sequence[CaseResult]) -> TextTable:
    """Why the marked references are doubtful, or what they were accepted in spite of."""
    rows = [
        [f"{mark} {result.case.name}", " ".join(filter(None, (result.doubtful, result.accepted)))]
        for result in results
        if (mark := _mark(result))
    ]
    return TextTable(["case", "why its reference is doubtful, or accepted"], rows, is_text=True)


def _mark(result: CaseResult) -> str:
    return DOUBT_MARK if result.doubtful else ACCEPTED_MARK if result.accepted else ""


def notes_text(results: Sequence[CaseResult]) -> TextTable:
    """What reading and segmenting had to note, each with the cases that it is of."""
    names: dict[str, list[str]] = {}
    for result in results:
        for note in dict.fromkeys(result.notes):
            names.setdefault(note, []).append(result.case.name)
    return TextTable(["note", "cases"], [[note, ", ".join(cases)] for note, cases in names.items()], is_text=True)


def not_judged_text(cases: Sequence[UnjudgedCase]) -> TextTable:
    """Cases without a result, and why."""
    rows = [["\n".join(filter(None, (case.name, case.group))), case.reason] for case in cases]
    return TextTable(["case", "reason"], rows, is_text=True)


def definitions_text() -> TextTable:
    """Every metric with its definition."""
    rows = [[metric.title_with_unit, metric.formula] for metric in METRICS]
    return TextTable(["metric", "definition"], rows, is_text=True)


def provenance_text(provenance: Mapping[str, str]) -> TextTable:
    """What the evaluation was made with."""
    return TextTable(["what", "which"], [[what, which] for what, which in provenance.items()], is_text=True)


def sources(results: Sequence[CaseResult]) -> list[tuple[str, str, int]]:
    """Licence, DOI and number of cases of each source of data that the case list names."""
    counted = Counter((r.case.licence, plain_doi(r.case.doi)) for r in results if r.case.licence or r.case.doi)
    return [(licence, doi, count) for (licence, doi), count in sorted(counted.items())]


def _spreads(columns: Sequence[Column], keys: Sequence[str], faint: tuple[int, ...]) -> TextTable:
    pooled = [f" ({column.pooled})" if column.pooled else "" for column in columns]
    head = ["", *(f"{one.title}\nn = {one.cases}{kinds}" for one, kinds in zip(columns, pooled, strict=True))]
    rows = []
    for key in keys:
        metric = METRIC_BY_KEY[key]
        row = [_row_title(metric)]
        for column in columns:
            decimals = PAPER_DECIMALS if column.from_paper else None
            row.append(_spread_text(column.spreads[key], metric, column.cases, decimals))
        rows.append(row)
    return TextTable(head, rows, faint)


def _row_title(metric: Metric) -> str:
    return metric.title_with_unit + ("\nmedian [quartiles], then mean ± SD" if metric.unit in _SKEWED_UNITS else "")


def _spread_text(spread: Spread, metric: Metric, cases: int, decimals: int | None = None) -> str:
    """Mean, SD and range, with the number of cases that have the metric where that is not ``cases``.

    Of distances the median with its quartiles comes first: one stray part makes a mean of them several times larger.
    """
    mean, fewer = mean_and_sd(spread, metric, decimals), f"n = {spread.count}" if spread.count != cases else ""
    first = (
        [median_and_quartiles(spread, metric), mean] if metric.unit in _SKEWED_UNITS and spread.count > 1 else [mean]
    )
    large, *small = filter(None, [*first, range_text(spread, metric, decimals), fewer])
    return "\n".join(filter(None, [large, " ".join(small)]))
