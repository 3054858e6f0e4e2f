"""Values that options of several commands take, for argparse."""

from __future__ import annotations

import argparse
import math
from pathlib import Path


def given_path(text: str) -> Path:
    """A path; an empty one, as of a variable that was not set, would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty; the current folder is '.'")
    return Path(text)


def positive(text: str) -> int:
    """A number of 1 or more, for argparse."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of 1 or more, not '{text}'")
    return value


def box(text: str) -> tuple[float, ...]:
    """A box in space as `run_case` takes it: the rows of its matrix, one after another."""
    try:
        numbers = tuple(map(float, text.split(",")))
    except ValueError:
        numbers = ()
    if len(numbers) != 12 or not all(map(math.isfinite, numbers)):
        raise argparse.ArgumentTypeError(f"must be 12 numbers with commas between them, not '{text}'")
    return numbers
