"""Raw lung mask of a scan: slices to the network and back.

Thin slices differ little from their neighbours. The network sees some of them, at most `SLICES_APART_MM` apart, and
those in between where two of these disagree; the others are interpolated. Beyond the lungs it only looks out for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
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
    total = len(ct.hu)
    plane = ct.hu.shape[1:]
    into_frame = Resampling(*to_frame_matrices(frame, plane, ct.spacing_zyx[1:]))
    out_of_frame = Resampling(*from_frame_matrices(frame, plane, ct.spacing_zyx[1:]))
    mask = np.zeros(ct.hu.shape, bool)

    def prepare(numbers: Sequence[int]) -> np.ndarray:
        with timed(seconds, "preprocessing"):
            return np.stack(over_slices(lambda z: into_frame(scale_hu(ct.hu[z], predictor.card.hu_window)), numbers))

    def threshold(z: int, section: np.ndarray) -> None:
        if section.max() > 0.5:
            np.greater(out_of_frame(section), 0.5, out=mask[z])

    def finish(seen: dict[int, np.ndarray], first: int) -> None:
        with timed(seconds, "resampling"):
            sections = {z: section for z, section in _with_those_between(seen).items() if z >= first}
            over_slices(threshold, sections.keys(), sections.values())
        with timed(seconds, "ranking"):
            over_slices(doubt.note, sections.keys(), sections.values())

    def network(numbers: Sequence[int], slices: np.ndarray, done: int) -> dict[int, np.ndarray]:
        with timed(seconds, "network"):
            shown = partial(_shifted, on_progress, done, total)
            return dict(zip(numbers, predictor.predict(slices, shown), strict=True))

    on_progress(0, total)
    step = max(1, int(apart_mm / ct.spacing_zyx[0] + 1e-3))
    grid = [*range(0, total - 1, step), total - 1]
    lookout = max(1, int(_LOOKOUT_MM / (step * ct.spacing_zyx[0]) + 1e-3)) if apart_mm else 1
    size = max(_CHUNK, 2 * predictor.batch_size)
    chunks = [grid[start : start + size] for start in range(0, len(grid), size)]
    # A thread of its own has slices brought to the network and back while the network is busy.
    with ThreadPoolExecutor(1) as helper:
        upcoming = helper.submit(prepare, chunks[0])
        finished: Future[None] | None = None
        seen: dict[int, np.ndarray] = {}
        for number, chunk in enumerate(chunks, start=1):
            slices = dict(zip(chunk, upcoming.result(), strict=True))
            if number < len(chunks):
                upcoming = helper.submit(prepare, chunks[number])
            done = max(seen, default=-1) + 1
            ends = sorted({*chunk[::lookout], chunk[-1]})
            seen |= network(ends, np.stack([slices[z] for z in ends]), done)
            if between := _where_lung_may_be(seen, chunk):
                seen |= network(between, np.stack([slices[z] for z in between]), done + len(ends))
            while middles := _where_neighbours_disagree(seen):
                count = sum(z >= done for z in seen)
                seen |= network(middles, helper.submit(prepare, middles).result(), done + count)
            on_progress(chunk[-1] + 1, total)
            if finished is not None:
                finished.result()
            finished = helper.submit(finish, seen, done)
            seen = {chunk[-1]: seen[chunk[-1]]}
        if finished is not None:
            finished.result()
    return mask


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


def _shifted(on_progress: Callable[[int, int], None], start: int, total: int, done: int) -> None:
    on_progress(start + done, total)
