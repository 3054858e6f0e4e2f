"""How a training run tells what it is doing: lines for people, JSON lines for programs, or nothing but warnings."""

from __future__ import annotations

import sys
from typing import Protocol

from LungSegResNetLib.jobs.event_names import PROGRESS
from LungSegResNetLib.jobs.reporting import JsonReporter, NullReporter, Reporter, WarningReporter

from .progress import Progress

_LINE_EVERY = 10


class TrainingReporter(Reporter, Protocol):
    """Receives the events of a run."""

    def step(self, progress: Progress) -> None:
        """A step is done."""


class TrainingWarningReporter(WarningReporter):
    """Shows warnings and nothing else."""

    def step(self, progress: Progress) -> None:
        pass


class NullTrainingReporter(NullReporter):
    """Shows nothing: for all processes of a run but the first, which says the same."""

    def step(self, progress: Progress) -> None:
        pass


class LinesReporter(WarningReporter):
    """A line every ten steps and for each validation, on standard output; warnings on standard error."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = sys.stdout

    def stage(self, name: str) -> None:
        print(f"{name} ...", file=self._lines, flush=True)

    def progress(self, done: int, total: int) -> None:
        if done and done % 100 == 0:
            print(f"case {done}/{total}", file=self._lines, flush=True)

    def step(self, progress: Progress) -> None:
        if progress.step % _LINE_EVERY == 0 or progress.validation_dice is not None:
            dice = "" if progress.validation_dice is None else f"  validation Dice {progress.validation_dice:.4f}"
            minutes = progress.seconds_left / 60
            print(
                f"step {progress.step}/{progress.steps}  loss {progress.loss:.4f}"
                f"  {progress.slices_per_second:.1f} slices/s  {minutes:.0f} min left{dice}",
                file=self._lines,
                flush=True,
            )


class JsonTrainingReporter(JsonReporter):
    """One JSON object a line; a step's ``progress`` has step, steps, loss, slices_per_second and so on."""

    def step(self, progress: Progress) -> None:
        self._send(
            event=PROGRESS,
            step=progress.step,
            steps=progress.steps,
            loss=round(progress.loss, 5),
            slices_per_second=round(progress.slices_per_second, 2),
            validation_dice=None if progress.validation_dice is None else round(progress.validation_dice, 5),
            seconds_left=round(progress.seconds_left, 1),
        )


def make_training_reporter(mode: str) -> TrainingReporter:
    """Reporter for ``lines``, ``json`` (on standard error) or ``none``."""
    if mode == "json":
        return JsonTrainingReporter(sys.stderr)
    return LinesReporter() if mode == "lines" else TrainingWarningReporter()
