"""Names of groups have room in the box plots, however many and however long they are."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise
from typing import Any

import pytest
from judged_cases import case_of, comparison_of, judged_case
from matplotlib.backends.backend_agg import FigureCanvasAgg

from LungSegResNetTrainingLib.evaluation.box_plots import draw_box_plots


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that are drawn from now on."""
    drawn: list[Any] = []
    real = FigureCanvasAgg.print_png

    def print_png(self: FigureCanvasAgg, *arguments: Any, **options: Any) -> None:
        drawn.append(self.figure)
        real(self, *arguments, **options)

    monkeypatch.setattr(FigureCanvasAgg, "print_png", print_png)
    return drawn


@pytest.mark.parametrize(
    "groups",
    [
        ["normal controls of hospital A", "interstitial lung disease"],
        ["normal", "chronic obstructive pulmonary", "interstitial lung disease", "Pneumonoultramicroscopicsilico" * 2],
        [f"scanner of site {number}" for number in range(12)] + ["a group with a name of more than forty letters"],
    ],
    ids=len,
)
def test_names_of_groups_are_not_printed_over_one_another(figures: list[Any], groups: list[str]) -> None:
    draw_box_plots([judged_case(group, 0.9 + number / 200, group) for number, group in enumerate(groups)])
    (figure,) = figures
    for axes in figure.axes:
        labels = axes.get_xticklabels()
        extents = [label.get_window_extent() for label in labels]
        line = figure.dpi * labels[0].get_fontsize() / 72
        if labels[0].get_rotation():
            ends = [label.get_transform().transform(label.get_position())[0] for label in labels]
            apart = [
                (right - left) * math.sin(math.radians(labels[0].get_rotation())) for left, right in pairwise(ends)
            ]
        else:
            apart = [right.x0 - left.x1 + line for left, right in pairwise(extents)]
        assert min(apart) >= line
        assert axes.get_window_extent().height > 0.2 * figure.bbox.height


def test_a_name_in_letters_that_the_font_does_not_have_ends_in_no_warning(figures: list[Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_box_plots([judged_case("a", 0.9, "肺 Müller\n2"), judged_case("b", 0.9, "normal")])
    assert [label.get_text() for label in figures[0].axes[0].get_xticklabels()] == [
        "normal\nn = 1",
        "? Müller 2\nn = 1",
    ]


def test_each_panel_counts_the_cases_that_have_its_metric(figures: list[Any]) -> None:
    # The mean HU of nothing does not exist, but its Dice is 0.
    draw_box_plots([case_of("missed", comparison_of(10, 0, 0)), case_of("found", comparison_of(10, 10, 0))])
    labels = {axes.get_title(loc="left")[0]: axes.get_xticklabels()[0].get_text() for axes in figures[0].axes}
    assert (labels["A"], labels["E"]) == ("all\nn = 2", "all\nn = 1")


def test_cases_with_a_doubtful_reference_are_rings(figures: list[Any]) -> None:
    draw_box_plots([judged_case("sure", 0.9), judged_case("unsure", 0.7, doubtful="border estimated")])
    *_, dots, rings = figures[0].axes[0].collections
    assert [part.get_offsets()[:, 1].tolist() for part in (dots, rings)] == [[0.9], [0.7]]
    assert (rings.get_facecolor()[0, :3] == 1.0).all()
    assert (dots.get_facecolor()[0] == dots.get_edgecolor()[0]).all()
