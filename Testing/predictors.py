"""Predictors without a network, for tests of what happens around one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from LungSegResNetLib.errors import DeviceError
from LungSegResNetLib.network.model_file import default_model_path, read_card


class StandIn:
    """Takes slices as the shipped network does; a subclass says what it finds in them."""

    engine, precision, batch_size = "torch", "float32", 8

    def __init__(self) -> None:
        self.card = read_card(default_model_path())

    def for_scan(self, slices: int) -> StandIn:
        """Itself, whatever the number of slices is."""
        return self

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None] = lambda done: None) -> np.ndarray:
        """Probability of lung, as a subclass has it."""
        raise NotImplementedError


class Fixed(StandIn):
    """A predictor that takes what is darker than a grey value for lung."""

    def __init__(self, below: float = 0.5) -> None:
        super().__init__()
        self._below = below

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None] = lambda done: None) -> np.ndarray:
        """One for what is darker, else zero."""
        return (slices < self._below).astype(np.float32)


class FullCard(StandIn):
    """A graphics card that has no memory left after the first slice."""

    precision, batch_size = "float16", 64

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None] = lambda done: None) -> np.ndarray:
        """Raise DeviceError."""
        on_slices_done(1)
        raise DeviceError("The cuda device has too little free memory for a single slice.")
