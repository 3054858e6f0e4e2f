"""Which slices of a result are most likely wrong: by the network's own doubt, and by sudden changes between neighbours.

Of every slice the area that is probably wrong is estimated and set against the area of lung:

- A pixel that is lung with probability p is wrong with probability min(p, 1 - p), if probabilities are right. The sum
  over a slice is the area that the network itself expects to be wrong.
- A pixel on which both neighbouring slices agree, and the slice between them does not, may be wrong, too. The tips of
  the lungs and slanted surfaces change from slice to slice as well, but in one direction, so they do not count. The
  further the slices lie apart, the more a lung changes between them, and the less such a pixel weighs.

Where no lung was found, doubt is mostly about bowel or windpipe; it counts less with every mm from the nearest lung.

In a gap of several slices, neighbours agree on what is missing. Its middle is compared with the slices around the gap
and comes before all other slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from .gaps import gaps_of
from .preprocessing import SliceFrame
from .slicewise import over_slices

LISTED = 8
_APART_MM = 10.0  # slices nearer to a listed one show the same place once more
_LEAST_MM2 = 500.0  # what a section has to have for a pixel more or less to matter little
_CHANGE_MM = 5.0  # slice distance at which a change between neighbours weighs half
_NEAR_MM = 5.0  # distance from the found lungs over which doubt falls to a third
_NAMED_SHARE = 0.5  # of the largest area; smaller ones are not worth a word
_SPOT_MM = 20.0  # width of the place that a viewer is led to


@dataclass(frozen=True)
class DoubtfulSlice:
    """A slice and how likely it is wrong.

    Attributes
    ----------
    index : z in ``CTVolume.hu``.
    score : 0..1, the estimated share of the section that is wrong.
    reason : why, in plain words with areas in cm2.
    spot_mm : y, x of the place to look at, in mm from the centre of the CT's first row and column.
    """

    index: int
    score: float
    reason: str
    spot_mm: tuple[float, float]


class NetworkDoubt:
    """What the network's probabilities say about each slice; slices are noted as they come, and nothing else is kept.

    Attributes
    ----------
    expected_mm2 : area of lung to be expected, the sum of probabilities, one value a slice.
    unsure_mm2 : area that the network itself expects to be wrong.
    spots_mm : y, x of the place of most doubt, as in `DoubtfulSlice`.
    """

    def __init__(self, frame: SliceFrame, slices: int) -> None:
        self._frame = frame
        self.expected_mm2 = np.zeros(slices)
        self.unsure_mm2 = np.zeros(slices)
        self.spots_mm = np.zeros((slices, 2))

    def note(self, index: int, probability: np.ndarray) -> None:
        """Take in the probabilities (float32, shape of the frame) of slice ``index``."""
        frame = self._frame
        doubt = np.minimum(probability, 1.0 - probability)
        self.expected_mm2[index] = probability.sum() * frame.pixel_mm**2
        self.unsure_mm2[index] = doubt.sum() * frame.pixel_mm**2
        y, x = _densest(doubt, (frame.pixel_mm, frame.pixel_mm))
        self.spots_mm[index] = frame.start_y + y, frame.start_x + x


def rank_slices(mask: np.ndarray, spacing_zyx: tuple[float, float, float], doubt: NetworkDoubt) -> list[DoubtfulSlice]:
    """All slices of a scan, the middle of each gap in a lung first, then the one that is most likely wrong.

    Parameters
    ----------
    mask : uint8 (z, y, x), 0 background, 1 right lung, 2 left lung.
    """
    pixel_mm2 = spacing_zyx[1] * spacing_zyx[2]
    beside = [(z - 1, z + 1) for z in range(len(mask))]
    in_gap = np.zeros(len(mask), bool)
    for gap in gaps_of(mask):
        beside[gap.middle] = gap.first - 1, gap.last + 1
        in_gap[gap.middle] = True
    pixels, changed, lost = np.transpose(over_slices(partial(_counts, mask), range(len(mask)), beside))
    area = pixels * pixel_mm2
    missing = lost * pixel_mm2
    extra = changed * pixel_mm2 - missing
    weight = _CHANGE_MM / (_CHANGE_MM + spacing_zyx[0])
    wrong = doubt.unsure_mm2 + weight * (missing + extra)
    # One minus the Dice to be expected: what is wrong against the section as it is and as it should be.
    score = wrong / (area + doubt.expected_mm2 + weight * missing + 2 * _LEAST_MM2)
    score *= np.where(in_gap, 1.0, np.exp(-_mm_to_lung(area > 0, spacing_zyx[0]) / _NEAR_MM))
    changes = weight * (missing + extra) > doubt.unsure_mm2

    def ranked(z: int) -> DoubtfulSlice:
        section = max(area[z], doubt.expected_mm2[z]) / 100
        where = "in both neighbouring slices" if beside[z] == (z - 1, z + 1) else "below and above this gap"
        areas = {
            f"uncertain in {{:.1f}} of {section:.1f} cm²": doubt.unsure_mm2[z],
            f"{{:.1f}} cm² less than {where}": missing[z],
            f"{{:.1f}} cm² more than {where}": extra[z],
        }
        spot = _densest(_odd(mask, z, *beside[z]), spacing_zyx[1:]) if changes[z] else doubt.spots_mm[z]
        return DoubtfulSlice(z, float(score[z]), _reason(areas), (float(spot[0]), float(spot[1])))

    return over_slices(ranked, map(int, np.lexsort((-score, ~in_gap))))


def slices_to_check(ranking: Sequence[DoubtfulSlice], slice_mm: float) -> list[DoubtfulSlice]:
    """The first ``LISTED`` slices of a ranking, without those that lie next to one that is listed already."""
    chosen: list[DoubtfulSlice] = []
    for one in ranking:
        if len(chosen) < LISTED and all(abs(one.index - other.index) * slice_mm >= _APART_MM for other in chosen):
            chosen.append(one)
    return chosen


def _counts(mask: np.ndarray, z: int, beside: tuple[int, int]) -> tuple[int, int, int]:
    """Pixels of lung in a slice, those that differ from both slices ``beside`` it, and those of them that are lung
    there only."""
    pixels = int(np.count_nonzero(mask[z]))
    below, above = beside
    if not 0 <= below < above < len(mask):
        return pixels, 0, 0
    odd = _odd(mask, z, below, above)
    return pixels, int(np.count_nonzero(odd)), int(np.count_nonzero(odd & (mask[below] > 0)))


def _odd(mask: np.ndarray, z: int, below: int, above: int) -> np.ndarray:
    """Pixels (bool) on which the slices ``below`` and ``above`` agree and slice ``z`` differs."""
    return (mask[below] == mask[above]) & (mask[z] != mask[below])


def _mm_to_lung(has_lung: np.ndarray, slice_mm: float) -> np.ndarray:
    """Distance in mm of every slice from the nearest one with lung; 0 everywhere if there is none."""
    if not has_lung.any():
        return np.zeros(len(has_lung))
    return ndimage.distance_transform_edt(~has_lung, sampling=slice_mm)


def _reason(areas: dict[str, float]) -> str:
    """The largest area in words, and those that are nearly as large."""
    largest = max(areas.values())
    named = [(text, mm2) for text, mm2 in areas.items() if mm2 >= _NAMED_SHARE * largest > 0]
    return "; ".join(text.format(mm2 / 100) for text, mm2 in sorted(named, key=lambda pair: -pair[1]))


def _densest(amount: np.ndarray, pixel_mm: Sequence[float]) -> tuple[float, float]:
    """y, x in mm of the place that has most of ``amount`` around it."""
    around = ndimage.uniform_filter(
        amount.astype(np.float32, copy=False), [max(1, round(_SPOT_MM / mm)) for mm in pixel_mm], mode="constant"
    )
    row, column = np.unravel_index(int(np.argmax(around)), around.shape)
    return float(row) * pixel_mm[0], float(column) * pixel_mm[1]
