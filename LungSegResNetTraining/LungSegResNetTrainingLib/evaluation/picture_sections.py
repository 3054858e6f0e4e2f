"""The pictures of the report with their captions: box plots, typical cases, outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from LungSegResNetLib.figures.metric_definitions import DICE

from .aggregation import groups_of
from .box_plots import draw_box_plots
from .case_result import CaseResult
from .findings import worst_first
from .html_page import png_image, scan_image
from .spread import LEAST_CASES

_TYPICAL, _WORST = 6, 4  # cases shown


@dataclass(frozen=True)
class Figure:
    """An image as HTML, a label such as ``Figure 2a.``, and what it shows."""

    image: str
    label: str
    caption: str


@dataclass(frozen=True)
class BoxPlots:
    """PNG on light and on dark ground."""

    light: bytes
    dark: bytes

    @classmethod
    def of(cls, chosen: Sequence[CaseResult]) -> BoxPlots | None:
        """Plots of cases with lung; None where there are none."""
        return cls(draw_box_plots(chosen), draw_box_plots(chosen, dark=True)) if chosen else None


def box_plot_figure(plots: BoxPlots) -> Figure:
    """The box plots in the reader's colours."""
    caption = (
        "Box: quartiles and median; whiskers: the last case within 1.5 times the distance of the quartiles. "
        f"Each dot is a case; rings have a doubtful reference. Below {LEAST_CASES} cases only the median is drawn."
    )
    return Figure(png_image(plots.light, plots.dark, "Box plots of six metrics by group"), "Figure 1.", caption)


def typical_note(chosen: Sequence[CaseResult]) -> str:
    """Which cases `typical_figures` shows."""
    groups = len(groups_of(chosen))
    which = "each group" if groups <= _TYPICAL else f"each of the {_TYPICAL} largest of {groups} groups"
    return f"The case at the middle of {which} by Dice. Dashed: reference; solid: network."


def typical_figures(chosen: Sequence[CaseResult]) -> list[Figure]:
    """A case of each group, of many groups of the largest; the cases have lung."""
    groups = sorted(groups_of(chosen).items(), key=lambda group: -len(group[1]))
    figures: list[Figure] = []
    for group, members in groups[:_TYPICAL]:
        ordered = worst_first(members)
        middle = ordered[(len(ordered) - 1) // 2]  # of two in the middle the worse one
        caption = f"{middle.case.name}, {group}: Dice {DICE.text(middle.dice)}"
        caption += f", {middle.missed_ml:.0f} ml missed, {middle.added_ml:.0f} ml added.{_fold(middle)}{_doubt(middle)}"
        figures.append(Figure(scan_image(middle.folder / middle.overlay, caption), _label(2, figures), caption))
    return figures


def outlier_figures(results: Sequence[CaseResult]) -> list[Figure]:
    """The worst slices of the worst cases, and of the one in which most was found where there is no lung."""
    shown = worst_first(results)[:_WORST]
    false_lung = [result for result in results if not result.has_lung and result.added_ml]
    shown += sorted(false_lung, key=lambda result: -result.added_ml)[:1]
    figures: list[Figure] = []
    for result in shown:
        score = f"Dice {DICE.text(result.dice)}" if result.has_lung else "no lung in the reference"
        for one in result.worst_slices:
            caption = (
                f"{result.case.name} ({score}), slice {one.index + 1} of {result.slices} at {one.position}, "
                f"{one.reason}: slice Dice {DICE.text(one.dice)}, {one.missed_cm2:.1f} cm² missed, {one.added_cm2:.1f} "
                f"cm² added.{_fold(result)}{_doubt(result)}"
            )
            figures.append(Figure(scan_image(result.folder / one.picture, caption), _label(3, figures), caption))
    return figures


def _label(number: int, before: Sequence[Figure]) -> str:
    """Label of the next figure: 2a, 2b, 2c, ..."""
    return f"Figure {number}{chr(ord('a') + len(before))}."


def _doubt(result: CaseResult) -> str:
    return f" The reference is doubtful: {result.doubtful.rstrip('.')}." if result.doubtful else ""


def _fold(result: CaseResult) -> str:
    return f" Evaluated with the network of fold {result.fold}." if result.fold else ""
