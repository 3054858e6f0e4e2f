"""``lungsegresnet segment INPUT OUTPUT``."""

from __future__ import annotations

import argparse

from .run_options import add_run_options, engine_settings, mask_options
from .values import box, given_path

SUMMARY = "segment the lungs of one CT"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument("input", type=given_path, help="DICOM folder, .dcm, .nii(.gz), .nrrd, .nhdr, .mha or .mhd")
    parser.add_argument(
        "output",
        type=given_path,
        help=".seg.nrrd, .nii(.gz), .nrrd, .mha, or a folder that gets masks, measurements and a picture",
    )
    parser.add_argument(
        "--series", help="DICOM series of a folder: its number in the list, its UID, or a part of its description"
    )
    parser.add_argument(
        "--measurements", type=given_path, metavar="FILE", help="also write volumes and densities (.csv or .json)"
    )
    parser.add_argument("--overlay", type=given_path, metavar="FILE", help="also write a picture with contours (.png)")
    parser.add_argument(
        "--check-inside",
        type=box,
        metavar="BOX",
        help="list slices to check by places in a box only: the 3 x 4 matrix, row by row with commas, that takes LPS "
        "coordinates (mm) to those of the box, which goes from -1 to 1",
    )
    parser.add_argument("--json", action="store_true", help="print one machine-readable summary on standard output")
    add_run_options(parser)


def run(options: argparse.Namespace) -> int:
    """Segment; prints a short table or the JSON summary."""
    import dataclasses
    import json
    from functools import partial

    from ..figures.measurements import table_from_json
    from ..jobs.case_job import run_case
    from ..jobs.engine_cache import cached_engine
    from ..jobs.outputs import Outputs
    from ..jobs.reporting import make_reporter
    from ..timing import timed
    from ..wording import counted

    outputs = Outputs.at(options.output)
    if options.measurements and options.measurements not in outputs.measurements:
        outputs = dataclasses.replace(outputs, measurements=(*outputs.measurements, options.measurements))
    if options.overlay:
        outputs = dataclasses.replace(outputs, overlay=options.overlay)
    reporter = make_reporter(options.progress)
    seconds: dict[str, float] = {}
    try:
        with timed(seconds, "total"):
            load = partial(cached_engine, engine_settings(options))
            summary = run_case(
                options.input,
                outputs,
                mask_options(options),
                load,
                reporter,
                series=options.series,
                check_inside=options.check_inside,
            )
    finally:
        reporter.close()
    summary["seconds"] = {stage: round(value, 3) for stage, value in (seconds | summary["seconds"]).items()}
    if options.json:
        print(json.dumps(summary, indent=2))
    else:
        print(table_from_json(summary["measurements"]))
        how = f"{summary['why']}, {summary['precision']}"
        print(f"{counted(summary['slices'], 'slice')} in {seconds['total']:.1f} s ({how})")
        first = ", ".join(f"{one['slice']} ({one['position']})" for one in summary["slices_to_check"])
        if first:
            print(f"slices to check first: {first}; --json says why")
        for path in summary["outputs"]:
            print(f"  {path}")
    return 0
