"""Disease painted into a slice whose lungs are known, so that dense lungs stay inside the mask.

Opacities (ground glass to consolidation), emphysema, fibrosis and masses belong to the lung; effusion does not.
All functions change Hounsfield units of a slice (h, w), float32, in place. Numbers are millimetres and HU.
"""

from __future__ import annotations

import numpy as np
import torch

from .painted_shapes import (
    TISSUE_HU,
    air_bronchograms,
    box_mean,
    coordinates,
    edge_nearness,
    level_and_spread,
    like_soft_tissue,
    lobe_score,
    patch_score,
    ramp,
    tissue_noise,
)
from .smooth_noise import smooth_noise

LARGEST_MASS_MM = 45.0  # radius
_BORDER_MM = 2.5  # around a lung whose pixels are partly lung, partly what lies there
_AIRWAY_HU = -650.0  # below: air of its own, as in a main bronchus beside the lung
_LARGEST_DENSE_SHARE = 0.7  # of all lung in a slice: nobody breathes without air, and all solid is a body without lungs
_LARGEST_SOLID_SHARE = 0.9  # of one lung: nothing in a slice tells a side without air from one that is full of fluid


def paint_disease(
    hu: torch.Tensor,
    right: torch.Tensor,
    left: torch.Tensor,
    pixel_mm: float,
    rng: np.random.Generator,
    largest_mass_mm: float = LARGEST_MASS_MM,
) -> bool:
    """Paint one to three kinds of disease into one or both lungs; ``right`` and ``left`` are bool masks (h, w).

    Returns whether a part is as solid as the tissue around the lung, from which only its place and its noise tell it.
    """
    sides = [side for side in (right, left) if int(side.sum()) * pixel_mm**2 > 300.0]
    if not sides:
        return False
    both = rng.random() < 0.5
    lung = torch.stack(sides).any(dim=0) if both else sides[int(rng.integers(len(sides)))]
    kind = rng.random()
    solid = False
    if kind < 0.2:
        solid = white_lung(hu, lung, pixel_mm, rng)
    elif kind < 0.75:
        largest = _LARGEST_DENSE_SHARE if both or len(sides) == 1 else _LARGEST_SOLID_SHARE
        solid = opacity(hu, lung, pixel_mm, rng, largest)
    if kind > 0.65:
        mass(hu, lung, pixel_mm, rng, largest_mass_mm)
    if rng.random() < 0.2:
        fibrosis(hu, lung, pixel_mm, rng)
    return solid


def opacity(
    hu: torch.Tensor, lung: torch.Tensor, pixel_mm: float, rng: np.random.Generator, largest_dense_share: float = 1.0
) -> bool:
    """Ground glass to consolidation: in patches, along the pleura, in the dependent part, in a lobe, or everywhere.

    Consolidation fills at most ``largest_dense_share`` of ``lung``. Returns whether it is a lobe as solid as tissue.
    """
    shape = (hu.shape[0], hu.shape[1])
    lobar = rng.random() < 0.5
    score = lobe_score(shape, pixel_mm, rng) if lobar else patch_score(lung, pixel_mm, rng)
    extent = 1.0 if rng.random() < 0.2 else rng.beta(1.2, 1.4)
    dense = lobar or rng.random() < 0.6
    if dense:
        extent = min(extent, largest_dense_share)
    inside = score[lung]
    some = inside[:: max(1, len(inside) // 5000)]
    threshold = torch.quantile(some, 1.0 - extent) if extent < 1.0 else inside.min() - 1.0
    softness = rng.uniform(0.01, 0.05) if lobar else rng.uniform(0.03, 0.5)
    amount = torch.sigmoid((score - threshold) / softness)

    solid = lobar and rng.random() < 0.65
    if solid:  # no air left: as even as muscle or liver
        texture = like_soft_tissue(hu, pixel_mm, rng)
    else:
        level = rng.uniform(-30.0, 90.0) if dense else rng.uniform(-650.0, -100.0)
        texture = level + rng.uniform(5.0, 40.0) * smooth_noise(rng, shape, rng.uniform(2.0, 12.0) / pixel_mm)
        if not dense or rng.random() < 0.3:
            texture = texture + rng.uniform(20.0, 150.0) * smooth_noise(rng, shape, rng.uniform(5.0, 30.0) / pixel_mm)
    texture = texture.clamp(-900.0, 150.0)
    if rng.random() < 0.45:
        air = air_bronchograms(shape, pixel_mm, rng)
        texture = texture + air * (rng.uniform(-950.0, -500.0) - texture)
    # Vessels stay visible in ground glass because what is denser already is not made lighter.
    target = texture if dense else torch.maximum(texture, hu)
    strength = 1.0 if solid else rng.uniform(0.85, 1.0)
    painted = hu + amount * strength * (target - hu)
    hu[lung] = painted[lung]
    return solid


def white_lung(hu: torch.Tensor, lung: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> bool:
    """Nearly all of ``lung`` dense, mostly the more the further back, as in acute respiratory distress.

    Where it is least dense or in its bronchi some air is left. Returns whether a part is as dense as tissue.
    """
    shape = (hu.shape[0], hu.shape[1])
    score = rng.uniform(0.0, 1.5) * ramp(shape, rng.normal(0.0, 0.5) + (np.pi if rng.random() < 0.15 else 0.0))
    score = score + rng.uniform(0.1, 0.6) * smooth_noise(rng, shape, rng.uniform(15.0, 70.0) / pixel_mm)
    some = score[lung][:: max(1, int(lung.sum()) // 5000)]
    low, high = torch.quantile(some, 0.03), torch.quantile(some, 0.97)
    grade = ((score - low) / (high - low).clamp(min=1e-3)).clamp(0.0, 1.0) ** float(np.exp(rng.normal(0.0, 0.6)))
    lightest = rng.uniform(-700.0, -50.0)
    densest = rng.uniform(max(lightest, -250.0), 70.0)
    texture = lightest + (densest - lightest) * grade
    texture = texture + rng.uniform(5.0, 60.0) * smooth_noise(rng, shape, rng.uniform(2.0, 15.0) / pixel_mm)
    # Vessels stay visible because what is denser already is not made lighter.
    painted = torch.maximum(texture.clamp(-900.0, 150.0), hu)
    if lightest > -250.0 or rng.random() < 0.5:
        air = air_bronchograms(shape, pixel_mm, rng)
        painted = painted + air * (rng.uniform(-950.0, -500.0) - painted)
    hu[lung] = painted[lung]
    return densest > -100.0


def emphysema(hu: torch.Tensor, lung: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> None:
    """Air without vessels in parts of ``lung`` or, now and then, in all of it, as in bullae.

    A network that knows lung by its vessels, and air outside of the body by having none, takes it for the latter.
    """
    shape = (hu.shape[0], hu.shape[1])
    score = smooth_noise(rng, shape, rng.uniform(15.0, 60.0) / pixel_mm)
    score = score + rng.uniform(0.0, 2.0) * edge_nearness(lung, rng.uniform(10.0, 40.0) / pixel_mm)
    some = score[lung][:: max(1, int(lung.sum()) // 5000)]
    extent = 1.0 if rng.random() < 0.4 else rng.uniform(0.1, 0.9)
    threshold = torch.quantile(some, 1.0 - extent) if extent < 1.0 else some.min() - 10.0
    amount = torch.sigmoid((score - threshold) / rng.uniform(0.02, 0.3))
    air = rng.uniform(-1000.0, -800.0) + rng.uniform(2.0, 20.0) * smooth_noise(rng, shape, 1.0)
    painted = hu + amount * (air - hu)
    hu[lung] = painted[lung]


def fibrosis(hu: torch.Tensor, lung: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> None:
    """Reticulation: thin dense lines, mostly near the pleura, with traction cysts between them."""
    shape = (hu.shape[0], hu.shape[1])
    lines = torch.exp(-((smooth_noise(rng, shape, rng.uniform(4.0, 10.0) / pixel_mm) / rng.uniform(0.1, 0.25)) ** 2))
    near = edge_nearness(lung, rng.uniform(8.0, 25.0) / pixel_mm) if rng.random() < 0.8 else torch.ones(shape)
    painted = hu + (lines * near * rng.uniform(200.0, 700.0)).clamp(max=900.0)
    hu[lung] = torch.minimum(painted, torch.maximum(hu, torch.full_like(hu, 60.0)))[lung]


def mass(
    hu: torch.Tensor,
    lung: torch.Tensor,
    pixel_mm: float,
    rng: np.random.Generator,
    largest_mm: float = LARGEST_MASS_MM,
) -> None:
    """One to three round or lobulated masses up to a radius, often at the pleura, sometimes with a cavity."""
    shape = (hu.shape[0], hu.shape[1])
    rows, columns = coordinates(shape)
    edge = lung & (edge_nearness(lung, 4.0 / pixel_mm) > 0.3)
    for _ in range(int(rng.integers(1, 4))):
        places = edge if rng.random() < 0.6 and bool(edge.any()) else lung
        indices = torch.nonzero(places)
        y, x = indices[int(rng.integers(len(indices)))].tolist()
        radius = rng.uniform(6.0, largest_mm) / pixel_mm
        stretch = float(np.exp(rng.normal(0.0, 0.25)))
        distance = torch.sqrt(((rows - y) * stretch) ** 2 + ((columns - x) / stretch) ** 2)
        distance = distance * (1.0 + rng.uniform(0.0, 0.3) * smooth_noise(rng, shape, max(radius / 2, 2.0)))
        amount = torch.sigmoid((radius - distance) / rng.uniform(0.4, 1.5))
        density, texture = rng.uniform(0.0, 90.0), rng.uniform(2.0, 25.0)
        content = density + texture * smooth_noise(rng, shape, rng.uniform(2.0, 10.0) / pixel_mm)
        painted = hu + amount * (content - hu)
        if rng.random() < 0.15:
            cavity = torch.sigmoid((rng.uniform(0.3, 0.7) * radius - distance) / 1.0)
            painted = painted + cavity * (-980.0 - painted)
        hu[lung] = painted[lung]


def effusion(hu: torch.Tensor, side: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> torch.Tensor:
    """Replace a part of one lung (bool mask ``side``) by fluid; now and then all, as after its removal.

    It lies in the dependent part or, held by adhesions, anywhere at the border of the lung.

    Returns the part taken from the lung (bool).
    """
    shape = (hu.shape[0], hu.shape[1])
    free = rng.random() < 0.6  # else it is held somewhere by adhesions
    level = ramp(shape, rng.normal(0.0, 0.25) if free else rng.uniform(-np.pi, np.pi))
    level = level + rng.uniform(0.02, 0.15) * smooth_noise(rng, shape, rng.uniform(40.0, 120.0) / pixel_mm)
    # Fluid climbs along the chest wall (meniscus), or lies around the lung.
    climbing = rng.uniform(0.0, 0.6) if free else rng.uniform(0.0, 2.5)
    level = level + climbing * edge_nearness(side, rng.uniform(6.0, 20.0 if free else 40.0) / pixel_mm)
    inside = level[side]
    threshold = torch.quantile(inside[:: max(1, len(inside) // 5000)], 1.0 - rng.uniform(0.05, 0.85))
    amount = torch.sigmoid((level - threshold) * (30.0 / pixel_mm))
    if rng.random() < 0.15:
        amount = torch.ones(shape)
    fluid = rng.uniform(-5.0, 25.0) + tissue_noise(shape, level_and_spread(hu)[1], pixel_mm, rng)
    painted = hu + amount * (fluid - hu)
    hu[side] = painted[side]
    return side & (amount > 0.5)


def settle_border(hu: torch.Tensor, before: torch.Tensor, lung: torch.Tensor, pixel_mm: float) -> None:
    """Let the pixels around the lung follow what was painted inside it; ``before`` is the slice (h, w) without it.

    They show a mixture of lung and tissue. A dark line left around lung that became as dense as the tissue would give
    its border away, which no scan does. Air filled to a share of the way to the density of the tissue nearby moves the
    mixture by the same share.
    """
    reach = _BORDER_MM / pixel_mm
    inside = lung.numpy().astype(np.float32)
    around = box_mean(inside, reach)
    values = before.numpy()
    tissue = ((around == 0.0) & (values > TISSUE_HU[0]) & (values < TISSUE_HU[1])).astype(np.float32)
    share_of_tissue = box_mean(tissue, 3.0 * reach)
    beyond = box_mean(values * tissue, 3.0 * reach) / np.maximum(share_of_tissue, 1e-6)
    filled = ((hu.numpy() - values) / np.maximum(beyond - values, 50.0)).clip(0.0, 1.0)
    filled = box_mean(filled * inside, reach) / np.maximum(around, 1e-6)
    mixed = (around > 0.0) & (inside == 0.0) & (share_of_tissue > 1e-4) & (values > _AIRWAY_HU) & (values < beyond)
    hu += torch.from_numpy(np.where(mixed, filled * (beyond - values), 0.0).astype(np.float32))
