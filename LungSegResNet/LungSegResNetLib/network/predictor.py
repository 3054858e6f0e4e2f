"""What every engine gives: a loaded network that takes slices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from .model_file import ModelCard


class Predictor(Protocol):
    """A loaded network: probability (n, h, w) from scaled slices (n, h, w), both float32.

    ``for_scan`` gives the predictor, perhaps itself, that suits a scan of so many slices; ``batch_size`` is how many it
    computes together.
    """

    card: ModelCard
    engine: str
    precision: str
    batch_size: int

    def for_scan(self, slices: int) -> Predictor: ...

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None] = ...) -> np.ndarray: ...
