"""Cases of a folder on a cluster of machines, which Dask distributed hands them out to.

Dask starts its workers on Slurm, Kubernetes or over ssh, notices when one is lost and gives its cases to another. All
machines must have this library and see the folders at the same place.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DeviceError, LungSegError, UsageError
from ..network.engines import EngineSettings
from ..network.model_file import network_digest
from .case_status import FAILED, RUNNING
from .folder_job import FinishedCases
from .folder_task import FolderTask
from .reporting import NullReporter, Reporter
from .shared_engine import shared_engine
from .summary_file import Row
from .task_run import do_task

if TYPE_CHECKING:
    from distributed import Client, Future

_CONNECT_SECONDS = 5
_MOST_SUBMISSIONS = 5  # of a case that Dask gives up


@dataclass(frozen=True)
class ClusterRun:
    """Does cases on the workers of a Dask scheduler.

    Parameters
    ----------
    address : of the scheduler (``tcp://host:8786``), or the file that it wrote with ``--scheduler-file``.
    settings : the engine; each worker chooses its own device for ``auto``.
    seen : a file in the output folder, by which a worker knows that it sees the same disk.
    """

    address: str
    settings: EngineSettings
    seen: Path

    def __call__(self, tasks: Sequence[FolderTask], reporter: Reporter) -> FinishedCases:
        """Each task with its row when it is done; what runs on a worker when this is stopped is finished there.

        Raises
        ------
        UsageError : that is no address.
        DeviceError : Dask is not installed, no scheduler answers, or a worker cannot work.
        """
        with _connected(self.address) as client:
            if not client.scheduler_info()["workers"]:
                reporter.warning("The cluster has no worker yet; the cases wait for the first one.")
            messages = _Messages(tasks, reporter)
            client.subscribe_topic(messages.topic, messages.receive)

            def submit(tasks: Sequence[FolderTask], times: int = 1) -> dict[Future, FolderTask]:
                futures = client.map(
                    _do_on_worker,
                    tasks,
                    key=[f"{messages.topic}-{task.number}-{times}" for task in tasks],
                    settings=self.settings,
                    seen=self.seen,
                    topic=messages.topic,
                    pure=False,
                )
                return dict(zip(futures, tasks, strict=True))

            waiting = submit(tasks)
            try:
                yield from _results(client, waiting, submit, messages, reporter)
            finally:
                client.cancel(list(waiting))


class _Messages:
    """What workers tell: which case one begins with, and the row of one that is done.

    A row is not fetched as Dask's result, because that is lost with the worker, even when its case is done.
    """

    def __init__(self, tasks: Sequence[FolderTask], reporter: Reporter) -> None:
        self.topic = f"lungsegresnet-{tasks[0].run}"
        self.rows: dict[int, Row] = {}
        self._tasks = {task.number: task for task in tasks}
        self._reporter = reporter

    def receive(self, event: tuple[float, tuple[int, Row | None]]) -> None:
        """Called by Dask with the time and what ``_do_on_worker`` sent."""
        number, row = event[1]
        if row is None:
            self._reporter.case(self._tasks[number].event(RUNNING))
        else:
            self.rows[number] = row


def _results(
    client: Client,
    waiting: dict[Future, FolderTask],
    submit: Callable[[Sequence[FolderTask], int], dict[Future, FolderTask]],
    messages: _Messages,
    reporter: Reporter,
) -> FinishedCases:
    from distributed import as_completed

    submissions = Counter(task.number for task in waiting.values())
    finished = as_completed(waiting, loop=client.loop)
    for future in finished:
        task = waiting.pop(future)
        row = messages.rows.pop(task.number, None)
        if not row and _is_given_up(future) and submissions[task.number] < _MOST_SUBMISSIONS:
            submissions[task.number] += 1
            again = submit([task], submissions[task.number])
            waiting.update(again)
            finished.update(again)
            continue
        row = row or _row_without_message(future, task)
        future.release()
        if row["status"] == FAILED:
            task.write_failed(row["error"])  # which a worker cannot do that is lost or does not see the folder
        for text in row.get("warnings", ()):
            reporter.warning(text, task.name)
        yield task, row


def _is_given_up(future: Future) -> bool:
    """Whether Dask gave a case up, with which it lost more workers than its scheduler is set to allow.

    A lost worker counts for all cases that it had, even for those that waited there for their turn.
    """
    from distributed.scheduler import KilledWorker

    return future.status == "error" and isinstance(future.exception(), KilledWorker)


def _row_without_message(future: Future, task: FolderTask) -> Row:
    if future.status in ("cancelled", "lost"):
        raise DeviceError("The Dask scheduler was lost; run the same command again to resume where it stopped.")
    error = future.exception()
    if isinstance(error, LungSegError):
        raise error
    if _is_given_up(future):
        return task.failed("Worker after worker was lost that had it; their logs may say why.")
    if error:
        raise DeviceError(
            f"A worker could not start ({type(error).__name__}: {error}); "
            "every worker needs this version of LungSegResNet."
        ) from error
    return task.settled() or task.read_summary() or task.failed("Its summary could not be written.")


def _connected(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise DeviceError(
            "Dask distributed is not installed; install it with: pip install 'lungsegresnet[cluster]'."
        ) from error
    # What Dask has to say is said here in a sentence; its loggers have a level each.
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    where: dict[str, Any] = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        return Client(**where, timeout=_CONNECT_SECONDS, set_as_default=False)
    except OSError as error:  # a timeout is one, too
        raise DeviceError(f"No Dask scheduler answers at {address}; start one with 'dask scheduler'.") from error
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"'{address}' is not the address of a Dask scheduler, such as tcp://host:8786.") from error


# What follows runs on the workers.


def _do_on_worker(task: FolderTask, settings: EngineSettings, seen: Path, topic: str) -> None:
    from distributed import get_worker

    worker = get_worker()
    with _alone() if task.ends() else _beside_others():
        worker.log_event(topic, (task.number, None))
        worker.log_event(topic, (task.number, _row(task, replace(settings, threads=worker.state.nthreads), seen)))


# A case that may end the process does so alone, so that this counts as a start of no other case.
_entry = threading.Lock()
_change = threading.Condition()
_at_work = 0


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    with _entry:
        with _change:
            _change.wait_for(lambda: not _at_work)
        yield


@contextlib.contextmanager
def _beside_others() -> Iterator[None]:
    global _at_work
    with _entry, _change:
        _at_work += 1
    try:
        yield
    finally:
        with _change:
            _at_work -= 1
            _change.notify_all()


def _row(task: FolderTask, settings: EngineSettings, seen: Path) -> Row:
    for path in (seen, task.source):
        if not os.path.exists(path):
            return task.failed(
                f"{path} cannot be seen from the worker on {socket.gethostname()}; "
                "both folders must lie on a disk that all workers share."
            )
    if network_digest(settings.model) != task.made_from["network"]:
        return task.failed(
            f"The worker on {socket.gethostname()} has a different network file from this run; install the same "
            "version of LungSegResNet there, or give a network that all workers see with --model."
        )
    return do_task(task, shared_engine(settings), NullReporter())
