"""Words that several sentences for a person need."""

from __future__ import annotations


def counted(count: int, word: str) -> str:
    """A number with its noun, which gets an s unless it is one."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
