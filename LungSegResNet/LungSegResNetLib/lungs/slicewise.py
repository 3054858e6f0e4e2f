"""What is done to each slice of a scan, on all cores at once (numpy and SciPy let threads work at the same time)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from ..cores import cores

SLAB = 8  # slices that are worked on together: as many as a byte has bits

Result = TypeVar("Result")


def over_slices(function: Callable[..., Result], *stacks: Iterable) -> list[Result]:
    """``function`` of each slice of the stacks, in order."""
    with ThreadPoolExecutor(cores()) as threads:
        return list(threads.map(function, *stacks))


def over_slabs(function: Callable[..., Result], *stacks: np.ndarray) -> list[Result]:
    """As `over_slices`, but for ``SLAB`` slices (z, y, x) at a time: fewer steps for what takes little time a slice."""
    cuts = [slice(z, z + SLAB) for z in range(0, len(stacks[0]), SLAB)]
    return over_slices(lambda cut: function(*(stack[cut] for stack in stacks)), cuts)
