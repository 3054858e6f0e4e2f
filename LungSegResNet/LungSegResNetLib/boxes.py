"""Boxes around masks: a slice for each axis."""

from __future__ import annotations

import numpy as np


def bounding_box(mask: np.ndarray, margin: int = 0) -> tuple[slice, ...] | None:
    """Slices that hold all true voxels and ``margin`` voxels around them; None for an empty mask."""
    box = []
    rest = mask
    for size in mask.shape:
        indices = np.flatnonzero(rest.any(axis=tuple(range(1, rest.ndim))))
        if len(indices) == 0:
            return None
        begin, end = int(indices[0]), int(indices[-1]) + 1
        box.append(slice(max(0, begin - margin), min(size, end + margin)))
        rest = np.asarray(rest[begin:end].any(axis=0))
    return tuple(box)


def widened(box: tuple[slice, ...], margin: int) -> tuple[slice, ...]:
    """The box with ``margin`` voxels around it as far as the array reaches; its ends may lie beyond the array's."""
    return tuple(slice(max(0, side.start - margin), side.stop + margin) for side in box)
