"""Right and left lung are told apart by geometry."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage
from synthetic_thorax import Thorax

from LungSegResNetLib.labels import LEFT_LUNG, RIGHT_LUNG
from LungSegResNetLib.lungs.laterality import body_midline, split_lungs, spread_to_neighbours

SPACING = (5.0, 2.0, 2.0)


def lungs_of(thorax: Thorax) -> np.ndarray:
    _, mask = thorax.scan()
    return sitk.GetArrayFromImage(mask)


def wrong_share(labels: np.ndarray, truth: np.ndarray) -> float:
    inside = truth > 0
    return float((labels[inside] != truth[inside]).mean())


def test_lungs_that_lie_apart_keep_every_voxel_on_its_side() -> None:
    truth = lungs_of(Thorax())
    np.testing.assert_array_equal(split_lungs(truth > 0, SPACING), truth)


def test_lungs_that_touch_are_parted_near_the_place_where_they_touch() -> None:
    truth = lungs_of(Thorax(touching_lungs=True))
    joined = ndimage.binary_closing(truth > 0, np.ones((1, 5, 5)))
    parts, _ = ndimage.label(joined)
    largest = parts == np.argmax(np.bincount(parts[joined]))
    assert largest[truth == 1].mean() > 0.9, "the phantom's lungs have to touch for this test"
    assert largest[truth == 2].mean() > 0.9
    assert wrong_share(split_lungs(joined, SPACING), truth) < 0.01


@pytest.mark.parametrize("small", [1, 2])
def test_a_small_lung_that_touches_a_large_one_keeps_its_side(small: int) -> None:
    z, y, x = np.mgrid[-20:21, -40:41, -75:76]
    sign = 1 if small == 2 else -1
    large = (z / 19.0) ** 2 + (y / 38.0) ** 2 + ((x + sign * 34) / 38.0) ** 2 < 1
    shrunken = ((z / 11.0) ** 2 + (y / 20.0) ** 2 + ((x - sign * 26) / 25.0) ** 2 < 1) & ~large
    truth = np.where(large, 3 - small, 0) + np.where(shrunken, small, 0)
    midline = 75 * SPACING[2]
    assert 0.1 < (truth == small).sum() / (truth > 0).sum() < 0.18
    labels = split_lungs(truth > 0, SPACING, midline)
    assert wrong_share(labels, truth) < 0.05


@pytest.mark.parametrize(("thorax", "side"), [(Thorax(left_lung=False), 1), (Thorax(right_lung=False), 2)])
def test_a_lung_that_is_alone_keeps_its_name_when_the_midline_is_known(thorax: Thorax, side: int) -> None:
    truth = lungs_of(thorax)
    midline = (truth.shape[2] - 1) / 2 * SPACING[2]
    np.testing.assert_array_equal(split_lungs(truth > 0, SPACING, midline), truth)
    assert set(np.unique(truth)) == {0, side}


@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize("slices", [slice(None), slice(30, 31)])
def test_a_lung_that_fills_the_field_of_view_stays_one_lung_and_is_named_by_its_shape(side: int, slices: slice) -> None:
    truth = lungs_of(Thorax())[slices]
    columns = np.flatnonzero((truth == side).any(axis=(0, 1)))
    view = np.where(truth == side, truth, 0)[..., columns[0] - 8 : columns[-1] + 9]
    midline = (view.shape[2] - 1) / 2 * SPACING[2]
    np.testing.assert_array_equal(split_lungs(view > 0, SPACING, midline), view)
    np.testing.assert_array_equal(split_lungs(view > 0, SPACING), view)


@pytest.mark.parametrize("side", [1, 2])
def test_a_lung_in_half_a_body_is_named_by_its_shape(side: int) -> None:
    image, mask = Thorax().scan(spacing=SPACING[::-1])
    hu, truth = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(mask)
    middle = truth.shape[2] // 2
    half = np.s_[..., :middle] if side == 1 else np.s_[..., middle:]
    view = np.where(truth == side, truth, 0)[half]
    assert body_midline(hu[half], SPACING) is None
    np.testing.assert_array_equal(split_lungs(view > 0, SPACING, body_midline(hu[half], SPACING)), view)


@pytest.mark.parametrize(("touching", "rim_mm", "side"), [(False, 30, 1), (True, 24, 1), (True, 24, 2), (True, 30, 1)])
def test_a_rim_of_the_other_lung_in_half_a_body_keeps_its_side(touching: bool, rim_mm: int, side: int) -> None:
    image, mask = Thorax(touching_lungs=touching).scan(spacing=SPACING[::-1])
    hu, truth = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(mask)
    middle, columns = truth.shape[2] // 2, round(rim_mm / SPACING[2])
    half = np.s_[..., : middle + columns] if side == 1 else np.s_[..., middle - columns :]
    assert body_midline(hu[half], SPACING) is None
    assert 0.02 < (truth[half] == 3 - side).sum() / (truth[half] > 0).sum() < 0.05
    assert wrong_share(split_lungs(truth[half] > 0, SPACING), truth[half]) < 0.002


@pytest.mark.parametrize("margin", [0, 30])
def test_the_midline_is_the_middle_of_a_body_that_is_seen_whole_or_cut_off_on_both_sides(margin: int) -> None:
    image, _ = Thorax().scan(spacing=SPACING[::-1])
    hu = sitk.GetArrayFromImage(image)
    view = hu[..., margin : hu.shape[2] - margin]
    middle = (view.shape[2] - 1) / 2 * SPACING[2]
    assert body_midline(view, SPACING) == pytest.approx(middle, abs=4.0)
    assert body_midline(view, SPACING, 123.0) == 123.0


@pytest.mark.parametrize("half_gap_mm", [6.0, 0.0], ids=["apart", "touching"])
@pytest.mark.parametrize(("rolled", "crooked"), [(-25, 0), (25, 0), (0, -30), (0, 30), (15, 20)])
def test_the_lungs_of_a_turned_patient_keep_their_sides(rolled: int, crooked: int, half_gap_mm: float) -> None:
    z, y, x = np.mgrid[-160:161:4.0, -140:141:4.0, -180:181:4.0]
    for degrees, other in ((rolled, z), (crooked, y)):
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        x[...], other[...] = c * x + s * other, c * other - s * x
    truth = np.zeros(x.shape, np.uint8)
    for side, centre in ((RIGHT_LUNG, -66.0), (LEFT_LUNG, 66.0)):
        inside = (z / 130) ** 2 + (y / 95) ** 2 + ((x - centre) / 67) ** 2 < 1
        truth[inside & (x * np.sign(centre) > half_gap_mm)] = side
    _, parts = ndimage.label(truth > 0)
    assert parts == (2 if half_gap_mm else 1)
    assert wrong_share(split_lungs(truth > 0, (4.0, 4.0, 4.0), midline_mm=180.0), truth) < 0.01


@pytest.mark.parametrize("half_fissure_mm", [0.0, 8.0])
@pytest.mark.parametrize("side", [RIGHT_LUNG, LEFT_LUNG])
def test_a_lung_that_is_alone_and_reaches_over_the_middle_stays_one_lung(side: int, half_fissure_mm: float) -> None:
    z, y, x = np.mgrid[-120:121:5.0, -90:91:5.0, -150:151:5.0]
    heart_x = -80.0 if side == LEFT_LUNG else 80.0  # in its hollow, on the side of the lung that is gone
    lung = (z / 120) ** 2 + (y / 90) ** 2 + (x / 115) ** 2 < 1
    lung &= z**2 + (y + 30) ** 2 + (x - heart_x) ** 2 > 50**2
    lung &= np.abs(z - 20 - y / 2) >= half_fissure_mm
    labels = split_lungs(lung, (5.0, 5.0, 5.0), midline_mm=150.0)
    np.testing.assert_array_equal(labels, np.where(lung, side, 0))


def test_a_single_slice_is_parted_as_well() -> None:
    truth = lungs_of(Thorax())[30:31]
    np.testing.assert_array_equal(split_lungs(truth > 0, SPACING), truth)


def test_nothing_outside_the_mask_is_labelled_and_nothing_inside_is_lost() -> None:
    mask = np.random.default_rng(0).random((6, 40, 50)) > 0.6
    labels = split_lungs(mask, SPACING)
    np.testing.assert_array_equal(labels > 0, mask)


def test_an_empty_mask_stays_empty() -> None:
    assert not split_lungs(np.zeros((3, 4, 5), bool), SPACING).any()


@pytest.mark.parametrize("share", [0.02, 0.2, 0.9])
def test_sides_spread_to_neighbours_as_by_the_distance_transform(share: float) -> None:
    rng = np.random.default_rng(0)
    coarse = np.where(rng.random((12, 20, 30)) < share, rng.integers(1, 3, (12, 20, 30)), 0).astype(np.uint8)
    distance, nearest = ndimage.distance_transform_edt(coarse == 0, return_indices=True)
    near = distance < 2.0
    assert (near & (coarse == 0)).any()
    spread = spread_to_neighbours(coarse)
    np.testing.assert_array_equal(spread[near], coarse[tuple(nearest)][near])
    assert not spread[~near].any()


def test_a_lung_that_a_pixel_parts_from_the_other_is_one_side_to_its_last_voxel() -> None:
    """In a fine scan, whose sides are found on coarser pixels than the gap is wide."""
    z, y, x = np.mgrid[-20:21, -60:61, -150:151]
    truth = np.zeros(x.shape, np.uint8)
    for side, centre in ((RIGHT_LUNG, -70), (LEFT_LUNG, 70)):
        truth[(z / 19.0) ** 2 + (y / 58.0) ** 2 + ((x - centre) / 70.0) ** 2 < 1] = side
    np.testing.assert_array_equal(split_lungs(truth > 0, (5.0, 0.8, 0.8), 150 * 0.8), truth)
