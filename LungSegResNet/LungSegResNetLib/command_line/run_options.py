"""Options that several commands share, above all ``segment`` and ``segment-folder``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..choices import DEVICES, ENGINES, MOST_SMOOTHING_MM
from ..jobs.mask_options import MaskOptions
from ..jobs.reporting import MODES
from .values import given_path, positive

if TYPE_CHECKING:
    from ..network.engines import EngineSettings


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the network, of overwriting and of progress."""
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="where the network runs; gpu is Intel graphics (default: auto)",
    )
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="what runs the network (default: auto)")
    parser.add_argument("--model", type=given_path, metavar="FILE", help="network file (default: the shipped one)")
    parser.add_argument(
        "--batch-size", type=positive, metavar="N", help="slices per pass (default: what suits the device)"
    )
    parser.add_argument(
        "--smoothing",
        type=_millimetres,
        default=0.0,
        metavar="MM",
        help="smooth the borders with a kernel of this width in mm; volumes stay (default: 0, off)",
    )
    parser.add_argument(
        "--one-segment",
        action="store_true",
        help="write both lungs as one segment with the label 1; measurements are still reported per lung",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    add_progress_option(parser)


def engine_settings(options: argparse.Namespace) -> EngineSettings:
    """What the options of a run ask of the network."""
    from ..network.engines import EngineSettings

    return EngineSettings(options.engine, options.device, options.model, options.batch_size)


def mask_options(options: argparse.Namespace) -> MaskOptions:
    """What the options of a run ask of the masks."""
    return MaskOptions(options.smoothing, options.one_segment, options.overwrite)


def add_progress_option(parser: argparse.ArgumentParser) -> None:
    """Add the option of how a run tells what it is doing; it is for `make_reporter`."""
    parser.add_argument(
        "--progress",
        choices=MODES,
        help="bar, JSON lines on standard error, or none: warnings only (default: bar in a terminal)",
    )


def _millimetres(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MOST_SMOOTHING_MM:
        raise argparse.ArgumentTypeError(f"must be a number of mm from 0 to {MOST_SMOOTHING_MM:g}, not '{text}'")
    return value
