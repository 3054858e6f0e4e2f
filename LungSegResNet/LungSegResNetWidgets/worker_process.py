"""A process with Slicer's Python that does commands without blocking the window, and may be kept for the next one."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from .temporary_folder import temporaryFolder

MODULE_FOLDER = Path(__file__).resolve().parents[1]
# The worker ends itself within this time after its input is closed; then the launcher is ended by force.
_GRACE_MS = 800
_LAST_LINES = 12
# Processes that have not ended yet; Qt would kill one with its last reference.
_alive: set[WorkerProcess] = set()
# Processes that wait for their next command, by their worker.
_kept: dict[str, WorkerProcess] = {}


class WorkerProcess:
    """A running worker, which does one command after another.

    Parameters
    ----------
    worker : Python module that is run; it speaks as ``LungSegResNetLib.command_line.worker`` does.
    folder : where that module is found, beside the folder of this one.
    """

    def __init__(self, worker: str, folder: Path) -> None:
        self._worker = worker
        self._onEvent: Callable[[dict[str, Any]], None] | None = None
        self._onEnded: Callable[[int], None] | None = None
        self._ending = self._ended = False
        self._pending = b""
        self._lastLines: list[str] = []
        self._process = qt.QProcess()
        self._directory = temporaryFolder()
        self._process.setWorkingDirectory(str(self._directory))
        # Modules that are developed, not installed, lie in folders of their own.
        environment = qt.QProcessEnvironment.systemEnvironment()
        paths = [str(folder), str(MODULE_FOLDER), environment.value("PYTHONPATH")]
        environment.insert("PYTHONPATH", os.pathsep.join(path for path in paths if path))
        environment.insert("PYTHONSAFEPATH", "1")  # nothing is imported from the working directory
        self._process.setProcessEnvironment(environment)
        self._process.connect("readyReadStandardError()", self._readEvents)
        self._process.connect("readyReadStandardOutput()", self._readOutput)
        self._process.connect("finished(int,QProcess::ExitStatus)", self._finish)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._fail)

    @property
    def running(self) -> bool:
        """True until the process has ended."""
        return not self._ended and self._process.state() != qt.QProcess.NotRunning

    @property
    def ending(self) -> bool:
        """True once it was told to end."""
        return self._ending

    @property
    def directory(self) -> Path:
        """The folder that it works in."""
        return self._directory

    @property
    def lastLines(self) -> list[str]:
        """The end of what was written besides events since the last command: where an unexpected end is explained."""
        return self._lastLines

    def start(self) -> None:
        """Start the process.

        Raises
        ------
        RuntimeError : Slicer's Python launcher is missing or cannot be started.
        """
        launcher = shutil.which("PythonSlicer")
        if not launcher:
            raise RuntimeError(_("Slicer's Python launcher (PythonSlicer) was not found; reinstall Slicer."))
        _alive.add(self)
        self._process.start(launcher, ["-m", self._worker])
        if not self.running:
            raise RuntimeError(_("Slicer's Python launcher (PythonSlicer) could not be started; reinstall Slicer."))

    def send(
        self, arguments: Sequence[str], onEvent: Callable[[dict[str, Any]], None], onEnded: Callable[[int], None]
    ) -> None:
        """Give it a command.

        ``onEvent`` gets each JSON line as a dictionary with the key ``event``, which is ``end`` for the last one;
        ``onEnded`` gets the exit code if the process ends (-1 after a crash). Neither is called after `release`.
        """
        self._onEvent, self._onEnded = onEvent, onEnded
        self._lastLines = []
        self._process.write(json.dumps(list(arguments)).encode() + b"\n")

    def release(self, keep: bool) -> None:
        """Its command is done: keep it for the next one, unless another one waits already, or end it."""
        self._onEvent = self._onEnded = None
        if keep and self.running and self._worker not in _kept:
            _kept[self._worker] = self
        else:
            self.end()

    def end(self) -> None:
        """End the process and its children; returns at once."""
        if not self.running:
            return
        self._ending = True
        # Killing the launcher would leave Python alone behind; Python ends by itself when its input is closed.
        self._process.closeWriteChannel()
        qt.QTimer.singleShot(_GRACE_MS, self._kill)

    def endAndWait(self) -> None:
        """`end` where the event loop is about to end, as when Slicer quits."""
        self.end()
        if self.running and not self._process.waitForFinished(_GRACE_MS):
            self._process.kill()
            self._process.waitForFinished(_GRACE_MS)

    def _kill(self) -> None:
        if self.running:
            self._process.kill()

    def _readEvents(self) -> None:
        self._pending += self._process.readAllStandardError().data()
        *lines, self._pending = self._pending.split(b"\n")
        for line in lines:
            try:
                self._handle(line.decode("utf-8", "replace").strip())
            except Exception:
                # Whatever goes wrong with one event, the last one is not lost.
                logging.exception("LungSegResNet: %s", line)

    def _handle(self, line: str) -> None:
        if not line:
            return
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict) or "event" not in event:
            logging.info("LungSegResNet: %s", line)
            self._lastLines = [*self._lastLines, line][-_LAST_LINES:]
        elif self._onEvent:
            self._onEvent(event)

    def _readOutput(self) -> None:
        # What commands print comes with their last event; this is what libraries print past Python.
        logging.info("LungSegResNet: %s", self._process.readAllStandardOutput().data().decode("utf-8", "replace"))

    def _finish(self, exitCode: int, exitStatus: int) -> None:
        self._readEvents()
        self._forget(exitCode if exitStatus == qt.QProcess.NormalExit else -1)

    def _fail(self, error: int) -> None:
        # All other errors are followed by ``finished``.
        if error == qt.QProcess.FailedToStart:
            self._forget(-1)

    def _forget(self, exitCode: int) -> None:
        self._ended = True
        _alive.discard(self)
        # What is connected to it would keep it, and itself with it, for the rest of the session.
        self._process.deleteLater()
        if _kept.get(self._worker) is self:
            del _kept[self._worker]
        if self._onEnded:
            self._onEnded(exitCode)


def nameForWorker(path: Path) -> str:
    """A temporary file as seen from the working directory of a worker, without the user's name in it."""
    return str(path.relative_to(temporaryFolder()))


def takeKeptProcess(worker: str) -> WorkerProcess | None:
    """The process of that worker which waits for a command, if there is one; it is the caller's now."""
    process = _kept.pop(worker, None)
    if process and process.directory != temporaryFolder():  # another one was chosen in Slicer's settings
        process.end()
        return None
    return process


def endKeptProcesses() -> None:
    """End the processes that wait, as when Slicer quits, or when what they have loaded may be out of date.

    Those that were told to end have ended then, too.
    """
    while _kept:
        _kept.popitem()[1].endAndWait()
    for process in [process for process in _alive if process.ending]:
        process.endAndWait()
