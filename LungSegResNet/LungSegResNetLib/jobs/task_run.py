"""Doing one case of a folder run, the same everywhere: in this process, in another, or on another machine."""

from __future__ import annotations

import contextlib
import filecmp
import shutil
import tempfile
from pathlib import Path

from ..errors import DeviceError, LungSegError, NoCTError, OutputError, OutputExistsError, sentence_of
from ..network.engines import LoadedEngine
from ..process_exit import undone_on_exit
from .case_job import run_case
from .folder_task import FolderTask
from .outputs import Outputs
from .reporting import Reporter
from .summary_file import CaseSummary, Row

_MOST_STARTS = 3


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
        with undone_on_exit(lambda: _restore(task, earlier, mask)):
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
    ends = task.ends()
    if ends >= _MOST_STARTS:
        raise DeviceError(
            f"It was begun {ends} times and never done, usually for lack of memory; do it with more memory or fewer "
            "cases at a time."
        )
    task.write_summary(task.started(ends + 1))
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
        undone_on_exit(lambda: shutil.rmtree(folder)),
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
