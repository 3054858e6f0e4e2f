"""Boxes around masks, and around those boxes."""

from __future__ import annotations

import numpy as np

from LungSegResNetLib.boxes import bounding_box, widened


def test_a_box_holds_all_of_a_mask_and_a_margin_as_far_as_the_array_reaches() -> None:
    mask = np.zeros((4, 6, 9), bool)
    mask[0, 2:4, 5], mask[1, 3, 7] = True, True
    assert bounding_box(mask) == (slice(0, 2), slice(2, 4), slice(5, 8))
    assert bounding_box(mask, margin=2) == (slice(0, 4), slice(0, 6), slice(3, 9))
    assert bounding_box(np.zeros_like(mask)) is None


def test_a_widened_box_takes_what_a_box_with_that_margin_takes() -> None:
    mask = np.zeros((4, 6, 9), bool)
    mask[0, 2:4, 5], mask[1, 3, 7] = True, True
    box = bounding_box(mask)
    assert box is not None
    numbers = np.arange(mask.size).reshape(mask.shape)
    np.testing.assert_array_equal(numbers[widened(box, 2)], numbers[bounding_box(mask, margin=2)])
