"""The whole road: CT volume in, right and left lung out, with timings and warnings."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from ..ct_volume import CTVolume
from ..errors import InputError
from ..network.model_file import ModelCard
from ..timing import timed
from .diaphragm import without_domes
from .doubtful_slices import DoubtfulSlice, NetworkDoubt, rank_slices
from .postprocessing import clean_mask
from .preprocessing import Resampling, SliceFrame, frame_for, from_frame_matrices, scale_hu, to_frame_matrices
from .quality import quality_warnings
from .smoothing import smooth_lungs

_CHUNK = 32  # slices between two steps of the road; bounds memory


class Predictor(Protocol):
    """A loaded network: probability (n, h, w) from scaled slices (n, h, w), both float32."""

    card: ModelCard
    engine: str
    precision: str

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None] = ...) -> np.ndarray: ...


@dataclass(frozen=True)
class Segmentation:
    """Result of a run.

    Attributes
    ----------
    mask : uint8 (z, y, x) in the order of ``CTVolume.hu``: 0 background, 1 right lung, 2 left lung.
    warnings : sentences for the user.
    ranking : all slices, the one that is most likely wrong first.
    seconds : duration of each stage.
    """

    mask: np.ndarray
    warnings: list[str]
    ranking: list[DoubtfulSlice]
    seconds: dict[str, float]


def segment(
    ct: CTVolume,
    predictor: Predictor,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    smoothing_mm: float = 0.0,
) -> Segmentation:
    """Segment the lungs of a CT.

    ``on_progress`` gets the number of finished slices and of all slices; what it raises cancels the run. Borders are
    smoothed as in `smooth_lungs`.

    Raises
    ------
    InputError : no lung was found.
    DeviceError : the device has too little memory.
    """
    seconds: dict[str, float] = {}
    with timed(seconds, "crop"):
        frame = frame_for(ct.hu, ct.spacing_zyx, predictor.card.slice_shape)
    doubt = NetworkDoubt(frame, len(ct.hu))
    raw = _predict(ct, frame, predictor, doubt, on_progress, seconds)
    with timed(seconds, "post-processing"):
        raw = without_domes(raw, ct.hu, ct.spacing_zyx)
        mask = smooth_lungs(clean_mask(raw, ct.spacing_zyx, midline_of(frame)), ct.spacing_zyx, smoothing_mm)
    if not mask.any():
        raise InputError(f"No lung was found in {ct.source}; is it a chest CT? Nothing was written.")
    with timed(seconds, "ranking"):
        ranking = rank_slices(mask, ct.spacing_zyx, doubt)
    return Segmentation(mask, quality_warnings(ct, mask), ranking, seconds)


def midline_of(frame: SliceFrame) -> float:
    """x of the middle of the body, in mm from the centre of the first column."""
    return frame.start_x + (frame.shape[1] - 1) / 2 * frame.pixel_mm


def _predict(
    ct: CTVolume,
    frame: SliceFrame,
    predictor: Predictor,
    doubt: NetworkDoubt,
    on_progress: Callable[[int, int], None],
    seconds: dict[str, float],
) -> np.ndarray:
    """Raw lung mask (bool) on the CT's grid; ``doubt`` notes the probabilities, which are not kept."""
    total = len(ct.hu)
    plane = ct.hu.shape[1:]
    into_frame = Resampling(*to_frame_matrices(frame, plane, ct.spacing_zyx[1:]))
    out_of_frame = Resampling(*from_frame_matrices(frame, plane, ct.spacing_zyx[1:]))
    mask = np.zeros(ct.hu.shape, bool)

    def prepare(start: int) -> np.ndarray:
        with timed(seconds, "preprocessing"):
            scaled = (scale_hu(section, predictor.card.hu_window) for section in ct.hu[start : start + _CHUNK])
            return np.stack([into_frame(section) for section in scaled])

    def finish(start: int, probability: np.ndarray) -> None:
        with timed(seconds, "resampling"):
            for z, section in enumerate(probability, start):
                if section.max() > 0.5:
                    np.greater(out_of_frame(section), 0.5, out=mask[z])
        with timed(seconds, "ranking"):
            for z, section in enumerate(probability, start):
                doubt.note(z, section)

    on_progress(0, total)
    # A thread of its own brings slices to the network and back while the network is busy.
    with ThreadPoolExecutor(1) as helper:
        slices = helper.submit(prepare, 0)
        finished: Future | None = None
        for start in range(0, total, _CHUNK):
            ready = slices.result()
            if start + _CHUNK < total:
                slices = helper.submit(prepare, start + _CHUNK)
            with timed(seconds, "network"):
                probability = predictor.predict(ready, partial(_shifted, on_progress, start, total))
            if finished is not None:
                finished.result()
            finished = helper.submit(finish, start, probability)
        if finished is not None:
            finished.result()
    return mask


def _shifted(on_progress: Callable[[int, int], None], start: int, total: int, done: int) -> None:
    on_progress(start + done, total)
