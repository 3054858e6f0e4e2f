"""What ``measure`` and ``compare`` do before their work: check their results, read the CT and its masks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from ..ct_volume import CTVolume


def read_masks(
    options: argparse.Namespace, *masks: Path, overlay: Path | None = None
) -> tuple[CTVolume, list[np.ndarray]]:
    """The CT of the options, and the lungs of masks as `read_lungs` gives them; warnings are printed.

    Raises
    ------
    LungSegError : results cannot be written to ``options.output`` and ``overlay``, or a file cannot be read.
    """
    from ..files.mask_reading import read_lungs
    from ..files.reading import read_ct
    from ..jobs.outputs import Outputs
    from ..jobs.reporting import WarningReporter
    from ..lungs.laterality import sides_exchanged

    tables = (options.output,) if options.output else ()
    Outputs(measurements=tables, overlay=overlay).check(options.ct, options.overwrite, masks)
    ct, warnings = read_ct(options.ct, options.series)
    lungs = []
    for path in masks:
        mask, more = read_lungs(path, ct)
        lungs.append(mask)
        warnings += more
        if not mask.any():
            warnings.append(f"{path.name} contains no lung.")
        elif mask.dtype != bool and sides_exchanged(ct, mask):
            warnings.append(f"{path.name} has the right lung on the patient's left side: are right and left swapped?")
    reporter = WarningReporter()
    for text in warnings:
        reporter.warning(text)
    return ct, lungs
