"""Helpers on slices do what SciPy's do, and bring results back in order."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from LungSegResNetLib.lungs.regions import grown, over_slices, shrunk


@pytest.mark.parametrize("steps", [1, 3])
def test_slices_grow_and_shrink_as_with_scipy(steps: int) -> None:
    section = np.random.default_rng(0).random((40, 50)) > 0.9
    np.testing.assert_array_equal(grown(section, steps), ndimage.binary_dilation(section, iterations=steps))
    filled = ndimage.binary_dilation(section, iterations=4)
    eroded = ndimage.binary_erosion(filled, iterations=steps, border_value=1)
    assert eroded.any()
    np.testing.assert_array_equal(shrunk(filled, steps), eroded)


def test_results_of_slices_come_in_order_and_errors_are_raised() -> None:
    first, second = np.arange(60).reshape(20, 3), np.ones((20, 3))
    np.testing.assert_array_equal(list(over_slices(lambda a, b: (a + b).sum(), first, second)), (first + 1).sum(axis=1))
    with pytest.raises(ZeroDivisionError):
        list(over_slices(lambda a: 1 // int(a[0]), first))
