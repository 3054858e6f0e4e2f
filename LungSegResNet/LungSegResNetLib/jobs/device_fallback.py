"""A scan whose graphics processor fails is segmented on the processor."""

from __future__ import annotations

from collections.abc import Callable

from ..ct_volume import CTVolume
from ..errors import DeviceError
from ..lungs.segmentation import Segmentation, segment
from ..network.engines import LoadedEngine


def segment_with_fallback(
    ct: CTVolume,
    engine: LoadedEngine,
    on_progress: Callable[[int, int], None],
    on_warning: Callable[[str], None],
    *,
    smoothing_mm: float = 0.0,
) -> tuple[Segmentation, LoadedEngine]:
    """As `segment`; also gives the engine that did it.

    That is another one where the device failed, of which ``on_warning`` is told.

    Raises
    ------
    InputError : no lung was found.
    DeviceError : the device failed, and there is nothing to take over.
    """
    try:
        return segment(ct, engine.predictor, on_progress, smoothing_mm=smoothing_mm), engine
    except DeviceError as error:
        if engine.on_processor is None:
            raise
        on_warning(f"{error} The scan was segmented on the CPU instead.")
    on_processor = engine.on_processor()
    return segment(ct, on_processor.predictor, on_progress, smoothing_mm=smoothing_mm), on_processor
