"""``lungsegresnet measure CT MASK``."""

from __future__ import annotations

import argparse

from .values import given_path

SUMMARY = "volumes and densities of the lungs in a mask"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument("ct", type=given_path, help="the CT, as for segment")
    parser.add_argument(
        "mask", type=given_path, help="label map or .seg.nrrd (1 right lung, 2 left lung, or one label for both)"
    )
    parser.add_argument("--series", help="DICOM series of the CT")
    parser.add_argument("--output", type=given_path, metavar="FILE", help="write .csv or .json")
    parser.add_argument("--overwrite", action="store_true", help="replace a result that exists")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    import json

    from ..figures.measurements import measure_lungs, measurements_as_json, table_from_json, write_measurements
    from .masks_on_ct import read_masks

    ct, (mask,) = read_masks(options, options.mask)
    measurements = measure_lungs(ct, mask)
    if options.output:
        write_measurements(options.output, measurements, options.overwrite)
    values = measurements_as_json(measurements)
    print(json.dumps(values, indent=2) if options.json else table_from_json(values))
    return 0
