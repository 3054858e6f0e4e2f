"""The list of training cases: a CSV file that names CTs, reference masks, patients and their split."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from LungSegResNetLib.errors import InputError

TRAIN = "train"
VALIDATION = "validation"
TEST = "test"
_SPLITS = {
    **dict.fromkeys(("", "train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation"), VALIDATION),
    "test": TEST,
}
OK = "ok"


@dataclass(frozen=True)
class Case:
    """One CT with its reference mask; ``doubtful`` says in words which part of the mask is uncertain.

    ``split`` is ``train``, ``validation`` or ``test``; fitting leaves the last one alone.
    """

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
    InputError : the CSV is missing, has no case or lacks a column, names a file that is not there or a split that is
        none, or puts one patient into two splits.
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
            raise InputError(
                f"Patient {case.patient} is in both {splits[case.patient]} and {case.split} (case {case.name})."
            )
    return cases


def _case(folder: Path, row: dict[str, str]) -> Case:
    def text(column: str, default: str = "") -> str:
        return (row.get(column) or default).strip()

    split = text("split")
    if split.lower() not in _SPLITS:
        raise InputError(f"Case {row['case']} is in the split '{split}'; there are {TRAIN}, {VALIDATION} and {TEST}.")
    return Case(
        name=row["case"].strip(),
        ct=folder / row["ct"].strip(),
        mask=folder / row["mask"].strip(),
        split=_SPLITS[split.lower()],
        patient=text("patient", row["case"]),
        group=text("group"),
        doubtful=text("doubtful"),
        licence=text("licence"),
        doi=text("doi"),
    )
