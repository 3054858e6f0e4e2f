"""Domes of the diaphragm are taken out; masses, vessels and consolidation at the chest wall stay in."""

from __future__ import annotations

import numpy as np
import pytest

from LungSegResNetLib.lungs.diaphragm import without_domes

SPACING = (5.0, 2.0, 2.0)
LUNG, TISSUE = -850, 50


def lung_block() -> tuple[np.ndarray, np.ndarray]:
    """Mask and HU of a lung of 12 slices, 140 x 140 mm, in tissue."""
    mask = np.zeros((12, 90, 90), bool)
    mask[1:, 10:80, 10:80] = True
    return mask, np.where(mask, LUNG, TISSUE).astype(np.int16)


def put(hu: np.ndarray, slices: range, radius: float, centre: tuple[int, int] = (45, 45)) -> np.ndarray:
    """Make a cylinder dense (radius in mm) and return where it is."""
    rows, columns = np.ogrid[: hu.shape[1], : hu.shape[2]]
    disc = np.hypot(rows - centre[0], columns - centre[1]) * 2.0 < radius
    where = np.zeros(hu.shape, bool)
    where[list(slices)] = disc
    hu[where] = TISSUE
    return where


def test_a_dome_that_the_network_took_for_lung_is_removed() -> None:
    mask, hu = lung_block()
    dome = put(hu, range(1, 5), 40.0)
    result = without_domes(mask, hu, SPACING)
    # The opening by a pixel leaves the outermost rim of the island.
    assert result[dome].mean() < 0.15
    assert result[mask & ~dome].all()


def test_a_dome_that_was_half_left_out_is_removed_whole() -> None:
    mask, hu = lung_block()
    dome = put(hu, range(1, 6), 40.0)
    mask[:, 10:46][dome[:, 10:46]] = False
    result = without_domes(mask, hu, SPACING)
    assert result[dome].mean() < 0.15


def test_a_mass_inside_the_lung_stays() -> None:
    mask, hu = lung_block()
    put(hu, range(4, 8), 40.0)
    np.testing.assert_array_equal(without_domes(mask, hu, SPACING), mask)


def test_a_mass_of_which_the_lowest_slice_was_missed_stays_because_lung_lies_below_it() -> None:
    mask, hu = lung_block()
    mass = put(hu, range(4, 10), 40.0)
    mask[4][mass[4]] = False
    np.testing.assert_array_equal(without_domes(mask, hu, SPACING), mask)


def test_consolidation_at_the_chest_wall_stays_although_it_stands_on_tissue() -> None:
    mask, hu = lung_block()
    hu[1:8, 50:80, 10:80] = TISSUE
    np.testing.assert_array_equal(without_domes(mask, hu, SPACING), mask)


def test_a_vessel_that_rises_from_tissue_stays() -> None:
    mask, hu = lung_block()
    put(hu, range(1, 9), 9.0)
    np.testing.assert_array_equal(without_domes(mask, hu, SPACING), mask)


def test_a_single_slice_and_an_empty_mask_are_left_alone() -> None:
    mask, hu = lung_block()
    put(hu, range(1, 5), 40.0)
    np.testing.assert_array_equal(without_domes(mask[2:3], hu[2:3], SPACING), mask[2:3])
    assert not without_domes(np.zeros_like(mask), hu, SPACING).any()


def test_a_low_dome_at_the_chest_wall_is_removed_also_where_its_top_was_left_out() -> None:
    mask, hu = lung_block()
    dome = put(hu, range(1, 5), 40.0, centre=(78, 45)) & mask
    mask[4][dome[4]] = False
    result = without_domes(mask, hu, SPACING)
    assert result[dome].mean() < 0.05
    assert result[mask & ~dome].all()


def test_dense_lung_that_no_aerated_lung_covers_stays() -> None:
    mask, hu = lung_block()
    dense = put(hu, range(1, 5), 40.0, centre=(78, 45))
    mask[5:][:, dense[1]] = False
    hu[5:][:, dense[1]] = TISSUE
    np.testing.assert_array_equal(without_domes(mask, hu, SPACING), mask)


def test_consolidation_above_a_fissure_stays_although_it_is_low() -> None:
    mask, hu = lung_block()
    put(hu, range(5, 8), 40.0, centre=(78, 45))
    np.testing.assert_array_equal(without_domes(mask, hu, SPACING), mask)


def test_a_thin_dense_slab_with_no_lung_above_or_below_is_removed() -> None:
    mask, hu = lung_block()
    slab = put(hu, range(5, 7), 40.0, centre=(78, 45)) & mask
    hu[:, slab[5]] = TISSUE
    mask[:, slab[5]] = False
    mask |= slab
    result = without_domes(mask, hu, SPACING)
    assert result[slab].mean() < 0.05
    assert result[mask & ~slab].all()


@pytest.mark.parametrize("centre", [(45, 45), (78, 45)], ids=["an island", "at the chest wall"])
def test_what_the_scan_cuts_off_below_stays_because_nobody_knows_what_it_stands_on(centre: tuple[int, int]) -> None:
    mask, hu = lung_block()
    put(hu, range(1, 7), 40.0, centre)
    mask, hu = mask[4:], hu[4:]
    mask[-1], hu[-1] = False, TISSUE  # above the lung
    np.testing.assert_array_equal(without_domes(mask, hu, SPACING), mask)


def test_a_high_dome_is_followed_to_its_top() -> None:
    mask, hu = lung_block()
    dome = put(hu, range(1, 8), 40.0)
    result = without_domes(mask, hu, SPACING)
    assert result[dome].mean() < 0.15
    assert result[mask & ~dome].all()


@pytest.mark.parametrize(("slices", "left"), [(4, 0.05), (5, 1.0)])
def test_at_the_chest_wall_only_what_is_low_is_a_dome(slices: int, left: float) -> None:
    mask, hu = lung_block()
    dense = put(hu, range(1, 1 + slices), 40.0, centre=(78, 45)) & mask
    share = without_domes(mask, hu, SPACING)[dense].mean()
    assert share < left if slices == 4 else share == left


@pytest.mark.parametrize(("tissue", "is_dome"), [(14, False), (18, True)])
def test_lung_more_than_80_mm_below_makes_no_mass_of_a_dome(tissue: int, is_dome: bool) -> None:
    mask = np.zeros((32, 90, 90), bool)
    mask[1:-1, 10:80, 10:80] = True
    hu = np.where(mask, LUNG, TISSUE).astype(np.int16)
    between = put(hu, range(3, 3 + tissue), 40.0)
    mask[between] = False
    dome = put(hu, range(3 + tissue, 9 + tissue), 40.0)
    share = without_domes(mask, hu, SPACING)[dome].mean()
    assert share < 0.15 if is_dome else share == 1.0


def test_a_small_mass_at_the_chest_wall_stays_beside_other_dense_lung() -> None:
    mask, hu = lung_block()
    put(hu, range(1, 4), 11.0, centre=(74, 45))
    put(hu, range(1, 10), 40.0, centre=(12, 45))
    np.testing.assert_array_equal(without_domes(mask, hu, SPACING), mask)
