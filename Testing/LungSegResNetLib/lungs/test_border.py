"""Borders of aerated lung follow the scan; disease, hila and airways are left as the network has them."""

from __future__ import annotations

import numpy as np
import pytest

from LungSegResNetLib.lungs.border import fit_border

LUNG, WALL, AIR = -850, 40, -1000
ROWS, COLUMNS = np.ogrid[:60, :60]


def disc(radius: float) -> np.ndarray:
    """A slice (1, 60, 60) with a disc in the middle (bool)."""
    return (np.hypot(ROWS - 29.5, COLUMNS - 29.5) <= radius)[None]


def scan_of(lung: np.ndarray) -> np.ndarray:
    """Lung in tissue (int16)."""
    return np.where(lung, LUNG, WALL).astype(np.int16)


@pytest.mark.parametrize("error", [-1.0, 1.0])
def test_a_border_that_is_a_pixel_off_comes_to_where_the_scan_has_it(error: float) -> None:
    lung = disc(20)
    before = disc(20 + error)
    after = fit_border(before, scan_of(lung), (2.0, 1.0, 1.0))
    # Slanted borders are moved by less.
    assert (after ^ lung).sum() < 0.25 * (before ^ lung).sum()


@pytest.mark.parametrize(("pixel_mm", "moved"), [(0.5, 2), (1.0, 1), (2.0, 1)])
def test_a_border_moves_by_a_millimetre_or_a_pixel_at_most(pixel_mm: float, moved: int) -> None:
    square = np.zeros((1, 60, 60), bool)
    square[0, 20:40, 20:40] = True
    everywhere = np.full(square.shape, LUNG, np.int16)
    fitted = fit_border(square, everywhere, (2.0, pixel_mm, pixel_mm))
    assert fitted[0, 30].sum() == 20 + 2 * moved


def test_consolidation_at_the_chest_wall_stays() -> None:
    lung = disc(20)
    hu = scan_of(lung)
    dense = lung & (COLUMNS > 36)
    hu[dense] = WALL
    # Beside the aerated lung it may lose a pixel, where its border with the chest wall begins.
    assert (lung & ~fit_border(lung, hu, (2.0, 1.0, 1.0))).sum() <= 8
    hu[lung] = WALL  # a white lung
    np.testing.assert_array_equal(fit_border(lung, hu, (2.0, 1.0, 1.0)), lung)


def test_the_air_of_an_airway_beside_the_lung_stays_out() -> None:
    lung = disc(20)
    hu = np.full(lung.shape, AIR, np.int16)
    hu[lung] = LUNG
    np.testing.assert_array_equal(fit_border(lung, hu, (2.0, 1.0, 1.0)), lung)


def test_noise_does_not_fray_the_border() -> None:
    lung = disc(20)
    noisy = (scan_of(lung) + np.random.default_rng(0).normal(0, 150, lung.shape)).astype(np.int16)
    assert (fit_border(lung, noisy, (2.0, 1.0, 1.0)) ^ lung).sum() < 0.1 * (lung ^ disc(19)).sum()


def test_slices_without_lung_stay_empty() -> None:
    mask = np.zeros((2, 60, 60), bool)
    mask[1] = disc(20)
    fitted = fit_border(mask, np.full(mask.shape, LUNG, np.int16), (2.0, 1.0, 1.0))
    assert not fitted[0].any()
    assert fitted[1].any()


def test_bone_beside_the_lung_takes_no_more_of_it_than_muscle_does() -> None:
    lung = disc(20)
    hu = scan_of(lung)
    hu[disc(24) & ~lung] = 1500  # its blurred density would reach further into the lung
    np.testing.assert_array_equal(fit_border(lung, hu, (2.0, 1.0, 1.0)), lung)


def test_each_slice_has_the_border_that_it_has_alone() -> None:
    lung = np.concatenate([disc(20), disc(12), disc(20)])
    hu, before = scan_of(lung), np.concatenate([disc(19), disc(13), disc(19)])
    alone = [fit_border(before[z : z + 1], hu[z : z + 1], (2.0, 1.0, 1.0)) for z in range(3)]
    np.testing.assert_array_equal(fit_border(before, hu, (2.0, 1.0, 1.0)), np.concatenate(alone))


@pytest.mark.parametrize(("hu", "comes_in"), [(-880, True), (-920, False)])
def test_lung_with_emphysema_comes_in_and_air_does_not(hu: int, comes_in: bool) -> None:
    lung = disc(20)
    fitted = fit_border(lung, np.full(lung.shape, hu, np.int16), (2.0, 1.0, 1.0))
    assert fitted[lung].all()
    assert (fitted & ~lung).any() == comes_in
