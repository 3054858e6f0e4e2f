"""The whole road: CT volume in, right and left lung out, with timings and warnings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..ct_volume import CTVolume
from ..errors import InputError
from ..network.predictor import Predictor
from ..timing import timed
from .diaphragm import without_domes
from .doubtful_slices import DoubtfulSlice, NetworkDoubt, rank_slices
from .laterality import body_midline
from .postprocessing import clean_mask
from .prediction import SLICES_APART_MM, predict_mask
from .preprocessing import SliceFrame, frame_for
from .quality import quality_warnings
from .smoothing import smooth_lungs


@dataclass(frozen=True)
class Segmentation:
    """Result of a run.

    Attributes
    ----------
    mask : uint8 (z, y, x) in the order of ``CTVolume.hu``: 0 background, 1 right lung, 2 left lung.
    warnings : sentences for the user.
    ranking : all slices, the one that is most likely wrong first.
    seconds : duration of each stage.
    precision : number format in which the network was run.
    """

    mask: np.ndarray
    warnings: list[str]
    ranking: list[DoubtfulSlice]
    seconds: dict[str, float]
    precision: str


def segment(
    ct: CTVolume,
    predictor: Predictor,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    smoothing_mm: float = 0.0,
    apart_mm: float = SLICES_APART_MM,
) -> Segmentation:
    """Segment the lungs of a CT.

    ``on_progress`` gets the number of finished slices and of all slices; what it raises cancels the run. Borders are
    smoothed as in `smooth_lungs`. ``apart_mm`` is the distance of slices that the network sees in any case; 0: it sees
    all of them.

    Raises
    ------
    InputError : no lung was found.
    DeviceError : the device has too little memory.
    """
    seconds: dict[str, float] = {}
    predictor = predictor.for_scan(len(ct.hu))
    with timed(seconds, "crop"):
        frame = frame_for(ct.hu, ct.spacing_zyx, predictor.card.slice_shape)
    doubt = NetworkDoubt(frame, len(ct.hu))
    raw = predict_mask(ct, frame, predictor, doubt, on_progress, seconds, apart_mm)
    with timed(seconds, "post-processing"):
        raw = without_domes(raw, ct.hu, ct.spacing_zyx)
        midline = body_midline(ct.hu, ct.spacing_zyx, _middle_of(frame))
        mask = clean_mask(raw, ct.spacing_zyx, midline, ct.hu)
        mask = smooth_lungs(mask, ct.spacing_zyx, smoothing_mm)
    if not mask.any():
        raise InputError(f"No lung was found in {ct.source}; is it a chest CT?")
    with timed(seconds, "ranking"):
        ranking = rank_slices(mask, ct.spacing_zyx, doubt)
    return Segmentation(mask, quality_warnings(ct, mask, midline), ranking, seconds, predictor.precision)


def _middle_of(frame: SliceFrame) -> float:
    """x of the middle of what is seen of the body, in mm from the centre of the first column."""
    return frame.start_x + (frame.shape[1] - 1) / 2 * frame.pixel_mm
