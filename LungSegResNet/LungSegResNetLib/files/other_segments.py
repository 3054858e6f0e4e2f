"""Segments of a mask file that are no lungs, for whoever has to tell disease from other organs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class OtherSegments:
    """Where segments lie that are no lungs by their names.

    Attributes
    ----------
    names : of the segments.
    numbers : (z, y, x) uint16: n where the n-th of them lies (from 1 on), 0 for none; of several the
        smallest.
    """

    names: tuple[str, ...]
    numbers: np.ndarray


def numbered(layers: Iterable[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Layers of segments as one array (uint16); each layer has the numbers of its segments (from 1 on), which are in no
    other, and 0 for none. Of several at a voxel the smallest has it, so that disease is not lost in the whole body."""
    numbers = np.zeros(shape, np.uint16)
    sizes = np.zeros(np.iinfo(np.uint16).max + 1, int)
    sizes[0] = np.iinfo(int).max
    for layer in layers:
        # Slice by slice, because what is looked up takes eight times the memory of numbers; most segments are in few.
        drawn = np.flatnonzero(layer.any(axis=(1, 2)))
        for z in drawn:
            found = np.bincount(layer[z].ravel())
            sizes[1 : len(found)] += found[1:]
        for z in drawn:
            smaller = sizes[layer[z]] < sizes[numbers[z]]
            numbers[z][smaller] = layer[z][smaller]
    return numbers


def left_out_note(source: str, names: Sequence[str]) -> str:
    """What is told of a file with other segments than lungs."""
    return f"{source} has other segments than lungs, which were left out: {in_quotes(names)}."


def in_quotes(names: Sequence[str]) -> str:
    """Names of segments in a sentence, each in quotation marks."""
    return ", ".join(f"'{name}'" for name in names)
