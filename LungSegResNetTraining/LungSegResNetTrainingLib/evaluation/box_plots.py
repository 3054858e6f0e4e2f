"""Box plots of the metrics of the article's figure 4, one box for each group."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from LungSegResNetLib.errors import UsageError
from LungSegResNetLib.figures.metric_definitions import METRIC_BY_KEY

from .aggregation import ALL_CASES, NO_GROUP, groups_of, values_of, with_lung
from .case_result import CaseResult
from .spread import LEAST_CASES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOTTED_METRICS = (
    "dice",
    "jaccard",
    "mean_error",
    "mean_absolute_error",
    "mean_hu_difference_percent",
    "volume_difference_percent",
)
_SIGNED = ("mean_error", "mean_hu_difference_percent", "volume_difference_percent")
_COLORS = ("#3b82c4", "#e07b39", "#4f9d69", "#a8577e", "#8a78c9", "#8c8c84")
_LIGHT = {"paper": "#ffffff", "ink": "#22272e", "faint": "#d9dde2"}
_DARK = {"paper": "#161b22", "ink": "#d6dce3", "faint": "#39414b"}
_MANY_GROUPS = 4  # more names do not fit side by side, they are written aslant
_NAME_LENGTH = 24  # of an aslant name
_LINES = 3  # of one that is not
_PANEL = (3.6, 3.3)  # inches, the least
_GROUP = 1.2, 0.45  # inches for a group beside others, with an upright and an aslant name
_CHARACTER = 0.085  # inches, in the mean
_MOST_INCHES = 22.0  # across; a wider figure has fewer pixels to the inch
_MANY_CASES = 20
_DPI = 200


def require_matplotlib() -> None:
    """Raise UsageError where plots cannot be drawn, before hours are spent on what they would show."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError("matplotlib is not installed; install it with: pip install 'lungsegresnet[train]'.") from error


def draw_box_plots(results: Sequence[CaseResult], dark: bool = False) -> bytes:
    """PNG with six panels: box of the quartiles with whiskers of 1.5 times their distance, and each case as a dot.

    Groups of few cases have their median and dots only; cases with a doubtful reference are rings. At least one case
    must have lung.
    """
    # A figure with a canvas of its own needs no window system and leaves matplotlib's global state alone.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)  # inches
    colors = _DARK if dark else _LIGHT
    groups = groups_of(with_lung(results))
    width, height = _size(len(groups))
    dpi = _DPI * min(1.0, _MOST_INCHES / width)
    figure = Figure(figsize=(width, height), facecolor=colors["paper"], dpi=dpi, layout=layout)
    canvas = FigureCanvasAgg(figure)
    for letter, key, axes in zip("ABCDEF", PLOTTED_METRICS, figure.subplots(2, 3).flat, strict=True):
        axes.set_title(
            f"{letter}   {METRIC_BY_KEY[key].title_with_unit}",
            loc="left",
            fontsize=11,
            fontweight="bold",
            color=colors["ink"],
        )
        if key in _SIGNED:
            axes.axhline(0.0, color=colors["ink"], linewidth=0.8, linestyle=(0, (4, 4)), alpha=0.6)
        for place, members in enumerate(groups.values()):
            _draw_group(axes, members, key, place, _COLORS[place % len(_COLORS)], colors)
        _dress(axes, groups, key, colors)
    with io.BytesIO() as buffer:
        canvas.print_png(buffer, metadata={"Software": None})
        return buffer.getvalue()


def _size(groups: int) -> tuple[float, float]:
    """Width and height in inches of a figure in which the names of so many groups have room."""
    many = groups > _MANY_GROUPS
    return 3 * max(_PANEL[0], groups * _GROUP[many]), 2 * (_PANEL[1] + many * 0.5)


def _shortened(name: str, groups: int) -> str:
    """The name of a group in characters that the font has, broken or cut off for the room beside the others."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    has = get_font(findfont(FontProperties())).get_char_index
    plain = "".join(char if char.isspace() or has(ord(char)) else "?" for char in name)
    upright = groups <= _MANY_GROUPS
    room = int(_size(groups)[0] / 3 / groups / _CHARACTER) - 1 if upright else _NAME_LENGTH
    lines, most = textwrap.wrap(plain, room), _LINES if upright else 1
    if len(lines) > most:
        lines[most - 1] = f"{lines[most - 1][: room - 3].rstrip()}..."
    return "\n".join(lines[:most])


def _draw_group(
    axes: Axes, members: Sequence[CaseResult], key: str, place: int, color: str, colors: dict[str, str]
) -> None:
    values = values_of(members, [key])[:, 0]
    doubtful = np.array([bool(result.doubtful) for result in members])
    known = np.isfinite(values)
    line = {"color": color, "linewidth": 1.4}
    if 2 <= known.sum() < LEAST_CASES:
        axes.hlines(np.median(values[known]), place - 0.25, place + 0.25, color=color, linewidth=2.4, zorder=2)
    elif known.sum() >= LEAST_CASES:
        axes.boxplot(
            [values[known]],
            positions=[place],
            widths=0.5,
            showfliers=False,
            patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": color + "33", "edgecolor": color, "linewidth": 1.4},
            whiskerprops=line,
            capprops=line,
            medianprops={"color": color, "linewidth": 2.4},
            zorder=2,
        )
    # The same dots at the same places each time: a report that is made again looks the same.
    across = place + np.random.default_rng(0).uniform(-0.13, 0.13, len(values))
    size = 17 if len(values) <= _MANY_CASES else 7  # square points; smaller dots leave the box to be seen
    for chosen, face in ((known & ~doubtful, color), (known & doubtful, colors["paper"])):
        axes.scatter(across[chosen], values[chosen], s=size, facecolor=face, edgecolor=color, alpha=0.7, zorder=3)


def _dress(axes: Axes, groups: dict[str, list[CaseResult]], key: str, colors: dict[str, str]) -> None:
    axes.set_facecolor(colors["paper"])
    axes.set_xlim(-0.6, len(groups) - 0.4)
    names = [ALL_CASES if title == NO_GROUP and len(groups) == 1 else title for title in groups]
    many = len(groups) > _MANY_GROUPS
    short = [_shortened(name, len(groups)) for name in names]
    counts = [f"n = {np.isfinite(values_of(members, [key])).sum()}" for members in groups.values()]
    axes.set_xticks(
        range(len(groups)),
        [(", " if many else "\n").join(label) for label in zip(short, counts, strict=True)],
        rotation=30 if many else 0,
        rotation_mode="anchor" if many else "default",
        ha="right" if many else "center",
        fontsize=8.5 if many else 9.5,
        parse_math=False,  # a dollar sign in the name of a group is no formula
    )
    axes.tick_params(colors=colors["ink"], length=0, labelsize=9)
    axes.grid(axis="y", color=colors["faint"], linewidth=0.7)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(colors["faint"])
