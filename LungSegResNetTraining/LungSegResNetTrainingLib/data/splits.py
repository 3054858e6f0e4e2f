"""Which patients train and which validate: never the scans of one patient on both sides."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from LungSegResNetLib.errors import InputError, UsageError
from LungSegResNetLib.wording import counted

from .cases import TEST, TRAIN, VALIDATION, Case

_FOLD_SEED = (0, 4)


def split_in_words(cases: Sequence[Case]) -> str:
    """How many cases of how many patients train and validate."""
    parts = []
    for split, words in ((TRAIN, "for training"), (VALIDATION, "for validation")):
        chosen = [case for case in cases if case.split == split]
        patients = {case.patient for case in chosen}
        parts.append(f"{counted(len(chosen), 'case')} of {counted(len(patients), 'patient')} {words}")
    return ", ".join(parts)


def names_a_split(cases: Sequence[Case]) -> bool:
    """Whether the data set itself says which cases validate."""
    return any(case.split == VALIDATION for case in cases)


def require_share(share: float) -> None:
    """Raise UsageError unless so much of the patients may be kept for validation."""
    if not 0.0 <= share < 1.0:
        raise UsageError("The validation share has to be from 0 to below 1, such as 0.05.")


def split_by_share(cases: Sequence[Case], share: float, seed: int, with_lung: Collection[str]) -> list[Case]:
    """The cases with ``share`` of the patients, drawn by ``seed``, for validation: at least one, unless share is 0.

    Cases for tests stay so.

    Parameters
    ----------
    with_lung : names of cases that have lung; only patients with such a case are drawn, as others show no Dice.

    Raises
    ------
    UsageError : the share is not from 0 to below 1.
    InputError : there is only one patient with lung.
    """
    require_share(share)
    if share == 0.0:
        return _divided(cases, ())
    patients = sorted({case.patient for case in cases if case.name in with_lung and case.split != TEST})
    if len(patients) < 2:
        raise InputError(
            "One patient cannot be for training and for validation both; add a patient, or in a terminal give "
            "--validation-share 0."
        )
    count = min(len(patients) - 1, _validating(share, len(patients)))
    return _divided(cases, np.random.default_rng([seed, 3]).permutation(patients)[:count].tolist())


def split_by_fold(cases: Sequence[Case], folds: int, fold: int, with_lung: Collection[str]) -> list[Case]:
    """The cases with the patients of fold ``fold`` (1 .. ``folds``) for validation and all others for training.

    Cases for tests stay so, and each other patient is in one fold; the groups of a data set (normal, COVID-19) are
    spread evenly over the folds. The same patients are always divided alike, whatever a run's seed, so that runs can
    be compared and go on from one another.

    Parameters
    ----------
    with_lung : names of cases that have lung; patients with such a case are dealt first, so that each fold has some.

    Raises
    ------
    UsageError : there is no such fold.
    InputError : there are fewer patients, or fewer with lung, than folds.
    """
    if folds < 2 or not 1 <= fold <= folds:
        raise UsageError(f"There is no fold {fold} of {folds}; give --folds from 2 on and --fold from 1 to --folds.")
    group_of = {case.patient: case.group for case in reversed(cases) if case.split != TEST}
    if len(group_of) < folds:
        patients = counted(len(group_of), "patient")
        raise InputError(f"{patients} cannot be divided into {folds} folds; give fewer --folds.")
    shuffled = np.random.default_rng(_FOLD_SEED).permutation(sorted(group_of)).tolist()
    lung = {case.patient for case in cases if case.name in with_lung and case.split != TEST}
    if len(lung) < folds:
        raise InputError(
            f"Only {len(lung)} patients have a scan with lung, and each of {folds} folds needs one; give fewer --folds."
        )
    dealt = sorted(shuffled, key=lambda patient: (patient not in lung, group_of[patient]))
    return _divided(cases, dealt[fold - 1 :: folds])


def split_left_out(left_out: Sequence[Case], divided: Sequence[Case], share: float, seed: int) -> list[Case]:
    """Cases that are left out in the splits in which they would be, so that an evaluation knows which ones it lacks.

    One is in the split of its patient. Of the other patients so many are drawn by ``seed`` for validation that with
    those of ``divided``, of whom a ``share`` validates, it is the share of all. Cases for tests stay so.
    """
    split_of = {case.patient: case.split for case in divided if case.split != TEST}
    others = sorted({case.patient for case in left_out if case.split != TEST} - split_of.keys())
    count = _validating(share, len(split_of) + len(others)) - _validating(share, len(split_of))
    drawn = np.random.default_rng([seed, 5]).permutation(others)[:count].tolist()
    return _divided(left_out, {*drawn, *(patient for patient, split in split_of.items() if split == VALIDATION)})


def _validating(share: float, patients: int) -> int:
    """How many of so many patients validate."""
    return max(1, round(share * patients))


def _divided(cases: Sequence[Case], validating: Collection[str]) -> list[Case]:
    chosen = set(validating)
    return [
        case if case.split == TEST else replace(case, split=VALIDATION if case.patient in chosen else TRAIN)
        for case in cases
    ]
