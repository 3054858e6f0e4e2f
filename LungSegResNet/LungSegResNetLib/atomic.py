"""Files appear whole or not at all: write beside the target, then rename."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from .errors import OutputError, OutputExistsError, OutputInUseError
from .process_exit import completing, undone_on_exit

# Endings that readers look at to choose a format, longest first.
_DOUBLE_ENDINGS = (".seg.nrrd", ".nii.gz")
_FULL_BYTES = 1 << 20


@contextlib.contextmanager
def write_atomically(target: str | os.PathLike[str], overwrite: bool) -> Iterator[Path]:
    """Give a temporary path in the target's folder, with its ending; rename it to ``target`` on success.

    An exception, Ctrl-C or a killed process leaves the target as it was.

    Raises
    ------
    OutputExistsError : the target exists, or has come meanwhile, and ``overwrite`` is false.
    OutputInUseError : all was written, but the target cannot be replaced.
    OutputError : the folder cannot be written, or the disk is full.
    """
    target = Path(target)
    refuse_existing(target, overwrite=overwrite)  # before any work
    ending = next((e for e in _DOUBLE_ENDINGS if target.name.lower().endswith(e)), target.suffix.lower())
    temporary = _temporary(target.parent, ending)
    try:
        with explained(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with undone_on_exit(temporary.unlink):
                yield temporary
                with completing:
                    refuse_existing(target, overwrite=overwrite)  # somebody may have put it there meanwhile
                    _replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def explained(target: str | os.PathLike[str]) -> Iterator[None]:
    """Raise OutputError, with a sentence about ``target``, for the OSError of writing it."""
    try:
        yield
    except OSError as error:
        raise OutputError(_explain(target, error)) from error


def refuse_existing(*targets: Path | None, overwrite: bool) -> None:
    """Raise OutputExistsError if one of the files is there and may not be replaced, OutputError if that is unknown."""
    for target in targets:
        if target is None:
            continue
        with explained(target):
            exists = target.exists()
        if exists and not overwrite:
            raise OutputExistsError(target)


def refuse_unwritable(*targets: Path) -> None:
    """Raise OutputError if a folder has the name of a file, or the folder of one is none or cannot be written.

    What has to be made is not made; a disk may be full nevertheless.
    """
    for target in targets:
        if os.path.isdir(target):
            raise OutputError(f"{target} cannot be written: it is a folder.")
        folders = (folder for folder in target.absolute().parents if os.path.lexists(folder))
        folder = next(folders, None)
        if folder and not os.path.isdir(folder):
            raise OutputError(f"{target} could not be written: {folder} is not a folder.")
        if folder and not is_writable(folder):
            raise OutputError(f"{target} cannot be written: no permission.")


def is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder. Windows has to be asked by making one: it says yes of every folder."""
    if sys.platform != "win32":
        return os.access(folder, os.W_OK | os.X_OK)
    probe = _temporary(folder, "")
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError:
        return False
    return True


def _temporary(folder: Path, ending: str) -> Path:
    return folder / f".{uuid.uuid4().hex[:8]}.part{ending}"


def _replace(temporary: Path, target: Path) -> None:
    """Rename; on Windows a file cannot be replaced in the moment in which another process reads it.

    Nor can a new one be renamed there while a virus scanner reads it, which may take longer.
    """
    pauses = (0.05, 0.1, 0.2, 0.4)
    if sys.platform == "win32" and not target.exists():
        pauses += (0.8, 1.6, 2.0)
    for pause in pauses:
        try:
            temporary.replace(target)
            return
        except PermissionError:
            time.sleep(pause)
    try:
        temporary.replace(target)
    except PermissionError as error:
        if target.is_file():
            raise OutputInUseError(target) from error
        raise


def is_full(folder: Path) -> bool:
    """Whether the disk of a folder is full, for errors of libraries that do not say so."""
    try:
        return shutil.disk_usage(folder).free < _FULL_BYTES
    except OSError:
        return False


def _explain(target: str | os.PathLike[str], error: OSError) -> str:
    if error.errno == errno.ENOSPC or (error.errno is None and is_full(Path(target).parent)):
        return f"The disk is full, so {target} could not be written; nothing was changed there."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{target} cannot be written: no permission."
    return f"{target} could not be written ({error.strerror or error})."
