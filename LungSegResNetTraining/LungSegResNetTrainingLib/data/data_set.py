"""The cases of a data set: a list in CSV, or a tree of folders."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from LungSegResNetLib.errors import InputError

from .case_search import find_cases
from .cases import CASE_LIST, OK, ListedCase, read_case_list, refuse_divided_patients
from .found_cases import FoundCases, LeftOutCase, without_repetitions
from .pair_check import PairVerdict


def case_list_of(data_set: str | os.PathLike[str]) -> Path | None:
    """The CSV file that lists a data set; None for a folder tree without one."""
    path = Path(data_set)
    # Functions of os.path say no to a folder that cannot be opened, where methods of Path raise an error.
    return next((place for place in (path, path / CASE_LIST) if os.path.isfile(place)), None)


def list_data_set(path: str | os.PathLike[str], taken: Collection[str] = (OK,)) -> FoundCases:
    """Cases of a CSV file, of a folder with a ``cases.csv``, or of a folder tree (see ``find_cases``).

    Parameters
    ----------
    taken : of the rows of a list those with one of these statuses, and those that were accepted since a check left
        them out; the others are left out.

    Raises
    ------
    InputError : the path does not exist, the case list is wrong, or the folder holds nothing like a case.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"The data set {path} does not exist.")
    case_list = case_list_of(path)
    if case_list is not None:
        return _found_in_list(read_case_list(case_list), taken)
    found = find_cases(path)
    if not found.count:
        raise InputError(
            f"No case was found in {path}; it needs pairs like name_ct.nii.gz and name_lungs.nii.gz, two folders ct "
            "and masks, a folder for each case, or a list of cases in CSV."
        )
    return found


def _found_in_list(rows: list[ListedCase], taken: Collection[str]) -> FoundCases:
    """The cases with a status that is ``taken``, and those that were accepted; the others are left out."""
    refuse_divided_patients([row.case for row in rows if row.case is not None and row.is_taken((OK,))])
    cases = [row.case for row in rows if row.case is not None and row.is_taken(taken)]
    left_out = [_left_out(row) for row in rows if not row.is_taken(taken)]
    return without_repetitions(FoundCases(cases, left_out))


def _left_out(row: ListedCase) -> LeftOutCase:
    verdict = PairVerdict(row.status, (row.reasons or "The case list says so.",))
    return LeftOutCase(row.name, verdict, row.case, row.group)
