"""How a process ends in the middle of its work: as Ctrl-C ends it, and where that is too slow, at once but tidily."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

_LONGEST_UNDOING_SECONDS = 0.4  # a disk may not answer
_PASSES = 5
_BETWEEN_PASSES_SECONDS = 0.002
# Held while a file gets its name, or something begins that is to be undone. A process that ends at once takes it first
# and keeps it, so that what was undone stays so.
completing = threading.RLock()
_undos: dict[object, Callable[[], object]] = {}


@contextlib.contextmanager
def undone_on_exit(undo: Callable[[], object]) -> Iterator[None]:
    """Call ``undo``, as a rule several times, if the process ends by `exit_now` before this is left."""
    key = object()
    with completing:
        _undos[key] = undo
    try:
        yield
    finally:
        del _undos[key]


def exit_now(exit_code: int) -> NoReturn:
    """End the process from any thread, whatever the others do, after all that is to be undone was undone."""
    undoing = threading.Thread(target=_undo_all, daemon=True)
    undoing.start()
    undoing.join(_LONGEST_UNDOING_SECONDS)
    os._exit(exit_code)


def stop_on_signals() -> None:
    """Let a termination request, and a terminal that is closed, end the process as Ctrl-C does.

    Where a closed terminal is to be ignored, as by ``nohup``, it is.
    """
    signal.signal(signal.SIGTERM, _stop)
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, _stop)  # Ctrl-Break
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _stop)


def stop_with_parent() -> None:
    """Let a termination request end the process as Ctrl-C does; what a terminal sends is for its parent."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _undo_all() -> None:
    completing.acquire()
    # Several times, because a thread may be about to make its file, or to make it anew for writing into it.
    for _ in range(_PASSES):
        for undo in tuple(_undos.values()):
            with contextlib.suppress(Exception):
                undo()
        time.sleep(_BETWEEN_PASSES_SECONDS)
