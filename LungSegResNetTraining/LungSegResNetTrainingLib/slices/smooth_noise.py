"""Random smooth fields, the raw material of simulated disease, deformation and noise."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> torch.Tensor:
    """Noise with zero mean and unit spread, shape (h, w), whose features are about ``scale`` pixels wide."""
    if scale <= 1.0:
        return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    coarse = tuple(int(np.ceil(n / scale)) + 3 for n in shape)
    grid = torch.from_numpy(rng.standard_normal(coarse, dtype=np.float32))[None, None]
    size = [int(np.ceil(n * scale)) for n in coarse]
    field = functional.interpolate(grid, size=size, mode="bicubic", align_corners=False)[0, 0]
    # A random shift keeps the knots of the coarse grid from always falling on the same pixels.
    y, x = (int(rng.integers(0, field.shape[i] - shape[i] + 1)) for i in (0, 1))
    field = field[y : y + shape[0], x : x + shape[1]]
    return (field - field.mean()) / (field.std() + 1e-6)
