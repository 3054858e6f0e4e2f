"""One case of a folder run: its files, and the row that tells how far it is."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ..atomic import is_writable, refuse_existing, write_atomically
from ..errors import LungSegError, OutputError
from ..processes import is_running
from .case_status import DONE, FAILED, NO_CT, STARTED
from .earlier_result import difference, is_of_same_files
from .mask_options import MaskOptions
from .reporting import CaseEvent
from .summary_file import CaseSummary, Origin, Row, file_name, mask_names, read_summary

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
        """The row of a case that was segmented, with all of its summary."""
        row = {"case": self.name, "status": DONE, **summary}
        row |= {"outputs": [str(self.mask), *self._other_masks()], "made_from": self.made_from}
        row["warnings"] = [*self.warnings, *summary["warnings"]]
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
        if other := difference(row, self.made_from):
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
        """How often the case was begun and not done."""
        return _starts_in(self.read_summary())

    def ends(self) -> int:
        """How many processes ended while they had the case: as `starts`, without that of another run that has it."""
        row = self.read_summary()
        starts = _starts_in(row)
        return starts - self._has_another_run(row) if starts else 0

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

    def _has_another_run(self, row: Row) -> bool:
        """Whether a process of another run, which may only be seen on this machine, does the case."""
        process = row.get("process", 0)
        # In a container that was started again, that which ended may have had the id of this one.
        is_other = row.get("run") != self.run and process != os.getpid()
        return is_other and row.get("machine") == socket.gethostname() and is_running(process)

    def _is_no_summary(self, row: Row) -> bool:
        """Whether a file of something else has the name of the summary."""
        return "status" not in row and self.summary.exists()

    def _other_masks(self) -> list[str]:
        """The same result in other formats."""
        row = self.read_summary()
        same = not difference(row, self.made_from)
        return [path for path in row.get("outputs", ()) if same and file_name(path) != self.mask.name]


def _starts_in(row: Row) -> int:
    return row.get("starts", 1) if row.get("status") == STARTED else 0
