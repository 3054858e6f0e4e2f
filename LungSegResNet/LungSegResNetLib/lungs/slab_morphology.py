"""Dilation, erosion and opening of axial slices, also of several at once whose pixels are packed into bits."""

from __future__ import annotations

import math

import numpy as np


def packed(slab: np.ndarray) -> np.ndarray:
    """Up to ``slicewise.SLAB`` slices (bool) as the bits of one (uint8): `dilated` and its like do all in one step."""
    bits = np.zeros(slab.shape[1:], np.uint8)
    for section in slab[::-1]:
        bits += bits
        bits |= section.view(np.uint8)
    return bits


def unpacked(bits: np.ndarray, slices: int) -> np.ndarray:
    """So many slices (bool) that were `packed`."""
    return np.stack([(bits & np.uint8(1 << n)) != 0 for n in range(slices)])


def dilated(section: np.ndarray, steps: int) -> np.ndarray:
    """A slice (bool or packed) with the four neighbours of its pixels, so many times; faster than SciPy."""
    for _ in range(steps):
        wider = section.copy()
        wider[1:] |= section[:-1]
        wider[:-1] |= section[1:]
        wider[:, 1:] |= section[:, :-1]
        wider[:, :-1] |= section[:, 1:]
        section = wider
    return section


def eroded(section: np.ndarray, steps: int) -> np.ndarray:
    """A slice (bool or packed) without the pixels at its border, so many times; the frame counts as inside."""
    return ~dilated(~section, steps)


def dilated_by_disc(section: np.ndarray, radius: int) -> np.ndarray:
    """A slice (bool or packed) with all pixels that are at most so many pixels away."""
    height, width = section.shape
    result = section.copy()
    wide, reach = section.copy(), 0
    for dy in range(min(radius, height - 1), -1, -1):
        while reach < min(math.isqrt(radius**2 - dy**2), width - 1):
            reach += 1
            wide[:, reach:] |= section[:, :-reach]
            wide[:, :-reach] |= section[:, reach:]
        result[dy:] |= wide[: height - dy]
        result[: height - dy] |= wide[dy:]
    return result


def opened_by_disc(section: np.ndarray, radius: int) -> np.ndarray:
    """Opening of a slice (bool or packed) with a disc of so many pixels; the frame counts as outside."""
    core = ~dilated_by_disc(~section, radius)
    core[:radius] = core[-radius:] = core[:, :radius] = core[:, -radius:] = 0
    return dilated_by_disc(core, radius) if core.any() else core
