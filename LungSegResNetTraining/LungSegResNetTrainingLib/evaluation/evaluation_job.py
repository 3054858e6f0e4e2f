"""From a data set to what an evaluation found: cases chosen, each given to a network that judges it, and judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from LungSegResNetLib.errors import InputError, UsageError
from LungSegResNetLib.jobs.reporting import Reporter
from LungSegResNetLib.wording import counted

from ..data.cases import TEST, Case
from ..data.found_cases import FoundCases
from ..data.scan_marks import NOTHING_SEEN, ScanMarks, repeated_scans
from ..training.start_network import network_path
from .case_choice import ALL, cases_to_judge, refuse_unreachable
from .case_result import UnjudgedCase
from .evaluate import Judge, OnOutcome, evaluate
from .findings import Findings
from .fold_networks import assign_networks, read_fold_networks
from .left_out import left_out_cases
from .report_folder import EvaluationId, cases_digest, claim_folder, network_digests


@dataclass(frozen=True)
class EvaluationOptions:
    """What is evaluated on what, and where the results go.

    Attributes
    ----------
    model : network file, or ``shipped``; with ``folds`` the folder with the networks of a cross-validation.
    data_set : place of the cases.
    report : folder of the results.
    split : cases to judge, see `cases_to_judge`; none with ``folds``.
    folds : of a cross-validation, each of whose networks judges the patients that it has not seen.
    with_baseline : judge plain thresholding, too.
    device : where the networks run.
    overwrite : replace the evaluation of another network or data set.
    """

    model: str
    data_set: Path
    report: Path
    split: str | None = None
    folds: int | None = None
    with_baseline: bool = True
    device: str = "auto"
    overwrite: bool = False


@dataclass(frozen=True)
class _Assignment:
    """The cases to judge, each with its network, those that no network is for, and those that are left out."""

    judged: list[tuple[Case, Judge]]
    unassigned: list[UnjudgedCase]
    left_out: list[UnjudgedCase]

    @property
    def cases(self) -> list[Case]:
        """The cases to judge."""
        return [case for case, _ in self.judged]

    @property
    def digests(self) -> str:
        """Of the files of the networks, whatever the order of the cases is."""
        return network_digests(judge.digest for _, judge in self.judged)


def run_evaluation(
    options: EvaluationOptions,
    found: FoundCases,
    reporter: Reporter,
    on_outcome: OnOutcome,
    tell: Callable[[str], None],
) -> Findings:
    """Judge the cases of a data set; results and pictures land in the folder of the report, which is to be written yet.

    Parameters
    ----------
    found : the cases of the data set.
    on_outcome : see `evaluate`.
    tell : is called with which cases are not judged.

    Raises
    ------
    UsageError : a split is asked for in a cross-validation, or there are less than two folds.
    InputError : no case is to be judged or could be, no CT is there, or the networks are no cross-validation of the
        data set.
    ModelError : a network cannot be read.
    OutputError : the folder holds something else (see `claim_folder`), or cannot be written.
    """
    marks = ScanMarks()
    assignment = _assign(options, found, marks, tell)
    refuse_unreachable(assignment.cases)
    data_set = str(options.data_set.resolve())
    about = EvaluationId(assignment.digests, data_set, options.split or "", cases_digest(found.cases, marks))
    claim_folder(options.report, about, options.overwrite, assignment.cases)
    for text in repeated_scans((case, marks.of(case)) for case in assignment.cases):
        reporter.warning(text)
    evaluation = evaluate(
        assignment.judged, options.report, with_baseline=options.with_baseline, reporter=reporter, on_outcome=on_outcome
    )
    # What looked like a case and is none is not to be overlooked either.
    closed = [UnjudgedCase.of(item, cause="") for item in found.left_out if item.is_closed]
    evaluation.failed += [*assignment.unassigned, *closed]
    evaluation.left_out += assignment.left_out
    if not evaluation.results:
        reasons = [f"{case.name}: {case.reason}" for case in evaluation.failed]
        reasons += [item.line() for item in found.left_out]
        count = len(evaluation.failed) + len(evaluation.left_out)
        raise InputError(" ".join([f"None of {counted(count, 'case')} could be evaluated.", *reasons[:1]]))
    return Findings(evaluation, marks)


def _assign(
    options: EvaluationOptions, found: FoundCases, marks: ScanMarks, tell: Callable[[str], None]
) -> _Assignment:
    if options.folds is None:
        judge = Judge.load(network_path(options.model), options.device)
        seen = judge.record.seen_scans
        cases = cases_to_judge(found, options.split, seen, judge.record.validation_scans, marks)
        if len(cases) < len(found.cases):
            tell(f"{len(cases)} of {len(found.cases)} cases are evaluated; --split {ALL} evaluates all.")
        left_out = left_out_cases(found, options.split, seen, marks)
        return _Assignment([(case, judge) for case in cases], [], left_out)
    if options.split:
        raise UsageError(
            "--split has no meaning with --folds, which evaluates all cases except those of the split test."
        )
    networks = read_fold_networks(Path(options.model), options.folds)
    assigned, unassigned = assign_networks(found.cases, networks, marks)
    for_tests = sum(case.split == TEST for case in found.cases)
    if for_tests:
        tell(f"{for_tests} of {len(found.cases)} cases are for tests: they are in no fold and are not evaluated.")
    judges = {network.fold: Judge.load(network.path, options.device, network.fold) for network in networks}
    in_folds = dataclasses.replace(
        found, left_out=[item for item in found.left_out if item.case is None or item.case.split != TEST]
    )
    left_out = left_out_cases(in_folds, ALL, NOTHING_SEEN, marks)
    return _Assignment([(case, judges[network.fold]) for case, network in assigned], unassigned, left_out)
