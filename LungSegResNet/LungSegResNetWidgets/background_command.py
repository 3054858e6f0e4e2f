"""Runs the command line in a process of its own with Slicer's Python, without blocking the window."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import qt

_MODULE_FOLDER = Path(__file__).resolve().parents[1]
_WORKER = "LungSegResNetLib.command_line.worker"
# The worker ends itself within this time after its input is closed; then the launcher is ended by force.
_GRACE_MS = 800
_LAST_LINES = 12
# Commands whose process has not ended yet; Qt would kill it with its last reference.
_alive: set[BackgroundCommand] = set()


class BackgroundCommand:
    """One run of ``lungsegresnet``, or of another command line with a worker of its own.

    Parameters
    ----------
    arguments : of the command line; its progress has to be written as JSON lines (``--progress json``).
    onEvent : gets each JSON line as a dictionary with the key ``event``.
    onFinished : gets the exit code (-1 after a crash) and the text of standard output when the process has ended.
    worker : Python module that is run; it has to end when its standard input is closed.
    folder : where that module is found, beside the folder of this one.

    Usage
    -----
    >>> command = BackgroundCommand(["segment", ct, mask, "--progress", "json", "--json"], print, print)
    >>> command.start()
    """

    def __init__(
        self,
        arguments: Sequence[str],
        onEvent: Callable[[dict[str, Any]], None],
        onFinished: Callable[[int, str], None],
        worker: str = _WORKER,
        folder: Path = _MODULE_FOLDER,
    ) -> None:
        self._arguments = ["-m", worker, *(str(argument) for argument in arguments)]
        self._onEvent = onEvent
        self._onFinished = onFinished
        self._pending = b""
        self._output = b""
        self._lastLines: list[str] = []
        self._process = qt.QProcess()
        self._process.setWorkingDirectory(str(folder))
        # Modules that are developed, not installed, lie in folders of their own.
        environment = qt.QProcessEnvironment.systemEnvironment()
        paths = [str(folder), str(_MODULE_FOLDER), environment.value("PYTHONPATH")]
        environment.insert("PYTHONPATH", os.pathsep.join(path for path in paths if path))
        self._process.setProcessEnvironment(environment)
        self._process.connect("readyReadStandardError()", self._readEvents)
        self._process.connect("readyReadStandardOutput()", self._readOutput)
        self._process.connect("finished(int,QProcess::ExitStatus)", self._finish)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._fail)

    @property
    def running(self) -> bool:
        """True from `start` until the process has ended."""
        return self._process.state() != qt.QProcess.NotRunning

    @property
    def lastLines(self) -> str:
        """The end of what the process wrote besides events: where an unexpected end is explained."""
        return "\n".join(self._lastLines)

    def start(self) -> None:
        """Start the process.

        Raises
        ------
        RuntimeError : Slicer's Python launcher is missing.
        """
        launcher = shutil.which("PythonSlicer")
        if not launcher:
            raise RuntimeError("Slicer's Python launcher (PythonSlicer) was not found; reinstall Slicer.")
        _alive.add(self)
        self._process.start(launcher, self._arguments)

    def cancel(self) -> None:
        """End the process and its children; returns at once."""
        if not self.running:
            return
        # Killing the launcher would leave Python alone behind; Python ends by itself when its input is closed.
        self._process.closeWriteChannel()
        qt.QTimer.singleShot(_GRACE_MS, self._kill)

    def _kill(self) -> None:
        if self.running:
            self._process.kill()

    def cancelAndWait(self) -> None:
        """`cancel` where the event loop is about to end, as when Slicer quits."""
        self.cancel()
        if not self._process.waitForFinished(_GRACE_MS):
            self._process.kill()
            self._process.waitForFinished(_GRACE_MS)

    def _readEvents(self) -> None:
        self._pending += self._process.readAllStandardError().data()
        *lines, self._pending = self._pending.split(b"\n")
        for line in lines:
            self._handle(line.decode("utf-8", "replace").strip())

    def _handle(self, line: str) -> None:
        if not line:
            return
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if isinstance(event, dict) and "event" in event:
            self._onEvent(event)
        else:
            logging.info("LungSegResNet: %s", line)
            self._lastLines = [*self._lastLines, line][-_LAST_LINES:]

    def _readOutput(self) -> None:
        self._output += self._process.readAllStandardOutput().data()

    def _finish(self, exitCode: int, exitStatus: int) -> None:
        self._readEvents()
        self._readOutput()
        _alive.discard(self)
        crashed = exitStatus != qt.QProcess.NormalExit
        self._onFinished(-1 if crashed else exitCode, self._output.decode("utf-8", "replace"))

    def _fail(self, error: int) -> None:
        # All other errors are followed by ``finished``.
        if error == qt.QProcess.FailedToStart:
            _alive.discard(self)
            self._onFinished(-1, "")
