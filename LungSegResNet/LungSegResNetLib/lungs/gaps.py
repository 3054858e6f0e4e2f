"""Gaps in a lung: slices in which it is missing or narrow, between slices in which it is wide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from ..labels import LUNG_SEGMENTS
from .postprocessing import TAPERED_SHARE
from .slicewise import over_slices

_NARROW_SHARE = 0.4  # of the sections on both sides; the training and validation volumes' lungs keep at least 0.78
_FEWEST_SLICES = 10  # in fewer a lung may change as much from one slice to the next


@dataclass(frozen=True)
class Gap:
    """Slices ``first`` to ``last`` (z of the mask, both included), in which the lung with this ``label`` is lacking."""

    label: int
    first: int
    last: int

    @property
    def middle(self) -> int:
        return (self.first + self.last) // 2


def gaps_of(mask: np.ndarray) -> list[Gap]:
    """The gaps of each lung in a mask (uint8 labels, z, y, x), from the lowest upwards. Lungs that taper have none."""
    sections = np.array(over_slices(_pixels, mask))
    return [gap for lung, pixels in zip(LUNG_SEGMENTS, sections.T, strict=True) for gap in _gaps(lung.label, pixels)]


def _pixels(section: np.ndarray) -> list[int]:
    return [int(np.count_nonzero(section == lung.label)) for lung in LUNG_SEGMENTS]


def _gaps(label: int, pixels: np.ndarray) -> Iterator[Gap]:
    """``pixels`` : of the lung, one value a slice."""
    if np.count_nonzero(pixels) < _FEWEST_SLICES:
        return
    widest_below, widest_above = np.maximum.accumulate(pixels), np.maximum.accumulate(pixels[::-1])[::-1]
    beside = np.minimum(widest_below, widest_above)
    # A stray piece beyond the tip of a lung is no other end of a gap.
    is_narrow = (pixels < _NARROW_SHARE * beside) & (beside > TAPERED_SHARE * pixels.max())
    for narrow, run in groupby(range(len(pixels)), key=is_narrow.__getitem__):
        if narrow:
            slices = list(run)
            yield Gap(label, slices[0], slices[-1])
