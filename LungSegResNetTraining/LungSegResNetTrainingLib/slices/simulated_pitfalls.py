"""What is not lung and may be taken for it, painted outside of the lungs: gas, air in the chest wall, even tissue.

All functions change Hounsfield units of a slice (h, w), float32, in place. Numbers are millimetres and HU.
"""

from __future__ import annotations

import numpy as np
import torch

from .painted_shapes import TISSUE_HU, coordinates, edge_nearness, eroded, like_soft_tissue, lobe_score
from .smooth_noise import smooth_noise


def even_tissue(hu: torch.Tensor, tissue: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> None:
    """Take the structure from parts of the soft tissue in ``tissue`` (bool: body that is not lung).

    Painted lung without air is even, too; that alone must not make it lung.
    """
    shape = (hu.shape[0], hu.shape[1])
    soft = tissue & (hu > TISSUE_HU[0]) & (hu < TISSUE_HU[1])
    if not bool(soft.any()):
        return
    score = lobe_score(shape, pixel_mm, rng) if rng.random() < 0.5 else smooth_noise(rng, shape, 50.0 / pixel_mm)
    inside = score[soft]
    share_kept = 0.0 if rng.random() < 0.2 else rng.uniform(0.0, 0.7)
    threshold = torch.quantile(inside[:: max(1, len(inside) // 5000)], share_kept)
    amount = torch.sigmoid((score - threshold) / rng.uniform(0.01, 0.1))
    painted = hu + amount * (like_soft_tissue(hu, pixel_mm, rng) - hu)
    hu[soft] = painted[soft]


def gas_pocket(hu: torch.Tensor, tissue: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> None:
    """Gas as in stomach or colon, now and then over a fluid level, inside ``tissue`` (bool: body that is not lung)."""
    shape = (hu.shape[0], hu.shape[1])
    wall = rng.uniform(3.0, 10.0) / pixel_mm
    room = eroded(tissue, wall)
    indices = torch.nonzero(room)
    if len(indices) == 0:
        return
    rows, columns = coordinates(shape)
    y, x = indices[int(rng.integers(len(indices)))].tolist()
    radius = rng.uniform(8.0, 65.0) / pixel_mm
    stretch = float(np.exp(rng.normal(0.0, 0.35)))
    distance = torch.sqrt(((rows - y) * stretch) ** 2 + ((columns - x) / stretch) ** 2)
    distance = distance * (1.0 + rng.uniform(0.05, 0.35) * smooth_noise(rng, shape, max(radius / 1.5, 2.0)))
    amount = torch.sigmoid((radius - distance) / 0.7) * room
    content = torch.full(shape, rng.uniform(-1010.0, -930.0))
    if rng.random() < 0.5:  # gas above fluid or food
        surface = y + rng.uniform(-0.5, 1.0) * radius
        content = torch.where(rows > surface, torch.full(shape, rng.uniform(-20.0, 120.0)), content)
    hu += amount * (content - hu)


def wall_air(
    hu: torch.Tensor, body: torch.Tensor, lung: torch.Tensor, pixel_mm: float, rng: np.random.Generator
) -> None:
    """Air in the fat and between the muscles of the chest wall (subcutaneous emphysema); bool masks (h, w)."""
    shape = (hu.shape[0], hu.shape[1])
    ridge = smooth_noise(rng, shape, rng.uniform(8.0, 25.0) / pixel_mm)
    patches = smooth_noise(rng, shape, rng.uniform(40.0, 90.0) / pixel_mm)
    streaks = torch.exp(-((ridge / rng.uniform(0.1, 0.35)) ** 2)) * torch.sigmoid(
        (patches - rng.uniform(0.0, 1.0)) * 4.0
    )
    wall = (edge_nearness(body, rng.uniform(20.0, 45.0) / pixel_mm) > 0.05) & eroded(body & ~lung, 3.0 / pixel_mm)
    hu += streaks * wall * (rng.uniform(-980.0, -700.0) - hu)
