"""The buttons, the bar and the words of a panel's command, from its start to its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

import qt
import slicer
from slicer.i18n import tr as _

from .dependencies import whyNothingRuns
from .status_line import StatusLine

_STATUS_MS = 10_000
_SECOND_PRESS_S = 0.4  # as long as Qt waits for the second click of a double click


class RunningCommand(Protocol):
    """What was started and can be stopped, as a `BackgroundCommand`."""

    def cancel(self) -> None:
        """Stop; returns at once, and no callback is called any more."""

    def cancelAndWait(self) -> None:
        """`cancel` when Slicer quits."""


class _SingleClicks(qt.QObject):
    """Keeps the second click of a double click, and a key that is pressed twice, from a button that came into the place
    of the one clicked first, and into the keyboard's focus."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = 0.0  # when one button took the place of the other

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Called by Qt for each event of a button; to that one, the second click comes as this event, too."""
        isSecondKey = event.type() == qt.QEvent.KeyPress and time.monotonic() - self.changed < _SECOND_PRESS_S
        return bool(isSecondKey or event.type() == qt.QEvent.MouseButtonDblClick)


class CommandControls:
    """Start button, bar and stop button of one command at a time, and what is told of it.

    Parameters
    ----------
    status : line of the panel for its news.
    ensurePackages : installs what the command needs, after asking; False: the user said no. It may raise RuntimeError
        with a sentence, or OSError.
    onChanged : is called when a command has begun or ended, or could not be started.

    Attributes
    ----------
    title : of the module, whose name goes before news in Slicer's status bar.
    command : the one that goes on, or None.
    """

    title = "LungSegResNet"

    def __init__(
        self,
        startButton: Any,
        bar: Any,
        stopButton: Any,
        status: StatusLine,
        ensurePackages: Callable[[], bool],
        onChanged: Callable[[], None],
    ) -> None:
        self.command: RunningCommand | None = None
        self._startButton, self._bar, self._stopButton = startButton, bar, stopButton
        self._status = status
        self._ensurePackages = ensurePackages
        self._onChanged = onChanged
        self._singleClicks = _SingleClicks()
        for button in (startButton, stopButton):
            button.installEventFilter(self._singleClicks)

    @property
    def running(self) -> bool:
        """True while a command goes on."""
        return self.command is not None

    def start(self, begin: Callable[[], RunningCommand | None], sentence: str, onFailed: Callable[[str], None]) -> None:
        """Make sure of the packages, begin the command and say ``sentence``.

        ``begin`` returns the started command, or None where the user said no; its RuntimeError or OSError, and that of
        the packages, go to ``onFailed`` as a sentence.
        """
        try:
            if not self._ensurePackages():
                self._status.say(whyNothingRuns())
                return
            command = begin()
        except (RuntimeError, OSError) as error:
            onFailed(_whyNotStarted(error))
            return
        if command is None:
            return
        self._bar.setRange(0, 0)
        self._bar.format = ""
        self._status.say(sentence)
        self._change(command)

    def progress(self, done: int, total: int, text: str) -> None:
        """Move the bar; ``text`` is its format, in which Qt puts the numbers for ``%v`` and ``%m``."""
        self._bar.setRange(0, total)
        self._bar.value = done
        self._bar.format = text

    def stop(self, *sentences: str) -> None:
        """End the command, if there is one, and say why."""
        if self.command:
            self.command.cancel()
            self._status.say(*sentences)
            self._change(None)

    def stopAndWait(self) -> None:
        """End the command when Slicer quits; the widgets stay as they are."""
        if self.command:
            self.command.cancelAndWait()
            self.command = None

    def done(self, *sentences: str) -> None:
        """The command has ended by itself."""
        self._end(sentences)

    def failed(self, *sentences: str) -> None:
        """The command has failed, or could not be started."""
        logging.error(sentences[0])
        self._end(sentences)

    def _end(self, sentences: tuple[str, ...]) -> None:
        self._status.say(*sentences)
        line = sentences[0].partition("\n")[0]
        slicer.util.showStatusMessage(f"{self.title}: {line}", _STATUS_MS)  # news in other modules, too
        self._change(None)

    def _change(self, command: RunningCommand | None) -> None:
        hasFocus = self._stopButton.window().focusWidget() == self._stopButton  # also while another program is in front
        self.command = command
        running = self.running
        for shown, widget in ((not running, self._startButton), (running, self._bar), (running, self._stopButton)):
            widget.setVisible(shown)
        # The keyboard was on the button that is hidden now; at the end it may be elsewhere by now.
        if running:
            self._stopButton.setFocus()
        elif hasFocus:
            self._startButton.setFocus()
        self._singleClicks.changed = time.monotonic()
        self._onChanged()


def _whyNotStarted(error: RuntimeError | OSError) -> str:
    """A sentence about what kept a command from being started."""
    if isinstance(error, OSError):
        text = _("It could not be started ({reason}); check that the disk is not full and its folders are writable.")
        return text.format(reason=error.strerror or error)
    return str(error)
