"""The picture of a training run: loss and validation Dice over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from LungSegResNetLib.atomic import write_atomically

from .progress import LoggedStep

_MOST_SMOOTHED = 50  # steps whose mean is drawn over the loss of the single steps


def draw_curves(path: Path, logged: Sequence[LoggedStep]) -> None:
    """Write a PNG of the steps of a log."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps, losses = np.array([one.step for one in logged]), np.array([one.loss for one in logged])
    figure = Figure(figsize=(9.0, 4.5), dpi=110, layout="constrained")
    loss_axes = figure.add_subplot()
    loss_axes.plot(steps, losses, color="0.8", linewidth=0.8)
    width = max(1, min(_MOST_SMOOTHED, len(losses) // 10))
    mean = np.convolve(losses, np.ones(width) / width, mode="valid")
    lines = loss_axes.plot(steps[width - 1 :], mean, color="tab:blue", label=f"loss (mean of {width} steps)")
    loss_axes.set(xlabel="step", ylabel="loss", ylim=(0.0, None))
    validated = [(one.step, one.validation_dice) for one in logged if one.validation_dice is not None]
    if validated:
        dice_axes = loss_axes.twinx()
        lines += dice_axes.plot(*zip(*validated, strict=True), color="tab:orange", marker=".", label="validation Dice")
        lowest = min(dice for _, dice in validated)
        dice_axes.set(ylabel="validation Dice", ylim=(min(0.9, lowest), 1.0))
    figure.legend(handles=lines, loc="outside upper center", ncols=2)
    with write_atomically(path, overwrite=True) as temporary:
        FigureCanvasAgg(figure).print_png(temporary)  # Figure.savefig would draw it twice
