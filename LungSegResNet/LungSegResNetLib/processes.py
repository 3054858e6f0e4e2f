"""Other processes of this machine."""

from __future__ import annotations

import os
import sys

_MOST = 2**31 - 1
_SYNCHRONIZE = 0x00100000
_ACCESS_DENIED = 5
_STILL_RUNS = 0x00000102  # when its end is waited for, for no time at all


def is_running(process: int) -> bool:
    """Whether a process with this id runs, of whichever user."""
    if not 0 < process <= _MOST:
        return False
    if sys.platform == "win32":  # where the signal 0 would end it
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        handle = ctypes.c_void_p(kernel.OpenProcess(_SYNCHRONIZE, False, process))
        if not handle:
            return ctypes.get_last_error() == _ACCESS_DENIED
        try:
            return int(kernel.WaitForSingleObject(handle, 0)) == _STILL_RUNS
        finally:
            kernel.CloseHandle(handle)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
