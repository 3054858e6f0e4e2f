"""The networks of a cross-validation, and for each case one that has not seen its patient and so judges it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from LungSegResNetLib.errors import InputError, UsageError
from LungSegResNetLib.network.model_file import ModelCard, read_card

from ..command_text import quoted
from ..data.cases import TEST, Case
from ..data.scan_marks import ScanMarks, ScanSet, copied_scans
from ..training.cross_validation import fold_network
from ..training.settings import TrainingSettings
from ..training.training_record import TrainingRecord
from .case_result import UnjudgedCase


@dataclass(frozen=True)
class FoldNetwork:
    """Network file of a fold (from 1 on) and what it says about itself."""

    fold: int
    path: Path
    card: ModelCard

    @cached_property
    def record(self) -> TrainingRecord:
        """What its file says of its training."""
        return TrainingRecord.of(self.card)

    @property
    def recipe(self) -> TrainingSettings:
        """See `recipe_of`."""
        return recipe_of(str(self.path), self.record)


def recipe_of(name: str, record: TrainingRecord) -> TrainingSettings:
    """How the network called ``name`` was trained, apart from the file it began with, of which each fold may have its
    own.

    Raises
    ------
    InputError : it was trained with settings of another version.
    """
    try:
        return dataclasses.replace(TrainingSettings.from_json(record.settings), start="")
    except (TypeError, KeyError, UsageError) as error:
        raise InputError(
            f"{name} was trained with settings that this version does not know ({error}); use the version that it was "
            "trained with."
        ) from error


def read_fold_networks(runs: Path, folds: int) -> list[FoldNetwork]:
    """The networks in ``runs/fold-1`` to ``runs/fold-<folds>``.

    Raises
    ------
    UsageError : less than two folds.
    InputError : one is missing or of an unfinished run, does not say how it was trained, or was trained otherwise than
        the first.
    ModelError : a file is damaged.
    """
    if folds < 2:
        raise UsageError(f"There is no cross-validation with {folds} folds; give --folds from 2 on.")
    paths = {fold: fold_network(runs, fold) for fold in range(1, folds + 1)}
    missing = [str(fold) for fold, path in paths.items() if not path.is_file()]
    if missing:
        raise InputError(
            f"In {runs} there is no network of fold {', '.join(missing)}; train it first "
            f"(lungsegresnet-train fit DATASET --folds {folds} --out {quoted(runs)})."
        )
    networks = [FoldNetwork(fold, path, read_card(path)) for fold, path in paths.items()]
    unfinished = [str(one.fold) for one in networks if one.card.is_unfinished]
    if unfinished:
        raise InputError(
            f"The training of fold {', '.join(unfinished)} has not finished; resume it first "
            f"(lungsegresnet-train fit DATASET --folds {folds} --out {quoted(runs)}, with the options it began with)."
        )
    for network in networks:
        if not network.record.validation_scans.marks or not network.record.settings:
            raise InputError(f"{network.path} does not say how it was trained, or has no validation cases.")
        if network.recipe != networks[0].recipe:
            raise InputError(
                f"The network of fold {network.fold} was trained with other settings than that of fold 1; "
                "a cross-validation evaluates one way of training."
            )
    return networks


def assign_networks(
    cases: Sequence[Case], networks: Sequence[FoldNetwork], marks: ScanMarks
) -> tuple[list[tuple[Case, FoldNetwork]], list[UnjudgedCase]]:
    """Each case with the network that judges it, and the cases that none may judge.

    That is the network that validated its patient. Patients who are in no fold, because training left them out, go to
    the networks in turn, unless one of these or of those that they began with was chosen by their Dice. Cases for tests
    are neither judged nor listed.

    Raises
    ------
    InputError : a network was trained on a patient it should judge, or the networks are no division of the patients:
        one is in two folds, or all networks were trained on it.
    """
    cases = [case for case in cases if case.split != TEST]
    records = [network.record for network in networks]
    with_ct = any(record.seen_scans.knows_cts or record.validation_scans.knows_cts for record in records)
    marked = [(case, marks.of(case, with_ct)) for case in cases]

    def patients_of(scans: ScanSet) -> set[str]:
        return {case.patient for case, mark in marked if scans.holds(mark)}

    def refuse(patient: str, problem: str, advice: str) -> NoReturn:
        for copy, owner in copied_scans(marked):
            if patient in (copy.patient, owner.patient):
                advice = (
                    f"{copy.name} has the same CT as {owner.name}: leave one of the two out, or name the same patient "
                    "for both, and train all folds again"
                )
        raise InputError(f"{problem}; {advice}.")

    seen = {network.fold: patients_of(network.record.seen_scans) for network in networks}
    judges: dict[str, FoldNetwork] = {}
    for network in networks:
        for patient in sorted(patients_of(network.record.validation_scans)):
            if patient in judges:
                refuse(
                    patient,
                    f"Patient {patient} is in fold {judges[patient].fold} and in fold {network.fold}",
                    "the runs were divided differently and have to be trained again together",
                )
            if patient in seen[network.fold]:
                refuse(
                    patient,
                    f"The network of fold {network.fold} was trained on a scan of patient {patient}, on whom it "
                    "should be evaluated",
                    "train all folds again, from networks that have not seen the patient and with each CT listed once",
                )
            judges[patient] = network
    for case in cases:
        if case.patient not in judges and any(case.patient in patients for patients in seen.values()):
            raise InputError(
                f"Patient {case.patient} was trained on and is in none of the {len(networks)} folds; "
                "give --folds as in training."
            )
    chosen_on = set().union(*(patients_of(record.choosing_scans) for record in records))
    unknown = sorted({case.patient for case in cases} - judges.keys() - chosen_on)
    judges |= {patient: networks[number % len(networks)] for number, patient in enumerate(unknown)}
    reason = "No fold has this patient, by whose Dice a step of a network that the folds began with was chosen."
    assigned = [(case, judges[case.patient]) for case in cases if case.patient in judges]
    return assigned, [UnjudgedCase(case.name, reason, case.group) for case in cases if case.patient not in judges]
