"""Raw lung mask of a scan: slices to the network and back.

Thin slices differ little from their neighbours. The network sees some of them, at most `SLICES_APART_MM` apart, and
those in between where two of these disagree; the others are interpolated. Beyond the lungs it only looks out for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from ..ct_volume import CTVolume
from ..network.passes import LUNG_IN_VIEW
from ..network.predictor import Predictor
from ..timing import timed
from .doubtful_slices import NetworkDoubt
from .preprocessing import Resampling, SliceFrame, from_frame_matrices, scale_hu, to_frame_matrices
from .slicewise import over_slices

SLICES_APART_MM = 2.5
_LOOKOUT_MM = 10.0  # no lung begins and ends between two slices that are nearer than this
_MOST_CHANGE = 0.05  # of the lung's area; two slices that differ by more disagree
_CHUNK = 32  # slices for the network between two steps of the road, or two batches; bounds memory
_SURE = 1e-6  # probabilities nearer to 0 and 1 weigh no more


def predict_mask(
    ct: CTVolume,
    frame: SliceFrame,
    predictor: Predictor,
    doubt: NetworkDoubt,
    on_progress: Callable[[int, int], None],
    seconds: dict[str, float],
    apart_mm: float = SLICES_APART_MM,
) -> np.ndarray:
    """Raw lung mask (bool) on the CT's grid; ``doubt`` notes the probabilities, which are not kept.

    ``on_progress`` gets the number of finished slices and of all slices; ``seconds`` the duration of each stage. With
    ``apart_mm`` 0 the network sees every slice.
    """
    return _Prediction(ct, frame, predictor, doubt, on_progress, seconds).run(apart_mm)


class _Prediction:
    """The work of `predict_mask`: chunk by chunk through the network, with a thread for the way there and back."""

    def __init__(
        self,
        ct: CTVolume,
        frame: SliceFrame,
        predictor: Predictor,
        doubt: NetworkDoubt,
        on_progress: Callable[[int, int], None],
        seconds: dict[str, float],
    ) -> None:
        self._ct, self._predictor, self._doubt = ct, predictor, doubt
        self._on_progress, self._seconds = on_progress, seconds
        plane, pixel_mm = ct.hu.shape[1:], ct.spacing_zyx[1:]
        self._into_frame = Resampling(*to_frame_matrices(frame, plane, pixel_mm))
        self._out_of_frame = Resampling(*from_frame_matrices(frame, plane, pixel_mm))
        self._mask = np.zeros(ct.hu.shape, bool)
        # Has slices brought to the network and back while the network is busy.
        self._helper = ThreadPoolExecutor(1)

    def run(self, apart_mm: float) -> np.ndarray:
        """The mask, once all slices are done."""
        total, slice_mm = len(self._ct.hu), self._ct.spacing_zyx[0]
        self._on_progress(0, total)
        step = max(1, int(apart_mm / slice_mm + 1e-3))
        grid = [*range(0, total - 1, step), total - 1]
        lookout = max(1, int(_LOOKOUT_MM / (step * slice_mm) + 1e-3)) if apart_mm else 1
        size = -(-max(_CHUNK, 2 * self._predictor.batch_size) // _CHUNK) * _CHUNK
        chunks = [grid[start : start + size] for start in range(0, len(grid), size)]
        with self._helper:
            upcoming = self._helper.submit(self._prepared, chunks[0])
            finished: Future[None] | None = None
            seen: dict[int, np.ndarray] = {}
            for number, chunk in enumerate(chunks, start=1):
                slices = dict(zip(chunk, upcoming.result(), strict=True))
                if number < len(chunks):
                    upcoming = self._helper.submit(self._prepared, chunks[number])
                first = max(seen, default=-1) + 1
                seen = self._chunk(chunk, slices, lookout, seen)
                self._on_progress(chunk[-1] + 1, total)
                if finished is not None:
                    finished.result()
                finished = self._helper.submit(self._finish, seen, first)
                seen = {chunk[-1]: seen[chunk[-1]]}
            if finished is not None:
                finished.result()
        return self._mask

    def _chunk(
        self, chunk: Sequence[int], slices: dict[int, np.ndarray], lookout: int, before: dict[int, np.ndarray]
    ) -> dict[int, np.ndarray]:
        """Probabilities of the slices that the network has to see, and of the last one ``before``, by their numbers.

        ``slices`` are those of the chunk, prepared; the network looks out for lung in one of ``lookout``.
        """
        seen, first = dict(before), max(before, default=-1) + 1
        # By blocks, so that the same slices are seen however many a device takes at once.
        blocks = [chunk[start : start + _CHUNK] for start in range(0, len(chunk), _CHUNK)]
        ends = sorted({z for block in blocks for z in (*block[::lookout], block[-1])})
        seen |= self._predicted(ends, np.stack([slices[z] for z in ends]), first)
        if between := _where_lung_may_be(seen, chunk):
            seen |= self._predicted(between, np.stack([slices[z] for z in between]), first + len(ends))
        while middles := _where_neighbours_disagree(seen):
            done = first + sum(z >= first for z in seen)
            seen |= self._predicted(middles, self._helper.submit(self._prepared, middles).result(), done)
        return seen

    def _prepared(self, numbers: Sequence[int]) -> np.ndarray:
        """Slices as the network takes them, shape (n, rows, columns)."""
        window = self._predictor.card.hu_window
        with timed(self._seconds, "preprocessing"):
            return np.stack(over_slices(lambda z: self._into_frame(scale_hu(self._ct.hu[z], window)), numbers))

    def _predicted(self, numbers: Sequence[int], slices: np.ndarray, done: int) -> dict[int, np.ndarray]:
        """Probabilities of prepared slices by their numbers; so many of the scan's were ``done`` before."""

        def on_slices_done(count: int) -> None:
            self._on_progress(done + count, len(self._ct.hu))

        with timed(self._seconds, "network"):
            return dict(zip(numbers, self._predictor.predict(slices, on_slices_done), strict=True))

    def _finish(self, seen: dict[int, np.ndarray], first: int) -> None:
        """Bring what was seen and what lies between into the mask and the ranking, from slice ``first`` on."""
        with timed(self._seconds, "resampling"):
            sections = {z: section for z, section in _with_those_between(seen).items() if z >= first}
            over_slices(self._threshold, sections.keys(), sections.values())
        with timed(self._seconds, "ranking"):
            over_slices(self._doubt.note, sections.keys(), sections.values())

    def _threshold(self, z: int, section: np.ndarray) -> None:
        if section.max() > 0.5:
            np.greater(self._out_of_frame(section), 0.5, out=self._mask[z])


def _where_lung_may_be(seen: dict[int, np.ndarray], grid: Sequence[int]) -> list[int]:
    """Slices of the grid between two that were seen, unless neither of them has lung."""
    gaps = [
        (below, above)
        for below, above in pairwise(sorted(seen))
        if max(seen[below].max(), seen[above].max()) > LUNG_IN_VIEW
    ]
    return [z for below, above in gaps for z in grid if below < z < above]


def _where_neighbours_disagree(seen: dict[int, np.ndarray]) -> list[int]:
    """The middle of each gap between two slices whose masks differ too much."""
    return [
        (below + above) // 2
        for below, above in pairwise(sorted(seen))
        if above - below > 1 and not _agree(seen[below], seen[above])
    ]


def _agree(first: np.ndarray, second: np.ndarray) -> bool:
    first, second = first > 0.5, second > 0.5
    area = (np.count_nonzero(first) + np.count_nonzero(second)) / 2.0
    return bool(np.count_nonzero(first ^ second) <= _MOST_CHANGE * area)


def _with_those_between(seen: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Probabilities of all slices from the first to the last one seen; log-odds are linear in between."""
    sections = dict(seen)
    gaps = [(below, above) for below, above in pairwise(sorted(seen)) if above - below > 1]

    def fill(gap: tuple[int, int]) -> dict[int, np.ndarray]:
        below, above = gap
        first, last = _log_odds(seen[below]), _log_odds(seen[above])
        weights = {z: np.float32((z - below) / (above - below)) for z in range(below + 1, above)}
        return {z: 1.0 / (1.0 + np.exp(-(first + weight * (last - first)))) for z, weight in weights.items()}

    for between in over_slices(fill, gaps):
        sections |= between
    return sections


def _log_odds(probability: np.ndarray) -> np.ndarray:
    clipped = np.clip(probability, _SURE, 1.0 - _SURE)
    return np.log(clipped / (1.0 - clipped))
