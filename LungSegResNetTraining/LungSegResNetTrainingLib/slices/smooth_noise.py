"""Random smooth fields, the raw material of simulated disease, deformation and noise."""

from __future__ import annotations

import numpy as np
import torch

_SHARPNESS = -0.75  # of the cubic convolution kernel (Keys 1981)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> torch.Tensor:
    """Noise with zero mean and unit spread, shape (h, w), whose features are about ``scale`` pixels wide."""
    if scale <= 1.0:
        return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    coarse = tuple(int(np.ceil(n / scale)) + 3 for n in shape)
    grid = rng.standard_normal(coarse, dtype=np.float32)
    size = [int(np.ceil(n * scale)) for n in coarse]
    # A random shift keeps the knots of the coarse grid from always falling on the same pixels.
    first = [int(rng.integers(0, whole - n + 1)) for whole, n in zip(size, shape, strict=True)]
    # PyTorch multiplies with the threads that a process is given; NumPy's products take all cores in each of them.
    rows, columns = (torch.from_numpy(_cubic_weights(*line)) for line in zip(coarse, size, first, shape, strict=True))
    field = rows @ torch.from_numpy(grid) @ columns.T
    return (field - field.mean()) / (field.std() + 1e-6)


def _cubic_weights(knots: int, size: int, first: int, count: int) -> np.ndarray:
    """Weights (count, knots), float32, of a line of ``knots`` values for a part of it drawn out to ``size`` pixels.

    The part has ``count`` pixels from pixel ``first`` on; only what is shown is ever interpolated.
    """
    place = (np.arange(first, first + count) + 0.5) * (knots / size) - 0.5
    left = np.floor(place)
    weights = np.zeros((count, knots))
    for offset in (-1, 0, 1, 2):
        distance = np.abs(place - left - offset)
        near = ((_SHARPNESS + 2.0) * distance - (_SHARPNESS + 3.0)) * distance**2 + 1.0
        far = _SHARPNESS * (((distance - 5.0) * distance + 8.0) * distance - 4.0)
        knot = np.clip(left + offset, 0, knots - 1).astype(int)
        weights[np.arange(count), knot] += np.where(distance <= 1.0, near, far)
    return weights.astype(np.float32)
