"""From a data set to a network: cases checked and divided, then trained on, in one process or in several."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from LungSegResNetLib.errors import InputError, UsageError
from LungSegResNetLib.wording import some_of

from ..data.cases import TEST, TRAIN, VALIDATION, unnamed_patients
from ..data.scan_marks import copied_scans, repeated_scans
from ..data.splits import names_a_split, require_share, split_by_fold, split_by_share
from .fit import fit, refuse_impossible, refuse_other_files
from .parallel import Processes
from .progress import Progress
from .reporting import TrainingReporter
from .run_cases import PreparedCase, TrainingCases, prepare_cases, record_cases
from .run_lock import held_run
from .run_options import RunOptions
from .settings import TrainingSettings
from .stage_names import READING_CASES, TRAINING
from .start_network import StartNetwork


@dataclass(frozen=True)
class CaseChoice:
    """Which cases of a data set train and which validate.

    Attributes
    ----------
    include_doubtful : train on pairs that the check doubts, too.
    validation_share : of the patients, where the data set names no split.
    folds, fold : divide all patients but those of the split test into folds and validate on one (1 .. folds), whatever
        split the data set names; without ``fold`` the cases stay undivided, for ``train_folds``.
    """

    data_set: Path
    cache: Path
    include_doubtful: bool = False
    validation_share: float = 0.05
    folds: int | None = None
    fold: int | None = None

    def __post_init__(self) -> None:
        require_share(self.validation_share)
        if self.folds is None and self.fold is not None:
            raise UsageError("--fold needs --folds; give both, or --folds alone to train all folds.")
        if self.folds is not None and self.folds < 2:
            raise UsageError(f"There are no {self.folds} folds to divide patients into; give --folds from 2 on.")


def choose_cases(
    choice: CaseChoice, settings: TrainingSettings, processes: Processes, reporter: TrainingReporter
) -> TrainingCases:
    """Read, check, cache and divide the cases; tells what is left out.

    Raises
    ------
    InputError : there is no data set, no case that can be trained on, none of its validation cases, too few patients
        to divide, one CT under two patients who are to be divided into folds, or all are for tests.
    """
    reporter.stage(READING_CASES)
    with processes.one_per_machine_first():
        prepared = prepare_cases(
            choice.data_set,
            choice.cache,
            settings.slice_shape,
            include_doubtful=choice.include_doubtful,
            on_progress=reporter.progress,
        )
    for item in prepared.left_out:
        reporter.warning(item.line())
    cases = prepared.cases
    if unnamed := unnamed_patients(cases):
        reporter.warning(
            f"{unnamed}; where some are of the same patient, say so in the column patient of a case list, or they may "
            "be on both sides."
        )
    if choice.folds is not None:
        _refuse_copies([one for one in prepared.prepared if one.case.split != TEST])
    for text in repeated_scans((one.case, one.mark) for one in prepared.prepared):
        reporter.warning(text)
    if all(case.split == TEST for case in cases):
        raise InputError("All cases are in the split test, which training leaves alone; put some into the split train.")
    share = 0.0
    if choice.folds is not None:
        if choice.fold is not None:
            cases = split_by_fold(cases, choice.folds, choice.fold, prepared.with_lung)
            share = 1 / choice.folds
    elif not names_a_split(cases):
        if names_a_split([item.case for item in prepared.left_out if item.case]):
            raise InputError(
                "All validation cases that the data set names are left out; put them right, or take the column split "
                "out of the list to have others drawn."
            )
        cases = split_by_share(cases, choice.validation_share, settings.seed, prepared.with_lung)
        share = choice.validation_share
    return prepared.divided(cases, share, settings.seed)


def _refuse_copies(cases: Sequence[PreparedCase]) -> None:
    """Raise InputError where patients who are to be divided into folds share a CT."""
    if copies := copied_scans((one.case, one.mark) for one in cases):
        copy, owner = copies[0]
        raise InputError(
            f"{copy.name} has the same CT as {owner.name}, though they count as two patients, so that a network would "
            "be evaluated on a scan it was trained on; leave one of the two out, or name the same patient for both in "
            "a case list."
        )


def refuse_seen_fold(cases: TrainingCases, fold: int, start: StartNetwork | None) -> None:
    """Raise InputError where the start network has seen patients of the fold that is to judge what comes of it."""
    if start is not None and (seen := _validated_and_seen(cases, start)):
        raise InputError(
            f"The start network was trained on {len(seen)} of the cases of fold {fold} ({some_of(seen)}), which then "
            "could not be used to evaluate the resulting network; begin with one that has not seen them, give the "
            "folder of a cross-validation with the same folds to --start-network, or name the patients in a case list "
            "where only the names of cases are the same."
        )


def train(
    cases: TrainingCases,
    settings: TrainingSettings,
    run_folder: Path,
    options: RunOptions,
    processes: Processes,
    reporter: TrainingReporter,
    start: StartNetwork | None = None,
) -> Path:
    """Train or go on with a run; returns the network file.

    Raises
    ------
    InputError : the processes have different cases. Otherwise as ``held_run``, ``record_cases`` and ``fit``.
    """
    # Else the folder would hold the cases of a run that never began.
    refuse_impossible(cases.of_split(TRAIN), cases.of_split(VALIDATION), settings, options.patience, processes)
    with held_run(run_folder) if processes.first else nullcontext():
        if processes.first:
            refuse_other_files(run_folder)
            cases = record_cases(run_folder, cases, reporter.warning)
        cases = _as_the_first(cases, processes)
        if start is not None and (seen := _validated_and_seen(cases, start)):
            reporter.warning(
                f"The start network was trained on {len(seen)} of the validation cases ({some_of(seen)}); "
                "the Dice of those says nothing about new scans."
            )
        reporter.stage(TRAINING)
        last: list[Progress] = []

        def on_progress(progress: Progress) -> None:
            last[:] = [progress]
            reporter.step(progress)

        path = fit(
            cases.of_split(TRAIN),
            cases.of_split(VALIDATION),
            settings,
            run_folder,
            options,
            start=start,
            processes=processes,
            marks=cases.marks,
            on_progress=on_progress,
            on_warning=reporter.warning,
        )
    if last and last[0].waiting_share > 0.1:
        reporter.warning(
            f"{100 * last[0].waiting_share:.0f} % of the time went into waiting for slices; more loading processes "
            "(--workers) would help."
        )
    return path


def _as_the_first(cases: TrainingCases, processes: Processes) -> TrainingCases:
    """The cases in the order of the first process. Raises InputError, in all processes, where one has others."""
    first, *others = processes.of_all(cases.contents())
    if differing := sorted({name for contents in others for name, *_ in set(first).symmetric_difference(contents)}):
        raise InputError(
            f"Not all processes read the same files for {some_of(differing)}; give them, on all machines, the same "
            "data set."
        )
    return cases.in_order([name for name, *_ in first])


def _validated_and_seen(cases: TrainingCases, start: StartNetwork) -> list[str]:
    """Names of the validation cases of whose patients the start network has seen a scan."""
    seen = start.record.seen_scans
    validation = [one for one in cases.prepared if one.case.split == VALIDATION]
    return sorted(one.case.name for one in validation if seen.holds(one.mark))
