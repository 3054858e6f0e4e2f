"""Disease painted into a slice whose lungs are known, so that dense lungs stay inside the mask.

Opacities (ground glass to consolidation), fibrosis and masses belong to the lung; effusion and air elsewhere do not.
All functions change Hounsfield units of a slice (h, w), float32, in place. Numbers are millimetres and HU.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from .smooth_noise import smooth_noise

LARGEST_MASS_MM = 45.0  # radius
_BORDER_MM = 2.5  # around a lung whose pixels are partly lung, partly what lies there
_TISSUE_HU = (-200.0, 150.0)
_AIRWAY_HU = -650.0  # below: air of its own, as in a main bronchus beside the lung
_LARGEST_DENSE_SHARE = 0.7  # of all lung in a slice: nobody breathes without air, and all solid is a body without lungs


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
        largest = _LARGEST_DENSE_SHARE if both or len(sides) == 1 else 1.0
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
    score = _lobe_score(shape, pixel_mm, rng) if lobar else _patch_score(lung, pixel_mm, rng)
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
        air = _air_bronchograms(shape, pixel_mm, rng)
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
    score = rng.uniform(0.0, 1.5) * _ramp(shape, rng.normal(0.0, 0.5) + (np.pi if rng.random() < 0.15 else 0.0))
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
        air = _air_bronchograms(shape, pixel_mm, rng)
        painted = painted + air * (rng.uniform(-950.0, -500.0) - painted)
    hu[lung] = painted[lung]
    return densest > -100.0


def emphysema(hu: torch.Tensor, lung: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> None:
    """Air without vessels in parts of ``lung`` or, now and then, in all of it, as in bullae.

    A network that knows lung by its vessels, and air outside of the body by having none, takes it for the latter.
    """
    shape = (hu.shape[0], hu.shape[1])
    score = smooth_noise(rng, shape, rng.uniform(15.0, 60.0) / pixel_mm)
    score = score + rng.uniform(0.0, 2.0) * _edge_nearness(lung, rng.uniform(10.0, 40.0) / pixel_mm)
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
    near = _edge_nearness(lung, rng.uniform(8.0, 25.0) / pixel_mm) if rng.random() < 0.8 else torch.ones(shape)
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
    rows, columns = _coordinates(shape)
    edge = lung & (_edge_nearness(lung, 4.0 / pixel_mm) > 0.3)
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
    """Replace the dependent part of one lung (bool mask ``side``) by fluid; now and then all, as after its removal.

    Returns the part taken from the lung (bool).
    """
    shape = (hu.shape[0], hu.shape[1])
    level = _ramp(shape, rng.normal(0.0, 0.25))
    level = level + rng.uniform(0.02, 0.15) * smooth_noise(rng, shape, rng.uniform(40.0, 120.0) / pixel_mm)
    # Fluid climbs along the chest wall (meniscus).
    level = level + rng.uniform(0.0, 0.6) * _edge_nearness(side, rng.uniform(6.0, 20.0) / pixel_mm)
    inside = level[side]
    threshold = torch.quantile(inside[:: max(1, len(inside) // 5000)], 1.0 - rng.uniform(0.05, 0.7))
    amount = torch.sigmoid((level - threshold) * (30.0 / pixel_mm))
    if rng.random() < 0.15:
        amount = torch.ones(shape)
    fluid = rng.uniform(-5.0, 25.0) + _tissue_noise(shape, _level_and_spread(hu)[1], pixel_mm, rng)
    painted = hu + amount * (fluid - hu)
    hu[side] = painted[side]
    return side & (amount > 0.5)


def even_tissue(hu: torch.Tensor, tissue: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> None:
    """Take the structure from parts of the soft tissue in ``tissue`` (bool: body that is not lung).

    Painted lung without air is even, too; that alone must not make it lung.
    """
    shape = (hu.shape[0], hu.shape[1])
    soft = tissue & (hu > _TISSUE_HU[0]) & (hu < _TISSUE_HU[1])
    if not bool(soft.any()):
        return
    score = _lobe_score(shape, pixel_mm, rng) if rng.random() < 0.5 else smooth_noise(rng, shape, 50.0 / pixel_mm)
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
    room = _eroded(tissue, wall)
    indices = torch.nonzero(room)
    if len(indices) == 0:
        return
    rows, columns = _coordinates(shape)
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


def settle_border(hu: torch.Tensor, before: torch.Tensor, lung: torch.Tensor, pixel_mm: float) -> None:
    """Let the pixels around the lung follow what was painted inside it; ``before`` is the slice (h, w) without it.

    They show a mixture of lung and tissue. A dark line left around lung that became as dense as the tissue would give
    its border away, which no scan does. Air filled to a share of the way to the density of the tissue nearby moves the
    mixture by the same share.
    """
    reach = _BORDER_MM / pixel_mm
    inside = lung.numpy().astype(np.float32)
    around = _box_mean(inside, reach)
    values = before.numpy()
    tissue = ((around == 0.0) & (values > _TISSUE_HU[0]) & (values < _TISSUE_HU[1])).astype(np.float32)
    share_of_tissue = _box_mean(tissue, 3.0 * reach)
    beyond = _box_mean(values * tissue, 3.0 * reach) / np.maximum(share_of_tissue, 1e-6)
    filled = ((hu.numpy() - values) / np.maximum(beyond - values, 50.0)).clip(0.0, 1.0)
    filled = _box_mean(filled * inside, reach) / np.maximum(around, 1e-6)
    mixed = (around > 0.0) & (inside == 0.0) & (share_of_tissue > 1e-4) & (values > _AIRWAY_HU) & (values < beyond)
    hu += torch.from_numpy(np.where(mixed, filled * (beyond - values), 0.0).astype(np.float32))


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
    wall = (_edge_nearness(body, rng.uniform(20.0, 45.0) / pixel_mm) > 0.05) & _eroded(body & ~lung, 3.0 / pixel_mm)
    hu += streaks * wall * (rng.uniform(-980.0, -700.0) - hu)


def _patch_score(lung: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> torch.Tensor:
    """Where patches lie: the higher, the sooner it is dense."""
    shape = (lung.shape[0], lung.shape[1])
    score = smooth_noise(rng, shape, rng.uniform(10.0, 70.0) / pixel_mm)
    score = score + rng.uniform(0.0, 0.5) * smooth_noise(rng, shape, rng.uniform(3.0, 10.0) / pixel_mm)
    if rng.random() < 0.5:  # along the pleura
        score = score + rng.uniform(0.5, 3.0) * _edge_nearness(lung, rng.uniform(8.0, 30.0) / pixel_mm)
    if rng.random() < 0.5:  # dependent, mostly at the back
        angle = rng.normal(0.0, 0.5) + (np.pi if rng.random() < 0.15 else 0.0)
        score = score + rng.uniform(0.5, 3.0) * _ramp(shape, angle)
    return score


def _lobe_score(shape: tuple[int, int], pixel_mm: float, rng: np.random.Generator) -> torch.Tensor:
    """One side of a nearly straight line, as a fissure bounds a consolidated lobe."""
    bend = rng.uniform(0.02, 0.12) * smooth_noise(rng, shape, rng.uniform(40.0, 100.0) / pixel_mm)
    if rng.random() < 0.5:  # an upper lobe lies in front, a lower one at the back
        angle = rng.normal(0.0, 0.5) + (np.pi if rng.random() < 0.5 else 0.0)
    else:
        angle = rng.uniform(-np.pi, np.pi)
    return _ramp(shape, angle) + bend


def like_soft_tissue(hu: torch.Tensor, pixel_mm: float, rng: np.random.Generator) -> torch.Tensor:
    """Values (HU) about as high and as noisy as the slice's own soft tissue."""
    level, spread = _level_and_spread(hu)
    level = level + rng.normal(0.0, 12.0) if rng.random() < 0.7 else rng.uniform(10.0, 100.0)
    return level + _tissue_noise((hu.shape[0], hu.shape[1]), spread, pixel_mm, rng)


def _tissue_noise(shape: tuple[int, int], spread: float, pixel_mm: float, rng: np.random.Generator) -> torch.Tensor:
    noise = smooth_noise(rng, shape, rng.uniform(0.7, 2.0) / pixel_mm)
    return spread * rng.uniform(0.6, 1.3) * noise


def _level_and_spread(hu: torch.Tensor) -> tuple[float, float]:
    """Median of the slice's soft tissue and standard deviation of its noise (HU)."""
    inner = hu[1:-1, 1:-1]
    neighbours = (hu[:-2, 1:-1] + hu[2:, 1:-1] + hu[1:-1, :-2] + hu[1:-1, 2:]) / 4.0
    soft = (inner > -20.0) & (inner < 120.0) & ((neighbours - 50.0).abs() < 70.0)
    if int(soft.sum()) <= 100:
        return 45.0, 10.0
    # Of white noise, a pixel less the mean of its four neighbours has a variance larger by a quarter.
    return float(inner[soft].median()), float((inner - neighbours)[soft].std()) / 1.25**0.5


def _air_bronchograms(shape: tuple[int, int], pixel_mm: float, rng: np.random.Generator) -> torch.Tensor:
    """Share of air (0..1) of branching thin tubes and dots."""
    ridge = smooth_noise(rng, shape, rng.uniform(12.0, 30.0) / pixel_mm)
    patches = smooth_noise(rng, shape, rng.uniform(20.0, 40.0) / pixel_mm)
    width = rng.uniform(0.04, 0.12)
    return torch.exp(-((ridge / width) ** 2)) * torch.sigmoid((patches - rng.uniform(0.3, 1.2)) * 4.0)


def _edge_nearness(mask: torch.Tensor, width: float) -> torch.Tensor:
    """1 at the rim of the mask, falling to 0 about ``width`` pixels inside."""
    mean = _box_mean(_box_mean(mask.numpy(), width), width)
    return ((1.0 - torch.from_numpy(mean)) * 2.0).clamp(0.0, 1.0) * mask


def _eroded(mask: torch.Tensor, radius: float) -> torch.Tensor:
    return torch.from_numpy(_box_mean(mask.numpy(), radius)) > 0.999


def _box_mean(image: np.ndarray, reach: float) -> np.ndarray:
    """Mean (float32) of the square around each pixel, 0 outside; running sums take the same time for every size."""
    size = max(1, round(reach)) * 2 + 1
    return ndimage.uniform_filter(image, size, output=np.float32, mode="constant")


def _ramp(shape: tuple[int, int], angle: float) -> torch.Tensor:
    """Plane from -1 to 1 that grows to the back, or turned by ``angle`` (radians)."""
    rows, columns = _coordinates(shape)
    rows, columns = rows / shape[0] * 2.0 - 1.0, columns / shape[1] * 2.0 - 1.0
    return rows * float(np.cos(angle)) + columns * float(np.sin(angle))


def _coordinates(shape: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.arange(shape[0], dtype=torch.float32)[:, None], torch.arange(shape[1], dtype=torch.float32)[None, :]
