"""Goes through the files of a folder and of all folders below it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import InputError, unreadable
from .places import place

_OF_WINDOWS = ("$recycle.bin", "system volume information")  # deleted files of all users, and what nobody may open


def files_of_folders(
    top: Path, warn: Callable[[str], None], *, recursive: bool = True, leave_out: Path | None = None
) -> Iterator[list[Path]]:
    """The files of each folder, sorted; what is hidden is left out.

    Links to folders are followed, and no folder is taken twice. Links wait, so that a folder is named after the place
    where it lies.

    Parameters
    ----------
    warn : gets a sentence for each folder that is left out because it cannot be opened or holds ``top``.
    leave_out : a folder that is left out without a word, and links to what lies in it.

    Raises
    ------
    InputError : there is no folder ``top``, or it cannot be opened.
    """
    try:
        if not top.is_dir():
            raise InputError(f"There is no folder {top}.")
        os.scandir(top).close()
    except OSError as error:
        raise unreadable(top, error) from error
    real_top, left_out = place(top), leave_out and place(leave_out)
    seen: set[Path] = set()
    folders, links = [top], list[Path]()
    while folders or links:
        folder = (folders or links).pop(0)
        real = place(folder)
        if real in seen or _lies_in(real, left_out):
            continue
        if folder != top and real_top.is_relative_to(real):
            warn(f"{folder} links to a folder that {top} lies in; it is left out.")
            continue
        seen.add(real)
        try:
            entries = sorted(path for path in folder.iterdir() if not is_hidden(path))
        except OSError as error:
            warn(f"{folder} cannot be opened ({error.strerror}); its scans are left out.")
            continue
        if recursive:
            inner = [path for path in entries if os.path.isdir(path)]
            links += [path for path in inner if path.is_symlink()]
            folders += [path for path in inner if not path.is_symlink()]
        files = [path for path in entries if os.path.isfile(path)]
        yield [path for path in files if not (path.is_symlink() and _lies_in(place(path), left_out))]


def is_hidden(path: Path) -> bool:
    """Whether a file or folder is hidden by its name, or is one of those in which Windows keeps its own things."""
    return path.name.startswith(".") or path.name.lower() in _OF_WINDOWS


def _lies_in(real: Path, folder: Path | None) -> bool:
    return folder is not None and real.is_relative_to(folder)
