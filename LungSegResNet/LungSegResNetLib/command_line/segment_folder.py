"""``lungsegresnet segment-folder IN OUT``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .program import SOME_FAILED
from .run_options import add_run_options

SUMMARY = "segment every CT below a folder, with resume and a CSV"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument("input", type=Path, help="folder with CT files and DICOM folders at any depth")
    parser.add_argument("output", type=Path, help="folder for masks, one summary a case, and results.csv")
    parser.add_argument("--format", choices=("seg.nrrd", "nii.gz"), default="seg.nrrd", help="of the masks")
    parser.add_argument("--shard", type=_shard, default=(1, 1), metavar="I/N", help="do part I of N (for job arrays)")
    parser.add_argument("--json", action="store_true", help="print the summaries as JSON on standard output")
    add_run_options(parser)


def run(options: argparse.Namespace) -> int:
    """Segment all cases; one that fails never stops the others."""
    import json
    import sys

    from ..jobs.folder_job import find_cases, run_folder
    from ..jobs.kept_engine import kept_engine
    from ..jobs.reporting import make_reporter
    from ..network.engines import EngineSettings

    number, count = options.shard
    cases = find_cases(options.input, options.output)[number - 1 :: count]
    engine = kept_engine(EngineSettings(options.engine, options.device, options.model, options.batch_size))
    reporter = make_reporter(options.progress)
    ending = f".{options.format}"
    try:
        rows = run_folder(
            cases,
            options.output,
            engine,
            reporter,
            ending=ending,
            smoothing_mm=options.smoothing,
            overwrite=options.overwrite,
        )
    finally:
        reporter.close()
    failed = [row for row in rows if row["status"] == "failed"]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        done = sum(row["status"] == "done" for row in rows)
        skipped = sum(row["status"] == "already done" for row in rows)
        print(f"{done} segmented, {skipped} already done, {len(failed)} failed; see {options.output / 'results.csv'}")
        for row in failed:
            print(f"  {row['case']}: {row['error']}", file=sys.stderr)
    return SOME_FAILED if failed else 0


def _shard(text: str) -> tuple[int, int]:
    try:
        number, count = (int(part) for part in text.split("/"))
    except ValueError:
        raise argparse.ArgumentTypeError("must look like 2/8") from None
    if not 1 <= number <= count:
        raise argparse.ArgumentTypeError("the first number counts from 1 to the second")
    return number, count
