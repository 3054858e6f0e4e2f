"""What is done to each slice comes back in order."""

from __future__ import annotations

import numpy as np
import pytest

from LungSegResNetLib.lungs.slicewise import SLAB, over_slabs, over_slices


def test_results_of_slices_come_in_order_and_errors_are_raised() -> None:
    first, second = np.arange(60).reshape(20, 3), np.ones((20, 3))
    np.testing.assert_array_equal(list(over_slices(lambda a, b: (a + b).sum(), first, second)), (first + 1).sum(axis=1))
    with pytest.raises(ZeroDivisionError):
        list(over_slices(lambda a: 1 // int(a[0]), first))


@pytest.mark.parametrize("slices", [1, SLAB, 2 * SLAB + 3])
def test_slabs_cover_every_slice_once(slices: int) -> None:
    stack = np.arange(slices * 2).reshape(slices, 2)
    slabs = over_slabs(lambda a, b: a + b, stack, stack)
    assert max(map(len, slabs)) <= SLAB
    np.testing.assert_array_equal(np.concatenate(slabs), 2 * stack)
