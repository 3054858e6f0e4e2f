"""A slice with one lung for the tests of what is painted into slices."""

from __future__ import annotations

import numpy as np
import torch

NOISE_HU = 12.0


def chest(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A slice (HU) of noisy soft tissue with one lung, and the lung (bool); pixels of 1 mm."""
    hu = torch.from_numpy(45.0 + NOISE_HU * rng.standard_normal((160, 200), dtype=np.float32))
    lung = torch.zeros(hu.shape, dtype=torch.bool)
    lung[30:130, 20:120] = True
    hu[lung] -= 890.0
    return hu, lung
