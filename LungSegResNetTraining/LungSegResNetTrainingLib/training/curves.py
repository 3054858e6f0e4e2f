"""The picture of a training run: loss and validation Dice over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from LungSegResNetLib.atomic import write_atomically

_MOST_SMOOTHED = 50  # steps whose mean is drawn over the loss of the single steps


def draw_curves(path: Path, rows: Sequence[tuple[int, float, float | None]]) -> None:
    """Write a PNG from rows of (step, loss, validation Dice or None)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps, losses = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    figure = Figure(figsize=(9.0, 4.5), dpi=110, layout="constrained")
    loss_axes = figure.add_subplot()
    loss_axes.plot(steps, losses, color="0.8", linewidth=0.8)
    width = max(1, min(_MOST_SMOOTHED, len(losses) // 10))
    mean = np.convolve(losses, np.ones(width) / width, mode="valid")
    lines = loss_axes.plot(steps[width - 1 :], mean, color="tab:blue", label=f"loss (mean of {width} steps)")
    loss_axes.set(xlabel="step", ylabel="loss", ylim=(0.0, None))
    validated = [(step, dice) for step, _, dice in rows if dice is not None]
    if validated:
        dice_axes = loss_axes.twinx()
        lines += dice_axes.plot(*zip(*validated, strict=True), color="tab:orange", marker=".", label="validation Dice")
        lowest = min(dice for _, dice in validated)
        dice_axes.set(ylabel="validation Dice", ylim=(min(0.9, lowest), 1.0))
    figure.legend(handles=lines, loc="outside upper center", ncols=2)
    with write_atomically(path, overwrite=True) as temporary:
        FigureCanvasAgg(figure).print_png(temporary)  # Figure.savefig would draw it twice
