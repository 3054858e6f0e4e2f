"""The folder of a report: which evaluation it holds, and making it the place of another one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.errors import InputError, OutputError, OutputExistsError

from ..data.case_files import mask_files_of
from ..data.cases import Case
from ..data.scan_marks import ScanMarks
from ..data.structure_files import files_of_structures
from ..data.system_files import is_system_file
from .finished_cases import folder_names, forget_result
from .report_files import CASES_FOLDER, EVALUATION, REPORT_FILES

_MADE_WITH = "made with"  # in the same file, beside what the evaluation is known by


@dataclass(frozen=True)
class EvaluationId:
    """What an evaluation is known by.

    Attributes
    ----------
    network : SHA-256 of the network's file; in a cross-validation of all files, see `network_digests`.
    data_set : its place.
    split : that was asked for; empty where none was.
    cases : see `cases_digest`; None where it is not told.
    """

    network: str
    data_set: str = ""
    split: str = ""
    cases: str | None = None

    def as_json(self) -> dict[str, str]:
        """Plain values for a file."""
        values = {"network": self.network, "data set": self.data_set, "split": self.split}
        return values if self.cases is None else {**values, "cases": self.cases}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> EvaluationId:
        """Inverse of ``as_json``. Raises KeyError where no network is told."""
        return cls(values["network"], values.get("data set", ""), values.get("split", ""), values.get("cases"))

    def is_another(self, earlier: EvaluationId) -> bool:
        """Whether network, split or data set are others.

        A data set is known by its place and, where it has moved, by its cases, if they are told.
        """
        has_moved = self.data_set != earlier.data_set
        has_other_cases = self.cases is None or self.cases != earlier.cases
        return (self.network, self.split) != (earlier.network, earlier.split) or (has_moved and has_other_cases)


def network_digests(digests: Iterable[str]) -> str:
    """What `EvaluationId.network` says of networks with these digests, in whatever order they judged."""
    return " ".join(sorted(set(digests)))


def cases_digest(cases: Sequence[Case], marks: ScanMarks) -> str:
    """Digest of the cases' names, CTs, patients and masks, by which a data set is known when it has moved.

    Where masks were corrected it is another one: a report on the earlier ones is not to stand beside results on these.
    """
    entries = sorted((*dataclasses.astuple(marks.of(case)), _mask_digest(case)) for case in cases)
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def _mask_digest(case: Case) -> str:
    """Digest of what the mask's files hold, whatever they are called, unless their names tell right and left; empty
    where they cannot be read."""
    try:
        if structures := files_of_structures(case.mask):
            return " ".join(f"{path.name} {file_digest(path)}" for path in structures)
        return " ".join(sorted(map(file_digest, mask_files_of(case.mask))))
    except (OSError, InputError):
        return ""  # reading the case says why


def evaluation_in(folder: Path) -> EvaluationId | None:
    """The evaluation that a folder holds; None where there is none."""
    mark = _read_mark(folder)
    return None if mark is None else EvaluationId.from_json(mark)


def holds_another(folder: Path, about: EvaluationId) -> bool:
    """Whether `claim_folder` needs ``overwrite``: the folder has another evaluation."""
    earlier = evaluation_in(folder)
    return earlier is not None and about.is_another(earlier)


def claim_folder(folder: Path, about: EvaluationId, overwrite: bool, cases: Sequence[Case]) -> None:
    """Make ``folder`` the place of the evaluation ``about``; continuing with the same one is allowed.

    The report of another one, or of other cases of its data set, is removed, so that nobody takes its figures for those
    of this one, and so are results and pictures of cases that are not among ``cases``.

    Raises
    ------
    OutputExistsError : the folder holds another evaluation and ``overwrite`` is false.
    OutputError : the folder holds other files, or cannot be written.
    """
    mark = _read_mark(folder)
    made_with = {}
    if mark is None:
        _refuse_other_files(folder)
    else:
        earlier = EvaluationId.from_json(mark)
        if about.is_another(earlier) and not overwrite:
            raise OutputExistsError(folder, "holds another evaluation; choose another folder.")
        if about.is_another(earlier) or about.cases != earlier.cases:
            _remove_report(folder)
            _forget_all_but(cases, folder)
        elif _MADE_WITH in mark:
            made_with = {_MADE_WITH: mark[_MADE_WITH]}
    _write_mark(folder, about.as_json() | made_with)


def tell_provenance(folder: Path, provenance: dict[str, str]) -> None:
    """Add what the report in a folder was made with to what the evaluation is known by.

    Raises
    ------
    OutputError : the file cannot be written.
    """
    _write_mark(folder, (_read_mark(folder) or {}) | {_MADE_WITH: provenance})


def _read_mark(folder: Path) -> dict[str, Any] | None:
    """What an evaluation is known by and what its report was made with; None where there is none."""
    try:
        mark = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return mark if isinstance(mark, dict) and "network" in mark else None


def _write_mark(folder: Path, mark: dict[str, Any]) -> None:
    with write_atomically(folder / EVALUATION, overwrite=True) as temporary:
        temporary.write_text(json.dumps(mark, indent=2) + "\n", encoding="utf-8")


def _forget_all_but(cases: Sequence[Case], folder: Path) -> None:
    names = folder_names(cases)
    for path in (folder / CASES_FOLDER).glob("*"):
        if path.name not in names:
            forget_result(path)


def _refuse_other_files(folder: Path) -> None:
    """Raise OutputError unless a folder is empty or is still to be made; a data set and a run have a cases.csv, too."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; choose a folder for the report.")
    try:
        is_used = folder.exists() and not all(map(is_system_file, folder.iterdir()))
    except OSError as error:
        raise OutputError(f"{folder} cannot be used ({error.strerror or error}); choose another folder.") from error
    if is_used:
        raise OutputError(f"{folder} holds files that are not an evaluation; choose another folder.")


def _remove_report(folder: Path) -> None:
    try:
        for name in REPORT_FILES:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} holds a report that cannot be replaced ({error.strerror or error}).") from error
