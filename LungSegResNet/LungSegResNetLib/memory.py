"""How much memory there is to use."""

from __future__ import annotations

import ctypes
import os
import sys

from .cgroups import limits


def memory() -> int | None:
    """Bytes that this process may use, which may be fewer than the machine has; None where the system does not tell."""
    # The files of version 2 and of version 1, which write their having no limit as a word and as a huge number.
    texts = (*limits("memory.max"), *limits("memory.limit_in_bytes"))
    return min((*(int(text) for text in texts if text.isdecimal()), *_of_machine()), default=None)


def _of_machine() -> tuple[int, ...]:
    if sys.platform == "win32":
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        return (status.total,) if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else ()
    try:
        return (os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),)
    except (ValueError, OSError):
        return ()


class _MemoryStatus(ctypes.Structure):
    """Windows' MEMORYSTATUSEX."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("others", ctypes.c_uint64 * 6),
    )
