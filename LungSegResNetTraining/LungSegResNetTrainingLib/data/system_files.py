"""Tells files that an operating system leaves in folders from those of its user."""

from __future__ import annotations

from pathlib import Path

_OF_WINDOWS = ("thumbs.db", "desktop.ini")  # small pictures of a folder's files, and how the folder is shown


def is_system_file(path: Path) -> bool:
    """Whether a file or folder is hidden by its name, as .DS_Store and ._IM0001.dcm of macOS are, or is of Windows."""
    return path.name.startswith(".") or path.name.lower() in _OF_WINDOWS
