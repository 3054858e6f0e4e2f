"""Finds the CTs below a folder."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError, UsageError
from ..files.detached_voxels import voxel_files
from ..files.dicom_image import may_be_dicom
from ..files.folder_walk import files_of_folders
from ..files.image_files import CT_ENDINGS
from ..files.library_paths import UnusableNameError, library_path
from ..files.places import place
from ..files.writing import MASK_ENDINGS
from ..wording import counted
from .case_status import STARTED
from .split_series import warnings_of_spread_series
from .summary_file import SUMMARY_ENDING, mask_names, read_summary

_SEGMENTATION_ENDINGS = (".seg.nrrd", ".seg.nhdr")
# Of Analyze and of NIfTI in two files, neither of which can be read.
_PAIRED_ENDINGS = ((".hdr", ".img"), (".hdr", ".img.gz"), (".hdr.gz", ".img.gz"))


@dataclass(frozen=True)
class FolderCase:
    """A CT file or DICOM folder.

    Attributes
    ----------
    name : the path below the input folder without ending, with ``/``.
    path : the file, or the folder of which the DICOM files directly in it are the case.
    scan : path below the input folder, with ``/``.
    files : digest of the names, sizes and modification times of the case's files.
    problem : a sentence that says why the case cannot be read; else empty.
    warnings : what its user should know, besides what reading it tells.
    """

    name: str
    path: Path
    scan: str
    files: str
    problem: str = ""
    warnings: tuple[str, ...] = ()


def find_cases(folder: Path, output: Path, warn: Callable[[str], None] = lambda text: None) -> list[FolderCase]:
    """All CT files and DICOM folders below ``folder``, in the order of their paths.

    The output folder, segmentations of 3D Slicer and what is hidden are left out. Links to folders are followed; no
    folder is taken twice.

    Parameters
    ----------
    warn : gets a sentence for each folder that is left out, and one for files that other programs would read.

    Raises
    ------
    InputError : the folder is not there, is a file, cannot be opened or has no case.
    UsageError : the output folder is the input folder or holds it, or is a file.
    """
    if os.path.isfile(folder):
        raise InputError(f"{folder} is a file; give the folder of the scans, or take 'segment' for a single one.")
    if os.path.isfile(output):
        raise UsageError(f"The folder for results, {output}, is a file; choose another one.")
    if place(folder).is_relative_to(place(output)):
        raise UsageError(f"The folder for results, {output}, holds the scans themselves; choose another one.")
    scans, pairs = list[tuple[Path, list[Path]]](), list[Path]()
    for files in files_of_folders(folder, warn, leave_out=output):
        scans += _scans(files)
        pairs += _paired_headers(files)
    spread = warnings_of_spread_series({path: files[0] for path, files in scans if path not in files})
    found = [_case(path, files, folder, spread.get(path, "")) for path, files in scans]
    if os.path.isdir(output) and (among := _scans_among_results(output, folder)):
        warn(
            f"The folder for results holds {counted(len(among), 'scan')} ({among[0]}), left out of the run; choose "
            "another folder for the results."
        )
    if pairs:
        warn(
            f"Left out: {counted(len(pairs), 'pair')} of files .hdr and .img (the first is {pairs[0]}), which cannot "
            "be read; save scans among them as .nii.gz or .nrrd."
        )
    if not found:
        raise InputError(f"There is no CT (DICOM, {', '.join(CT_ENDINGS)}) below {folder}.")
    cases: dict[str, FolderCase] = {}
    for case in sorted(found, key=lambda case: case.path):
        # Capital letters make no other file on Windows and macOS, and results may go there from anywhere.
        name = next(name for name in _names(case, folder) if name.casefold() not in cases)
        cases[name.casefold()] = replace(case, name=name)
    return list(cases.values())


def _scans(files: list[Path]) -> list[tuple[Path, list[Path]]]:
    """Each scan among the files of a folder, but no result of an earlier run, with the files that it consists of."""
    results = _results_among(files)
    scans = [(path, [path, *voxel_files(path)]) for path in files if _ending(path) and path.name not in results]
    slices = [path for path in files if not _ending(path) and _is_dicom(path)]
    return [*scans, (slices[0].parent, slices)] if slices else scans


def _paired_headers(files: list[Path]) -> list[Path]:
    """Headers among the files of a folder whose voxels lie beside them in a format that cannot be read."""
    names = {path.name.lower() for path in files}

    def has_voxels(name: str) -> bool:
        return any(name.endswith(h) and name.removesuffix(h) + voxels in names for h, voxels in _PAIRED_ENDINGS)

    return [path for path in files if has_voxels(path.name.lower())]


def _results_among(files: list[Path]) -> set[str]:
    """Names of the masks that the summaries among the files of a folder tell of, and of what was being written."""
    names = set[str]()
    for path in files:
        if path.name.endswith(SUMMARY_ENDING) and (row := read_summary(path)):
            stem = path.name.removesuffix(SUMMARY_ENDING)
            names |= mask_names(row) | {stem + ending for ending in MASK_ENDINGS if row["status"] == STARTED}
    return names


def _scans_among_results(output: Path, top: Path) -> list[Path]:
    """Scans in the folder for results, where that lies below the folder of the scans."""
    if not place(output).is_relative_to(place(top)):
        return []
    return [path for files in files_of_folders(output, lambda text: None) for path, _ in _scans(files)]


def _is_dicom(path: Path) -> bool:
    """A file that cannot be opened counts, so that its case fails with the reason instead of being left out."""
    try:
        return may_be_dicom(path)
    except InputError:
        return True


def _case(path: Path, files: list[Path], top: Path, warning: str) -> FolderCase:
    """The case, still without a name."""
    scan, warnings = path.relative_to(top).as_posix(), (warning,) if warning else ()
    return FolderCase("", path, scan, _digest(files), _problem([path, *files]), warnings)


def _problem(paths: Iterable[Path]) -> str:
    for path in paths:
        try:
            library_path(path, only_plain_letters=False)
        except UnusableNameError as error:
            return f"{path} cannot be read: {error}."
    return ""


def _names(case: FolderCase, top: Path) -> Iterator[str]:
    """Names for a case, the best first: of files that differ by ending only, all but the first keep it."""
    if case.path == top:
        yield top.resolve().name or "scan"  # the root of a disk has no name
    elif not case.path.is_dir():
        yield case.scan[: len(case.scan) - len(_ending(case.path))]
    yield case.scan
    yield from (f"{case.scan}_{number}" for number in itertools.count(2))


def _ending(path: Path) -> str:
    if path.name.lower().endswith(_SEGMENTATION_ENDINGS):
        return ""
    return next((ending for ending in CT_ENDINGS if path.name.lower().endswith(ending)), "")


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        try:
            status = path.stat()
            # Some file systems keep times in steps of 2 s and let them shift by an hour with daylight saving.
            state = f"{status.st_size} {status.st_mtime_ns // 2_000_000_000 % 1800}"
        except OSError:  # reading it says why
            state = ""
        digest.update(os.fsencode(path.name) + f"\0{state}\0".encode())
    return digest.hexdigest()
