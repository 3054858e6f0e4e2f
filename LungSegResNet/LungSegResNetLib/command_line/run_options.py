"""Options that ``segment`` and ``segment-folder`` share."""

from __future__ import annotations

import argparse
from pathlib import Path

# Written out here because importing the library's own lists would load it for --help.
_DEVICES = ("auto", "cuda", "mps", "gpu", "cpu")
_ENGINES = ("auto", "torch", "openvino")
_MOST_SMOOTHING_MM = 20
_PROGRESS = ("bar", "json", "none")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the network, of overwriting and of progress."""
    parser.add_argument(
        "--device",
        choices=_DEVICES,
        default="auto",
        help="where the network runs; gpu is Intel graphics (default: auto)",
    )
    parser.add_argument("--engine", choices=_ENGINES, default="auto", help="what runs the network (default: auto)")
    parser.add_argument("--model", type=Path, metavar="FILE", help="network file (default: the shipped one)")
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
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    parser.add_argument(
        "--progress", choices=_PROGRESS, help="bar, JSON lines on standard error, or none (default: bar in a terminal)"
    )


def _millimetres(text: str) -> float:
    value = float(text)
    if not 0 <= value <= _MOST_SMOOTHING_MM:
        raise argparse.ArgumentTypeError(f"must lie between 0 and {_MOST_SMOOTHING_MM} mm")
    return value


def positive(text: str) -> int:
    """A number of 1 or more, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value
