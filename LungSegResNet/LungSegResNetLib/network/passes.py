"""Passes of a network over a slice at several sizes; the finest, which costs most, is spared where there is no lung."""

from __future__ import annotations

import numpy as np

# Of the mean of the coarser passes; a lung that is larger than a few pixels makes all of them sure.
LUNG_IN_VIEW = 0.05


def split_scales(scales: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """The coarser passes, which come first, and the finest one; scales are those of ``ModelCard.scales``."""
    finest = min(scales)
    return tuple(scale for scale in scales if scale != finest), finest


def lung_probability(logits: np.ndarray) -> np.ndarray:
    """Probability (n, h, w) of class 1, from logits (n, classes, h, w), float32."""
    others = np.delete(logits, 1, axis=1)
    others -= logits[:, 1:2]
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(others, out=others).sum(axis=1))
