"""Small helpers on boolean arrays that more than one file needs."""

from __future__ import annotations

import numpy as np


def bounding_box(mask: np.ndarray, margin: int = 0) -> tuple[slice, ...] | None:
    """Slices that hold all true voxels and ``margin`` voxels around them; None for an empty mask."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        indices = np.flatnonzero(mask.any(axis=others))
        if len(indices) == 0:
            return None
        box.append(slice(max(0, int(indices[0]) - margin), min(mask.shape[axis], int(indices[-1]) + 1 + margin)))
    return tuple(box)
