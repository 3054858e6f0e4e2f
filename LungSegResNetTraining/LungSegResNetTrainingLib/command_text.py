"""Commands as sentences for a person name them."""

from __future__ import annotations


def quoted(path: object) -> str:
    """A path as a command takes it: in quotes where it has a space."""
    return f'"{path}"' if " " in str(path) else str(path)
