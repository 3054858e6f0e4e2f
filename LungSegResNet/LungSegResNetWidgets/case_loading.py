"""Cases are read from their files in a thread, while the window goes on, and shown when that is done."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from slicer.i18n import tr as _

from LungSegResNetLib.errors import LungSegError, sentence_of

from .background_job import BackgroundJob
from .status_line import StatusLine

_loadings: weakref.WeakSet[CaseLoading] = weakref.WeakSet()


class CaseLoading:
    """One case at a time; the last one that was asked for counts. ``status`` tells how it goes."""

    def __init__(self, status: StatusLine) -> None:
        _loadings.add(self)
        self._status = status
        self._job = BackgroundJob()

    @property
    def running(self) -> bool:
        """True while a case is read."""
        return self._job.running

    def start(self, name: str, read: Callable[[], Any], show: Callable[[Any], str]) -> None:
        """Call ``read`` in a thread and ``show`` in the main thread with what it gave; ``show`` returns the news.

        A `LungSegError` of both is told.
        """
        self._status.say(_("Loading {name}...").format(name=name))
        self._job.start(read, lambda future: self._onRead(name, future, show))

    def stop(self) -> None:
        """What is being read is not shown any more, as another scene or module comes."""
        if self._job.running:
            self._job.stop()
            self._status.say()  # no news

    def _onRead(self, name: str, future: Future[Any], show: Callable[[Any], str]) -> None:
        try:
            self._status.say(show(future.result()))
        except Exception as error:
            if not isinstance(error, LungSegError):
                logging.exception("The case could not be shown.")
            self._status.say(sentence_of(error, _("{name} could not be shown").format(name=name)))


def stopLoading() -> None:
    """Another case was clicked, perhaps in another table, or one that cannot be shown: the last click counts."""
    for loading in tuple(_loadings):
        loading.stop()
