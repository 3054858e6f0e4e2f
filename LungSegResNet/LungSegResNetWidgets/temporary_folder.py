"""Folders for the files of a run, which may hold a patient's CT: in Slicer's temporary folder, and never left there."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

import slicer
from slicer.i18n import tr as _

_PREFIX = "LungSegResNet-run-"
_OURS = re.compile(re.escape(_PREFIX) + r"[a-z0-9_]{8}")  # as ``tempfile`` ends names
_DAY = 86_400  # seconds; no run takes so long, and another Slicer may have one


def temporaryFolder() -> Path:
    """Where Slicer has its temporary files, as chosen in its settings; absolute."""
    return Path(os.path.abspath(slicer.app.temporaryPath))  # noqa: PTH100 - as ``tempfile`` writes the folders in it


def makeTemporaryFolder() -> tempfile.TemporaryDirectory[str]:
    """An empty folder for a run, which whoever asks for it removes; what a crash left there is removed first.

    Raises
    ------
    RuntimeError : it cannot be made; a sentence for the user.
    """
    _removeLeftovers()
    try:
        return tempfile.TemporaryDirectory(prefix=_PREFIX, dir=temporaryFolder(), ignore_cleanup_errors=True)
    except OSError as error:
        text = _("There is no place for temporary files ({reason}); free some space on the disk, and try again.")
        raise RuntimeError(text.format(reason=error)) from error


def _removeLeftovers() -> None:
    """Remove folders of runs in which nothing was written for a day: Slicer crashed, or the computer went off."""
    with contextlib.suppress(OSError):
        for folder in temporaryFolder().iterdir():
            if _OURS.fullmatch(folder.name) and time.time() - _lastWritten(folder) > _DAY:
                shutil.rmtree(folder, ignore_errors=True)


def _lastWritten(folder: Path) -> float:
    """Time (s) of the last change of a folder or a file in it; now if it cannot be told."""
    try:
        return max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:  # it is no folder, that of another user, or just being removed
        return time.time()
