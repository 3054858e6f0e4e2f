"""Finds pairs of CT and reference mask in a folder tree by their names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from LungSegResNetLib.files.dicom_headers import may_be_dicom
from LungSegResNetLib.files.reading import CT_ENDINGS

from .cases import TRAIN, Case

_ENDINGS = tuple(sorted((*CT_ENDINGS, ".seg.nrrd", ".mat", ".hdr", ".dcm"), key=len, reverse=True))
_ALWAYS_MASK = (".seg.nrrd", ".mat", ".hdr")
_CT_NAME = re.compile(r"(?P<case>.+?)[_-]ct$", re.I)
_MASK_NAME = re.compile(r"(?P<case>.+?)[_-](lungs?|masks?|seg|segmentation|labels?)$", re.I)
_MASK_WORD = re.compile(
    r"(^|[^a-z])(lungs?|masks?|seg|segmentation|labels?|ptk|rtstruct|rtss|rs|lobes?|overlay)([^a-z]|$)", re.I
)


@dataclass
class FoundCases:
    """Pairs that were found, and what looked like a case but is none: name and reason."""

    cases: list[Case] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Item:
    """Something that may be a CT or a mask: a file, or a folder of DICOM files."""

    path: Path
    stem: str
    ending: str


def find_cases(folder: Path) -> FoundCases:
    """Pairs below ``folder``, by two conventions that may be mixed.

    - Side by side: ``<name>_ct.*`` with ``<name>_lungs.*``, ``<name>_mask.*`` or ``<name>_seg.*``.
    - A folder per case, whose name is the case's: one CT and one mask, told apart by their names. Each is a file or
      a folder of DICOM files; the CT's DICOM files may lie in the case's folder itself.
    """
    found = FoundCases()
    _search(folder, folder, found)
    return found


def _search(folder: Path, top: Path, found: FoundCases) -> None:
    items, subfolders, loose_dicom = _look(folder)
    name = folder.relative_to(top).as_posix()
    scans = {m["case"]: i for i in items if i.ending not in _ALWAYS_MASK and (m := _CT_NAME.match(i.stem))}
    if scans:
        _pair_by_name(scans, items, "" if name == "." else name + "/", found)
    elif items or loose_dicom:
        _pair_of_folder(folder, name if name != "." else folder.name, items, loose_dicom, found)
    for subfolder in subfolders:
        _search(subfolder, top, found)


def _look(folder: Path) -> tuple[list[_Item], list[Path], bool]:
    """Candidates in a folder, folders to go on with, and whether slices of a CT lie loose in it."""
    items, subfolders, slices = [], [], []
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return [], [], False
    for path in entries:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if _is_dicom_object(path):
                items.append(_Item(path, path.name, "/"))
            else:
                subfolders.append(path)
        elif ending := next((e for e in _ENDINGS if path.name.lower().endswith(e)), ""):
            items.append(_Item(path, path.name[: -len(ending)], ending))
        elif may_be_dicom(path):
            slices.append(path)
    single = [i for i in items if i.ending == ".dcm" and not _MASK_WORD.search(i.stem)]
    # Many files with .dcm are the slices of one scan; a lone one is a scan or a mask of its own.
    if len(single) > 1:
        items = [i for i in items if i not in single]
        slices += [i.path for i in single]
    return items, subfolders, bool(slices)


def _is_dicom_object(folder: Path) -> bool:
    """Whether a folder is one scan or one mask: DICOM files and nothing else, perhaps a folder further down."""
    try:
        entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError:
        return False
    inner = [path for path in entries if path.is_dir()]
    if inner:
        return len(entries) == 1 and _is_dicom_object(inner[0])
    # Slices with a mask among them are a case of their own, not a scan.
    masks = [path for path in entries if _MASK_WORD.search(path.stem)]
    return bool(entries) and len(masks) in (0, len(entries)) and all(map(may_be_dicom, entries))


def _pair_by_name(scans: dict[str, _Item], items: list[_Item], prefix: str, found: FoundCases) -> None:
    masks: dict[str, list[_Item]] = {}
    for item in items:
        if match := _MASK_NAME.match(item.stem):
            masks.setdefault(match["case"], []).append(item)
    for case, scan in scans.items():
        fitting = masks.get(case, [])
        if len(fitting) == 1:
            found.cases.append(_case(prefix + case, scan.path, fitting[0].path))
        else:
            _report(prefix + case, fitting, found)


def _pair_of_folder(folder: Path, name: str, items: list[_Item], loose_dicom: bool, found: FoundCases) -> None:
    masks = [i for i in items if i.ending in _ALWAYS_MASK or _MASK_WORD.search(i.stem)]
    scans = [i.path for i in items if i not in masks] + ([folder] if loose_dicom else [])
    if len(masks) == 1 and len(scans) == 1:
        found.cases.append(_case(name, scans[0], masks[0].path))
    elif not scans:
        found.problems.append((name, "There is a mask but no CT."))
    elif len(scans) > 1:
        names = ", ".join(path.name for path in scans[:4])
        found.problems.append((name, f"There are several files that may be the CT ({names}); name the CT '..._ct'."))
    else:
        _report(name, masks, found)


def _report(name: str, masks: list[_Item], found: FoundCases) -> None:
    if not masks:
        reason = "There is no mask; its name has to end with _lungs, _mask or _seg."
    else:
        names = ", ".join(item.path.name for item in masks[:4])
        reason = f"There are several masks ({names}); keep the one that is meant, or list the cases in a CSV file."
    found.problems.append((name, reason))


def _case(name: str, ct: Path, mask: Path) -> Case:
    return Case(name.replace("/", "_"), ct, mask, TRAIN, name)
