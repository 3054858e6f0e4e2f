"""``lungsegresnet segment-folder IN OUT``."""

from __future__ import annotations

import argparse

from ..choices import MASK_FORMATS
from ..errors import SOME_FAILED_EXIT_CODE
from ..jobs.case_status import ALREADY_DONE, DONE, FAILED, NO_CT
from .run_options import add_run_options, engine_settings, mask_options
from .values import given_path, positive

SUMMARY = "segment one CT per file and DICOM folder below a folder; resumes after an interruption and writes a CSV"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument(
        "input",
        type=given_path,
        help="folder with CT files and DICOM folders at any depth; of the DICOM series that lie directly in one folder "
        "only one is segmented, so give each series, or at least each study, a folder of its own",
    )
    parser.add_argument("output", type=given_path, help="folder for masks, one summary a case, and results.csv")
    parser.add_argument("--format", choices=MASK_FORMATS, default=MASK_FORMATS[0], help="of the masks")
    parser.add_argument("--shard", type=_shard, default=(1, 1), metavar="I/N", help="do part I of N (for job arrays)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--processes",
        type=positive,
        metavar="N",
        help="cases at a time, each takes up to 3 GB (default: one a core, at most 4, if memory suffices; one on a "
        "GPU)",
    )
    where.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="spread the cases over the workers of this Dask scheduler (tcp://host:8786, or its scheduler file)",
    )
    parser.add_argument("--json", action="store_true", help="print the summaries as JSON on standard output")
    add_run_options(parser)


def run(options: argparse.Namespace) -> int:
    """Segment all cases; one that fails never stops the others."""
    import dataclasses
    import json
    from collections import Counter

    from ..jobs.folder_cases import find_cases
    from ..jobs.folder_job import CaseRunner, run_folder
    from ..jobs.left_aside import left_aside_text
    from ..jobs.local_run import LocalRun
    from ..jobs.reporting import make_reporter
    from ..jobs.results_table import RESULTS

    settings = engine_settings(options)
    source, output = options.input, options.output
    run_cases: CaseRunner = LocalRun(settings, options.processes)
    if options.dask:
        from ..jobs.cluster_run import ClusterRun

        # The workers have other working folders.
        source, output = source.absolute(), output.absolute()
        if options.model:
            settings = dataclasses.replace(settings, model=options.model.absolute())
        run_cases = ClusterRun(options.dask, settings, output / RESULTS)
    number, count = options.shard
    reporter = make_reporter(options.progress)
    try:
        cases = find_cases(source, output, reporter.warning)[number - 1 :: count]
        rows = run_folder(
            cases,
            output,
            run_cases,
            reporter,
            ending=f".{options.format}",
            model=options.model,
            options=mask_options(options),
        )
    finally:
        reporter.close()
    counts = Counter(row["status"] for row in rows)
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        texts = [f"{counts[DONE]} segmented", f"{counts[ALREADY_DONE]} already done", f"{counts[FAILED]} failed"]
        texts += [f"{counts[NO_CT]} without CT"] if counts[NO_CT] else []
        print(f"{', '.join(texts)}; {left_aside_text(rows)}see {output / RESULTS}")
    return SOME_FAILED_EXIT_CODE if counts[FAILED] else 0


def _shard(text: str) -> tuple[int, int]:
    try:
        number, count = (int(part) for part in text.split("/"))
    except ValueError:
        raise argparse.ArgumentTypeError("must look like 2/8") from None
    if not 1 <= number <= count:
        raise argparse.ArgumentTypeError("the part counts from 1 to the number of parts, as in 1/8")
    return number, count
