"""Runs one command of a command line in another process, with a sentence for whatever goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from LungSegResNetLib.errors import SOME_FAILED_EXIT_CODE
from LungSegResNetLib.jobs.event_names import END, ERROR

from .worker_process import MODULE_FOLDER, WorkerProcess, takeKeptProcess

_DONE = (0, SOME_FAILED_EXIT_CODE)  # cases that failed are told in the results
# Commands whose process may still write.
_unfinished: set[BackgroundCommand] = set()


class BackgroundCommand:
    """One command of ``lungsegresnet``, or in a subclass of another command line with a worker of its own.

    Callbacks are called in the main thread: ``onEvent(dict)`` for progress, and at the end either ``onDone(str)``, with
    what the command printed, or ``onFailed(str)`` with a sentence; none of them after `cancel`.

    Parameters
    ----------
    arguments : of the command line; its progress has to be written as JSON lines (``--progress json``). A `Path` is
        one of Slicer's working directory, which is not that of the process, and is made absolute; text stays.
    onReleased : called last in any case, when the command has nothing open any more.
    place : folder that it writes into, for `whyNotYet`.

    Attributes
    ----------
    worker, folder : see `WorkerProcess`.
    keep : whether the process is kept for the next command, with the network it has loaded.

    Usage
    -----
    >>> command = BackgroundCommand(["segment", ct, mask, "--progress", "json", "--json"], print, print, print)
    >>> command.start()
    """

    worker = "LungSegResNetLib.command_line.worker"
    folder = MODULE_FOLDER
    keep = True

    def __init__(
        self,
        arguments: Sequence[str | Path],
        onEvent: Callable[[dict[str, Any]], None],
        onDone: Callable[[str], None],
        onFailed: Callable[[str], None],
        onReleased: Callable[[], None] = lambda: None,
        place: str | Path = "",
    ) -> None:
        self._arguments = [str(one.absolute() if isinstance(one, Path) else one) for one in arguments]
        self._onEvent, self._onDone, self._onFailed, self._onReleased = onEvent, onDone, onFailed, onReleased
        self.place = Path(place).resolve() if place else None
        self._process: WorkerProcess | None = None
        self._mayStartAgain = False
        self._cancelled = False
        self._error = ""

    def start(self) -> None:
        """Start the command, in a process that was kept if there is one.

        Raises
        ------
        RuntimeError : Slicer's Python launcher is missing or cannot be started.
        """
        process = takeKeptProcess(self.worker) if self.keep else None
        self._mayStartAgain = process is not None
        if process is None:
            process = WorkerProcess(self.worker, self.folder)
            process.start()
        self._process = process
        _unfinished.add(self)
        process.send(self._arguments, self._handle, self._onProcessEnded)

    def cancel(self) -> None:
        """Stop; returns at once."""
        self._cancelled = True
        if self._process:
            self._process.end()

    def cancelAndWait(self) -> None:
        """`cancel` when Slicer quits."""
        self._cancelled = True
        if self._process:
            self._process.endAndWait()

    def _handle(self, event: dict[str, Any]) -> None:
        if self._cancelled:
            return
        self._mayStartAgain = False
        if event["event"] == ERROR:
            self._error = str(event["text"])
        elif event["event"] == END:
            self._finish(event["exit_code"], event["output"])
        else:
            self._onEvent(event)

    def _onProcessEnded(self, exitCode: int) -> None:
        if self._mayStartAgain and not self._cancelled:
            # A kept process ends after a while without a command, perhaps in this very moment.
            try:
                self.start()
                return
            except RuntimeError as error:
                self._error = str(error)
        self._finish(exitCode or -1, "")

    def _finish(self, exitCode: int, output: str) -> None:
        process, self._process = self._process, None
        _unfinished.discard(self)
        reason = process.lastLines[-1] if process.lastLines else f"exit code {exitCode}"
        process.release(self.keep)
        try:
            if self._cancelled:
                return
            if exitCode in _DONE:
                self._tellDone(output)
            else:
                text = _("The computation ended unexpectedly ({reason}); see the application log, and try again.")
                self._onFailed(self._error or text.format(reason=reason))
        finally:
            self._onReleased()

    def _tellDone(self, output: str) -> None:
        try:
            self._onDone(output)
        except Exception as error:  # whoever waits has to hear of the end in any case
            logging.exception("The result could not be used.")
            text = _("The result could not be used ({reason}); see the application log, and try again.")
            self._onFailed(text.format(reason=f"{type(error).__name__}: {error}"))


def whyNotYet(place: str | Path) -> str:
    """A sentence while a command that was stopped may still write into this folder; empty if none does."""
    if all(command.place != Path(place).resolve() for command in _unfinished):
        return ""
    return _("The cancelled process is still ending; try again in a moment.")
