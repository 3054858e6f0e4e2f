"""Words that several sentences for a person need."""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, word: str) -> str:
    """A number with its noun, which gets an s unless it is one."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def some_of(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
