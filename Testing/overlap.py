"""How far two masks agree, computed in another way than the product does."""

from __future__ import annotations

import numpy as np


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Dice of two masks (bool)."""
    return 2.0 * float((first & second).sum()) / float(first.sum() + second.sum())
