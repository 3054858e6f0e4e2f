"""How far a training run is, and the CSV in which a run keeps it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from LungSegResNetLib.atomic import write_atomically

_COLUMNS = ["step", "loss", "slices_per_second", "validation_dice"]


@dataclass(frozen=True)
class Progress:
    """State of a run after a step; ``validation_dice`` (pooled per case, mean) only after a validation."""

    step: int
    steps: int
    loss: float
    slices_per_second: float
    validation_dice: float | None = None


class ProgressLog:
    """The ``progress.csv`` of a run: one line for each step; loss and Dice have no unit."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, progress: Progress) -> None:
        """Add the line of a step."""
        new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(_COLUMNS)
            dice = "" if progress.validation_dice is None else f"{progress.validation_dice:.5f}"
            writer.writerow([progress.step, f"{progress.loss:.5f}", f"{progress.slices_per_second:.2f}", dice])

    def cut_after(self, step: int) -> None:
        """Drop what was logged after ``step``, because a resumed run does those steps again."""
        if not self.path.exists():
            return
        with self.path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        # The last line of a killed run may be torn, and then its step number cannot be trusted.
        kept = [row for row in rows if len(row) == len(_COLUMNS) and int(row[0]) <= step]
        with (
            write_atomically(self.path, overwrite=True) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            csv.writer(file).writerows([_COLUMNS, *kept])
