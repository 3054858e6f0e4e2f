"""What a simulated scanner makes of a slice into which something was painted."""

from __future__ import annotations

import numpy as np
import torch

from LungSegResNetTrainingLib.slices.simulated_scanner import degrade


def high_frequencies(hu: torch.Tensor, inside: torch.Tensor) -> float:
    """Spread (HU) of the differences between pixels and their left neighbours."""
    return float((hu - hu.roll(1, dims=1))[inside].std())


def test_what_was_painted_without_noise_cannot_be_told_by_its_noise() -> None:
    noise = np.random.default_rng(0).standard_normal((120, 160), dtype=np.float32)
    hu = torch.from_numpy(45.0 + 12.0 * noise)
    painted, around = torch.zeros(hu.shape, dtype=torch.bool), torch.zeros(hu.shape, dtype=torch.bool)
    painted[40:80, 30:70] = True
    around[40:80, 90:130] = True
    hu[painted] = 45.0
    ratios = []
    for seed in range(20):
        result, _ = degrade(hu.clone(), 1.0, np.random.default_rng(seed), same_noise=True)
        ratios.append(high_frequencies(result, painted) / high_frequencies(result, around))
    assert 0.75 < np.median(ratios) < 1.25
    assert high_frequencies(hu, painted) < 0.2 * high_frequencies(hu, around), "it could be told before"


def test_now_and_then_all_values_are_off_as_by_a_faulty_header() -> None:
    hu = torch.full((40, 50), -100.0)
    offsets = [float(degrade(hu, 1.0, np.random.default_rng(seed))[0].median()) + 100.0 for seed in range(300)]
    assert any(offset > 45.0 for offset in offsets)
    assert any(offset < -60.0 for offset in offsets)
    assert np.mean(np.abs(offsets) < 40.0) > 0.85
