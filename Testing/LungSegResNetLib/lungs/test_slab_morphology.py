"""Helpers on slices do what SciPy's do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from LungSegResNetLib.lungs.slab_morphology import dilated, dilated_by_disc, eroded, opened_by_disc, packed, unpacked
from LungSegResNetLib.lungs.slicewise import SLAB


@pytest.mark.parametrize("steps", [1, 3])
def test_slices_are_dilated_and_eroded_as_with_scipy(steps: int) -> None:
    section = np.random.default_rng(0).random((40, 50)) > 0.9
    np.testing.assert_array_equal(dilated(section, steps), ndimage.binary_dilation(section, iterations=steps))
    filled = ndimage.binary_dilation(section, iterations=4)
    smaller = ndimage.binary_erosion(filled, iterations=steps, border_value=1)
    assert smaller.any()
    np.testing.assert_array_equal(eroded(filled, steps), smaller)


@pytest.mark.parametrize("slices", [1, 5, SLAB])
def test_what_is_done_to_packed_slices_is_done_to_each(slices: int) -> None:
    slab = np.random.default_rng(1).random((slices, 30, 41)) > 0.8
    np.testing.assert_array_equal(unpacked(packed(slab), slices), slab)
    for change in (lambda bits: dilated(bits, 2), lambda bits: eroded(bits, 1), lambda bits: opened_by_disc(bits, 2)):
        np.testing.assert_array_equal(unpacked(change(packed(slab)), slices), np.stack([change(part) for part in slab]))


@pytest.mark.parametrize("radius", [1, 2, 5, 45])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.97, 0.995, 1.0])
def test_discs_are_those_of_the_distance_transform(radius: int, share: float) -> None:
    section = np.random.default_rng(2).random((40, 50)) < share
    if section.any():
        near = ndimage.distance_transform_edt(~section) <= radius
        np.testing.assert_array_equal(dilated_by_disc(section, radius), near)
    core = ndimage.distance_transform_edt(np.pad(section, 1))[1:-1, 1:-1] > radius
    expected = ndimage.distance_transform_edt(~core) <= radius if core.any() else core
    np.testing.assert_array_equal(opened_by_disc(section, radius), expected)
