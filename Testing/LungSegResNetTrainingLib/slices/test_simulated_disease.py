"""Kinds of simulated disease that training depends on occur, and look as they should."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_chest import NOISE_HU, chest
from scipy import ndimage

from LungSegResNetTrainingLib.slices.simulated_disease import (
    effusion,
    emphysema,
    opacity,
    paint_disease,
    settle_border,
    white_lung,
)


def test_some_consolidated_lobes_are_as_even_as_soft_tissue_and_end_at_a_line() -> None:
    solid = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        hu, lung = chest(rng)
        before = hu.clone()
        opacity(hu, lung, 1.0, rng)
        assert torch.equal(hu[~lung], before[~lung])
        dense = lung & (hu > -60.0)
        share = float(dense.sum() / lung.sum())
        if not 0.2 < share < 0.8:
            continue
        inner = hu[dense]
        centre, spread = float(inner.median()), float((inner - inner.median()).abs().median() / 0.6745)
        if 10.0 <= centre <= 80.0 and 0.7 * NOISE_HU < spread < 1.3 * NOISE_HU:
            # What is neither dense nor aerated is the border, a narrow line for a lobe.
            between = lung & (hu <= -60.0) & (hu > -700.0)
            solid += int(float(between.sum()) < 0.1 * float(lung.sum()))
    assert solid >= 3


def test_one_lung_may_become_white_but_never_all_lung_of_a_slice() -> None:
    rng = np.random.default_rng(0)
    healthy, lung = chest(rng)
    columns = np.indices(lung.shape)[1]
    right, left = lung & torch.from_numpy(columns < 70), lung & torch.from_numpy(columns >= 70)
    nothing = torch.zeros_like(lung)
    white_lungs = 0
    for seed in range(60):
        for sides in ((right, left), (lung, nothing)):
            hu = healthy.clone()
            paint_disease(hu, *sides, 1.0, np.random.default_rng(seed), 20.0)
            assert float((hu[lung] > -60.0).float().mean()) < 0.95
            white_lungs += max(float((hu[side] > -60.0).float().mean()) for side in (right, left)) > 0.98
    assert white_lungs >= 1


def test_a_white_lung_is_dense_nearly_everywhere_and_keeps_some_air_and_its_vessels() -> None:
    healthy, lung = chest(np.random.default_rng(0))
    vessel = torch.zeros_like(lung)
    vessel[60:64, 40:90] = True
    healthy[vessel] = 40.0
    middle = 80
    to_the_back, whiter_than_ground_glass = [], 0
    for seed in range(40):
        hu = healthy.clone()
        as_dense_as_tissue = white_lung(hu, lung, 1.0, np.random.default_rng(seed))
        assert torch.equal(hu[~lung], healthy[~lung])
        assert float((hu[lung] > -750.0).float().mean()) > 0.6
        assert float((hu[vessel] > 0.0).float().mean()) > 0.5
        assert float(hu[lung & ~vessel].min()) < -200.0, "no air is left"
        whiter = float((hu[lung] > -250.0).float().mean()) > 0.7
        assert as_dense_as_tissue or float(hu[lung & ~vessel].median()) < -80.0
        whiter_than_ground_glass += whiter
        back = torch.zeros_like(lung)
        back[middle:] = True
        to_the_back.append(float(hu[lung & back].mean() - hu[lung & ~back].mean()))
    assert whiter_than_ground_glass >= 10
    assert np.median(to_the_back) > 20.0


def test_emphysema_leaves_air_without_vessels_in_a_part_of_the_lung_or_in_all_of_it() -> None:
    healthy, lung = chest(np.random.default_rng(0))
    vessels = lung.clone()
    vessels[:, ::2] = False
    healthy[vessels] = 40.0
    shares_lost = []
    for seed in range(40):
        hu = healthy.clone()
        emphysema(hu, lung, 1.0, np.random.default_rng(seed))
        assert torch.equal(hu[~lung], healthy[~lung])
        assert bool((hu[vessels] < healthy[vessels] + 1.0).all()), "denser than it was"
        shares_lost.append(float((hu[vessels] < -700.0).float().mean()))
    assert min(shares_lost) > 0.02
    assert 8 <= sum(share > 0.99 for share in shares_lost) <= 25
    assert sum(share < 0.8 for share in shares_lost) >= 8


def test_fluid_lies_mostly_at_the_back_and_now_and_then_elsewhere_at_the_border() -> None:
    healthy, lung = chest(np.random.default_rng(0))
    right = lung & (torch.arange(lung.shape[1])[None, :] < 70)
    rows = torch.arange(lung.shape[0], dtype=torch.float32)[:, None].expand(lung.shape)
    at_the_back = in_front = 0
    for seed in range(80):
        fluid = effusion(healthy.clone(), right, 1.0, np.random.default_rng(seed))
        if 0.1 < float(fluid.sum() / right.sum()) < 0.5:
            higher = float(rows[right].mean() - rows[fluid].mean())
            at_the_back += higher < -5.0
            in_front += higher > 5.0
    assert at_the_back > 2 * in_front > 4


def test_fluid_now_and_then_takes_the_place_of_a_whole_lung() -> None:
    healthy, lung = chest(np.random.default_rng(0))
    shares = [
        float(effusion(healthy.clone(), lung, 1.0, np.random.default_rng(seed))[lung].float().mean())
        for seed in range(60)
    ]
    assert 3 <= sum(share == 1.0 for share in shares) <= 20


def test_fluid_is_as_noisy_as_soft_tissue_so_that_noise_does_not_tell_it_from_solid_lung() -> None:
    rng = np.random.default_rng(0)
    healthy, lung = chest(rng)
    spreads = []
    for seed in range(12):
        hu = healthy.clone()
        fluid = effusion(hu, lung, 1.0, np.random.default_rng(seed))
        assert bool((fluid & ~lung).sum() == 0)
        inner = hu[fluid & (hu > -50.0)]
        assert 0.0 - 3 * NOISE_HU < float(inner.median()) < 30.0
        spreads.append(float((inner - inner.median()).abs().median() / 0.6745))
    assert 0.7 * NOISE_HU < float(np.median(spreads)) < 1.3 * NOISE_HU


def scanned(lung_hu: float) -> torch.Tensor:
    """A round lung, 46 mm in radius, in soft tissue with a rib and a bronchus beside it, as a scanner blurs it."""
    rows, columns = np.indices((160, 200)) - np.array([[[80.0]], [[90.0]]])
    hu = np.where(np.hypot(rows, columns) < 46.0, lung_hu, 40.0)
    hu[np.hypot(rows, columns - 54.0) < 4.0] = 700.0
    hu[np.hypot(rows, columns + 54.0) < 4.0] = -990.0
    return torch.from_numpy(ndimage.gaussian_filter(hu, 1.0).astype(np.float32))


@pytest.mark.parametrize("density", [40.0, -100.0, -400.0])
def test_the_border_of_lung_that_became_dense_is_the_one_a_scanner_would_show(density: float) -> None:
    healthy, expected = scanned(-850.0), scanned(density)
    rows, columns = np.indices(healthy.shape) - np.array([[[80.0]], [[90.0]]])
    lung = torch.from_numpy((np.hypot(rows, columns) < 50.0) & (healthy.numpy() < -420.0))
    painted = torch.where(lung, torch.maximum(healthy, torch.tensor(density)), healthy)
    around = torch.from_numpy(ndimage.binary_dilation(lung.numpy(), np.ones((5, 5)))) & ~lung
    before = (painted - expected)[around].abs()
    settle_border(painted, healthy, lung, 1.0)
    after = (painted - expected)[around].abs()
    assert float(after.mean()) < 0.35 * float(before.mean())
    assert float(after.max()) < 0.35 * float(before.max())
    # The rib, the bronchus and what lies further away stay as they were.
    assert torch.equal(painted[~(lung | around)], healthy[~(lung | around)])


def test_the_border_of_lung_that_nothing_was_painted_into_stays_as_it_is() -> None:
    healthy = scanned(-850.0)
    image = healthy.clone()
    settle_border(image, healthy, healthy < -420.0, 1.0)
    assert torch.equal(image, healthy)
