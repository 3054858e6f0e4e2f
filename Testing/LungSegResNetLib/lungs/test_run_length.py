"""Parts that are found on runs are those that SciPy finds on voxels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from LungSegResNetLib.lungs.run_length import RunLengths

SHAPES = [(20, 30, 40), (1, 30, 40), (9, 1, 40), (9, 30, 1), (1, 1, 1)]
SHARES = [0.0, 0.05, 0.3, 0.6, 0.95, 1.0]
FACES = ndimage.generate_binary_structure(3, 1)


def random_mask(shape: tuple[int, int, int], share: float) -> np.ndarray:
    return np.random.default_rng(0).random(shape) < share


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("within_slices", [False, True])
def test_numbers_and_sizes_of_parts(shape: tuple[int, int, int], share: float, within_slices: bool) -> None:
    mask = random_mask(shape, share)
    runs = RunLengths.of(mask)
    np.testing.assert_array_equal(runs.painted(), mask)
    numbers, sizes = runs.components(within_slices=within_slices)
    structure = FACES & np.array([False, True, False])[:, None, None] if within_slices else FACES
    expected, count = ndimage.label(mask, structure)
    volume = np.zeros(shape, int)
    np.put(volume, runs.voxels(), np.repeat(numbers + 1, runs.lengths))
    np.testing.assert_array_equal(volume, expected)
    np.testing.assert_array_equal(sizes, np.bincount(expected.ravel(), minlength=count + 1)[1:])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", SHARES)
def test_holes_of_slices(shape: tuple[int, int, int], share: float) -> None:
    mask = random_mask(shape, share)
    holes, sizes = RunLengths.of(~mask).holes_of_slices()
    filled = np.stack([ndimage.binary_fill_holes(section) for section in mask])
    np.testing.assert_array_equal(holes.painted(), filled & ~mask)
    volume = np.zeros(shape, int)
    np.put(volume, holes.voxels(), np.repeat(sizes, holes.lengths))
    for section, sizes_here in zip(filled & ~mask, volume, strict=True):
        parts, _ = ndimage.label(section)
        np.testing.assert_array_equal(sizes_here, np.where(section, np.bincount(parts.ravel())[parts], 0))


def test_where_runs_lie() -> None:
    mask = random_mask((20, 30, 40), 0.3)
    mask[:2], mask[:, -3:], mask[..., :4] = False, False, False
    runs = RunLengths.of(mask)
    assert runs.box() == (slice(2, 20), slice(0, 27), slice(4, 40))
    np.testing.assert_array_equal(runs.voxels_of_columns(), np.count_nonzero(mask, axis=(0, 1)))
    at_frame = runs.chosen(runs.at_frame()).painted()
    assert at_frame.any()
    assert at_frame[:, 0].sum() == mask[:, 0].sum()
    assert at_frame[..., -1].sum() == mask[..., -1].sum()
    assert not runs.chosen(~runs.at_frame()).painted()[:, [0, -1]].any()
    assert not runs.chosen(~runs.at_frame()).painted()[..., [0, -1]].any()
