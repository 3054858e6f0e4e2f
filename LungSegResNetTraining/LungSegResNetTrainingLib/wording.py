"""Words that several sentences for a person need."""

from __future__ import annotations

from collections.abc import Sequence


def quoted(path: object) -> str:
    """A path as a command takes it: in quotes where it has a space."""
    return f'"{path}"' if " " in str(path) else str(path)


def some_of(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
