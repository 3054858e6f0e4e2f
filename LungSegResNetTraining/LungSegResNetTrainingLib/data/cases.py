"""The list of training cases: a CSV file that names CTs, reference masks, patients and their split."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.tables import numbered_rows

TRAIN = "train"
VALIDATION = "validation"
TEST = "test"
_SPLITS = {
    **dict.fromkeys(("", "train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation"), VALIDATION),
    "test": TEST,
}
OK, DOUBTFUL, REFUSED = "ok", "doubtful", "refused"  # what the check of pairs says of a case
NO_PAIR, REPEATED = "no pair", "repeated"  # of one without CT or mask, and of one that has name or CT of another
CASE_LIST = "cases.csv"  # in the folder of a data set or of a run
# Those that a program of this package writes; a table that is a case list, too, has further ones after them.
CASE_COLUMNS = (
    *("case", "ct", "mask", "split", "patient", "group", "status", "reasons"),
    *("accepted", "doubtful", "licence", "doi"),
)
_NEEDED = ("case", "ct", "mask")
_NOT_ACCEPTED = ("no", "n", "false", "0", "-")  # what people write where they could leave the cell empty


@dataclass(frozen=True)
class Case:
    """One CT with its reference mask; ``doubtful`` says in words which part of the mask is uncertain.

    ``accepted`` says why, or who says that, the mask is right although the check of pairs doubts or refuses it.
    ``split`` is ``train``, ``validation`` or ``test``; fitting leaves the last one alone. Where nobody said whose scan
    it is (``patient_is_named`` false) the case counts as a patient of its own.
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
    patient_is_named: bool = True
    accepted: str = ""

    def described(self) -> dict[str, str]:
        """What a case list says of the case beside its files, by column; nobody's patient stays without a name."""
        columns = ("split", "group", "accepted", "doubtful", "licence", "doi")
        row = {column: getattr(self, column) for column in columns}
        return row | {"patient": self.patient if self.patient_is_named else ""}


@dataclass(frozen=True)
class ListedCase:
    """A row of a case list; ``case`` is None where an earlier check found no CT or no mask.

    ``status`` and ``reasons`` are what that check wrote; without a check the status is ``ok``. ``further`` has the
    cells in other columns than `CASE_COLUMNS`. ``group`` is that of a row without a case.
    """

    name: str
    case: Case | None
    status: str
    reasons: str
    further: dict[str, str] = field(default_factory=dict)
    group: str = ""

    def is_taken(self, statuses: Collection[str]) -> bool:
        """Whether the row is a case with one of these statuses, or one that was accepted since a check left it out."""
        if self.case is None:
            return False
        return self.status in statuses or (bool(self.case.accepted) and self.status in (DOUBTFUL, REFUSED))

    def cells(self, place_of: Callable[[Path], str]) -> dict[str, str]:
        """All cells of the row by column; ``place_of`` says how the list names a file."""
        row = {"case": self.name, "status": self.status, "reasons": self.reasons} | self.further
        if self.case is None:
            return row | {"group": self.group}
        return row | self.case.described() | {"ct": place_of(self.case.ct), "mask": place_of(self.case.mask)}


def read_cases(csv_path: str | os.PathLike[str]) -> list[Case]:
    """Cases of a CSV with the columns ``case, ct, mask`` and, where known, ``split, patient, group, accepted, ...``.

    Commas, semicolons or tabs part the columns, in whose names upper and lower case do not matter; above them may be
    empty lines, as of a spreadsheet, and a line ``sep=;``.
    Paths are relative to the CSV's folder; without a split a case is for training, without a patient it is its own.
    Where there is a column ``status``, as in the table that the check of a data set writes, only ``ok`` rows and those
    that were accepted count.
    Whether CT and mask are there shows when the case is read.

    Raises
    ------
    InputError : as ``read_case_list``; no row has the status ``ok``; a patient is in two splits.
    """
    csv_path = Path(csv_path)
    cases = [row.case for row in read_case_list(csv_path) if row.case is not None and row.is_taken((OK,))]
    if not cases:
        raise InputError(f"The case list {csv_path} has no case with the status {OK}.")
    refuse_divided_patients(cases)
    return cases


def read_case_list(csv_path: Path) -> list[ListedCase]:
    """All rows of a case list, those that an earlier check left out as well.

    Raises
    ------
    InputError : the CSV is missing, has no case or lacks a column; a row lacks its case, CT or mask or names a split
        that is none.
    """
    rows = numbered_rows(csv_path, _NEEDED)
    if not rows:
        raise InputError(f"The case list {csv_path} is empty.")
    return [_listed(csv_path, line, row) for line, row in rows]


def refuse_divided_patients(cases: Sequence[Case]) -> None:
    """Raise InputError where one patient is in two splits."""
    firsts: dict[str, Case] = {}
    for case in cases:
        first = firsts.setdefault(case.patient, case)
        if first.split == case.split:
            continue
        if not first.patient_is_named and not case.patient_is_named:
            raise InputError(
                f"Two cases are called {case.name}, one in {first.split} and one in {case.split}; give each its own "
                "name."
            )
        raise InputError(f"Patient {case.patient} is in both {first.split} and {case.split} (case {case.name}).")


def unnamed_patients(cases: Sequence[Case]) -> str:
    """How many cases count as patients of their own, as the beginning of a sentence; empty where that is no risk."""
    unnamed = sum(not case.patient_is_named for case in cases)
    if not unnamed or len(cases) < 2:
        return ""
    if unnamed == len(cases):
        return "Each case counts as a patient of its own"
    return f"{unnamed} of {len(cases)} cases name no patient, and each of them counts as a patient of its own"


def _listed(csv_path: Path, line: int, row: dict[str, str]) -> ListedCase:
    name, status = row["case"], (row.get("status") or OK).lower()
    empty = [column for column in _NEEDED if not row[column]]
    if empty and (status == OK or not name):
        called = f" ({name})" if name else ""
        raise InputError(f"Line {line}{called} of the case list {csv_path} lacks {', '.join(empty)}.")
    if "\0" in "".join(row[column] for column in _NEEDED):
        raise InputError(f"Line {line} of the case list {csv_path} has characters of no text; save it as CSV again.")
    case = None if empty else _case(csv_path.parent, row)
    further = {column: text for column, text in row.items() if column not in CASE_COLUMNS}
    group = row.get("group", "") if case is None else ""
    return ListedCase(name, case, status, row.get("reasons", ""), further, group)


def _case(folder: Path, row: dict[str, str]) -> Case:
    def text(column: str) -> str:
        return row.get(column, "")

    split, accepted = text("split"), text("accepted")
    if split.lower() not in _SPLITS:
        raise InputError(f"Case {row['case']} is in the split '{split}'; there are {TRAIN}, {VALIDATION} and {TEST}.")
    return Case(
        name=text("case"),
        ct=folder / text("ct"),
        mask=folder / text("mask"),
        split=_SPLITS[split.lower()],
        patient=text("patient") or text("case"),
        group=text("group"),
        doubtful=text("doubtful"),
        licence=text("licence"),
        doi=text("doi"),
        patient_is_named=bool(text("patient")),
        accepted="" if accepted.lower() in _NOT_ACCEPTED else accepted,
    )
