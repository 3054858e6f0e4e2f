"""Stray parts go, holes close, the diaphragm stays open."""

from __future__ import annotations

import numpy as np
import pytest

from LungSegResNetLib.lungs.postprocessing import clean_mask

SPACING = (5.0, 2.0, 2.0)


def two_lungs() -> np.ndarray:
    """Two boxes of 100 x 120 mm in a field of 400 x 300 mm, 30 slices."""
    mask = np.zeros((30, 150, 200), bool)
    mask[4:26, 40:100, 30:80] = True
    mask[4:26, 40:100, 120:170] = True
    return mask


def test_right_and_left_are_told_apart_by_patient_position() -> None:
    labels = clean_mask(two_lungs(), SPACING)
    assert set(np.unique(labels[:, :, :100])) == {0, 1}
    assert set(np.unique(labels[:, :, 100:])) == {0, 2}
    np.testing.assert_array_equal(labels > 0, two_lungs())


@pytest.mark.parametrize(("columns", "side"), [(slice(30, 80), 1), (slice(120, 170), 2)])
def test_a_lung_that_is_alone_is_named_by_the_side_of_the_body_it_lies_on(columns: slice, side: int) -> None:
    mask = np.zeros((30, 150, 200), bool)
    mask[4:26, 40:100, columns] = True
    labels = clean_mask(mask, SPACING, midline_mm=200.0)
    np.testing.assert_array_equal(labels, np.where(mask, side, 0))


def test_stray_parts_are_removed() -> None:
    mask = two_lungs()
    mask[10, 10:14, 95:99] = True  # some air in the oesophagus
    mask[1:3, 120:126, 90:96] = True  # some bowel gas
    np.testing.assert_array_equal(clean_mask(mask, SPACING) > 0, two_lungs())


def test_air_far_above_the_lungs_is_none_of_them_whatever_its_size() -> None:
    mask = two_lungs()
    mask[:, :] &= (np.arange(30) < 16)[:, None, None]
    lungs = mask.copy()
    mask[26:, 60:90, 90:120] = True  # the nose, 50 mm higher and 8 % of the lungs
    np.testing.assert_array_equal(clean_mask(mask, SPACING) > 0, lungs)


def test_gas_far_below_the_lungs_is_none_of_them_whatever_its_size() -> None:
    mask = two_lungs()
    mask[:14] = False
    lungs = mask.copy()
    mask[:4, 60:90, 90:120] = True  # bowel, 50 mm lower and 5 % of the lungs
    np.testing.assert_array_equal(clean_mask(mask, SPACING) > 0, lungs)


def test_a_part_of_a_lung_just_beyond_the_rest_stays() -> None:
    mask = two_lungs()
    mask[18:20] = False  # 10 mm that the network has missed
    np.testing.assert_array_equal(clean_mask(mask, SPACING) > 0, mask)


def test_borders_follow_the_scan_where_it_is_given() -> None:
    lungs = two_lungs()
    hu = np.where(lungs, -850, 40).astype(np.int16)
    short = lungs.copy()
    short[:, 99] = False
    np.testing.assert_array_equal(clean_mask(short, SPACING, hu=hu) > 0, lungs)


def test_dense_tissue_in_one_slice_alone_is_no_lung_unless_slices_are_thick() -> None:
    lungs = two_lungs()
    mask = lungs.copy()
    mask[15, 60:64, 80:95] = True  # a strip from the right lung into the liver
    inside = (15, slice(61, 63), slice(82, 94))  # its border is another matter
    hu = np.where(lungs, -850, 40).astype(np.int16)
    assert not clean_mask(mask, SPACING, hu=hu)[inside].any()
    assert clean_mask(mask, (8.0, 2.0, 2.0), hu=hu)[inside].all()
    hu[mask] = -850
    assert clean_mask(mask, SPACING, hu=hu)[inside].all()


def dense_lungs(planes: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
    """Lungs of which the back is consolidated in some slices, three tenths of each, and the scan (int16 HU)."""
    lungs = two_lungs()
    hu = np.where(lungs, -850, 40).astype(np.int16)
    hu[planes, 82:100] = 40
    return lungs, hu


MISSED = (15, slice(90, 98), slice(35, 75))  # by the network, of the consolidation of one slice
LONE = (15, slice(61, 63), slice(82, 94))  # taken for lung in one slice only


@pytest.mark.parametrize(("planes", "is_dense"), [(slice(None), True), (slice(10, 16), False)])
def test_in_dense_lungs_what_one_slice_misses_comes_in_and_what_one_slice_has_stays(
    planes: slice, is_dense: bool
) -> None:
    lungs, hu = dense_lungs(planes)
    mask = lungs.copy()
    mask[15, 90:] = False  # to the chest wall, so that it is no hole
    mask[15, 60:64, 80:95] = True
    result = clean_mask(mask, SPACING, hu=hu) > 0
    assert result[MISSED].all() == is_dense
    assert result[LONE].all() == is_dense


def test_dense_lung_is_not_looked_for_beyond_6_mm_or_between_thick_slices_or_in_a_single_one() -> None:
    lungs, hu = dense_lungs()
    mask = lungs.copy()
    mask[15, 90:] = False
    assert clean_mask(mask, (6.0, 2.0, 2.0), hu=hu)[MISSED].all()
    assert not clean_mask(mask, (7.0, 2.0, 2.0), hu=hu)[MISSED].any()
    assert not clean_mask(mask[15:16], SPACING, hu=hu[15:16])[(0, *MISSED[1:])].any()
    mask[12:19, 90:] = False  # 17.5 mm with slices of 2.5 mm
    assert not clean_mask(mask, (2.5, 2.0, 2.0), hu=hu)[MISSED].any()
    mask[[13, 17], 90:] = lungs[[13, 17], 90:]  # 5 mm above and below
    assert clean_mask(mask, (2.5, 2.0, 2.0), hu=hu)[MISSED].all()


def test_consolidation_in_neighbouring_slices_stays() -> None:
    mask = two_lungs()
    hu = np.where(mask, -850, 40).astype(np.int16)
    hu[14:16, 60:80, 30:60] = 40
    assert clean_mask(mask, SPACING, hu=hu)[14:16, 62:78, 32:60].all()


def test_a_single_slice_with_nothing_but_a_speck_has_no_lung() -> None:
    mask = np.zeros((1, 150, 200), bool)
    mask[0, 50:53, 50:57] = True  # 84 mm2 of bowel gas
    assert not clean_mask(mask, SPACING).any()


def test_a_hole_closed_on_all_sides_is_filled_whatever_its_size() -> None:
    mask = two_lungs()
    mask[8:20, 50:90, 40:70] = False
    np.testing.assert_array_equal(clean_mask(mask, SPACING) > 0, two_lungs())


def test_the_dome_of_the_diaphragm_is_not_filled() -> None:
    mask = two_lungs()
    for z in range(4, 12):  # a dome that narrows upwards, open to below
        half = (12 - z) * 2
        mask[z, 70 - half : 70 + half, 55 - half : 55 + half] = False
    np.testing.assert_array_equal(clean_mask(mask, SPACING) > 0, mask)


def test_the_dome_is_not_filled_where_the_scan_ends_inside_it() -> None:
    mask = two_lungs()
    for z in range(4, 12):
        half = (12 - z) * 2
        mask[z, 70 - half : 70 + half, 55 - half : 55 + half] = False
    cut = mask[6:]
    np.testing.assert_array_equal(clean_mask(cut, SPACING) > 0, cut)


def test_a_vessel_that_leaves_through_the_hilum_is_filled_inside_the_lung() -> None:
    mask = two_lungs()
    mask[15, 60:64, 50:81] = False  # runs out of the lung within its slice
    mask[12:19, 70:74, 60:64] = False  # upright vessel ...
    mask[18, 70:74, 60:81] = False  # ... that leaves at its upper end
    labels = clean_mask(mask, SPACING)
    assert labels[12:18, 70:74, 60:64].all()


def test_small_holes_of_a_single_slice_are_filled_and_large_ones_are_not() -> None:
    mask = two_lungs()[10:11]
    mask[0, 60:64, 50:54] = False  # 64 mm2: a vessel
    mask[0, 50:90, 130:160] = False  # 4800 mm2: perhaps the dome of the diaphragm
    labels = clean_mask(mask, SPACING)
    assert labels[0, 60:64, 50:54].all()
    assert not labels[0, 50:90, 130:160].any()


def test_an_empty_mask_stays_empty() -> None:
    assert not clean_mask(np.zeros((5, 20, 20), bool), SPACING).any()


def test_tissue_beyond_all_lung_with_air_goes_but_solid_lung_beside_it_stays() -> None:
    lungs = two_lungs()
    lungs[:9, 52:] = lungs[20:, 52:] = False  # bases and apices taper to a fifth of the largest section
    hu = np.where(lungs, -850, 40).astype(np.int16)
    hu[4:, 40:100, 120:170] = 45  # the left lung is solid
    hu[4:8] = 45  # and so are both bases, 20 mm high
    hu[21:] = 45  # and both apices, 25 mm
    expected = lungs.copy()
    expected[4:6] = False  # more than 10 mm below the first air
    expected[23:] = False  # and above the last
    np.testing.assert_array_equal(clean_mask(lungs, SPACING, hu=hu) > 0, expected)
    # Four slices alone do not tell what lies above and below.
    few = clean_mask(lungs[4:8], SPACING, hu=hu[4:8]) > 0
    np.testing.assert_array_equal(few, lungs[4:8])


@pytest.mark.parametrize("lower_hu", [-250, 45], ids=["white", "solid"])
def test_lower_halves_without_air_stay_because_lungs_do_not_end_so_wide(lower_hu: int) -> None:
    lungs = two_lungs()
    hu = np.where(lungs, -850, 40).astype(np.int16)
    hu[:15][lungs[:15]] = lower_hu
    np.testing.assert_array_equal(clean_mask(lungs, SPACING, hu=hu) > 0, lungs)


def test_lungs_that_are_white_all_over_stay() -> None:
    lungs = two_lungs()
    rng = np.random.default_rng(0)
    hu = np.where(lungs, -300, 40) + rng.normal(0.0, 60.0, lungs.shape)
    np.testing.assert_array_equal(clean_mask(lungs, SPACING, hu=hu.astype(np.int16)) > 0, lungs)
    noisy_tissue = (40 + rng.normal(0.0, 150.0, lungs.shape)).astype(np.int16)
    assert not clean_mask(lungs, SPACING, hu=noisy_tissue).any()


def test_a_mask_without_any_air_is_no_lung() -> None:
    lungs = two_lungs()
    assert not clean_mask(lungs, SPACING, hu=np.full(lungs.shape, 45, np.int16)).any()


def test_small_parts_of_a_slice_go_where_they_have_no_air() -> None:
    lungs = two_lungs()
    lungs[5:12, 60:100, 90:120] = False  # room for a dome, between the lungs and below those of the next slices
    mask = lungs.copy()
    crumb, aerated, patch = (
        (11, slice(70, 74), slice(100, 104)),  # 64 mm2
        (11, slice(80, 84), slice(100, 104)),
        (11, slice(88, 96), slice(98, 106)),  # 256 mm2
    )
    for part in (crumb, aerated, patch):
        mask[part] = True
    mask[12, 60:100, 90:120] = True  # they are lung in the next slice, too
    hu = np.where(lungs, -850, 40).astype(np.int16)
    hu[12] = np.where(mask[12], -850, 40)
    hu[aerated] = -700
    result = clean_mask(mask, SPACING, hu=hu) > 0
    assert not result[crumb].any()
    assert result[aerated].any()
    assert result[patch].any()
    assert clean_mask(mask, SPACING)[crumb].all()


@pytest.mark.parametrize(("voxels", "stays"), [(44, False), (56, True)])
def test_of_little_lung_a_part_below_a_millilitre_goes(voxels: int, stays: bool) -> None:
    mask = np.zeros((10, 150, 200), bool)
    mask[3:7, 50:70, 40:60] = mask[3:7, 50:70, 130:150] = True  # 3200 voxels of 0.02 ml
    part = (5, slice(90, 94), slice(40, 40 + voxels // 4))
    mask[part] = True
    assert clean_mask(mask, SPACING)[part].any() == stays


@pytest.mark.parametrize(("rows", "stays"), [(10, False), (12, True)])
def test_of_much_lung_a_part_below_a_hundredth_goes(rows: int, stays: bool) -> None:
    mask = two_lungs()  # 132000 voxels
    part = (slice(10, 20), slice(60, 60 + rows), slice(94, 106))
    mask[part] = True
    assert clean_mask(mask, SPACING)[part].any() == stays
