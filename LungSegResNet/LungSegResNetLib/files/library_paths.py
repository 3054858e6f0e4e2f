"""Names under which SimpleITK can open a file.

SimpleITK hands names as UTF-8 to the operating system. Windows takes them for the system's code page in every program
that does not declare otherwise. Slicer does, Python does not; names of plain letters mean the same in both.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_UTF8 = 65001  # number of its code page


class UnusableNameError(ValueError):
    """SimpleITK cannot be given this name; says what to do about it."""


def library_path(path: Path, only_plain_letters: bool | None = None) -> str:
    """The name of a file or folder for SimpleITK; on Windows its folder by its short name, where that is needed.

    ``only_plain_letters`` None: as this process has it.

    Raises
    ------
    UnusableNameError : there is no such name.
    """
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnusableNameError("its name has characters that are not valid; rename it") from error
    name = os.fspath(path)
    if only_plain_letters is None:
        only_plain_letters = _has_code_page()
    if only_plain_letters and not name.isascii():
        name = os.fspath(Path(_short_name(os.fspath(path.resolve().parent))) / path.name)
        if not name.isascii():
            raise UnusableNameError(
                "the library that reads and writes images needs names of plain letters (a to z) on Windows; "
                "rename the file and its folders, or copy it to another folder"
            )
    return name


def _has_code_page() -> bool:
    """Whether this process runs on Windows and with another code page than UTF-8."""
    if sys.platform != "win32":
        return False
    import ctypes

    return int(ctypes.windll.kernel32.GetACP()) != _UTF8


def _short_name(folder: str) -> str:
    """The name of eight plain letters and less that Windows keeps beside each longer one; unchanged elsewhere."""
    if sys.platform != "win32":
        return folder
    import ctypes

    buffer = ctypes.create_unicode_buffer(32768)
    length = ctypes.windll.kernel32.GetShortPathNameW(folder, buffer, len(buffer))
    return buffer.value if length else folder
