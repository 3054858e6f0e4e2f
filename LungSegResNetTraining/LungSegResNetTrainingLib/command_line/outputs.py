"""Existing files are noticed before any work, not after it."""

from __future__ import annotations

from pathlib import Path

from LungSegResNetLib.errors import OutputError


def refuse_existing(*paths: Path | None, overwrite: bool) -> None:
    """Raise OutputError if one of the files is there already and may not be replaced."""
    for path in paths:
        if path is not None and path.exists() and not overwrite:
            raise OutputError(f"{path} exists already; choose another name or allow overwriting (--overwrite).")
