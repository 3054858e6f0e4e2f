"""How many processor cores there are to use."""

from __future__ import annotations

import os

from .cgroups import limits


def cores() -> int:
    """Processor cores that this process may use, which may be fewer than the machine has."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for text in limits("cpu.max"):
        quota, _, period = text.partition(" ")  # time on all cores, and in which time; without limit, ``max``
        if quota.isdecimal() and period.isdecimal():
            count = min(count, max(1, int(quota) // int(period)))
    return count
