"""A bulla and a pneumothorax are told from aerated lung, also where the scan is noisy, offset or shows emphysema."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage
from synthetic_thorax import AIR, LUNG, Thorax

from LungSegResNetLib.labels import LEFT_LUNG, RIGHT_LUNG
from LungSegResNetLib.lungs.empty_air import empty_air_ml

SPACING = (10.0, 1.0, 1.0)


def scanned(noise: float = 15.0, spacing: tuple[float, float, float] = SPACING) -> tuple[np.ndarray, np.ndarray]:
    image, mask = Thorax(noise=noise).scan(spacing[::-1])
    return sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(mask)


def front_of(mask: np.ndarray, side: int, share: float) -> np.ndarray:
    """The front part of a lung (bool), where the air of a pneumothorax gathers in a patient who lies on the back."""
    front = mask == side
    rows = np.flatnonzero(front.any(axis=(0, 2)))
    front[:, int(rows[0] + share * (rows[-1] + 1 - rows[0])) :] = False
    return front


@pytest.mark.parametrize("spacing", [SPACING, (1.0, 1.6, 1.6), (8.0, 0.7, 0.9)])
@pytest.mark.parametrize("side", [RIGHT_LUNG, LEFT_LUNG])
def test_the_air_of_a_pneumothorax_is_measured_in_its_lung(side: int, spacing: tuple[float, float, float]) -> None:
    hu, mask = scanned(spacing=spacing)
    air = front_of(mask, side, 0.4)
    hu[air] = np.minimum(hu[air] + int(AIR - LUNG), -960)  # the noise stays, vessels go
    empty = empty_air_ml(hu, mask, spacing)
    painted = np.count_nonzero(air) * np.prod(spacing) / 1000
    assert painted > 100
    assert 0.7 * painted < empty[side] < painted
    assert empty[3 - side] == 0
    np.testing.assert_array_equal(empty_air_ml(hu.astype(np.float32), mask, spacing), empty)


@pytest.mark.parametrize(("noise", "offset"), [(15.0, 0), (200.0, 0), (15.0, -60), (100.0, -60)])
def test_aerated_lung_is_not_empty_whatever_its_noise_and_offset(noise: float, offset: int) -> None:
    hu, mask = scanned(noise)
    assert empty_air_ml(hu + offset, mask, SPACING).max() < 1


def test_emphysema_of_many_small_holes_is_lung() -> None:
    hu, mask = scanned()
    score = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal(hu.shape), (0.5, 2.0, 2.0))
    holes = (mask > 0) & (score > np.quantile(score, 0.7))
    hu[holes] = -990
    assert np.count_nonzero(holes) * np.prod(SPACING) / 1000 > 500
    assert empty_air_ml(hu, mask, SPACING).max() < 5


def test_air_outside_of_the_mask_and_an_empty_mask_count_nothing() -> None:
    hu, mask = scanned()
    mask[front_of(mask, RIGHT_LUNG, 0.3)] = 0
    hu[mask == 0] = -1000
    assert not empty_air_ml(hu, mask, SPACING).any()
    assert not empty_air_ml(hu, np.zeros_like(mask), SPACING).any()
