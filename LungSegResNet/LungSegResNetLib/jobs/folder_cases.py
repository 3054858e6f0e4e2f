"""Finds the CTs below a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, UsageError
from ..files.dicom_headers import may_be_dicom
from ..files.reading import CT_ENDINGS


@dataclass(frozen=True)
class FolderCase:
    """A CT file or DICOM folder, and its name: the path below the input folder without ending, with ``/``."""

    name: str
    path: Path


def find_cases(folder: Path, output: Path) -> list[FolderCase]:
    """All CT files and DICOM folders below ``folder``, sorted by name; the output folder and hidden files are left out.

    Raises
    ------
    InputError : the folder is not there or has no case.
    UsageError : the output folder is the input folder or holds it.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    cases: dict[str, FolderCase] = {}
    output = output.resolve()
    if folder.resolve().is_relative_to(output):
        raise UsageError(f"The folder for results, {output}, holds the scans themselves; choose another one.")
    for path in sorted(folder.rglob("*")):
        if path.name.startswith(".") or not path.is_file() or path.resolve().is_relative_to(output):
            continue
        ending = next((e for e in CT_ENDINGS if path.name.lower().endswith(e)), None)
        if ending:
            name = path.relative_to(folder).as_posix()[: -len(ending)]
            # Two files that differ by ending only keep it in their names.
            name = name if name not in cases else path.relative_to(folder).as_posix()
            cases[name] = FolderCase(name, path)
        elif _is_dicom(path):
            relative = path.parent.relative_to(folder).as_posix()
            name = folder.resolve().name if relative == "." else relative
            cases[name] = FolderCase(name, path.parent)
    if not cases:
        raise InputError(f"There is no CT (DICOM, {', '.join(CT_ENDINGS)}) below {folder}.")
    return list(cases.values())


def _is_dicom(path: Path) -> bool:
    """A file that cannot be opened counts, so that its case fails with the reason instead of being left out."""
    try:
        return may_be_dicom(path)
    except InputError:
        return True
