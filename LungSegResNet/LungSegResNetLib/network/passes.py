"""Passes of a network over a slice at several sizes; the finest, which costs most, is spared where there is no lung.

That goes for slices without lung, and for what lies around the lungs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .architecture import LAST_STAGE_REACH

# Scans of so few are computed in float32: the mask of one slice differs by more in shorter numbers than that of a scan.
FEW_SLICES = 4
# Of the mean of the coarser passes; a lung that is larger than a few pixels makes all of them sure.
LUNG_IN_VIEW = 0.05
_MAYBE_LUNG = 0.01  # so little that what the coarser passes miss of a lung is not left out
# Pixels around; with 16 network 0.4.0 changes some pixels of a mask, with 24 hardly any.
_MARGIN = LAST_STAGE_REACH
_STEP = 16  # the size of boxes is a multiple of it, because each size is prepared for when it is first met


@dataclass(frozen=True)
class FineView:
    """Rows and columns of a frame that the finest pass is shown, and the inner ones of these, without a margin.

    The pass gives the inner ones. Where they come close to the edge of the frame there is no margin to be left out.
    """

    shown: tuple[slice, slice]
    inner: tuple[slice, slice]

    @property
    def unpadded(self) -> tuple[bool, bool]:
        """For rows and columns, whether the last stage of the network works without a border of zeros."""
        return self.shown[0] != self.inner[0], self.shown[1] != self.inner[1]


WHOLE_FRAME = FineView((slice(None), slice(None)), (slice(None), slice(None)))


def split_scales(scales: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """The coarser passes, which come first, and the finest one; scales are those of ``ModelCard.scales``."""
    finest = min(scales)
    return tuple(scale for scale in scales if scale != finest), finest


def fine_view(probability: np.ndarray, lung_in_view: float = LUNG_IN_VIEW) -> FineView:
    """Where the finest pass looks: at all that may be lung by the coarser ones, and a margin as far as the frame goes.

    Parameters
    ----------
    probability : (h, w) by the coarser passes; some of it is larger than ``lung_in_view``, below 0 all of it.
    """
    rows, columns = np.nonzero(probability > min(lung_in_view, _MAYBE_LUNG))
    shown_rows, inner_rows = _shown_and_inner(rows, probability.shape[0])
    shown_columns, inner_columns = _shown_and_inner(columns, probability.shape[1])
    return FineView((shown_rows, shown_columns), (inner_rows, inner_columns))


def _shown_and_inner(hits: np.ndarray, size: int) -> tuple[slice, slice]:
    first, end = int(hits.min()) - _MARGIN, int(hits.max()) + 1 + _MARGIN
    has_margin = first >= 0 and end <= size
    first, end = max(0, first), min(size, end)
    length = min(size, -(-(end - first) // _STEP) * _STEP)
    start = min(max(0, first - (length - (end - first)) // 2), size - length)
    shown = slice(start, start + length)
    return shown, slice(shown.start + _MARGIN, shown.stop - _MARGIN) if has_margin else shown


def lung_probability(logits: np.ndarray) -> np.ndarray:
    """Probability (n, h, w) of class 1, from logits (n, classes, h, w), float32."""
    others = np.delete(logits, 1, axis=1)
    others -= logits[:, 1:2]
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(others, out=others).sum(axis=1))
