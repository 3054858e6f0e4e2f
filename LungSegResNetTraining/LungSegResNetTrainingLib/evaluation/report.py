"""The report of an evaluation: one page that opens anywhere, and the same tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from LungSegResNetLib import __version__
from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.wording import counted

from ..data.draft_mask import LUNG_HU
from .aggregation import groups_of, table1, with_lung, without_doubt
from .baseline_comparison import compare_with_thresholding
from .bootstrap import LEVEL_PERCENT, RESAMPLES
from .box_plots import LEAST_CASES, draw_box_plots
from .case_result import CaseResult
from .dois import address_of
from .group_comparison import FEW_PATIENTS, GroupDifference, compare_groups, statements_by_pair
from .html_page import figure, heading, link, page, paragraph, png_image, scan_image, table, text, tiles
from .report_tables import (
    TextTable,
    baseline_text,
    cases_text,
    definitions_text,
    doubts_text,
    not_judged_text,
    notes_text,
    sides_text,
    sources,
    table1_text,
)
from .result_tables import write_cases, write_summary
from .run import BOX_PLOTS, CASES, MARKDOWN, REPORT, SUMMARY, Evaluation
from .summary import mean_dice, network_name, sentences, worst_first

_TYPICAL, _WORST = 6, 4  # cases shown
_TABLE1_NOTE = (
    "Mean ± standard deviation (of the sample), below it (minimum, maximum) over cases, both lungs pooled. The figures "
    "of the article stand beside the groups it has; its signs of the two relative differences are not defined there."
)
_DEFINITION_NOTE = (
    "R reference, P prediction; TP, FP, FN, TN count voxels of the whole scan, V is the number of voxels of R; the "
    "lung box is the box around R. Values that do not exist (no lung found, infinite PSNR of "
    f"equal masks) count in no mean. Confidence intervals are percentiles of {RESAMPLES} bootstrap draws of patients "
    "with all their cases, seed 0."
)


def write_report(evaluation: Evaluation, folder: Path) -> Path:
    """Write cases.csv, summary.csv, report.md, box_plots.png and report.html; returns the path of the page.

    Some case must have been judged.

    Raises
    ------
    OutputError : a file cannot be written.
    """
    write_cases(folder / CASES, evaluation)
    write_summary(folder / SUMMARY, evaluation)
    plots = _BoxPlots.of(evaluation.results)
    if plots:
        with write_atomically(folder / BOX_PLOTS, overwrite=True) as temporary:
            temporary.write_bytes(plots.light)
    for name, content in ((MARKDOWN, _markdown(evaluation)), (REPORT, _html(evaluation, plots))):
        with write_atomically(folder / name, overwrite=True) as temporary:
            temporary.write_text(content, encoding="utf-8", errors="backslashreplace")
    return folder / REPORT


@dataclass(frozen=True)
class _BoxPlots:
    light: bytes
    dark: bytes

    @classmethod
    def of(cls, results: Sequence[CaseResult]) -> _BoxPlots | None:
        """None where no case has lung."""
        return cls(draw_box_plots(results), draw_box_plots(results, dark=True)) if with_lung(results) else None


def _markdown(evaluation: Evaluation) -> str:
    results = evaluation.results
    parts = ["# Evaluation of a lung segmentation network", *sentences(evaluation)]
    if with_lung(results):
        article, further = table1_text(table1(results))
        parts += ["## Table 1", _TABLE1_NOTE, article.markdown(), "### Further metrics", further.markdown()]
        certain = with_lung(without_doubt(results))
        if certain and len(certain) < len(with_lung(results)):
            parts += ["### Without cases whose reference is doubtful", table1_text(table1(certain))[0].markdown()]
        parts += ["## Right and left lung", sides_text(results).markdown()]
        comparisons = compare_with_thresholding(results)
        if comparisons:
            parts += ["## Beside plain thresholding", baseline_text(comparisons).markdown()]
        differences = compare_groups(results)
        if differences:
            parts.append("## Groups compared")
            for title, statements in statements_by_pair(differences).items():
                parts += [f"### {title}", "\n".join(f"- {statement}" for statement in statements)]
            parts.append(_interval_note(differences))
    parts += ["## Cases", cases_text(results).markdown()]
    for title, content in _about_cases(evaluation):
        parts += [f"### {title}", content.markdown()]
    return "\n\n".join(parts).replace("<", "&lt;") + "\n"  # names of cases and groups are no HTML


def _html(evaluation: Evaluation, plots: _BoxPlots | None) -> str:
    results, card = evaluation.results, evaluation.judges[0].card
    name = network_name(evaluation)
    body = [
        heading("Evaluation of a lung segmentation network", 1),
        paragraph(f"{name[0].upper()}{name[1:]}; LungSegResNet {__version__}; {date.today().isoformat()}", "faint"),
        tiles(_key_figures(evaluation)),
        *(paragraph(sentence) for sentence in sentences(evaluation)),
    ]
    if plots:
        body += _table1_section(results)
        body += _thresholding_section(results)
        image = png_image(plots.light, plots.dark, "Box plots of six metrics by group")
        caption = (
            "Box: quartiles and median; whiskers: the last case within 1.5 times the distance of the quartiles. "
            f"Each dot is a case; rings have a doubtful reference. Below {LEAST_CASES} cases only the median is drawn."
        )
        body += [heading("Distributions"), figure(image, "Figure 1.", caption)]
        body += _group_section(results)
        body += _typical_section(results)
        body += _worst_section(results)
    body += _case_section(evaluation)
    body += [heading("Definitions"), _shown(definitions_text(), "text")]
    body += [paragraph(_DEFINITION_NOTE, "faint"), *_source_section(results)]
    digest = " ".join(
        f"Network file{f' of fold {one.fold}' if one.fold else ''}: SHA-256 {one.digest}, run with {one.engine}."
        for one in evaluation.judges
    )
    body.append(f"<footer>{text(digest)} {text(card.description)} {text(f'Licence: {card.licence}.')}</footer>")
    return page(f"Evaluation: {name}", body)


def _key_figures(evaluation: Evaluation) -> list[tuple[str, str]]:
    results = evaluation.results
    figures = [(str(len(results)), "case judged" if len(results) == 1 else "cases judged")]
    if with_lung(results):
        dice, worst = mean_dice(results), worst_first(results)[0]
        interval = f"{LEVEL_PERCENT} % interval {dice.interval_text}" if dice.interval else dice.interval_text
        figures += [(f"{dice.mean:.3f}", f"mean Dice ({interval})"), (f"{worst.dice:.3f}", f"worst: {worst.case.name}")]
        spreads = table1(results)[-1].spreads
        figures.append((f"{100 * spreads['false_negative_ratio'].mean:.1f} %", "of the lung missed, mean over cases"))
        added = (spreads["mean_absolute_error"].mean + spreads["mean_error"].mean) / 2  # FP / V of the definitions
        figures.append((f"{100 * added:.1f} %", "added to it, mean over cases"))
    if evaluation.failed:
        figures.append((str(len(evaluation.failed)), "could not be judged"))
    return figures


def _table1_section(results: Sequence[CaseResult]) -> list[str]:
    article, further = table1_text(table1(results))
    parts = [heading("Table 1"), paragraph(_TABLE1_NOTE, "faint"), _shown(article)]
    certain = with_lung(without_doubt(results))
    if certain and len(certain) < len(with_lung(results)):
        parts += [
            heading("Without cases whose reference is doubtful", 3),
            _shown(table1_text(table1(certain))[0]),
        ]
    parts += [heading("Further metrics", 3), _shown(further)]
    return [*parts, heading("Right and left lung", 3), _shown(sides_text(results))]


def _thresholding_section(results: Sequence[CaseResult]) -> list[str]:
    comparisons = compare_with_thresholding(results)
    if not comparisons:
        return []
    note = (
        f"Thresholding means region growing at {LUNG_HU:.0f} HU with airways removed and the borders closed, on the "
        "same cases; where one of them has no value, as a distance to nothing, the case counts for neither. The "
        "difference is network minus thresholding, case by case; its interval is a bootstrap over patients."
    )
    return [heading("Beside plain thresholding"), paragraph(note, "faint"), _shown(baseline_text(comparisons))]


def _group_section(results: Sequence[CaseResult]) -> list[str]:
    differences = compare_groups(results)
    if not differences:
        return []
    parts = [heading("Groups compared")]
    for title, statements in statements_by_pair(differences).items():
        items = "".join(f"<li>{text(statement)}</li>" for statement in statements)
        parts += [heading(title, 3), f"<ul>{items}</ul>"]
    return [*parts, paragraph(_interval_note(differences), "faint")]


def _interval_note(differences: Sequence[GroupDifference]) -> str:
    note = (
        f"Intervals hold {LEVEL_PERCENT} % of {RESAMPLES} bootstrap draws of patients (seed 0), each metric on its "
        "own: with many comparisons one in twenty excludes 0 by chance."
    )
    if any(min(difference.patients) < FEW_PATIENTS for difference in differences):
        note += f" With fewer than {FEW_PATIENTS} patients in a group such an interval comes out too narrow."
    return note


def _typical_section(results: Sequence[CaseResult]) -> list[str]:
    groups = sorted(groups_of(with_lung(results)).items(), key=lambda group: -len(group[1]))
    which = "each group" if len(groups) <= _TYPICAL else f"each of the {_TYPICAL} largest of {len(groups)} groups"
    note = f"The case at the middle of {which} by Dice. Dashed: reference; solid: network."
    parts = [heading("Typical results"), paragraph(note, "faint")]
    for group, members in groups[:_TYPICAL]:
        ordered = worst_first(members)
        middle = ordered[len(ordered) // 2]
        caption = f"{middle.case.name}, {group}: Dice {middle.dice:.3f}"
        caption += f", {middle.missed_ml:.0f} ml missed, {middle.added_ml:.0f} ml added.{_fold(middle)}{_doubt(middle)}"
        label = f"Figure 2{_letter(parts)}."
        parts.append(figure(scan_image(middle.folder / middle.overlay, caption), label, caption))
    return parts


def _worst_section(results: Sequence[CaseResult]) -> list[str]:
    shown = worst_first(results)[:_WORST]
    false_lung = [result for result in results if not result.has_lung and result.added_ml]
    shown += sorted(false_lung, key=lambda result: -result.added_ml)[:1]
    if not any(result.worst_slices for result in shown):
        return []
    note = (
        "The worst slices of the worst cases: the slice as it is, and beside it reference (dashed) and network (solid) "
        "with the difference filled in the colour of the outline it lies in."
    )
    parts = [heading("Outliers"), paragraph(note, "faint")]
    for result in shown:
        score = f"Dice {result.dice:.3f}" if result.has_lung else "no lung in the reference"
        for one in result.worst_slices:
            caption = (
                f"{result.case.name} ({score}), slice {one.index + 1} of {result.slices} at {one.position}, "
                f"{one.reason}: slice Dice {one.dice:.3f}, {one.missed_cm2:.1f} cm² missed, {one.added_cm2:.1f} cm² "
                f"added.{_fold(result)}{_doubt(result)}"
            )
            image = scan_image(result.folder / one.picture, caption)
            parts.append(figure(image, f"Figure 3{_letter(parts)}.", caption))
    return parts


def _case_section(evaluation: Evaluation) -> list[str]:
    parts = [heading("Cases"), _shown(cases_text(evaluation.results))]
    for title, content in _about_cases(evaluation):
        parts += [heading(title, 3), _shown(content, "text")]
    return parts


def _about_cases(evaluation: Evaluation) -> list[tuple[str, TextTable]]:
    """Tables under that of the cases, with their titles: what a reader has to know of single cases."""
    tables = [
        ("Doubtful references", doubts_text(evaluation.results)),
        ("Notes of reading and segmenting", notes_text(evaluation.results)),
        ("Failed cases", not_judged_text(evaluation.failed)),
        ("Cases left out", not_judged_text(evaluation.left_out)),
    ]
    return [(title, content) for title, content in tables if content.rows]


def _source_section(results: Sequence[CaseResult]) -> list[str]:
    known = sources(results)
    if not known:
        return []
    items = []
    for licence, doi, count in known:
        place = link(address_of(doi), doi if doi == address_of(doi) else f"doi:{doi}") if doi else "no DOI"
        items.append(f"<li>{place}: {text(licence or 'licence not stated')}, {counted(count, 'case')}")
    return [heading("Data"), f"<ul>{'</li>'.join(items)}</li></ul>"]


def _shown(content: TextTable, kind: str = "") -> str:
    return table(content.head, content.rows, kind, content.faint)


def _doubt(result: CaseResult) -> str:
    return f" The reference is doubtful: {result.doubtful.rstrip('.')}." if result.doubtful else ""


def _fold(result: CaseResult) -> str:
    return f" Judged by the network of fold {result.fold}." if result.fold else ""


def _letter(parts: Sequence[str]) -> str:
    """Letter of the next figure of a section: a, b, c, ..."""
    return chr(ord("a") + sum(part.startswith("<figure") for part in parts))
