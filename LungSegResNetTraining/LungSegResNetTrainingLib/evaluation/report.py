"""The report of an evaluation: one page that opens anywhere, and the same tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from LungSegResNetLib import __version__
from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.figures.metric_definitions import DICE

from .bootstrap import LEVEL_PERCENT
from .csv_tables import write_cases, write_differences, write_summary
from .findings import Findings, worst_first
from .html_page import figure, heading, link, page, paragraph, table, text, tiles
from .left_out import is_doubt
from .picture_sections import BoxPlots
from .report_files import BOX_PLOTS, CASES, DIFFERENCES, MARKDOWN, REPORT, SUMMARY
from .report_folder import tell_provenance
from .sections import Section, sections_of
from .summary_text import network_name

_TITLE = "Evaluation of a lung segmentation network"


def write_report(findings: Findings, told: Sequence[str], folder: Path) -> Path:
    """Write cases.csv, summary.csv, differences.csv, report.md, box_plots.png and report.html; returns the page's path.

    What it was made with is added to ``evaluation.json``. Some case must have been judged.

    Parameters
    ----------
    told : the findings in words, see ``sentences``.

    Raises
    ------
    OutputError : a file cannot be written.
    """
    write_cases(folder / CASES, findings.evaluation)
    write_summary(folder / SUMMARY, findings.evaluation)
    write_differences(folder / DIFFERENCES, findings.group_differences)
    plots = BoxPlots.of(findings.chosen)
    if plots:
        with write_atomically(folder / BOX_PLOTS, overwrite=True) as temporary:
            temporary.write_bytes(plots.light)
    sections = sections_of(findings, plots)
    for name, content in ((MARKDOWN, _markdown(findings, told, sections)), (REPORT, _html(findings, told, sections))):
        with write_atomically(folder / name, overwrite=True) as temporary:
            temporary.write_text(content, encoding="utf-8", errors="backslashreplace")
    tell_provenance(folder, findings.provenance)
    return folder / REPORT


def _markdown(findings: Findings, told: Sequence[str], sections: Sequence[Section]) -> str:
    parts = [f"# {_TITLE}", _about(findings), *told]
    for section in sections:
        items = [f"- {f'{one.link[1]}: ' if one.link else ''}{one.text}" for one in section.statements]
        below = [section.note, section.table.markdown() if section.table else "", "\n".join(items)]
        if section.figures and not any(below[1:]):
            continue
        parts += [f"{'#' * section.level} {section.title}", *filter(None, below)]
    return "\n\n".join(parts).replace("<", "&lt;") + "\n"  # names of cases and groups are no HTML


def _html(findings: Findings, told: Sequence[str], sections: Sequence[Section]) -> str:
    body = [heading(_TITLE, 1), paragraph(_about(findings), "faint"), tiles(_key_figures(findings))]
    body += [paragraph(sentence) for sentence in told]
    for section in sections:
        body.append(heading(section.title, section.level))
        if section.note:
            body.append(paragraph(section.note, "faint"))
        if section.table:
            shown = section.table
            body.append(table(shown.head, shown.rows, "text" if shown.is_text else "", shown.faint))
        items = [f"<li>{f'{link(*one.link)}: ' if one.link else ''}{text(one.text)}</li>" for one in section.statements]
        if items:
            body.append(f"<ul>{''.join(items)}</ul>")
        body += [figure(one.image, one.label, one.caption) for one in section.figures]
    card = findings.evaluation.judges[0].card
    body.append(f"<footer>{text(card.description)} {text(f'Licence: {card.licence}.')}</footer>")
    return page(f"Evaluation: {network_name(findings.evaluation)}", body)


def _about(findings: Findings) -> str:
    name = network_name(findings.evaluation)
    return f"{name[0].upper()}{name[1:]}; LungSegResNet {__version__}; {findings.provenance['date']}"


def _key_figures(findings: Findings) -> list[tuple[str, str]]:
    count, failed = len(findings.results), len(findings.evaluation.failed)
    figures = [(str(count), "case judged" if count == 1 else "cases judged")]
    if findings.chosen:
        dice, worst = findings.dice, worst_first(findings.chosen)[0]
        interval = f"{LEVEL_PERCENT} % interval {dice.interval_text}" if dice.interval else dice.interval_text
        about = "; ".join(filter(None, (interval, findings.range_of_folds)))
        figures += [
            (DICE.text(dice.mean), f"mean Dice{findings.of_cases_with_lung} ({about})"),
            (DICE.text(worst.dice), f"worst: {worst.case.name}"),
        ]
        spreads = findings.column_of_all.spreads
        figures.append((f"{100 * spreads['false_negative_ratio'].mean:.1f} %", "of the lung missed, mean over cases"))
        added = (spreads["mean_absolute_error"].mean + spreads["mean_error"].mean) / 2  # FP / V of the definitions
        figures.append((f"{100 * added:.1f} %", "added to it, mean over cases"))
    if doubted := sum(is_doubt(one.cause) for one in findings.evaluation.left_out):
        figures.append((str(doubted), "left out as doubtful or refused"))
    if failed:
        figures.append((str(failed), "could not be evaluated"))
    return figures
