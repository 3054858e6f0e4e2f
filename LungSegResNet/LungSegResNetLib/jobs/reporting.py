"""How a run tells what it is doing: JSON lines for programs, a bar for people, or warnings only."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import IO, Any, Protocol

from .case_status import FAILED, RUNNING
from .event_names import CASE, PROGRESS, STAGE, WARNING


@dataclass(frozen=True)
class CaseEvent:
    """A case of a folder run begins or ends.

    Attributes
    ----------
    case : its name, the path below the input folder without ending, with ``/``.
    number, total : its place, from 1, among all cases of the run, in the order of their names.
    status : ``running``, ``done``, ``already done``, ``no CT`` or ``failed``. Several cases may be ``running`` at a
        time, and a case may be so twice, if the process that had it was killed. Each case ends once, in one of the
        other four.
    error : why it failed or what is there instead of a CT, one sentence; else empty.
    """

    case: str
    number: int
    total: int
    status: str
    error: str = ""


class Reporter(Protocol):
    """Receives the events of a run."""

    def stage(self, name: str) -> None:
        """A stage begins, in words; `event_names` has those of a case."""

    def progress(self, done: int, total: int) -> None:
        """So many of all are done: slices of a case, or what else the stage goes through."""

    def warning(self, text: str, case: str = "") -> None:
        """Something the user should know, of a case of a folder or of the whole run."""

    def case(self, event: CaseEvent) -> None:
        """A case of a folder begins or ends; called from several threads while several cases run."""

    def close(self) -> None:
        """The run is over, in whatever way."""


class NullReporter:
    """Shows nothing: for a process whose standard error nobody reads."""

    def stage(self, name: str) -> None:
        pass

    def progress(self, done: int, total: int) -> None:
        pass

    def warning(self, text: str, case: str = "") -> None:
        pass

    def case(self, event: CaseEvent) -> None:
        pass

    def close(self) -> None:
        pass


class WarningReporter(NullReporter):
    """Shows warnings and failed cases, and nothing else."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr

    def warning(self, text: str, case: str = "") -> None:
        self._show(f"warning: {case}: {text}" if case else f"warning: {text}")

    def case(self, event: CaseEvent) -> None:
        if event.status == FAILED:
            self.warning(event.error, event.case)

    def _show(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class BarReporter(WarningReporter):
    """A bar that moves slice by slice, and above it, for a folder, one that moves case by case."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        super().__init__(stream)
        self._bar: Any = None
        self._cases: Any = None
        self._one_thread = threading.Lock()

    def progress(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = self._new_bar(total, "slice", "Segmenting")
        self._bar.update(done - self._bar.n)

    def case(self, event: CaseEvent) -> None:
        super().case(event)
        with self._one_thread:
            if self._cases is None:
                self._cases = self._new_bar(event.total, "case", "Cases")
        if event.status != RUNNING:
            self._close_slices()
            self._cases.update()

    def close(self) -> None:
        self._close_slices()
        if self._cases is not None:
            self._cases.close()
            self._cases = None

    def _show(self, line: str) -> None:
        from tqdm import tqdm

        tqdm.write(line, file=self._stream)

    def _close_slices(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _new_bar(self, total: int, unit: str, title: str) -> Any:
        from tqdm import tqdm

        # The slices' bar goes away after each case of a folder.
        keep = self._cases is None
        return tqdm(total=total, unit=unit, desc=title, file=self._stream, dynamic_ncols=True, leave=keep)


class CaseReporter:
    """Hands everything on to another reporter, warnings with the name of the case."""

    def __init__(self, reporter: Reporter, case: str) -> None:
        self._reporter, self._case = reporter, case
        self.stage, self.progress = reporter.stage, reporter.progress
        self.case, self.close = reporter.case, reporter.close

    def warning(self, text: str, case: str = "") -> None:
        self._reporter.warning(text, case or self._case)


class JsonReporter:
    """One JSON object a line, with the key ``event``: ``stage``, ``progress``, ``warning`` or ``case``.

    ``case`` has the fields of ``CaseEvent``. While several cases run at a time there are no ``stage`` and ``progress``.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._started: tuple[float, int] | None = None

    def stage(self, name: str) -> None:
        self._started = None
        self._send(event=STAGE, stage=name)

    def progress(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._started is None:
            self._started = (now, done)
        begun, first = self._started
        left = (now - begun) / (done - first) * (total - done) if done > first else None
        self._send(event=PROGRESS, done=done, total=total, seconds_left=None if left is None else round(left, 1))

    def warning(self, text: str, case: str = "") -> None:
        self._send(event=WARNING, text=text, **({"case": case} if case else {}))

    def case(self, event: CaseEvent) -> None:
        self._send(event=CASE, **asdict(event))

    def close(self) -> None:
        pass

    def _send(self, **fields: Any) -> None:
        # In one piece: threads may report at the same time.
        self._stream.write(json.dumps(fields) + "\n")
        self._stream.flush()


_MAKERS: dict[str, Callable[[], Reporter]] = {"bar": BarReporter, "json": JsonReporter, "none": WarningReporter}
MODES = tuple(_MAKERS)


def make_reporter(mode: str | None) -> Reporter:
    """Reporter of one of the `MODES` on the standard error stream; None: a bar in a terminal, else warnings only."""
    return _MAKERS[mode or ("bar" if sys.stderr.isatty() else "none")]()
