"""The files that a user has in a folder, without those that an operating system leaves there."""

from __future__ import annotations

import itertools
from pathlib import Path

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.folder_walk import files_of_folders, is_hidden

_OF_A_FOLDER = ("thumbs.db", "desktop.ini")  # small pictures of a folder's files, and how the folder is shown


def is_system_file(path: Path) -> bool:
    """Whether a file or folder is hidden, as .DS_Store and ._IM0001.dcm of macOS are, or is of Windows."""
    return is_hidden(path) or path.name.lower() in _OF_A_FOLDER


def users_files(folder: Path, *, recursive: bool = True) -> list[Path]:
    """The files of a folder and, if ``recursive``, of all below it, sorted; those from which a scan in it is read.

    Folders that cannot be opened are left out, which reading the scan tells.
    """
    folders = files_of_folders(folder, lambda text: None, recursive=recursive)
    try:
        return sorted(path for path in itertools.chain.from_iterable(folders) if not is_system_file(path))
    except InputError:
        return []
