"""How far a training run is, where its time goes, and the CSV in which a run keeps it."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.errors import OutputInUseError

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


class Clock:
    """Where the time of a run goes that goes on after ``first_step``, to ``steps`` of ``batch_size`` slices each."""

    def __init__(self, first_step: int, steps: int, batch_size: int) -> None:
        self._first_step, self._steps, self._batch_size = first_step, steps, batch_size
        self._begun = self._mark = time.perf_counter()
        self._waited = self._step_seconds = 0.0

    def waits_for_slices(self) -> None:
        """The next slices are asked for."""
        self._mark = time.perf_counter()

    def slices_are_there(self) -> None:
        """They have come, and the step begins."""
        now = time.perf_counter()
        self._waited += now - self._mark
        self._mark = now

    def step_is_done(self) -> None:
        """The step ends."""
        self._step_seconds = time.perf_counter() - self._mark

    def progress(self, step: int, loss: float, dice: float | None) -> Progress:
        """State of the run after the step that was done last."""
        elapsed = time.perf_counter() - self._begun
        return Progress(
            step,
            self._steps,
            loss,
            self._batch_size / self._step_seconds,
            dice,
            seconds_left=elapsed / (step - self._first_step) * (self._steps - step),
            waiting_share=self._waited / elapsed,
        )


class LoggedStep(NamedTuple):
    """A line of a run's log, in the order of its columns; the Dice is None where there was no validation."""

    step: int
    loss: float
    slices_per_second: float
    validation_dice: float | None


class ProgressLog:
    """The ``progress.csv`` of a run: one line for each step; loss and Dice have no unit.

    Another program may hold the file, as spreadsheets do on Windows; lines wait in memory meanwhile.

    Raises
    ------
    ValueError : the file is there, but not as a run writes it.
    OSError : it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._steps = _read(path)
        self._written = len(self._steps)  # of the steps; with none of them, the file is written anew

    def append(self, progress: Progress) -> None:
        """Add the line of a step.

        Raises
        ------
        OutputInUseError : another program holds the file; a later call tries again.
        OSError, OutputError : it cannot be written.
        """
        self._steps.append(
            LoggedStep(progress.step, progress.loss, progress.slices_per_second, progress.validation_dice)
        )
        self._write()

    @property
    def steps(self) -> list[LoggedStep]:
        """All steps so far."""
        return self._steps

    def cut_after(self, step: int) -> None:
        """Drop what was logged after ``step``, because a resumed run does those steps again. Raises as `append`."""
        self._steps = [logged for logged in self._steps if logged.step <= step]
        self._written = 0
        if self.path.exists():
            self._write()

    def _write(self) -> None:
        if self.path.exists():
            try:
                # Fails at once where the file is held; replacing it would be tried for a while at every step.
                with self.path.open("a", newline="", encoding="utf-8") as file:
                    if self._written:
                        csv.writer(file).writerows(map(_cells, self._steps[self._written :]))
            except PermissionError as error:
                raise OutputInUseError(self.path) from error
        else:
            self._written = 0
        if not self._written:
            with (
                write_atomically(self.path, overwrite=True) as temporary,
                temporary.open("w", newline="", encoding="utf-8") as file,
            ):
                csv.writer(file).writerows([_COLUMNS, *map(_cells, self._steps)])
        self._written = len(self._steps)


def _read(path: Path) -> list[LoggedStep]:
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    steps = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            steps.append(_logged(line))
        except ValueError as error:
            # The last line of a killed run may be torn, and then its step number cannot be trusted.
            if number < len(lines):
                raise ValueError(f"line {number} is not as a run writes it") from error
    return steps


def _logged(line: str) -> LoggedStep:
    # Where decimals have a comma, spreadsheets part the cells by semicolons.
    step, loss, speed, dice = line.replace(",", ".").split(";") if ";" in line else line.split(",")
    return LoggedStep(int(step), float(loss), float(speed), float(dice) if dice else None)


def _cells(logged: LoggedStep) -> list[str]:
    step, loss, speed, dice = logged
    return [f"{step}", f"{loss:.5f}", f"{speed:.2f}", "" if dice is None else f"{dice:.5f}"]
