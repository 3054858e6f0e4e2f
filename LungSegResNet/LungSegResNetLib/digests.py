"""What a file or an image is recognised by, whatever it is called."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np


def file_digest(path: Path) -> str:
    """SHA-256 of a file; one that this process has read before and that is as it was is not read again."""
    state = path.stat()
    return _digest(path.absolute(), state.st_size, state.st_mtime_ns)


def array_digest(array: np.ndarray) -> str:
    """SHA-256 of the values of an array in C order, least byte first on every machine; its shape does not count."""
    return hashlib.sha256(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data).hexdigest()


@lru_cache(maxsize=10_000)
def _digest(path: Path, _size: int, _modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
