"""The line of a panel that tells what happened last, and why its button cannot be clicked now."""

from __future__ import annotations

import logging
from typing import Any

from slicer.i18n import tr as _

_MOST_LINES = 6  # of news; hundreds of warnings would push all else out of the panel


class StatusLine:
    """Drives a label; the last ``news`` stay until they are forgotten."""

    def __init__(self, label: Any) -> None:
        self.news = ""
        self.told = 0  # how often news were told
        self._label = label
        self._whyNot = ""
        self._notes: tuple[str, ...] = ()

    def say(self, *sentences: str) -> None:
        """Show the news, a line for each sentence; where there are very many, the log has the rest."""
        shown, rest = sentences[:_MOST_LINES], sentences[_MOST_LINES:]
        for sentence in rest:
            logging.warning(sentence)
        more = [_("... and {count} more, in the application log.").format(count=len(rest))] if rest else []
        self.news = "\n".join([*shown, *more])
        self.told += 1
        self._show()

    def forget(self) -> None:
        """The news are of something that is no longer shown; the label follows at the next `update`."""
        self.news = ""

    def update(self, whyNot: str, *notes: str) -> None:
        """Show below the news why the button cannot be clicked (empty: it can be), and notes that stay true.

        News that a click was in vain for a reason that is none any more are forgotten.
        """
        if self._whyNot and self._whyNot != whyNot and self._whyNot in self.news:
            self.news = ""
        self._whyNot, self._notes = whyNot, notes
        self._show()

    def _show(self) -> None:
        whyNot = "" if self._whyNot in self.news else self._whyNot
        ready = "" if self.news or whyNot else _("Ready.")
        self._label.text = "\n".join(text for text in (self.news, whyNot, ready, *self._notes) if text)
