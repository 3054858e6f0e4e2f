"""``lungsegresnet-train evaluate MODEL DATASET --out REPORT``, or RUNS for MODEL with ``--folds``."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from LungSegResNetLib.choices import TORCH_DEVICES
from LungSegResNetLib.command_line.run_options import add_progress_option
from LungSegResNetLib.command_line.values import given_path

if TYPE_CHECKING:
    from ..data.cases import Case
    from ..data.found_cases import FoundCases
    from ..data.scan_marks import ScanMarks
    from ..evaluation.case_result import UnjudgedCase
    from ..evaluation.evaluate import Judge

SUMMARY = "judge a network on cases with reference masks: tables, plots and pictures in one report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument(
        "model",
        help="network file, or 'shipped' for the one that comes with the product; with --folds the folder that "
        "fit --folds wrote",
    )
    parser.add_argument("dataset", type=given_path, help="CSV with the columns case, ct and mask, or a folder of cases")
    parser.add_argument(
        "--out", type=given_path, required=True, metavar="REPORT", help="folder of the report; run again to go on"
    )
    parser.add_argument(
        "--split",
        help="cases to judge, or 'all' (default: validation or, where the data set has no such split, all, without "
        "patients that the network was trained on)",
    )
    parser.add_argument(
        "--folds",
        type=int,
        help="judge the cases of a cross-validation of so many folds, each by a network that never saw its patient; "
        "cases of the split test are in no fold and are not judged",
    )
    parser.add_argument(
        "--include-doubtful", action="store_true", help="judge cases that the list calls doubtful in its status, too"
    )
    parser.add_argument("--no-baseline", action="store_true", help="leave out the thresholding beside the network")
    parser.add_argument(
        "--device",
        choices=TORCH_DEVICES,
        default="auto",
        help="where the network runs (default: auto, a graphics card if there is one)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the evaluation of another network or data")
    add_progress_option(parser)


def run(options: argparse.Namespace) -> int:
    """Evaluate; prints a line for each case and the summary."""
    import sys

    from LungSegResNetLib.errors import SOME_FAILED_EXIT_CODE, InputError
    from LungSegResNetLib.jobs.reporting import make_reporter
    from LungSegResNetLib.wording import counted

    from ..data.cases import DOUBTFUL, OK
    from ..data.data_set import list_data_set
    from ..data.scan_marks import ScanMarks, repeated_scans
    from ..evaluation.box_plots import require_matplotlib
    from ..evaluation.case_choice import refuse_unreachable
    from ..evaluation.case_result import CaseResult, UnjudgedCase
    from ..evaluation.evaluate import evaluate
    from ..evaluation.findings import Findings
    from ..evaluation.report import write_report
    from ..evaluation.report_folder import EvaluationId, cases_digest, claim_folder
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
    marks = ScanMarks()
    assigned, unassigned, left_out = _judges(options, found, marks)
    chosen = [case for case, _ in assigned]
    refuse_unreachable(chosen)
    digests = " ".join(sorted({judge.digest for _, judge in assigned}))  # whatever the order of the cases is
    about = EvaluationId(digests, str(options.dataset.resolve()), options.split or "", cases_digest(found.cases, marks))
    claim_folder(options.out, about, options.overwrite, chosen)
    reporter = make_reporter(options.progress)
    for text in repeated_scans((case, marks.of(case)) for case in chosen):
        reporter.warning(text)
    evaluation = evaluate(
        assigned,
        options.out,
        with_baseline=not options.no_baseline,
        reporter=reporter,
        on_case=show,
    )
    # What looked like a case and is none is not to be overlooked either.
    evaluation.failed += unassigned
    evaluation.failed += [UnjudgedCase.of(item, cause="") for item in found.problems]
    evaluation.left_out += left_out
    if not evaluation.results:
        reasons = [f"{case.name}: {case.reason}" for case in evaluation.failed]
        reasons += [item.line() for item in found.left_out]
        count = len(evaluation.failed) + len(evaluation.left_out)
        raise InputError(" ".join([f"None of {counted(count, 'case')} could be judged.", *reasons[:1]]))
    findings = Findings(evaluation, marks)
    told = sentences(findings)
    path = write_report(findings, told, options.out)
    print("", *told, sep="\n")
    print(f"The report is {path}")
    return SOME_FAILED_EXIT_CODE if evaluation.failed else 0


def _judges(
    options: argparse.Namespace, found: FoundCases, marks: ScanMarks
) -> tuple[list[tuple[Case, Judge]], list[UnjudgedCase], list[UnjudgedCase]]:
    """The cases to judge, each with its network, those that no network is for, and those that are left out."""
    from LungSegResNetLib.errors import UsageError

    from ..data.cases import TEST
    from ..data.scan_marks import NOTHING_SEEN
    from ..evaluation.case_choice import ALL, choose_cases
    from ..evaluation.evaluate import Judge
    from ..evaluation.fold_networks import assign_networks, read_fold_networks
    from ..evaluation.left_out import left_out_cases
    from ..training.start_network import network_path

    if options.folds is None:
        judge = Judge.load(network_path(options.model), options.device)
        seen = judge.record.seen_scans
        cases = choose_cases(found, options.split, seen, marks)
        if len(cases) < len(found.cases):
            print(f"{len(cases)} of {len(found.cases)} cases are judged; --split {ALL} judges every one.")
        return [(case, judge) for case in cases], [], left_out_cases(found, options.split, seen, marks)
    if options.split:
        raise UsageError("--split has no meaning with --folds, which judges all cases but those of the split test.")
    networks = read_fold_networks(Path(options.model), options.folds)
    assigned, unassigned = assign_networks(found.cases, networks, marks)
    for_tests = sum(case.split == TEST for case in found.cases)
    if for_tests:
        print(f"{for_tests} of {len(found.cases)} cases are for tests: they are in no fold and are not judged.")
    judges = {network.fold: Judge.load(network.path, options.device, network.fold) for network in networks}
    in_folds = dataclasses.replace(
        found, left_out=[item for item in found.left_out if item.case is None or item.case.split != TEST]
    )
    left_out = left_out_cases(in_folds, None, NOTHING_SEEN, marks)
    return [(case, judges[network.fold]) for case, network in assigned], unassigned, left_out
