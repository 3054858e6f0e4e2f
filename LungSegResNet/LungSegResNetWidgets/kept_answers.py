"""Answers about files that a panel needs at every change; each takes seconds where a drive in a network is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_Answer = TypeVar("_Answer")


class KeptAnswers:
    """Asks a question about a path once, until its answer may be out of date: when a panel is opened, or a run ends."""

    def __init__(self) -> None:
        self._answers: dict[Callable[..., Any], tuple[tuple[str, ...], Any]] = {}

    def ask(self, question: Callable[..., _Answer], *texts: str) -> _Answer:
        """The answer of ``question(*texts)``, asked again if the texts are others than last time, as another path."""
        if question not in self._answers or self._answers[question][0] != texts:
            self._answers[question] = (texts, question(*texts))
        answer: _Answer = self._answers[question][1]
        return answer

    def forget(self) -> None:
        """Ask again next time."""
        self._answers.clear()
