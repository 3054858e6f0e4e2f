"""What differs between scanners and positions: kernel, noise, streaks, contrast, offset, field of view, table, arms.

Functions take a slice in HU, shape (h, w), float32.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from .smooth_noise import smooth_noise


def degrade(
    hu: torch.Tensor, pixel_mm: float, rng: np.random.Generator, same_noise: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random contrast, kernel, noise, streaks, offset and field of view; also returns what is still in view (bool).

    With ``same_noise`` the slice is always smoothed, and always noisy: what was painted into it differs in noise from
    the rest no longer, by which a network would know it.
    """
    hu = _contrast(hu, pixel_mm, rng)
    hu = _gaussian(hu, rng.uniform(0.7, 1.6) / pixel_mm) if same_noise else _kernel(hu, pixel_mm, rng)
    hu = _noise(hu, pixel_mm, rng, always=same_noise)
    if rng.random() < 0.4:
        # Faulty headers make the rest. Air that is much denser than -1000 HU could be lung as well: shown often, it
        # makes lung without vessels air.
        offset = rng.normal(0.0, 15.0) if rng.random() < 0.8 else rng.uniform(-120.0, 50.0)
        hu = hu * rng.uniform(0.96, 1.04) + offset
    if rng.random() < 0.15:  # narrow lung-window sources
        hu = hu.clamp(rng.uniform(-1024.0, -950.0), rng.uniform(60.0, 350.0))
    visible = torch.ones_like(hu, dtype=torch.bool)
    if rng.random() < 0.15:
        visible = _field_of_view(hu, rng)
        hu = torch.where(visible, hu, torch.full_like(hu, -1024.0))
    return hu, visible


def paint_surroundings(hu: torch.Tensor, outside: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> None:
    """Draw a table and arms, in place, where ``outside`` (bool) says that there is no body."""
    rows = torch.arange(hu.shape[0], dtype=torch.float32)[:, None]
    columns = torch.arange(hu.shape[1], dtype=torch.float32)[None, :]
    if rng.random() < 0.6:
        body_rows = torch.nonzero((~outside).any(dim=1))
        bottom = float(body_rows.max()) if len(body_rows) else hu.shape[0] * 0.8
        bend = rng.uniform(-0.002, 0.002) * (columns - hu.shape[1] / 2) ** 2
        depth = rows - (bottom + rng.uniform(-8.0, 15.0) / pixel_mm) - bend
        for _ in range(int(rng.integers(1, 4))):
            thickness = rng.uniform(1.0, 6.0) / pixel_mm
            painted = torch.where(depth.abs() < thickness / 2, rng.uniform(-700.0, 200.0), hu)
            hu[outside] = painted[outside]
            depth = depth - rng.uniform(5.0, 30.0) / pixel_mm
        if rng.random() < 0.3:
            painted = torch.where(depth > 0, rng.uniform(-950.0, -600.0), hu)  # foam
            hu[outside] = painted[outside]
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 3))):
            y = rng.uniform(0.1, 0.9) * hu.shape[0]
            x = rng.choice([rng.uniform(-0.02, 0.12), rng.uniform(0.88, 1.02)]) * hu.shape[1]
            distance = torch.sqrt(((rows - y) / rng.uniform(0.7, 1.6)) ** 2 + (columns - x) ** 2) * pixel_mm
            radius = rng.uniform(25.0, 55.0)
            arm = torch.where(distance < radius, -100.0, hu)  # skin and fat
            arm = torch.where(distance < radius * 0.85, rng.uniform(20.0, 70.0), arm)
            arm = torch.where(distance < 12.0, rng.uniform(200.0, 1000.0), arm)
            hu[outside] = arm[outside]


def _contrast(hu: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> torch.Tensor:
    if rng.random() < 0.15:  # contrast medium somewhere in soft tissue
        field = smooth_noise(rng, (hu.shape[0], hu.shape[1]), rng.uniform(15.0, 50.0) / pixel_mm)
        blobs = torch.sigmoid(4.0 * (field - rng.uniform(0.3, 1.5)))
        soft = ((hu + 50.0) / 60.0).clamp(0.0, 1.0)
        hu = hu + blobs * soft * rng.uniform(50.0, 300.0)
    return hu


def _kernel(hu: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> torch.Tensor:
    choice = rng.random()
    if choice < 0.25:
        return _gaussian(hu, rng.uniform(0.4, 1.6) / pixel_mm)
    if choice < 0.45:
        return hu + rng.uniform(0.3, 1.8) * (hu - _gaussian(hu, rng.uniform(0.6, 1.5) / pixel_mm))
    return hu


def _noise(hu: torch.Tensor, pixel_mm: float, rng: np.random.Generator, always: bool = False) -> torch.Tensor:
    shape = (hu.shape[0], hu.shape[1])
    choice = rng.random() * (0.45 if always else 1.0)
    if choice < 0.45:
        sigma = rng.uniform(5.0, 60.0) if choice < 0.36 else rng.uniform(60.0, 220.0)
        noise = smooth_noise(rng, shape, 1.0)
        if rng.random() < 0.5:
            noise = _gaussian(noise, rng.uniform(0.4, 1.2) / pixel_mm)
            noise = noise / (noise.std() + 1e-6)
        if rng.random() < 0.5:  # denser paths are noisier
            noise = noise * (1.0 + 0.5 * smooth_noise(rng, shape, 60.0 / pixel_mm)).clamp(min=0.2)
        hu = hu + sigma * noise
    if rng.random() < 0.1:  # streaks along the shoulders' long axis
        lines = smooth_noise(rng, (shape[0], 1), 1.5).expand(shape)
        hu = hu + rng.uniform(10.0, 80.0) * lines * torch.sigmoid(2.0 * smooth_noise(rng, shape, 60.0 / pixel_mm))
    return hu


def _field_of_view(hu: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    rows = torch.arange(hu.shape[0], dtype=torch.float32)[:, None] - hu.shape[0] * rng.uniform(0.4, 0.6)
    columns = torch.arange(hu.shape[1], dtype=torch.float32)[None, :] - hu.shape[1] * rng.uniform(0.4, 0.6)
    if rng.random() < 0.6:
        return torch.sqrt(rows**2 + columns**2) < hu.shape[0] * rng.uniform(0.4, 0.65)
    return (rows.abs() < hu.shape[0] * rng.uniform(0.35, 0.5)) & (columns.abs() < hu.shape[1] * rng.uniform(0.33, 0.5))


def _gaussian(image: torch.Tensor, sigma: float) -> torch.Tensor:
    reach = max(1, int(np.ceil(2.5 * sigma)))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float32) / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = functional.pad(image[None, None], (reach, reach, reach, reach), mode="replicate")
    return functional.conv2d(functional.conv2d(padded, kernel[None, None, :, None]), kernel[None, None, None, :])[0, 0]
