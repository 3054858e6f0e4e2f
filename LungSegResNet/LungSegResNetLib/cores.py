"""How many processor cores there are to use."""

from __future__ import annotations

import os
from collections.abc import Iterator

from .cgroups import limits


def cores() -> int:
    """Processor cores that this process may use, which may be fewer than the machine has."""
    return limited_cores() or _of_process()


def limited_cores() -> int | None:
    """As `cores` where a quota leaves fewer than the process may run on, of which libraries know; else None."""
    quota = _of_quotas()
    return quota if quota and quota < _of_process() else None


def _of_process() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _of_quotas() -> int | None:
    """Cores that are as much as the time on all of them that the process gets; None without such a limit."""
    counts = (
        max(1, int(quota) // int(period))
        for quota, period in _quotas()
        if quota.isdecimal() and period.isdecimal()  # no limit is a word, or -1
    )
    return min(counts, default=None)


def _quotas() -> Iterator[tuple[str, str]]:
    """Time on all cores, and in which time; in the files of version 2 and of version 1."""
    for text in limits("cpu.max"):
        quota, _, period = text.partition(" ")
        yield quota, period
    yield from zip(limits("cpu.cfs_quota_us"), limits("cpu.cfs_period_us"), strict=False)
