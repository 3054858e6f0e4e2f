"""``lungsegresnet-train evaluate MODEL DATASET --out REPORT``, or RUNS for MODEL with ``--folds``."""

from __future__ import annotations

import argparse

from LungSegResNetLib.choices import TORCH_DEVICES
from LungSegResNetLib.command_line.run_options import add_progress_option
from LungSegResNetLib.command_line.values import given_path

SUMMARY = "evaluate a network on cases with reference masks: tables, plots and pictures in one report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument(
        "model",
        help="network file, or 'shipped' for the one that comes with the product; with --folds the folder that "
        "fit --folds wrote",
    )
    parser.add_argument("dataset", type=given_path, help="CSV with the columns case, ct and mask, or a folder of cases")
    parser.add_argument(
        "--out", type=given_path, required=True, metavar="REPORT", help="folder of the report; run again to resume"
    )
    parser.add_argument(
        "--split",
        help="cases to evaluate, or 'all' (default: validation or, where the data set has no such split, all, without "
        "patients that the network was trained on)",
    )
    parser.add_argument(
        "--folds",
        type=int,
        help="evaluate the cases of a cross-validation of this many folds, each with a network that never saw its "
        "patient; cases of the split test are in no fold and are not evaluated",
    )
    parser.add_argument(
        "--include-doubtful", action="store_true", help="also evaluate cases whose status in the list is doubtful"
    )
    parser.add_argument("--no-baseline", action="store_true", help="skip the thresholding baseline")
    parser.add_argument(
        "--device",
        choices=TORCH_DEVICES,
        default="auto",
        help="where the network runs (default: auto, a GPU if there is one)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the evaluation of another network or data")
    add_progress_option(parser)


def run(options: argparse.Namespace) -> int:
    """Evaluate; prints a line for each case and the summary."""
    import sys

    from LungSegResNetLib.errors import SOME_FAILED_EXIT_CODE
    from LungSegResNetLib.jobs.reporting import make_reporter

    from ..data.cases import DOUBTFUL, OK
    from ..data.data_set import list_data_set
    from ..evaluation.box_plots import require_matplotlib
    from ..evaluation.case_result import CaseResult, UnjudgedCase
    from ..evaluation.evaluation_job import EvaluationOptions, run_evaluation
    from ..evaluation.report import write_report
    from ..evaluation.summary_text import sentences

    def show(number: int, count: int, outcome: CaseResult | UnjudgedCase, kept: bool) -> None:
        if isinstance(outcome, CaseResult):
            print(f"[{number}/{count}] {outcome.line()}{'  (from the earlier run)' if kept else ''}", flush=True)
        else:
            print(f"[{number}/{count}] {outcome.name}: {outcome.reason}", file=sys.stderr, flush=True)

    require_matplotlib()
    found = list_data_set(options.dataset, (OK, DOUBTFUL) if options.include_doubtful else (OK,))
    for item in found.left_out:
        print(item.line(), file=sys.stderr)
    job = EvaluationOptions(
        options.model,
        options.dataset,
        options.out,
        split=options.split,
        folds=options.folds,
        with_baseline=not options.no_baseline,
        device=options.device,
        overwrite=options.overwrite,
    )
    findings = run_evaluation(job, found, make_reporter(options.progress), show, print)
    told = sentences(findings)
    path = write_report(findings, told, options.out)
    print("", *told, sep="\n")
    print(f"The report is {path}")
    return SOME_FAILED_EXIT_CODE if findings.evaluation.failed else 0
