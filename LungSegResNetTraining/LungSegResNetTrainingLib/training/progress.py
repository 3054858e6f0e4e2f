"""How far a training run is, and the CSV in which a run keeps it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from LungSegResNetLib.atomic import write_atomically

_COLUMNS = ["step", "loss", "slices_per_second", "validation_dice"]


@dataclass(frozen=True)
class Progress:
    """State of a run after a step.

    Attributes
    ----------
    slices_per_second : of the step alone, without waiting for its slices.
    validation_dice : pooled per case, mean of the cases; only after a validation.
    seconds_left : of the whole run at its speed so far.
    waiting_share : part of the time so far that was spent waiting for slices to be prepared.
    """

    step: int
    steps: int
    loss: float
    slices_per_second: float
    validation_dice: float | None = None
    seconds_left: float = 0.0
    waiting_share: float = 0.0


class ProgressLog:
    """The ``progress.csv`` of a run: one line for each step; loss and Dice have no unit.

    Another program may hold the file, as spreadsheets do on Windows; lines wait in memory meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[list[str]] = []

    def append(self, progress: Progress) -> None:
        """Add the line of a step. Raises OSError if the file cannot be written; a later call tries again."""
        dice = "" if progress.validation_dice is None else f"{progress.validation_dice:.5f}"
        self._waiting.append([f"{progress.step}", f"{progress.loss:.5f}", f"{progress.slices_per_second:.2f}", dice])
        new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([*([_COLUMNS] if new else []), *self._waiting])
        self._waiting.clear()

    def rows(self) -> list[tuple[int, float, float | None]]:
        """Step, loss and validation Dice (where there was a validation) of all steps so far."""
        return [(int(step), float(loss), float(dice) if dice else None) for step, loss, _, dice in self._whole_rows()]

    def cut_after(self, step: int) -> None:
        """Drop what was logged after ``step``, because a resumed run does those steps again."""
        if not self.path.exists():
            return
        kept = [row for row in self._whole_rows() if int(row[0]) <= step]
        with (
            write_atomically(self.path, overwrite=True) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            csv.writer(file).writerows([_COLUMNS, *kept])

    def _whole_rows(self) -> list[list[str]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        # The last line of a killed run may be torn, and then its step number cannot be trusted.
        return [row for row in rows if len(row) == len(_COLUMNS)]
