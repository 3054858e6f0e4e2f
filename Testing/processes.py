"""Processes that a panel has started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def suspended(processes: list[int]) -> Iterator[None]:
    """They cannot end by themselves in the block."""
    for process in processes:
        psutil.Process(process).suspend()
    try:
        yield
    finally:
        for process in filter(psutil.pid_exists, processes):
            psutil.Process(process).resume()


@contextmanager
def kept_for_the_next_test() -> Iterator[None]:
    """The process that waits for the panel's next run outlives what ends it here, so that not every test starts one."""
    from LungSegResNetWidgets.background_command import BackgroundCommand
    from LungSegResNetWidgets.worker_process import takeKeptProcess

    process = takeKeptProcess(BackgroundCommand.worker)
    yield
    if process:
        process.release(keep=True)
