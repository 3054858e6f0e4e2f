"""One case from file to files: read, segment, measure, write, and a summary of it all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .. import __version__
from ..atomic import explained, write_atomically
from ..ct_volume import CTVolume
from ..figures.drawing import save_png
from ..figures.measurements import LungMeasurement, measure_lungs, measurements_as_json
from ..figures.overlay import draw_overlay
from ..files.dicom_choice import WhenInDoubt
from ..files.reading import read_ct
from ..files.writing import write_mask_into
from ..labels import BOTH_LUNGS, LUNG_SEGMENTS
from ..lungs.doubtful_slices import DoubtfulSlice, slices_to_check
from ..lungs.segmentation import Segmentation
from ..network.engines import LoadedEngine
from ..tables import write_rows_into
from ..timing import timed
from .device_fallback import segment_with_fallback
from .event_names import LOAD_NETWORK, READ, SEGMENT, WRITE
from .mask_options import MaskOptions
from .outputs import Outputs
from .reporting import Reporter
from .summary_file import CaseSummary, SliceToCheck


def run_case(
    source: str | os.PathLike[str],
    outputs: Outputs,
    options: MaskOptions,
    load: Callable[[], LoadedEngine],
    reporter: Reporter,
    *,
    series: str | None = None,
    when_in_doubt: WhenInDoubt = "ask",
    recursive: bool = True,
    check_inside: Sequence[float] | None = None,
) -> CaseSummary:
    """Segment one CT and write its files, each whole or not at all.

    ``series``, ``when_in_doubt`` and ``recursive`` say what is read of a DICOM folder, as in `read_ct`.
    ``check_inside`` is a box in which the places of the slices to check lie (None: anywhere): the 12 numbers, row by
    row, of the 3 x 4 matrix that takes LPS coordinates (mm) to those of the box, which goes from -1 to 1.
    ``load`` loads the network, or gives one that is loaded, while the CT is read. Where a graphics processor fails, the
    processor does the work, with a warning.

    Raises
    ------
    LungSegError : with one sentence for the user; files that were there are as they were.
    """
    outputs.check(source, options.overwrite)
    seconds: dict[str, float] = {}
    reporter.stage(READ)
    with ThreadPoolExecutor(1) as loader:
        loading = loader.submit(load)
        with timed(seconds, "read"):
            ct, warnings = read_ct(source, series, when_in_doubt=when_in_doubt, recursive=recursive)
        for text in warnings:
            reporter.warning(text)
        reporter.stage(LOAD_NETWORK)
        with timed(seconds, "load network"):
            engine = loading.result()
    reporter.stage(SEGMENT)
    warnings = list(warnings)

    def on_warning(text: str) -> None:
        warnings.append(text)
        reporter.warning(text)

    result, engine = segment_with_fallback(ct, engine, reporter.progress, on_warning, smoothing_mm=options.smoothing_mm)
    for text in result.warnings:
        reporter.warning(text)
    reporter.stage(WRITE)
    mask = (result.mask > 0).astype(result.mask.dtype) if options.one_segment else result.mask
    segments = (BOTH_LUNGS,) if options.one_segment else LUNG_SEGMENTS
    with contextlib.ExitStack() as unnamed, ThreadPoolExecutor(1) as writer:
        # All files get their names at the end, so that a case that is stopped before leaves none.
        files = {path: unnamed.enter_context(write_atomically(path, options.overwrite)) for path in outputs.paths()}
        # Masks are written one at a time, because each takes as much memory again, while the picture is drawn.
        masks = {path: writer.submit(write_mask_into, files[path], path, mask, ct, segments) for path in outputs.masks}
        measuring = writer.submit(_measured, ct, result.mask, seconds)
        with timed(seconds, "write"):
            if outputs.overlay:
                picture = draw_overlay(ct, result.mask, ct.source)
                with explained(outputs.overlay):
                    save_png(picture, files[outputs.overlay])
            for path, written in masks.items():
                with explained(path):
                    written.result()
            measurements = measuring.result()
            for path in outputs.measurements:
                with explained(path):
                    write_rows_into(files[path], measurements_as_json(measurements))
    card = engine.predictor.card
    return CaseSummary(
        program=f"LungSegResNet {__version__}",
        input=str(source),
        outputs=[str(path) for path in outputs.paths()],
        model={"name": card.name, "version": card.version},
        engine=engine.predictor.engine,
        device=engine.device,
        precision=result.precision,
        why=engine.reason,
        smoothing_mm=options.smoothing_mm,
        slices=len(ct.hu),
        seconds={stage: round(value, 3) for stage, value in (seconds | result.seconds).items()},
        warnings=[*warnings, *result.warnings],
        slices_to_check=_slices_to_check(ct, result, check_inside),
        measurements=measurements_as_json(measurements),
    )


def _measured(ct: CTVolume, mask: np.ndarray, seconds: dict[str, float]) -> list[LungMeasurement]:
    with timed(seconds, "measure"):
        return measure_lungs(ct, mask)


def _slices_to_check(ct: CTVolume, result: Segmentation, box: Sequence[float] | None) -> list[SliceToCheck]:
    """The slices most likely wrong, of those whose place lies in the box (see `run_case`)."""
    slice_mm, row_mm, column_mm = ct.spacing_zyx

    def place(one: DoubtfulSlice) -> list[float]:
        y, x = one.spot_mm
        return list(ct.point_mm(one.index, y / row_mm, x / column_mm))

    ranking = [one for one in result.ranking if box is None or _lies_in(box, place(one))]
    return [
        SliceToCheck(
            slice=ct.native_slice(one.index) + 1,
            position=ct.position_text(0, one.index),
            score=round(one.score, 3),
            reason=one.reason,
            point_lps_mm=[round(mm, 1) for mm in place(one)],
        )
        for one in slices_to_check(ranking, slice_mm)
    ]


def _lies_in(box: Sequence[float], point: Sequence[float]) -> bool:
    return bool(np.all(np.abs(np.reshape(box, (3, 4)) @ [*point, 1.0]) <= 1.0))
