"""A wrong orientation is told by the spine, but not where contrast medium or little bone leaves it open."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from synthetic_thorax import Thorax

from LungSegResNetLib.lungs.spine import spine_is_in_front

SPACING = (5.0, 2.0, 2.0)


def scanned(turned: bool) -> tuple[np.ndarray, np.ndarray]:
    image, mask = Thorax().scan(SPACING[::-1])
    hu, labels = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(mask)
    return (hu[:, ::-1, ::-1], 3 * (labels[:, ::-1, ::-1] > 0) - labels[:, ::-1, ::-1]) if turned else (hu, labels)


@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("slices", [slice(None), slice(20, 26)])
def test_the_spine_is_in_front_where_the_scan_is_turned_round(turned: bool, slices: slice) -> None:
    hu, mask = scanned(turned)
    assert spine_is_in_front(hu[slices], mask[slices], SPACING) == turned


@pytest.mark.parametrize("turned", [True, False])
def test_a_heart_full_of_contrast_medium_is_no_spine(turned: bool) -> None:
    hu, mask = scanned(turned)
    rows, columns = np.ogrid[: hu.shape[1], : hu.shape[2]]
    front = 100 if turned else 50  # the row of the heart
    heart = np.hypot(rows - front, columns - 100) < 30
    hu[:, heart & (mask == 0).all(axis=0)] = 400
    assert not spine_is_in_front(hu, mask, SPACING)


def test_a_scan_without_bone_and_one_without_lungs_tell_nothing() -> None:
    hu, mask = scanned(turned=True)
    assert not spine_is_in_front(np.minimum(hu, 200), mask, SPACING)
    assert not spine_is_in_front(hu, np.zeros_like(mask), SPACING)


def test_bone_and_table_far_from_the_lungs_do_not_count() -> None:
    hu, mask = scanned(turned=False)
    hu = np.pad(hu, ((0, 0), (60, 0), (0, 0)), constant_values=-1000)
    hu[:, :10] = 1000  # 100 mm in front of the lungs
    assert not spine_is_in_front(hu, np.pad(mask, ((0, 0), (60, 0), (0, 0))), SPACING)
