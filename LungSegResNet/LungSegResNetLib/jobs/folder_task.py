"""One case of a folder run, the same wherever it is done: in this process, in another, or on another machine."""

from __future__ import annotations

import contextlib
import errno
import filecmp
import json
import os
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ..atomic import is_writable, refuse_existing, write_atomically
from ..early_end import undone_by_an_end
from ..errors import DeviceError, LungSegError, NoCTError, OutputError, OutputExistsError, sentence_of
from ..network.engines import LoadedEngine
from .case_job import CaseSummary, run_case
from .case_status import DONE, FAILED, NO_CT, STARTED
from .earlier_result import difference, is_of_same_files
from .mask_options import MaskOptions
from .outputs import Outputs
from .reporting import CaseEvent, Reporter
from .summary_file import Origin, Row, file_name, mask_names, read_summary

_MOST_STARTS = 3
_REASONS_OF_A_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


@dataclass(frozen=True)
class FolderTask:
    """A case to do; can be sent to another process.

    Attributes
    ----------
    run : identifies the run.
    name, number, total : as in ``CaseEvent``.
    source, mask, summary : the CT and the files to write.
    made_from : origin of the result.
    options : of the mask; with ``overwrite`` that of somebody else may be replaced.
    warnings : sentences for the row, besides those of the work.
    """

    run: str
    name: str
    number: int
    total: int
    source: Path
    mask: Path
    summary: Path
    made_from: Origin
    options: MaskOptions
    warnings: tuple[str, ...] = ()

    def event(self, status: str, error: str = "") -> CaseEvent:
        """What the reporter gets."""
        return CaseEvent(self.name, self.number, self.total, status, error)

    def failed(self, error: str) -> Row:
        """The row of a case that failed."""
        row: Row = {"case": self.name, "status": FAILED, "error": error, "input": str(self.source)}
        return {**row, "warnings": list(self.warnings)} if self.warnings else row

    def no_ct(self, reason: str) -> Row:
        """The row of a folder without CT."""
        return {**self.failed(reason), "status": NO_CT, "made_from": self.made_from}

    def started(self, starts: int) -> Row:
        """What the summary says while the case is being done, for the so manieth time."""
        return {
            "case": self.name,
            "status": STARTED,
            "input": str(self.source),
            "run": self.run,
            "starts": starts,
            "machine": socket.gethostname(),
            "process": os.getpid(),
            "outputs": self._other_masks(),
            "made_from": self.made_from,
        }

    def done(self, summary: CaseSummary) -> Row:
        """The row of a case that was segmented."""
        row = {"case": self.name, "status": DONE, **summary.as_json()}
        row |= {"outputs": [str(self.mask), *self._other_masks()], "made_from": self.made_from}
        row["warnings"] = [*self.warnings, *summary.warnings]
        return cast(Row, row)

    def settled(self) -> Row | None:
        """The row if there is nothing to do, None if the case has to be done.

        It is ``done`` if an earlier run has done the same, ``no CT`` if that found none in the same files, and
        ``failed`` if the result there is of something else.
        Where scan or results were moved since, the summary is brought up to date.
        """
        row = self.read_summary()
        if self.options.overwrite:
            return None
        if row.get("status") == NO_CT and is_of_same_files(row, self.made_from):
            return {**row, "input": str(self.source)}
        if not self.has_result(row):
            return None
        if other := difference(row, self.made_from, self.source):
            return self.failed(
                f"{self.summary.parent} has a result of this name that was made {other}; "
                "choose another folder for the results, or move that one away."
            )
        if self.mask.name not in mask_names(row) or not self.mask.is_file():
            return None
        masks = [str(self.mask.with_name(file_name(path))) for path in row["outputs"]]
        here: Row = {**row, "input": str(self.source), "outputs": masks}
        if here != row:
            with contextlib.suppress(OSError, LungSegError):
                self.write_summary(here)
        return here

    def starts(self) -> int:
        """How many processes ended while they had the case."""
        row = self.read_summary()
        return row.get("starts", 1) if row.get("status") == STARTED else 0

    def refuse_existing(self) -> None:
        """Raise OutputExistsError if a file that no run has begun is in the way and may not be replaced."""
        if not self.starts():
            refuse_existing(self.mask, overwrite=self.options.overwrite)
        if "status" not in self.read_summary():
            refuse_existing(self.summary, overwrite=self.options.overwrite)

    def fails_alone(self, error: OutputError) -> bool:
        """Whether other cases may be written though this one cannot."""
        folder, reason = self.summary.parents[self.name.count("/")], getattr(error.__cause__, "errno", None)
        return reason not in _REASONS_OF_A_DISK and is_writable(folder)

    def read_summary(self) -> Row:
        """What the summary says; nothing if there is none that can be read or it is something else."""
        return read_summary(self.summary)

    def write_summary(self, row: Row) -> None:
        """Replace the summary."""
        with write_atomically(self.summary, overwrite=True) as temporary:
            temporary.write_text(json.dumps(row, indent=2), encoding="utf-8")

    def write_failed(self, error: str) -> Row:
        """The row of a case that failed, kept as `write_without_result` does."""
        return self.write_without_result(self.failed(error))

    def write_without_result(self, row: Row) -> Row:
        """The row of a case without result; its summary says so, too, where it can and tells of no result."""
        earlier = self.read_summary()
        with contextlib.suppress(OSError, LungSegError):
            if not self.has_result(earlier) and (self.options.overwrite or not self._is_no_summary(earlier)):
                self.write_summary(row)
        return row

    def has_result(self, row: Row) -> bool:
        """Whether a summary tells of a result that is there."""
        names = {self.mask.name, *mask_names(row)}
        return row.get("status") == DONE and any(self.mask.with_name(name).is_file() for name in names)

    def _is_no_summary(self, row: Row) -> bool:
        """Whether a file of something else has the name of the summary."""
        return "status" not in row and self.summary.exists()

    def _other_masks(self) -> list[str]:
        """The same result in other formats."""
        row = self.read_summary()
        same = not difference(row, self.made_from, self.source)
        return [path for path in row.get("outputs", ()) if same and file_name(path) != self.mask.name]


def do_task(task: FolderTask, engine: LoadedEngine, reporter: Reporter) -> Row:
    """Segment a case, leave its mask and its summary; returns the summary.

    Before the work, the summary says ``started``, so that a case that ends its process each time is given up, though
    the run may end with it: its row is ``failed``. A mask that is there is only replaced with ``overwrite``. One that a
    killed process may have left is compared with the result: the same is taken for it, another is somebody's. Where it
    fails, the summary goes on telling of an earlier result that is still there.

    Raises
    ------
    OutputError : the disk is full or the folder of all results forbidden, which would fail every other case, too.
    """
    if row := task.settled():
        return row  # a machine that was thought lost has done it meanwhile
    earlier, mask = task.read_summary(), _state(task.mask)

    def without_result(row: Row) -> Row:
        if task.has_result(earlier):
            _restore(task, earlier, mask)
        return task.write_without_result(row)

    def failed(error: str) -> Row:
        return without_result(task.failed(error))

    try:
        with undone_by_an_end(lambda: _restore(task, earlier, mask)):
            return _done(task, engine, reporter)
    except OutputExistsError as error:  # perhaps it came from a machine that was thought lost
        return task.settled() or failed(str(error))
    except OutputError as error:
        if task.fails_alone(error):
            return failed(str(error))
        _restore(task, earlier, mask)
        raise
    except NoCTError as error:
        return without_result(task.no_ct(str(error)))
    except Exception as error:  # one case must never end the others
        return failed(sentence_of(error))
    except BaseException:
        _restore(task, earlier, mask)
        raise


def _done(task: FolderTask, engine: LoadedEngine, reporter: Reporter) -> Row:
    task.refuse_existing()
    starts = task.starts()
    if starts >= _MOST_STARTS:
        raise DeviceError(
            f"Its process ended {starts} times before it was done, as a rule for lack of memory; one case at a time "
            "(--processes 1) needs least."
        )
    task.write_summary(task.started(starts + 1))
    if task.mask.exists() and not task.options.overwrite:
        summary = _compared(task, engine, reporter)
    else:
        summary = _segmented(task, task.mask, engine, reporter)
    row = task.done(summary)
    task.write_summary(row)
    return row


def _segmented(task: FolderTask, mask: Path, engine: LoadedEngine, reporter: Reporter) -> CaseSummary:
    for text in task.warnings:
        reporter.warning(text)
    return run_case(
        task.source,
        Outputs(masks=(mask,)),
        task.options,
        lambda: engine,
        reporter,
        when_in_doubt="choose",  # nobody is there to be asked
        recursive=False,  # the subfolders are cases of their own
    )


def _compared(task: FolderTask, engine: LoadedEngine, reporter: Reporter) -> CaseSummary:
    """Segment beside the mask that is there. Raises OutputExistsError if that is another one."""
    with (
        tempfile.TemporaryDirectory(prefix=".again-", dir=task.mask.parent) as folder,
        undone_by_an_end(lambda: shutil.rmtree(folder)),
    ):
        again = Path(folder) / task.mask.name
        summary = _segmented(task, again, engine, reporter)
        if not filecmp.cmp(again, task.mask, shallow=False):
            raise OutputExistsError(task.mask)
    return summary


def _restore(task: FolderTask, earlier: Row, mask: tuple[int, int] | None) -> None:
    """Put the earlier summary back, but not beside another mask: with ``started``, the next run compares that."""
    if _state(task.mask) != mask:
        return
    with contextlib.suppress(OSError, LungSegError):
        if earlier:
            task.write_summary(earlier)
        else:
            task.summary.unlink(missing_ok=True)


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
