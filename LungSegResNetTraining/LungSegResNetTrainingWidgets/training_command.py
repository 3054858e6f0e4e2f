"""One command of ``lungsegresnet-train`` in a process of its own, with a sentence for whatever goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from LungSegResNetWidgets.background_command import BackgroundCommand

_WORKER = "LungSegResNetTrainingLib.command_line.worker"
_FOLDER = Path(__file__).resolve().parents[1]
_SOME_FAILED = 7  # cases that failed are told in the results


class TrainingCommand:
    """Callbacks: ``onEvent(dict)``, at the end ``onDone()`` or ``onFailed(sentence)``; none of them after `cancel`."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        onEvent: Callable[[dict[str, Any]], None],
        onDone: Callable[[], None],
        onFailed: Callable[[str], None],
    ) -> None:
        self._onEvent, self._onDone, self._onFailed = onEvent, onDone, onFailed
        self._error = ""
        self._cancelled = False
        texts = [*(str(argument) for argument in arguments), "--progress", "json"]
        self._command = BackgroundCommand(texts, self._handle, self._finish, _WORKER, _FOLDER)

    def start(self) -> None:
        """Start the process; raises RuntimeError with a sentence where Slicer's Python is missing."""
        self._command.start()

    def cancel(self) -> None:
        """End the process; returns at once."""
        self._cancelled = True
        self._command.cancel()

    def cancelAndWait(self) -> None:
        """`cancel` when Slicer quits."""
        self._cancelled = True
        self._command.cancelAndWait()

    @property
    def running(self) -> bool:
        """True until the process has ended, also after `cancel`."""
        return self._command.running

    def _handle(self, event: dict[str, Any]) -> None:
        if self._cancelled:
            return
        if event["event"] == "error":
            self._error = str(event["text"])
        else:
            self._onEvent(event)

    def _finish(self, exitCode: int, output: str) -> None:
        if self._cancelled:
            return
        if exitCode in (0, _SOME_FAILED):
            self._onDone()
            return
        reason = self._command.lastLines.splitlines()[-1:] or [f"exit code {exitCode}"]
        self._onFailed(
            self._error or f"The process ended unexpectedly ({reason[0]}); see the application log, and try again."
        )
