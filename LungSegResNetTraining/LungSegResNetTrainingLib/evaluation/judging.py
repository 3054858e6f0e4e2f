"""Judges one case: segments it, compares, and draws its pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.digests import array_digest
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.figures.drawing import save_png
from LungSegResNetLib.figures.metric_definitions import DICE
from LungSegResNetLib.figures.metrics import compare_lungs
from LungSegResNetLib.figures.overlay import write_overlay
from LungSegResNetLib.jobs.device_fallback import segment_with_fallback
from LungSegResNetLib.network.engines import LoadedEngine

from ..data.case_reading import read_case
from ..data.cases import REFUSED, Case
from ..data.draft_mask import LUNG_HU, draft_lungs
from ..data.pair_check import check_pair
from .case_result import LUNGS, NETWORK, THRESHOLDING, CaseResult, WorstSlice
from .finished_cases import forget_result
from .worst_slices import draw_worst_slice, find_worst_slices

_OVERLAY = "overlay.png"


class RefusedPairError(InputError):
    """The mask does not belong to the CT, by the check of pairs."""


def judge_case(
    case: Case,
    folder: Path,
    engine: LoadedEngine,
    *,
    with_baseline: bool,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> CaseResult:
    """Segment and compare one case; an overlay and pictures of the worst slices land in ``folder``, instead of those of
    an earlier evaluation.

    A case in which no lung is found counts with an empty mask, not as an error. A pair that its check doubts, or
    refuses and the case list accepts, is judged, and the result says so, as it does where the processor had to take
    over from a graphics processor that failed.

    Raises
    ------
    InputError : a file cannot be read.
    RefusedPairError : the mask does not belong to the CT.
    DeviceError : the device has too little memory, and there is nothing to take over.
    OutputError : a picture cannot be written.
    """
    ct, mask = read_case(case)
    reference = mask.labels
    verdict = check_pair(ct, reference, mask.left_out).after(case.accepted)
    if verdict.status == REFUSED:
        raise RefusedPairError(" ".join(verdict.reasons))
    forget_result(folder)  # not before: a scan that is out of reach for now costs nothing
    predicted, warnings = _predicted(ct, engine, on_progress)
    comparisons = {NETWORK: compare_lungs(reference, predicted, ct.steps_zyx, ct.hu)}
    if with_baseline:
        comparisons[THRESHOLDING] = compare_lungs(reference, _thresholded(ct), ct.steps_zyx, ct.hu)

    in_reference, in_predicted = reference > 0, predicted > 0
    score = f"Dice {DICE.text(comparisons[NETWORK][LUNGS].dice)}" if in_reference.any() else "No lung in the reference"
    # Its end is cut off where there is no room for it.
    title = f"{score}: {case.name}"
    write_overlay(folder / _OVERLAY, ct, predicted, overwrite=True, title=title, reference=reference)
    missed, added = in_reference & ~in_predicted, in_predicted & ~in_reference
    dense = ct.hu > LUNG_HU
    missed_ml, missed_dense_ml, added_ml, added_dense_ml = (
        float(np.count_nonzero(voxels)) * ct.voxel_ml for voxels in (missed, missed & dense, added, added & dense)
    )
    return CaseResult(
        case=case,
        folder=folder,
        slices=len(ct.hu),
        comparisons=comparisons,
        missed_ml=missed_ml,
        missed_dense_ml=missed_dense_ml,
        added_ml=added_ml,
        added_dense_ml=added_dense_ml,
        overlay=_OVERLAY,
        worst_slices=_draw_worst(ct, in_reference, in_predicted, case.name, folder),
        notes=(*mask.notes, *warnings),
        spacing_mm=ct.spacing_zyx,
        ct_sha256=array_digest(ct.hu),
        mask_sha256=array_digest(reference),
        doubts=verdict.reasons,
    )


def _predicted(
    ct: CTVolume, engine: LoadedEngine, on_progress: Callable[[int, int], None]
) -> tuple[np.ndarray, list[str]]:
    """The labels, and what there is to say about them."""
    told: list[str] = []
    try:
        result, _ = segment_with_fallback(ct, engine, on_progress, told.append)
    except InputError as error:
        # The scan was read before: what is left to complain about is that there is no lung in it.
        return np.zeros(ct.hu.shape, np.uint8), [*told, str(error)]
    return result.mask, [*told, *result.warnings]


def _thresholded(ct: CTVolume) -> np.ndarray:
    try:
        return draft_lungs(ct)
    except InputError:
        return np.zeros(ct.hu.shape, np.uint8)


def _draw_worst(
    ct: CTVolume, reference: np.ndarray, predicted: np.ndarray, name: str, folder: Path
) -> tuple[WorstSlice, ...]:
    found = find_worst_slices(ct, reference, predicted)
    for worst in found:
        picture = draw_worst_slice(ct, reference, predicted, worst, name)
        with write_atomically(folder / worst.picture, overwrite=True) as temporary:
            save_png(picture, temporary)
    return found
