from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from LungSegResNetTrainingLib.slices.smooth_noise import smooth_noise


@pytest.mark.parametrize("scale", [1.3, 2.0, 11.7, 90.0])
@pytest.mark.parametrize("shape", [(40, 56), (40, 1)])
def test_the_field_is_a_part_of_a_coarse_grid_drawn_out_by_bicubic_interpolation(
    scale: float, shape: tuple[int, int]
) -> None:
    field = smooth_noise(np.random.default_rng(7), shape, scale)
    rng = np.random.default_rng(7)
    coarse = [int(np.ceil(n / scale)) + 3 for n in shape]
    grid = torch.from_numpy(rng.standard_normal(coarse, dtype=np.float32))[None, None]
    size = [int(np.ceil(n * scale)) for n in coarse]
    whole = functional.interpolate(grid, size=size, mode="bicubic", align_corners=False)[0, 0]
    y, x = (int(rng.integers(0, size[i] - shape[i] + 1)) for i in (0, 1))
    part = whole[y : y + shape[0], x : x + shape[1]]
    torch.testing.assert_close(field, (part - part.mean()) / part.std(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scale", [0.5, 4.0, 30.0])
def test_it_has_zero_mean_and_unit_spread(scale: float) -> None:
    field = smooth_noise(np.random.default_rng(0), (200, 300), scale)
    assert field.shape == (200, 300)
    assert field.dtype == torch.float32
    assert abs(float(field.mean())) < 0.01
    assert float(field.std()) == pytest.approx(1.0, abs=0.01)
