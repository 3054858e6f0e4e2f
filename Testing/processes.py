"""Processes that a panel has started."""

from __future__ import annotations

import psutil


def below(process: int) -> list[int]:
    """A process id and those of all processes below it."""
    return [process, *(child.pid for child in psutil.Process(process).children(recursive=True))]


def is_alive(process: int) -> bool:
    """Whether it runs; one that has ended but is not yet collected does not."""
    try:
        return psutil.Process(process).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
