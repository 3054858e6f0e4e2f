"""Several files are read at once and handed over in their order: decoding takes time, and so do drives in a network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ..cores import cores

_LEAST, _MOST = 2, 8  # at once; also a single core has something to do while a drive is waited for

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(read: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """``read`` of each item, in order; few results wait to be taken, because each may be large.

    What ``read`` raises for an item is raised in its place, and no further items are read.
    """
    at_once = min(max(cores(), _LEAST), _MOST)
    upcoming: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(at_once) as threads:
        try:
            for item in items:
                upcoming.append(threads.submit(read, item))
                if len(upcoming) > at_once:
                    yield upcoming.popleft().result()
            while upcoming:
                yield upcoming.popleft().result()
        finally:
            for future in upcoming:
                future.cancel()
