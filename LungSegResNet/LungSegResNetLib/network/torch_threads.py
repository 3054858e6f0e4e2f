"""How many cores of the processor PyTorch uses, in the whole process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def limit_threads(count: int) -> None:
    """Let PyTorch use so many cores at most."""
    torch.set_num_threads(count)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch use one core for a while: sums of other numbers of threads differ in their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
