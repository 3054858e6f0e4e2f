"""Words that several sentences for a person need."""

from __future__ import annotations


def quoted(path: object) -> str:
    """A path as a command takes it: in quotes where it has a space."""
    return f'"{path}"' if " " in str(path) else str(path)


def counted(count: int, word: str) -> str:
    """A number with its noun, which gets an s unless it is one."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
