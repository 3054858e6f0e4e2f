"""Which cases of a data set an evaluation judges: those of a split, without patients that the network has seen."""

from __future__ import annotations

import os
from collections.abc import Sequence

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.wording import counted

from ..data.cases import VALIDATION, Case
from ..data.found_cases import FoundCases
from ..data.scan_marks import ScanMarks, ScanSet
from ..training.cross_validation import HELD_NOBODY_BACK

ALL = "all"


def cases_to_judge(
    found: FoundCases, split: str | None, seen: ScanSet, held_back: ScanSet, marks: ScanMarks
) -> list[Case]:
    """Cases of a split; ``all`` takes all.

    None takes the validation cases or, where the data set has none, all, without those of patients that the network
    was trained on; ``seen`` are its scans, among which cases are looked for by their ``marks``, and ``held_back`` those
    that it was validated on.

    Raises
    ------
    InputError : there is no such case.
    """
    cases = _of_split(found.cases, split)
    trained_on = cases_trained_on(found, split, seen, marks)
    if cases and len(trained_on) == len(cases):
        which = "validation cases" if VALIDATION in {case.split for case in cases} else "patients of the data set"
        problem = (
            f"The network, or the one that its training began with, was trained on all {which}, or on cases of their "
            "names"
        )
        if not held_back.marks:
            raise InputError(f"{problem}. {HELD_NOBODY_BACK} Scans of other patients can be evaluated as they are.")
        raise InputError(
            f"{problem}; give the cases.csv of its run folder, which names those held back, or scans of other "
            f"patients, or evaluate all cases with --split {ALL}."
        )
    if found.cases and not cases:
        splits = sorted({case.split for case in found.cases})
        raise InputError(
            f"The data set has no case in the split '{split}'; there are {', '.join(splits)}, and '{ALL}'."
        )
    return [case for case in cases if case not in trained_on]


def cases_trained_on(found: FoundCases, split: str | None, seen: ScanSet, marks: ScanMarks) -> list[Case]:
    """The cases that `cases_to_judge` leaves out because the network was trained on their patients.

    None of a split that was asked for.
    """
    if split is not None:
        return []
    patients = trained_patients(found.cases, seen, marks)
    return [case for case in _of_split(found.cases, split) if case.patient in patients]


def _of_split(cases: Sequence[Case], split: str | None) -> list[Case]:
    if split is None:
        split = VALIDATION if any(case.split == VALIDATION for case in cases) else ALL
    return [case for case in cases if split in (ALL, case.split)]


def trained_patients(cases: Sequence[Case], seen: ScanSet, marks: ScanMarks) -> set[str]:
    """Patients of whom the network was trained on some case."""
    return {case.patient for case in cases if seen.holds_case(case, marks)}


def refuse_unreachable(cases: Sequence[Case]) -> None:
    """Raise InputError where not one CT is there, as on a disk that is not connected: nothing is to be replaced then.

    Without cases there is nothing to be missing.
    """
    if cases and not any(os.path.lexists(case.ct) for case in cases):
        raise InputError(
            f"None of {counted(len(cases), 'CT')} is there (the first is {cases[0].ct}); is a disk or a share not "
            "connected? Nothing was changed."
        )
