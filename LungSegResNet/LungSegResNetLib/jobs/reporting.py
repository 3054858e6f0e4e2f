"""How a run tells what it is doing: JSON lines for programs, a bar for people, or nothing."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import IO, Any, Protocol

MODES = ("bar", "json", "none")


class Reporter(Protocol):
    """Receives the events of a run."""

    def stage(self, name: str) -> None:
        """A stage (``read``, ``load network``, ``segment``, ``write``) begins."""

    def slices(self, done: int, total: int) -> None:
        """So many of all slices are segmented."""

    def warning(self, text: str) -> None:
        """Something the user should know."""

    def close(self) -> None:
        """The run is over, in whatever way."""


class SilentReporter:
    """Shows warnings and nothing else."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr

    def stage(self, name: str) -> None:
        pass

    def slices(self, done: int, total: int) -> None:
        pass

    def warning(self, text: str) -> None:
        print(f"warning: {text}", file=self._stream, flush=True)

    def close(self) -> None:
        pass


class BarReporter(SilentReporter):
    """A bar that moves slice by slice."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        super().__init__(stream)
        self._bar: Any = None

    def slices(self, done: int, total: int) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="slice", desc="Segmenting", file=self._stream, dynamic_ncols=True)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class JsonReporter:
    """One JSON object a line, with the key ``event``: ``stage``, ``progress`` or ``warning``."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._started: tuple[float, int] | None = None

    def stage(self, name: str) -> None:
        self._started = None
        self._send(event="stage", stage=name)

    def slices(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._started is None:
            self._started = (now, done)
        begun, first = self._started
        left = (now - begun) / (done - first) * (total - done) if done > first else None
        self._send(event="progress", done=done, total=total, seconds_left=None if left is None else round(left, 1))

    def warning(self, text: str) -> None:
        self._send(event="warning", text=text)

    def close(self) -> None:
        pass

    def _send(self, **fields: Any) -> None:
        print(json.dumps(fields), file=self._stream, flush=True)


def make_reporter(mode: str | None) -> Reporter:
    """Reporter on the standard error stream; None takes a bar in a terminal and silence elsewhere."""
    mode = mode or ("bar" if sys.stderr.isatty() else "none")
    makers: dict[str, Callable[[], Reporter]] = {"bar": BarReporter, "json": JsonReporter, "none": SilentReporter}
    return makers[mode]()
