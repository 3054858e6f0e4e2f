"""Finds pairs of CT and reference mask in a folder tree by their names."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.dicom_image import may_be_dicom
from LungSegResNetLib.files.image_files import CT_ENDINGS

from .cases import REFUSED, TRAIN, Case
from .dicom_kinds import CT, MASK, PICTURE, kind_of_file, kind_of_folder
from .found_cases import FoundCases, without_repetitions
from .system_files import is_system_file

_ENDINGS = tuple(sorted((*CT_ENDINGS, ".seg.nrrd", ".mat", ".hdr", ".dcm"), key=len, reverse=True))
_ALWAYS_MASK = (".seg.nrrd", ".mat", ".hdr")
_CT_NAME = re.compile(r"(?P<case>.+?)[_-]ct$", re.I)
_MASK_NAME = re.compile(r"(?P<case>.+?)[_-](lungs?|masks?|seg|segmentation|labels?)$", re.I)
_LONG_MASK_NAME = re.compile(r"(?P<case>.+?)([_-]ct)?([_-]lungs?)?[_-](lungs?|masks?|seg|segmentation|labels?)$", re.I)
_MASK_WORD = re.compile(
    r"(^|[^a-z])(lungs?|masks?|seg|segmentation|labels?|ptk|rtstruct|rtss|rs|lobes?|overlay)([^a-z]|$)", re.I
)


@dataclass(frozen=True)
class _Item:
    """What may be a CT or a mask: a file, the first file of a series of pictures, or a folder of DICOM files."""

    path: Path
    stem: str
    ending: str

    @property
    def kind(self) -> str:
        """``ct``, ``mask``, ``picture`` or ``other``: by the SOP Class or, where there is none, by the name."""
        if self.ending in _ALWAYS_MASK:
            return MASK
        known = kind_of_folder(self.path) if self.ending == "/" else kind_of_file(self.path)
        if known in (None, PICTURE) and _MASK_WORD.search(self.stem):
            return MASK
        return known or CT


def find_cases(folder: Path) -> FoundCases:
    """Pairs below ``folder``, by two conventions that may be mixed.

    - Side by side: ``<name>_ct.*`` with ``<name>_lungs.*``, ``<name>_mask.*`` or ``<name>_seg.*``, also
      ``<name>_ct_mask.*`` and ``<name>_lung_mask.*``.
    - A folder per case, whose name is the case's: one CT and one mask, told apart by their SOP Classes in DICOM and by
      their names elsewhere. Each is a file or a folder of DICOM files; the CT's DICOM files may lie in the case's
      folder itself. Folders that lie in ``folder`` itself are of several cases.

    Capital letters and forms of Unicode make no other name. A CT that is found twice, by way of a symbolic link, is a
    case once.
    """
    found = FoundCases()
    _search(folder, folder, found, frozenset())
    return without_repetitions(found)


def _search(folder: Path, top: Path, found: FoundCases, above: frozenset[Path]) -> None:
    """Add what is below ``folder``; ``above`` are the folders that led here, so that links lead round in no circle."""
    here = folder.resolve()
    if here in above:
        return
    items, subfolders, loose_dicom, closed = _look(folder)
    reason = "It cannot be opened; remove it or make it readable."
    for path in closed:
        found.add_problem(path.relative_to(top.parent if path == top else top).as_posix(), reason, REFUSED)
    name = folder.relative_to(top).as_posix()
    scans: dict[str, list[_Item]] = {}
    for item in items:
        if item.ending not in _ALWAYS_MASK and (match := _CT_NAME.match(item.stem)):
            scans.setdefault(match["case"], []).append(item)
    if scans:
        _pair_by_name(scans, items, "" if name == "." else name + "/", found)
    elif folder == top:
        _pair_of_top(folder, items, loose_dicom, found)
    elif items or loose_dicom:
        _pair_of_folder(folder, name, items, loose_dicom, found)
    for subfolder in subfolders:
        _search(subfolder, top, found, above | {here})


def _look(folder: Path) -> tuple[list[_Item], list[Path], bool, list[Path]]:
    """Candidates in a folder, folders to go on with (links last), whether slices of a CT lie loose in it, and what
    cannot be opened: files, or the folder itself."""
    items, subfolders, slices, closed = [], [], [], []
    try:
        entries = _entries(folder)
    except OSError:
        return [], [], False, [folder]
    for path in entries:
        if os.path.isdir(path):  # noqa: PTH112 - says no to what it may not look at
            if _is_dicom_object(path):
                items.append(_Item(path, path.name, "/"))
            else:
                subfolders.append(path)
        elif ending := next((e for e in _ENDINGS if path.name.lower().endswith(e)), ""):
            items.append(_Item(path, path.name[: -len(ending)], ending))
        elif (dicom := _is_dicom(path)) is None:
            closed.append(path)
        elif dicom:
            if kind_of_file(path) in (CT, None):
                slices.append(path)
            else:
                items.append(_Item(path, path.name, ""))
    single = [i for i in items if i.ending == ".dcm" and i.kind == CT]
    # Many files with .dcm are the slices of one scan; a lone one is a scan or a mask of its own.
    if len(single) > 1:
        items = [i for i in items if i not in single]
        slices += [i.path for i in single]
    return _series_of_pictures(items), sorted(subfolders, key=Path.is_symlink), bool(slices), closed


def _series_of_pictures(items: list[_Item]) -> list[_Item]:
    """The items; pictures whose names differ only by a number at the end, as PTK names slices of a mask, are one."""
    series: dict[str, list[_Item]] = {}
    for item in items:
        if item.ending in ("", ".dcm") and kind_of_file(item.path) == PICTURE:
            series.setdefault(item.stem.rstrip("0123456789"), []).append(item)
    several = {stem: pictures for stem, pictures in series.items() if len(pictures) > 1}
    slices = {item for pictures in several.values() for item in pictures}
    whole = [replace(pictures[0], stem=stem) for stem, pictures in several.items()]
    return [item for item in items if item not in slices] + whole


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder, sorted, without what is no file, as a named pipe, which would be waited for."""
    return sorted(path for path in folder.iterdir() if not is_system_file(path) and not _is_no_file(path))


def _is_no_file(path: Path) -> bool:
    """True for pipes, sockets and devices; a link that leads nowhere may have been a file."""
    return os.path.exists(path) and not os.path.isdir(path) and not os.path.isfile(path)  # noqa: PTH110, PTH112, PTH113


def _is_dicom(path: Path) -> bool | None:
    """As `may_be_dicom`; None where the file cannot be opened."""
    try:
        return may_be_dicom(path)
    except InputError:
        return None


def _is_dicom_object(folder: Path) -> bool:
    """Whether a folder is one scan or one mask: DICOM files and nothing else, perhaps a folder further down.

    Their index says nothing, and what cannot be opened is left to reading.
    """
    try:
        entries = [path for path in _entries(folder) if path.name.upper() != "DICOMDIR"]
    except OSError:
        return False
    inner = [path for path in entries if os.path.isdir(path)]  # noqa: PTH112
    if inner:
        return len(entries) == 1 and _is_dicom_object(inner[0])
    # Slices with a mask among them are a case of their own, not a scan.
    masks = [path for path in entries if _MASK_WORD.search(path.stem) and kind_of_file(path) != CT]
    dicom = set(map(_is_dicom, entries))
    return True in dicom and False not in dicom and len(masks) in (0, len(entries))


def _pair_by_name(scans: dict[str, list[_Item]], items: list[_Item], prefix: str, found: FoundCases) -> None:
    masks: dict[str, list[_Item]] = {}
    count = Counter(map(_alike, scans))
    alike = {_alike(case): case for case in scans if count[_alike(case)] == 1}
    beginnings = tuple(name + mark for name in count for mark in "_-")
    for item in items:
        if (case := _case_of_mask(item.stem, scans, alike)) is not None:
            masks.setdefault(case, []).append(item)
        elif not _CT_NAME.match(item.stem) and not _alike(item.stem).startswith(beginnings):
            # What bears the name of a case is something else of it, such as its vessels.
            reason = f"There is no CT or no mask to {item.path.name}; the CT's name has to end with _ct."
            found.add_problem(prefix + item.stem, reason)
    for case, same in scans.items():
        fitting = masks.get(case, [])
        if len(same) > 1:
            _report_scans(prefix + case, [item.path for item in same], found)
        elif len(fitting) == 1:
            found.cases.append(_case(prefix + case, same[0].path, fitting[0].path))
        else:
            _report(prefix + case, fitting, found)


def _alike(name: str) -> str:
    """Equal for names that differ only in capital letters, or in how Unicode puts letters together."""
    return unicodedata.normalize("NFC", name).casefold()


def _case_of_mask(stem: str, scans: Container[str], alike: Mapping[str, str]) -> str | None:
    """The case among ``scans`` that a mask belongs to by its name, else among those that are called ``alike``; None
    where it is no mask or has no scan."""
    names = [match["case"] for pattern in (_MASK_NAME, _LONG_MASK_NAME) if (match := pattern.match(stem))]
    same = [name for name in names if name in scans]
    return next(iter(same + [alike[key] for key in map(_alike, names) if key in alike]), None)


def _pair_of_top(top: Path, items: list[_Item], loose_dicom: bool, found: FoundCases) -> None:
    """Add what lies in the folder of the data set itself: a case, or folders of patients with a scan or a mask only."""
    folders = [item for item in items if item.ending == "/"]
    if len(folders) > 1 or (len(folders) == len(items) and not loose_dicom):
        for item in folders:
            scan = _innermost(item.path)
            _pair_of_folder(scan, scan.relative_to(top).as_posix(), [replace(item, path=scan)], False, found)
        items = [item for item in items if item not in folders]
    _pair_of_folder(top, top.resolve().name, items, loose_dicom, found)


def _innermost(folder: Path) -> Path:
    """Where the files of a DICOM object lie, perhaps further down than its folder."""
    entries = [path for path in _entries(folder) if path.name.upper() != "DICOMDIR"]
    return _innermost(entries[0]) if len(entries) == 1 and entries[0].is_dir() else folder


def _pair_of_folder(folder: Path, name: str, items: list[_Item], loose_dicom: bool, found: FoundCases) -> None:
    kinds = {item: item.kind for item in items}
    # A picture is a mask where there is none that says so: PTK writes masks as pictures, others write dose reports.
    masks = next((some for kind in (MASK, PICTURE) if (some := [i for i in items if kinds[i] == kind])), [])
    scans = [i.path for i in items if kinds[i] == CT] + ([folder] if loose_dicom else [])
    if not masks and not scans:
        return
    if len(masks) == 1 and len(scans) == 1:
        found.cases.append(_case(name, scans[0], masks[0].path))
    elif not scans:
        found.add_problem(name, _reason_without_ct([item.path.name for item in masks]))
    elif len(scans) > 1 and masks:
        _report_scans(name, scans, found)
    elif len(scans) > 1:
        for scan in scans:
            _report(name if scan == folder else f"{name}/{scan.name}", masks, found)
    else:
        _report(name, masks, found)


def _reason_without_ct(masks: list[str]) -> str:
    named = ", ".join(masks[:4])
    if len(masks) == 1:
        return f"There is a mask ({named}) but no CT."
    return (
        f"There are masks ({named}) but no CT; if one of them is the CT, call it 'ct', or list the cases in a CSV file."
    )


def _report_scans(name: str, scans: list[Path], found: FoundCases) -> None:
    names = ", ".join(path.name for path in scans[:4])
    reason = (
        f"There are several files that may be the CT ({names}); list the cases in a CSV file, or keep only the one "
        "that is meant, called '..._ct'."
    )
    found.add_problem(name, reason)


def _report(name: str, masks: list[_Item], found: FoundCases) -> None:
    if not masks:
        reason = "There is no mask; its name has to end with _lungs, _mask or _seg."
    else:
        names = ", ".join(item.path.name for item in masks[:4])
        reason = f"There are several masks ({names}); keep the one that is meant, or list the cases in a CSV file."
    found.add_problem(name, reason)


def _case(name: str, ct: Path, mask: Path) -> Case:
    # As it comes back from a case list: names of files need not be text, nor begin and end with letters.
    flat = name.replace("/", "_").encode(errors="backslashreplace").decode().strip()
    return Case(flat, ct, mask, TRAIN, patient=flat, patient_is_named=False)
