"""Keeps the results of finished cases, so that an interrupted evaluation goes on where it was."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.errors import OutputError
from LungSegResNetLib.figures.metrics import Comparison

from ..code_digest import own_code_digest
from ..data.case_files import files_of_case
from ..data.cases import Case
from .case_result import CaseResult, WorstSlice
from .report_files import RESULT

_OWN_FILES = re.compile(r"result\.json|overlay\.png|slice_\d+\.png")
_DEVICES = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.I)  # on Windows no file or folder can be called so
_NAME_LENGTH = 100  # of a case's folder; a name may have 255 bytes, on Windows its whole path not many more
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError)  # what reading a file raises that is not whole
_OWN_FIELDS = ("case", "folder", "fold")  # they come from the case list, the place and the judge, not from the file


def case_key(case: Case, method: Sequence[str]) -> str:
    """What a result depends on: this program, ``method`` (network, precision, ...), the case's files, and whether a
    list accepts what the check has against them."""
    about = [*method, case.name, f"accepted {bool(case.accepted)}"]
    parts = [own_code_digest(), *about, *(f"{path.name} {file_digest(path)}" for path in files_of_case(case))]
    return hashlib.sha256("\n".join(parts).encode(errors="backslashreplace")).hexdigest()


def folder_names(cases: Sequence[Case]) -> list[str]:
    """A folder name for each case: its own name made safe for every file system, numbered where two would meet.

    Of a long name the beginning is kept, with a digest of the whole.
    """
    names: list[str] = []
    for case in cases:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", case.name).strip("._") or "case"
        if _DEVICES.fullmatch(plain.partition(".")[0]):
            plain = f"case_{plain}"
        if len(plain) > _NAME_LENGTH:
            digest = hashlib.sha256(case.name.encode(errors="replace")).hexdigest()[:16]
            plain = f"{plain[: _NAME_LENGTH - len(digest) - 1]}-{digest}"
        name, number = plain, 1
        while name.lower() in (n.lower() for n in names):
            number += 1
            name = f"{plain}_{number}"
        names.append(name)
    return names


def save_result(result: CaseResult, key: str) -> None:
    """Write a result into the folder of its pictures.

    Raises
    ------
    OutputError : the file cannot be written.
    """
    values = {name: value for name, value in asdict(result).items() if name not in _OWN_FIELDS}
    with write_atomically(result.folder / RESULT, overwrite=True) as temporary:
        temporary.write_text(json.dumps({"key": key, "result": values}, indent=1), encoding="utf-8")


def forget_result(folder: Path) -> None:
    """Remove what an earlier evaluation wrote of a case, and its folder where nothing else is in it.

    Raises
    ------
    OutputError : a file cannot be removed.
    """
    if not folder.is_dir():
        return
    try:
        for path in folder.iterdir():
            if _OWN_FILES.fullmatch(path.name):
                path.unlink()
    except OSError as error:
        raise OutputError(f"{folder} holds a result that cannot be replaced ({error.strerror or error}).") from error
    with suppress(OSError):  # files of somebody else
        folder.rmdir()


def load_result(case: Case, folder: Path, key: str) -> CaseResult | None:
    """Result of an earlier run; None where there is none with this key, or its file or a picture is damaged or gone."""
    try:
        stored = _stored(folder)
        if stored["key"] != key:
            return None
        values = stored["result"]
        values["comparisons"] = {
            method: {region: Comparison(**figures) for region, figures in regions.items()}
            for method, regions in values["comparisons"].items()
        }
        values["worst_slices"] = _worst_slices(values)
        for name in ("notes", "doubts", "spacing_mm"):
            values[name] = tuple(values[name])
        result = CaseResult(case=case, folder=folder, **values)
    except _DAMAGE:
        return None
    pictures = (result.overlay, *(one.picture for one in result.worst_slices))
    return result if all((folder / name).is_file() for name in pictures) else None


def stored_worst_slices(folder: Path) -> tuple[WorstSlice, ...]:
    """Those of the result in the folder of a case, whatever it was made with; none where it cannot be read."""
    try:
        return _worst_slices(_stored(folder)["result"])
    except _DAMAGE:
        return ()


def _stored(folder: Path) -> dict[str, Any]:
    """The file of a result: its key, and the fields of a `CaseResult`."""
    stored: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    return stored


def _worst_slices(values: dict[str, Any]) -> tuple[WorstSlice, ...]:
    return tuple(WorstSlice(**one) for one in values["worst_slices"])
