"""Where painted changes of a slice lie and what tissue looks like: scores, shares and textures, shape (h, w), float32.

Numbers are millimetres and HU; masks are bool.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from .smooth_noise import smooth_noise

TISSUE_HU = (-200.0, 150.0)  # soft


def like_soft_tissue(hu: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> torch.Tensor:
    """Values (HU) about as high and as noisy as the slice's own soft tissue."""
    level, spread = level_and_spread(hu)
    level = level + rng.normal(0.0, 12.0) if rng.random() < 0.7 else rng.uniform(25.0, 110.0)
    return level + tissue_noise((hu.shape[0], hu.shape[1]), spread, pixel_mm, rng)


def tissue_noise(shape: tuple[int, int], spread: float, pixel_mm: float, rng: np.random.Generator) -> torch.Tensor:
    """Noise (HU) around 0 whose standard deviation is about ``spread``, blurred as a scanner's kernel does it."""
    noise = smooth_noise(rng, shape, rng.uniform(0.7, 2.0) / pixel_mm)
    return spread * rng.uniform(0.6, 1.3) * noise


def level_and_spread(hu: torch.Tensor) -> tuple[float, float]:
    """Median of the slice's soft tissue and standard deviation of its noise (HU)."""
    inner = hu[1:-1, 1:-1]
    neighbours = (hu[:-2, 1:-1] + hu[2:, 1:-1] + hu[1:-1, :-2] + hu[1:-1, 2:]) / 4.0
    soft = (inner > -20.0) & (inner < 120.0) & ((neighbours - 50.0).abs() < 70.0)
    if int(soft.sum()) <= 100:
        return 45.0, 10.0
    # Of white noise, a pixel less the mean of its four neighbours has a variance larger by a quarter.
    return float(inner[soft].median()), float((inner - neighbours)[soft].std()) / 1.25**0.5


def patch_score(lung: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> torch.Tensor:
    """Where patches lie: the higher, the sooner it is dense."""
    shape = (lung.shape[0], lung.shape[1])
    score = smooth_noise(rng, shape, rng.uniform(10.0, 70.0) / pixel_mm)
    score = score + rng.uniform(0.0, 0.5) * smooth_noise(rng, shape, rng.uniform(3.0, 10.0) / pixel_mm)
    if rng.random() < 0.5:  # along the pleura
        score = score + rng.uniform(0.5, 3.0) * edge_nearness(lung, rng.uniform(8.0, 30.0) / pixel_mm)
    if rng.random() < 0.5:  # dependent, mostly at the back
        angle = rng.normal(0.0, 0.5) + (np.pi if rng.random() < 0.15 else 0.0)
        score = score + rng.uniform(0.5, 3.0) * ramp(shape, angle)
    return score


def lobe_score(shape: tuple[int, int], pixel_mm: float, rng: np.random.Generator) -> torch.Tensor:
    """One side of a nearly straight line, as a fissure bounds a consolidated lobe."""
    bend = rng.uniform(0.02, 0.12) * smooth_noise(rng, shape, rng.uniform(40.0, 100.0) / pixel_mm)
    if rng.random() < 0.5:  # an upper lobe lies in front, a lower one at the back
        angle = rng.normal(0.0, 0.5) + (np.pi if rng.random() < 0.5 else 0.0)
    else:
        angle = rng.uniform(-np.pi, np.pi)
    return ramp(shape, angle) + bend


def air_bronchograms(shape: tuple[int, int], pixel_mm: float, rng: np.random.Generator) -> torch.Tensor:
    """Share of air (0..1) of branching thin tubes and dots."""
    ridge = smooth_noise(rng, shape, rng.uniform(12.0, 30.0) / pixel_mm)
    patches = smooth_noise(rng, shape, rng.uniform(20.0, 40.0) / pixel_mm)
    width = rng.uniform(0.04, 0.12)
    return torch.exp(-((ridge / width) ** 2)) * torch.sigmoid((patches - rng.uniform(0.3, 1.2)) * 4.0)


def edge_nearness(mask: torch.Tensor, width: float) -> torch.Tensor:
    """1 at the rim of the mask, falling to 0 about ``width`` pixels inside."""
    mean = box_mean(box_mean(mask.numpy(), width), width)
    return ((1.0 - torch.from_numpy(mean)) * 2.0).clamp(0.0, 1.0) * mask


def eroded(mask: torch.Tensor, radius: float) -> torch.Tensor:
    """The mask without what lies within ``radius`` pixels of its rim (of a square)."""
    return torch.from_numpy(box_mean(mask.numpy(), radius)) > 0.999


def box_mean(image: np.ndarray, reach: float) -> np.ndarray:
    """Mean (float32) of the square around each pixel, 0 outside; running sums take the same time for every size."""
    size = max(1, round(reach)) * 2 + 1
    return ndimage.uniform_filter(image, size, output=np.float32, mode="constant")


def ramp(shape: tuple[int, int], angle: float) -> torch.Tensor:
    """Plane from -1 to 1 that grows to the back, or turned by ``angle`` (radians)."""
    rows, columns = coordinates(shape)
    rows, columns = rows / shape[0] * 2.0 - 1.0, columns / shape[1] * 2.0 - 1.0
    return rows * float(np.cos(angle)) + columns * float(np.sin(angle))


def coordinates(shape: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Row (h, 1) and column (1, w) of each pixel, float32."""
    return torch.arange(shape[0], dtype=torch.float32)[:, None], torch.arange(shape[1], dtype=torch.float32)[None, :]
