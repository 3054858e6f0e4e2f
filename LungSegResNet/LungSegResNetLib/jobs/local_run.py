"""Cases of a folder on this machine: one after the other, or several at a time in processes of their own."""

from __future__ import annotations

import _thread
import contextlib
import multiprocessing
import queue
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

from ..cores import cores
from ..errors import STOPPED_EXIT_CODE, DeviceError
from ..memory import memory
from ..network.engines import EngineSettings, runs_on_processor
from ..process_exit import exit_now, stop_with_parent
from .case_status import RUNNING
from .engine_cache import cached_engine
from .folder_job import FinishedCases
from .folder_task import FolderTask
from .reporting import CaseReporter, NullReporter, Reporter
from .summary_file import Row
from .task_run import do_task

_MOST_PROCESSES = 4
_BYTES_A_PROCESS = 3_000_000_000  # for a scan of 1,000 slices
_MOST_PROCESSES_A_CASE = 5
_LONGEST_END_SECONDS = 10.0


@dataclass(frozen=True)
class LocalRun:
    """Does cases on this machine.

    Parameters
    ----------
    settings : the engine.
    processes : cases at a time; None is one a core, at most four and what memory suffices for, and one on a graphics
        card.
    """

    settings: EngineSettings
    processes: int | None = None

    def __call__(self, tasks: Sequence[FolderTask], reporter: Reporter) -> FinishedCases:
        """Each task with its row when it is done."""
        count = min(len(tasks), self.processes or self._suitable())
        return (
            _one_by_one(tasks, reporter, self.settings)
            if count == 1
            else _side_by_side(tasks, reporter, replace(self.settings, threads=max(1, cores() // count)), count)
        )

    def _suitable(self) -> int:
        if not runs_on_processor(self.settings):
            return 1
        fitting = (memory() or _MOST_PROCESSES * _BYTES_A_PROCESS) // _BYTES_A_PROCESS
        return max(1, min(cores(), _MOST_PROCESSES, fitting))


def _one_by_one(tasks: Sequence[FolderTask], reporter: Reporter, settings: EngineSettings) -> FinishedCases:
    engine = cached_engine(settings)
    for task in tasks:
        reporter.case(task.event(RUNNING))
        yield task, do_task(task, engine, CaseReporter(reporter, task.name))


def _side_by_side(
    tasks: Sequence[FolderTask], reporter: Reporter, settings: EngineSettings, count: int
) -> FinishedCases:
    lanes = _Lanes(settings, count, reporter)
    try:
        for task, row in lanes.results(tasks):
            for text in row.get("warnings", ()):
                reporter.warning(text, task.name)
            yield task, row
    finally:
        lanes.end()


class _Lanes:
    """Threads with a process each; a process that is killed takes no other case with it, and is started again."""

    def __init__(self, settings: EngineSettings, count: int, reporter: Reporter) -> None:
        self._settings = settings
        self._reporter = reporter
        self._context = multiprocessing.get_context("spawn")
        # Its end in this process closes in whatever way the process ends; the others notice.
        self._end, self._open = self._context.Pipe(duplex=False)
        self._threads = ThreadPoolExecutor(count)
        self._lane = threading.local()
        self._executors: list[ProcessPoolExecutor] = []
        self._ending = False

    def results(self, tasks: Sequence[FolderTask]) -> FinishedCases:
        done: queue.SimpleQueue[Future[Row]] = queue.SimpleQueue()
        futures = {self._threads.submit(self._do, task): task for task in tasks}
        for future in futures:
            future.add_done_callback(done.put)
        for _ in tasks:
            future = _next(done)
            yield futures[future], future.result()

    def end(self) -> None:
        """Stop what still runs, and wait for it."""
        self._ending = True
        self._open.close()
        self._threads.shutdown(cancel_futures=True)
        for executor in self._executors:
            executor.shutdown()

    def _do(self, task: FolderTask) -> Row:
        self._reporter.case(task.event(RUNNING))
        for _ in range(_MOST_PROCESSES_A_CASE):
            try:
                return self._process().submit(_do_here, task, self._settings).result()
            except BrokenProcessPool:
                if self._ending:
                    raise
                del self._lane.executor  # a case that does this each time is given up by ``do_task``
        raise DeviceError("The segmentation processes end before they start; try --processes 1 or another --engine.")

    def _process(self) -> ProcessPoolExecutor:
        if not hasattr(self._lane, "executor"):
            self._lane.executor = ProcessPoolExecutor(1, self._context, _prepare, (self._end,))
            self._executors.append(self._lane.executor)
        executor: ProcessPoolExecutor = self._lane.executor
        return executor


def _next(done: queue.SimpleQueue[Future[Row]]) -> Future[Row]:
    while True:
        try:
            # With a limit, because on Windows Ctrl-C does not end the waiting.
            return done.get(timeout=0.5)
        except queue.Empty:
            continue


# What follows runs in the processes of the lanes.

_idle = threading.Event()
_idle.set()


def _do_here(task: FolderTask, settings: EngineSettings) -> Row:
    _idle.clear()
    try:
        return do_task(task, cached_engine(settings), NullReporter())
    finally:
        _idle.set()


def _prepare(end: Connection) -> None:
    """End with the process that started this one, and not before: Ctrl-C in a terminal reaches all of them."""
    stop_with_parent()
    threading.Thread(target=_watch, args=(end,), daemon=True).start()


def _watch(end: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        end.recv()
    if not _idle.is_set():
        _thread.interrupt_main(signal.SIGTERM)
        _idle.wait(_LONGEST_END_SECONDS)  # unfinished files are removed meanwhile
    exit_now(STOPPED_EXIT_CODE)
