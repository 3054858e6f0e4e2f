"""Passes of a network over a slice at several sizes, from the coarsest, which costs least, to the finest.

Each pass is spared where those before it see no lung: in slices without lung, and around the lungs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .architecture import LAST_STAGE_REACH

# Scans of so few are computed in float32: the mask of one slice differs by more in shorter numbers than that of a scan.
FEW_SLICES = 4
# Of the mean of the passes before the finest; a lung that is larger than a few pixels makes all of them sure.
LUNG_IN_VIEW = 0.05
_MAYBE_LUNG = 0.001  # with 0.003 the tips of lungs lose some pixels, and white lungs more
# Pixels around; with 16 network 0.4.0 changes some pixels of a mask, with 24 hardly any.
_MARGIN = LAST_STAGE_REACH
_STEP = 8  # the size of boxes is a multiple of it, because each size is prepared for when it is first met


@dataclass(frozen=True)
class PassView:
    """Rows and columns of a frame that a pass is shown, and those it tells of: without the margin around them.

    Where they come close to the edge of the frame there is no margin to be left out.
    """

    shown: tuple[slice, slice]
    told: tuple[slice, slice]

    @property
    def unpadded(self) -> tuple[bool, bool]:
        """For rows and columns, whether the last stage of the network works without a border of zeros."""
        return self.shown[0] != self.told[0], self.shown[1] != self.told[1]


WHOLE_FRAME = PassView((slice(None), slice(None)), (slice(None), slice(None)))


def from_coarse_to_fine(scales: tuple[int, ...]) -> tuple[int, ...]:
    """The passes in the order in which they are run; scales are those of ``ModelCard.scales``."""
    return tuple(sorted(scales, reverse=True))


def with_lung(probability: np.ndarray, is_finest: bool, lung_in_view: float = LUNG_IN_VIEW) -> np.ndarray:
    """Numbers of those slices (n, h, w), probabilities by the passes so far, that the next pass has to see."""
    enough = lung_in_view if is_finest else min(lung_in_view, _MAYBE_LUNG)
    return np.flatnonzero(probability.max(axis=(1, 2)) > enough)


def pass_view(probability: np.ndarray, scale: int, lung_in_view: float = LUNG_IN_VIEW) -> PassView:
    """Where a pass at 1/scale looks: at all that may be lung by those before, and a margin as far as the frame goes.

    Parameters
    ----------
    probability : (h, w) by the passes before; some of it is larger than ``lung_in_view``, below 0 all of it.
    """
    hits = np.nonzero(probability > min(lung_in_view, _MAYBE_LUNG))
    rows, columns = (
        _shown_and_told(along // scale, size // scale) for along, size in zip(hits, probability.shape, strict=True)
    )
    shown, told = ((_enlarged(rows[i], scale), _enlarged(columns[i], scale)) for i in (0, 1))
    return PassView(shown, told)


def _shown_and_told(hits: np.ndarray, size: int) -> tuple[slice, slice]:
    first, end = int(hits.min()) - _MARGIN, int(hits.max()) + 1 + _MARGIN
    has_margin = first >= 0 and end <= size
    first, end = max(0, first), min(size, end)
    length = min(size, -(-(end - first) // _STEP) * _STEP)
    start = min(max(0, first - (length - (end - first)) // 2), size - length)
    shown = slice(start, start + length)
    return shown, slice(shown.start + _MARGIN, shown.stop - _MARGIN) if has_margin else shown


def _enlarged(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)


def lung_probability(logits: np.ndarray) -> np.ndarray:
    """Probability (n, h, w) of class 1, from logits (n, classes, h, w), float32."""
    others = np.delete(logits, 1, axis=1)
    others -= logits[:, 1:2]
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(others, out=others).sum(axis=1))
