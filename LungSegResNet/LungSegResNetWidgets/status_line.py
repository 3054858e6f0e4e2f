"""The line of a panel that tells what happened last, or else what can be done now."""

from __future__ import annotations

from typing import Any


class StatusLine:
    """Drives a label; the last ``news`` stay until they are forgotten."""

    def __init__(self, label: Any) -> None:
        self.news = ""
        self._label = label
        self._notes: tuple[str, ...] = ()

    def say(self, *sentences: str) -> None:
        """Show the news, a line for each sentence."""
        self.news = "\n".join(sentences)
        self._show(self.news)

    def forget(self) -> None:
        """The news are of something that is no longer shown; the label follows at the next `update`."""
        self.news = ""

    def update(self, otherwise: str, *notes: str) -> None:
        """Show the news, or ``otherwise`` where there are none, and below it what stays true whatever the news are."""
        self._notes = notes
        self._show(self.news or otherwise)

    def _show(self, sentence: str) -> None:
        self._label.text = "\n".join(text for text in (sentence, *self._notes) if text)
