"""The folder of a run is one process' at a time: two that train in it would replace each other's checkpoints."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from LungSegResNetLib.atomic import explained
from LungSegResNetLib.errors import UsageError

from .run_files import LOCK

# Processes that prepare slices may hold the folder, too (before filelock 4.3), and notice the end of theirs in 5 s.
_PATIENCE_SECONDS = 8.0


@contextlib.contextmanager
def held_run(folder: Path) -> Iterator[None]:
    """Hold the folder, which is made if it is missing, until this is left or the process ends, however it does.

    Raises
    ------
    UsageError : another process holds it, and goes on to.
    OutputError : it cannot be made or written.
    """
    lock = FileLock(folder / LOCK)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=_PATIENCE_SECONDS)
        except Timeout as error:
            raise UsageError(
                f"Another process trains in {folder}; wait for it or end it, or choose another folder."
            ) from error
        except NotImplementedError:  # by a disk that knows no locks
            pass
    try:
        yield
    finally:
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether a process trains in the folder now; no where that cannot be told."""
    lock = FileLock(folder / LOCK)
    if not Path(lock.lock_file).is_file():
        return False
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return False
    lock.release()
    return False
