"""From a cached case to one augmented training slice, at the size and scaling the network sees when it is used."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch.nn import functional

from LungSegResNetLib.lungs.preprocessing import scale_hu
from LungSegResNetLib.network.architecture import HU_WINDOW

from . import simulated_disease as disease
from . import simulated_pitfalls as pitfalls
from .simulated_disease import LARGEST_MASS_MM
from .simulated_scanner import degrade, paint_surroundings
from .slice_cache import BODY, LEFT, PIXEL_MM, RIGHT, CachedCase
from .smooth_noise import smooth_noise


@dataclass(frozen=True)
class AugmentationSettings:
    """Probabilities of each change; ``AugmentationSettings.none()`` shows the slices as they are.

    ``largest_mass_mm`` is the radius up to which masses are painted.
    """

    geometry: float = 1.0
    scanner: float = 1.0
    surroundings: float = 0.3
    emphysema: float = 0.06
    disease: float = 0.5
    effusion: float = 0.25
    raised_diaphragm: float = 0.12
    gas: float = 0.15
    wall_air: float = 0.08
    even_tissue: float = 0.25
    largest_mass_mm: float = LARGEST_MASS_MM

    @classmethod
    def none(cls) -> AugmentationSettings:
        """No augmentation, as in the article."""
        return cls(**{field.name: 0.0 for field in fields(cls) if field.name != "largest_mass_mm"})


def training_slice(
    case: CachedCase, index: int, settings: AugmentationSettings, rng: np.random.Generator, shrink: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """One slice of a case: network input (1, h, w), float32 0..1, and target (h, w), int64 (1 = lung).

    Parameters
    ----------
    index : slice of the case.
    shrink : 1 for the frame's own size, 2 for half of it (pixels twice as large), and so on.
    rng : the only source of chance: the same state gives the same slice.
    """
    reach = _reach_of_thick_slice(case, rng) if rng.random() < 0.25 * settings.scanner else 0
    hu, classes = _mean_slice(case, index, reach), np.array(case.labels[index])
    if rng.random() < settings.raised_diaphragm:
        raise_diaphragm(case, index, reach, hu, classes, rng)
    labels = torch.from_numpy(classes)
    right, left = labels == RIGHT, labels == LEFT
    source = torch.stack([torch.from_numpy(hu), right.float(), left.float(), (labels >= BODY).float()])
    source[0] -= HU_WINDOW[0]  # so that outside of the source is air
    grid, pixel_mm = _sampling_grid(case, rng, augment=rng.random() < settings.geometry)
    sampled = functional.grid_sample(
        source[None], grid[None], mode="bilinear", padding_mode="zeros", align_corners=True
    )
    if shrink > 1:
        sampled = functional.avg_pool2d(sampled, shrink)
        pixel_mm *= shrink
    image, (right, left, body) = sampled[0, 0] + HU_WINDOW[0], sampled[0, 1:] > 0.5
    lung = (sampled[0, 1] + sampled[0, 2]) > 0.5
    right, left = right & lung, lung & ~right

    # Slices without lung most of all have to show that even tissue is not lung.
    even = rng.random() < settings.even_tissue * (1 if bool(lung.any()) else 2)
    if even:
        pitfalls.even_tissue(image, body & ~(right | left), pixel_mm, rng)
    noise_told = even  # whether something was painted that only its noise would tell from tissue
    if bool(lung.any()):
        if rng.random() < settings.emphysema:
            disease.emphysema(image, right | left, pixel_mm, rng)
        healthy, whole = image.clone(), right | left
        if rng.random() < settings.disease:
            noise_told |= disease.paint_disease(image, right, left, pixel_mm, rng, settings.largest_mass_mm)
        if rng.random() < settings.effusion:
            side = right if rng.random() < 0.5 else left
            if int(side.sum()) * pixel_mm**2 > 500.0:
                lung = lung & ~disease.effusion(image, side, pixel_mm, rng)
                noise_told = True
        disease.settle_border(image, healthy, whole, pixel_mm)
    if rng.random() < settings.gas:
        pitfalls.gas_pocket(image, body & ~(right | left), pixel_mm, rng)
    if rng.random() < settings.wall_air:
        pitfalls.wall_air(image, body | right | left, right | left, pixel_mm, rng)
    if rng.random() < settings.surroundings:
        paint_surroundings(image, ~(body | right | left), pixel_mm, rng)
    if rng.random() < settings.scanner:
        image, visible = degrade(image, pixel_mm, rng, same_noise=noise_told)
        lung = lung & visible
    scaled = torch.from_numpy(scale_hu(image.numpy(), HU_WINDOW))
    return scaled[None], lung.long()


def _reach_of_thick_slice(case: CachedCase, rng: np.random.Generator) -> int:
    """How many neighbours on each side a scan with thicker slices would show together; at most 8 mm in all."""
    reach = int(rng.integers(1, 3))
    while reach > 0 and (2 * reach + 1) * case.spacing_z > 8.0:
        reach -= 1
    return reach


def _mean_slice(case: CachedCase, index: int, reach: int) -> np.ndarray:
    """Mean (float32) of a slice and its neighbours, as many as ``reach`` on each side."""
    first, last = max(0, index - reach), min(len(case.hu), index + reach + 1)
    return np.asarray(case.hu[first:last], dtype=np.float32).mean(axis=0)


def raise_diaphragm(
    case: CachedCase, index: int, reach: int, hu: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> None:
    """Raise the diaphragm on one side, in ``hu`` and ``labels`` of a slice: the body 10 to 80 mm below replaces lung.

    It is real liver, spleen or heart beside real lung, from which solid lung has to be told; as thick as the slice is
    (``reach``), or its noise would tell it.
    """
    side = RIGHT if rng.random() < 0.6 else LEFT
    below = max(0, index - max(1, round(rng.uniform(10.0, 80.0) / case.spacing_z)))
    risen = (labels == side) & (np.asarray(case.labels[below]) == BODY)
    hu[risen] = _mean_slice(case, below, reach)[risen]
    labels[risen] = BODY


def _sampling_grid(case: CachedCase, rng: np.random.Generator, augment: bool) -> tuple[torch.Tensor, float]:
    """Grid (h, w, 2) for ``grid_sample`` from the case's 1 mm pixels to the network slice, and its pixel size in mm."""
    frame = case.frame
    rows, columns = frame.shape
    y = torch.arange(rows, dtype=torch.float32)[:, None].expand(rows, columns) - (rows - 1) / 2
    x = torch.arange(columns, dtype=torch.float32)[None, :].expand(rows, columns) - (columns - 1) / 2
    centre_y = frame.start_y + (rows - 1) / 2 * frame.pixel_mm
    centre_x = frame.start_x + (columns - 1) / 2 * frame.pixel_mm
    pixel = frame.pixel_mm
    if augment:
        if rng.random() < 0.12:  # a field of view as for the heart, which cuts through both lungs
            pixel *= rng.uniform(0.42, 0.65)
        else:
            pixel *= float(np.exp(rng.uniform(np.log(0.65), np.log(1.3))))
        stretch = float(np.exp(rng.normal(0.0, 0.06)))
        turn = rng.random()
        angle = np.deg2rad(rng.normal(0.0, 8.0))
        if turn < 0.10:
            angle += np.pi
        elif turn < 0.16:
            angle = rng.uniform(-np.pi, np.pi)
        mirror = -1.0 if rng.random() < 0.5 else 1.0
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        u, v = x * stretch * mirror, y / stretch
        x, y = cos * u - sin * v, sin * u + cos * v
        shift = 0.08 * np.array(frame.shape) * rng.standard_normal(2).clip(-2, 2)
        # The smaller the field of view, the further it may wander; the body stays mostly in view.
        y, x = y + float(shift[0]), x + float(shift[1])
        if rng.random() < 0.5:
            scale, strength = rng.uniform(25.0, 80.0), rng.uniform(0.5, 3.5)
            y = y + strength * smooth_noise(rng, frame.shape, scale)
            x = x + strength * smooth_noise(rng, frame.shape, scale)
    source_y = (centre_y + y * pixel) / PIXEL_MM
    source_x = (centre_x + x * pixel) / PIXEL_MM
    size_y, size_x = case.hu.shape[1:]
    grid = torch.stack([2.0 * source_x / (size_x - 1) - 1.0, 2.0 * source_y / (size_y - 1) - 1.0], dim=-1)
    return grid, pixel
