"""Passes of a network over a slice at several sizes; the finest, which costs most, is spared where there is no lung.

That goes for slices without lung, and for what lies around the lungs.
"""

from __future__ import annotations

import numpy as np

# Scans of so few are computed in float32: the mask of one slice differs by more in shorter numbers than that of a scan.
FEW_SLICES = 4
# Of the mean of the coarser passes; a lung that is larger than a few pixels makes all of them sure.
LUNG_IN_VIEW = 0.05
_MAYBE_LUNG = 0.01  # so little that what the coarser passes miss of a lung is not left out
_MARGIN = 24  # pixels around; with 16 network 0.4.0 changes some pixels of a mask, with 24 hardly any
_STEP = 16  # boxes begin and end at multiples of it, because each size is prepared for when it is first met


def split_scales(scales: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """The coarser passes, which come first, and the finest one; scales are those of ``ModelCard.scales``."""
    finest = min(scales)
    return tuple(scale for scale in scales if scale != finest), finest


def lung_box(probability: np.ndarray, lung_in_view: float = LUNG_IN_VIEW) -> tuple[slice, slice]:
    """Rows and columns of the finest pass: all that may be lung by the coarser ones, and a margin.

    Parameters
    ----------
    probability : (h, w) by the coarser passes; some of it is larger than ``lung_in_view``, below 0 all of it.
    """
    rows, columns = np.nonzero(probability > min(lung_in_view, _MAYBE_LUNG))
    return _widened(rows, probability.shape[0]), _widened(columns, probability.shape[1])


def _widened(hits: np.ndarray, size: int) -> slice:
    first, end = int(hits.min()) - _MARGIN, int(hits.max()) + 1 + _MARGIN
    return slice(max(0, first // _STEP * _STEP), min(size, -(-end // _STEP) * _STEP))


def lung_probability(logits: np.ndarray) -> np.ndarray:
    """Probability (n, h, w) of class 1, from logits (n, classes, h, w), float32."""
    others = np.delete(logits, 1, axis=1)
    others -= logits[:, 1:2]
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(others, out=others).sum(axis=1))
