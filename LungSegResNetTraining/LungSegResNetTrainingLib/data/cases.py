"""The list of training cases: a CSV file that names CTs, reference masks, patients and their split."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from LungSegResNetLib.errors import InputError

TRAIN = "train"
VALIDATION = "validation"
OK = "ok"


@dataclass(frozen=True)
class Case:
    """One CT with its reference mask; ``doubtful`` says in words which part of the mask is uncertain."""

    name: str
    ct: Path
    mask: Path
    split: str
    patient: str
    group: str = ""
    doubtful: str = ""
    licence: str = ""
    doi: str = ""


def read_cases(csv_path: str | os.PathLike[str], files_must_exist: bool = True) -> list[Case]:
    """Cases of a CSV with the columns ``case, ct, mask`` and, where known, ``split, patient, group, doubtful, ...``.

    Paths are relative to the CSV's folder; without a split a case is for training, without a patient it is its own.
    Where there is a column ``status``, as in the table that the check of a data set writes, only ``ok`` rows count.

    Parameters
    ----------
    files_must_exist : whether a missing file is an error here, or left to whoever reads the case.

    Raises
    ------
    InputError : the CSV is missing, has no case or lacks a column, names a file that is not there, or puts one
        patient into both training and validation.
    """
    csv_path = Path(csv_path)
    try:
        with csv_path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The case list {csv_path} cannot be read ({error}).") from error
    if not rows:
        raise InputError(f"The case list {csv_path} is empty.")
    missing = {"case", "ct", "mask"} - rows[0].keys()
    if missing:
        raise InputError(f"The case list {csv_path} has no column {', '.join(sorted(missing))}.")
    cases = [_case(csv_path.parent, row) for row in rows if (row.get("status") or OK).strip() == OK]
    if not cases:
        raise InputError(f"The case list {csv_path} has no case with the status {OK}.")
    for case in cases:
        for path in (case.ct, case.mask):
            if files_must_exist and not path.exists():
                raise InputError(f"Case {case.name} of {csv_path.name} names {path}, which is not there.")
    splits: dict[str, str] = {}
    for case in cases:
        if splits.setdefault(case.patient, case.split) != case.split:
            raise InputError(f"Patient {case.patient} is in both training and validation (case {case.name}).")
    return cases


def _case(folder: Path, row: dict[str, str]) -> Case:
    def text(column: str, default: str = "") -> str:
        return (row.get(column) or default).strip()

    return Case(
        name=row["case"].strip(),
        ct=folder / row["ct"].strip(),
        mask=folder / row["mask"].strip(),
        split=text("split", TRAIN),
        patient=text("patient", row["case"]),
        group=text("group"),
        doubtful=text("doubtful"),
        licence=text("licence"),
        doi=text("doi"),
    )
