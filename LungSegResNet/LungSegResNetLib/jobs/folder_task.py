"""One case of a folder run, the same wherever it is done: in this process, in another, or on another machine."""

from __future__ import annotations

import contextlib
import filecmp
import json
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..atomic import refuse_existing, write_atomically
from ..errors import DeviceError, LungSegError, OutputError, OutputExistsError
from ..network.engines import LoadedEngine
from .case_job import CaseSummary, Outputs, run_case
from .reporting import CaseEvent, Reporter

SUMMARY_ENDING = ".summary.json"
STARTED = "started"
_MOST_STARTS = 3

Row = dict[str, Any]


@dataclass(frozen=True)
class FolderTask:
    """A case to do; can be sent to another process.

    Attributes
    ----------
    run : identifies the run; a case is started at most three times in a run.
    name, number, total : as in ``CaseEvent``.
    source, mask, summary : the CT and the files to write.
    smoothing_mm : as in ``run_case``.
    overwrite : whether a mask of somebody else's may be replaced.
    """

    run: str
    name: str
    number: int
    total: int
    source: Path
    mask: Path
    summary: Path
    smoothing_mm: float = 0.0
    overwrite: bool = False

    def event(self, status: str, error: str = "") -> CaseEvent:
        """What the reporter gets."""
        return CaseEvent(self.name, self.number, self.total, status, error)

    def failed(self, error: str) -> Row:
        """The row of a case that failed."""
        return {"case": self.name, "status": "failed", "error": error, "input": str(self.source)}

    def started(self, starts: int) -> Row:
        """What the summary says while the case is being done, for the so manieth time."""
        where = {"machine": socket.gethostname(), "process": os.getpid()}
        row = {"case": self.name, "status": STARTED, "input": str(self.source), "run": self.run, "starts": starts}
        return row | where

    def finished(self) -> Row | None:
        """Row of an earlier run whose mask is there; None if the case has to be done."""
        row = self.read_summary()
        return row if row.get("status") == "done" and self.mask.is_file() else None

    def read_summary(self) -> Row:
        """What the summary says; nothing if there is none that can be read."""
        try:
            return dict(json.loads(self.summary.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}

    def write_summary(self, row: Row) -> None:
        """Replace the summary."""
        with write_atomically(self.summary, overwrite=True) as temporary:
            temporary.write_text(json.dumps(row, indent=2), encoding="utf-8")


def do_task(task: FolderTask, engine: LoadedEngine, reporter: Reporter) -> Row:
    """Segment a case, leave its mask and its summary; returns the summary.

    Before the work, the summary says ``started``, so that a case that ends its process each time is given up: its row
    is ``failed``. A mask that is there is only replaced with ``overwrite``. One that a killed process may have left
    is compared with the result: the same is taken for it, another is somebody's.

    Raises
    ------
    OutputError : the disk is full or the folder forbidden, which would fail every other case, too.
    """
    earlier = task.read_summary()
    if not task.overwrite and (row := task.finished()):
        return row  # a machine that was thought lost has done it meanwhile
    begun = earlier.get("status") == STARTED
    starts = earlier["starts"] if begun and earlier["run"] == task.run else 0
    try:
        if not begun:
            refuse_existing(task.mask, overwrite=task.overwrite)
        if starts >= _MOST_STARTS:
            raise DeviceError(f"Its process ended {starts} times before it was done, as a rule for lack of memory.")
    except LungSegError as error:
        row = task.failed(str(error))
        task.write_summary(row)
        return row
    try:
        task.write_summary(task.started(starts + 1))
        row = _row(task, engine, reporter)
    except BaseException:
        _restore(task, earlier)
        raise
    task.write_summary(row)
    return row


def _row(task: FolderTask, engine: LoadedEngine, reporter: Reporter) -> Row:
    try:
        if task.mask.exists() and not task.overwrite:
            summary = _compared(task, engine, reporter)
        else:
            summary = _segmented(task, task.mask, engine, reporter)
    except OutputExistsError as error:  # it came while the case was done, perhaps from a machine that was thought lost
        return task.finished() or task.failed(str(error))
    except OutputError:
        raise
    except LungSegError as error:
        return task.failed(str(error))
    except MemoryError:
        return task.failed("There is not enough memory for this scan.")
    except Exception as error:  # one case must never end the others
        reason = (str(error).splitlines() or [""])[0]
        return task.failed(f"Unexpected problem ({type(error).__name__}: {reason}).")
    return {"case": task.name, "status": "done", **summary.as_json(), "outputs": [str(task.mask)]}


def _segmented(task: FolderTask, mask: Path, engine: LoadedEngine, reporter: Reporter) -> CaseSummary:
    return run_case(
        task.source,
        Outputs(masks=(mask,)),
        lambda: engine,
        reporter,
        smoothing_mm=task.smoothing_mm,
        overwrite=task.overwrite,
    )


def _compared(task: FolderTask, engine: LoadedEngine, reporter: Reporter) -> CaseSummary:
    """Segment beside the mask that is there. Raises OutputExistsError if that is another one."""
    with tempfile.TemporaryDirectory(prefix=".again-", dir=task.mask.parent) as folder:
        again = Path(folder) / task.mask.name
        summary = _segmented(task, again, engine, reporter)
        if not filecmp.cmp(again, task.mask, shallow=False):
            raise OutputExistsError(task.mask)
    return summary


def _restore(task: FolderTask, earlier: Row) -> None:
    with contextlib.suppress(OSError, LungSegError):
        if earlier:
            task.write_summary(earlier)
        else:
            task.summary.unlink(missing_ok=True)
