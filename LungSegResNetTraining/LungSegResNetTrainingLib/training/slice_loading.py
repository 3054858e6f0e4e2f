"""Slices of each step, prepared by processes beside the one that trains."""

from __future__ import annotations

import atexit
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import FrameType, TracebackType

import torch
from torch.utils.data import DataLoader

from LungSegResNetLib.errors import DeviceError

from ..slices.slice_cache import CachedCase
from .parallel import Processes
from .sampling import StepBatches, TrainingSlices
from .settings import TrainingSettings

_LONGEST_END_SECONDS = 10.0  # after a request


def slice_loader(
    cases: Sequence[CachedCase],
    settings: TrainingSettings,
    first_step: int,
    workers: int,
    processes: Processes,
    pinned: bool = False,
) -> DataLoader[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of the steps from ``first_step`` on, as far as they are this process' share.

    ``pinned`` keeps them in memory that a graphics card reads from while the processor goes on.
    """
    if workers:
        # Before Python's own exit, which waits for them without end.
        atexit.register(_end_those_that_hang)
    return DataLoader(
        TrainingSlices(cases, settings),
        batch_sampler=StepBatches(settings, first_step, processes),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=pinned,
        worker_init_fn=_prepare_worker,
    )


def _end_those_that_hang() -> None:
    """End processes that have not ended with the run, wherever they hang."""
    latest = time.monotonic() + _LONGEST_END_SECONDS
    for process in multiprocessing.active_children():
        process.join(max(0.0, latest - time.monotonic()))
        process.kill()


@contextmanager
def explain_lost_workers() -> Iterator[None]:
    """A process that prepares slices and dies ends the run with a sentence, whatever is done in that moment."""
    try:
        yield
    except (RuntimeError, ConnectionError) as error:
        # The pipe of a process that dies while slices are taken from it breaks before PyTorch knows.
        if isinstance(error, RuntimeError) and not _is_lost_worker(error):
            raise
        # PyTorch, which may know only when it is done with the processes, would tell once more, with a traceback.
        sys.unraisablehook = partial(_tell_unless_a_worker_is_lost, sys.unraisablehook)
        raise DeviceError(
            "A process that prepares slices was ended from outside, perhaps for lack of memory (in a container, of "
            "shared memory); resume the run with fewer loading processes (--workers)."
        ) from error


def _is_lost_worker(error: BaseException | None) -> bool:
    return isinstance(error, RuntimeError) and str(error).startswith("DataLoader worker")


def _tell_unless_a_worker_is_lost(
    tell: Callable[[sys.UnraisableHookArgs], object], unraisable: sys.UnraisableHookArgs
) -> None:
    if not _is_lost_worker(unraisable.exc_value):
        tell(unraisable)


def _prepare_worker(_worker: int) -> None:
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, _end_later)
    sys.excepthook = _tell_unless_the_run_ended


def _end_later(_signal: int, _frame: FrameType | None) -> None:
    """A request to end reaches all processes of a job at once; the run ends its workers itself when it is done.

    One that hangs would keep the run from ending, which asks in vain and then waits for it. The alarm ends it wherever
    it hangs; there is none on Windows, where nothing can be asked to end.
    """
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, _LONGEST_END_SECONDS)


def _tell_unless_the_run_ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Python's thread that hands slices over would tell with a traceback that the run has ended meanwhile."""
    if not issubclass(kind, (OSError, EOFError)):
        sys.__excepthook__(kind, error, trace)
