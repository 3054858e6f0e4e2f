"""Files appear whole or not at all: write beside the target, then rename."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from .errors import OutputError

# Endings that readers look at to choose a format, longest first.
_DOUBLE_ENDINGS = (".seg.nrrd", ".nii.gz")


@contextlib.contextmanager
def write_atomically(target: str | os.PathLike[str], overwrite: bool) -> Iterator[Path]:
    """Give a temporary path in the target's folder, with its ending; rename it to ``target`` on success.

    An exception, Ctrl-C or a killed process leaves the target as it was.

    Raises
    ------
    OutputError : the target exists and ``overwrite`` is false, the folder cannot be written, the disk is full.
    """
    target = Path(target)
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists already; choose another name or allow overwriting (--overwrite).")
    ending = next((e for e in _DOUBLE_ENDINGS if target.name.lower().endswith(e)), target.suffix)
    temporary = target.parent / f".{uuid.uuid4().hex}.part{ending}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise OutputError(_explain(target, error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _explain(target: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"The disk is full, so {target} could not be written; nothing was changed there."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{target} cannot be written: no permission."
    return f"{target} could not be written ({error.strerror or error})."
