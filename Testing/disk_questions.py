"""What is asked about files below a folder, as a drive in a network that is away would make wait for each answer."""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FUNCTIONS = [(os, name) for name in ("stat", "lstat", "scandir", "listdir", "open")] + [
    (io, "open"),
    (builtins, "open"),
]


@contextmanager
def questions_about(folder: Path) -> Iterator[list[str]]:
    """Names of the functions that are called with a path below the folder."""
    asked: list[str] = []

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def count(path: Any, *arguments: Any, **named: Any) -> Any:
            if str(folder) in str(path):
                asked.append(name)
            return function(path, *arguments, **named)

        return count

    with pytest.MonkeyPatch.context() as patch:
        for module, name in _FUNCTIONS:
            patch.setattr(module, name, counting(name, getattr(module, name)))
        yield asked
