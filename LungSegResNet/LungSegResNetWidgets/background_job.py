"""A function that runs in a thread while the window goes on; nodes of the scene are for the main thread only."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import qt

# Python in Slicer may hold its lock while nothing happens: the thread goes on while this one waits for it.
_INTERVAL_MS, _WAIT_SECONDS = 10, 0.02
_first: weakref.WeakSet[BackgroundJob] = weakref.WeakSet()


class BackgroundJob:
    """One job at a time; the last one that was started counts.

    Parameters
    ----------
    beforeSurfaces : whether what blocks the window for seconds, as making surfaces, waits for the result.
    """

    def __init__(self, beforeSurfaces: bool = False) -> None:
        if beforeSurfaces:
            _first.add(self)
        self._threads = ThreadPoolExecutor(1)
        self._current: tuple[Future[Any], Callable[[Future[Any]], None]] | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.connect("timeout()", self._look)

    @property
    def running(self) -> bool:
        """True until the job is done and told, or was stopped."""
        return self._current is not None

    def start(self, job: Callable[[], Any], onDone: Callable[[Future[Any]], None]) -> None:
        """Run ``job`` in a thread; ``onDone`` is called in the main thread with its future, which is done."""
        self.stop()
        self._current = self._threads.submit(job), onDone
        self._timer.start()

    def stop(self) -> None:
        """The result is not asked for any more; a job that has begun goes on to its end."""
        self._timer.stop()
        if self._current:
            self._current[0].cancel()
        self._current = None

    def _look(self) -> None:
        if self._current is None:
            return
        future, onDone = self._current
        wait([future], _WAIT_SECONDS)
        if future.done():
            self._timer.stop()
            self._current = None
            onDone(future)


def haveSurfacesToWait() -> bool:
    """Whether a job goes on whose result comes before surfaces."""
    return any(job.running for job in _first)
