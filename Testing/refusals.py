"""Command lines that are refused before they do anything."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest


def refused_options(command: Callable[[list[str]], int], arguments: list[str], folder: Path) -> str:
    """What a command says to options that it refuses, in ``folder`` as the current one; nothing is written there."""
    told = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stderr(told), pytest.raises(SystemExit) as end:
        command(arguments)
    assert end.value.code == 2
    assert not list(folder.iterdir())
    return told.getvalue()
