"""Finds pairs of CT and reference mask in a folder tree by their names and places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .case_items import FolderContents, Item, innermost, kinds_of
from .case_names import CaseNames, case_names_beside_ct, case_names_of_mask, says_mask
from .cases import REFUSED, TRAIN, Case
from .dicom_kinds import CT, MASK, PICTURE
from .found_cases import FoundCases, without_repetitions
from .inner_items import InnerItem, lacking_items, lone_in
from .sibling_folders import SiblingFolders, sibling_folders
from .structure_files import lung_files, says_ct

_WHERE = (
    "put CT and mask into one folder as name_ct.* and name_lungs.*, or both alone into a folder of the case, or list "
    "them in a CSV file (case, ct, mask)"
)


def find_cases(folder: Path) -> FoundCases:
    """Pairs below ``folder``, by conventions that may be mixed.

    - Side by side: ``<name>_ct.*``, or a CT called ``<name>``, with ``<name>_lungs.*``, ``<name>_mask.*`` or
      ``<name>_seg.*``, also ``<name>_ct_mask.*`` and ``<name>_lung_mask.*``; a folder of DICOM files with a mask that
      has its name.
    - Folders beside each other, named for CTs and for masks (see `sibling_folders`), in which a case has one name.
    - A folder per case, whose name is the case's: one CT and one mask, told apart by their SOP Classes in DICOM, by
      their names elsewhere and, where these say nothing, by PTK's way of writing masks. Each is a file or a folder of
      DICOM files; the CT's DICOM files may lie in the case's folder itself, and either alone in a folder that is named
      for it, as ``masks``. Folders that lie in ``folder`` itself are
      of several cases. Files for each lung or lobe, beside the CT or in a folder, are one mask.

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
    contents = FolderContents.of(folder)
    _report_closed(contents.closed, top, found)
    name = folder.relative_to(top).as_posix()
    prefix = "" if name == "." else name + "/"
    items, subfolders = contents.items, contents.subfolders
    siblings = _siblings(contents, is_top=folder == top)
    for pair in siblings:
        _report_closed(pair.closed, top, found)
        masks = {item: case_names_beside_ct(item.stem) for item in pair.masks}
        _pair_by_name(pair.scans, masks, prefix + (f"{pair.title}/" if len(siblings) > 1 else ""), found)
        items = [item for item in items if item.path not in pair.folders]
        subfolders = [path for path in subfolders if path not in pair.folders] + [*pair.subfolders]
    structures = [item for item in items if item.is_structures]
    items = [item for item in items if not item.is_structures]
    if folder == top:
        # Folders that lie in it are of several cases, but for one that has no name of its own.
        inner = [InnerItem(item, item.stem) for item in structures if says_mask(item.stem)]
    else:
        inner = [InnerItem(item, item.stem) for item in structures] + lone_in(subfolders)
    lacking = [one.item for one in lacking_items(folder, items, inner, contents.loose_dicom)]
    subfolders = [path for path in subfolders if path not in {item.path.parent for item in lacking}]
    scans: dict[str, list[Item]] = {}
    for item in items:
        if (case := item.case_of_ct) is not None:
            scans.setdefault(case, []).append(item)
    if scans and not lacking:
        others = [item for item in items if item.case_of_ct is None]
        _pair_by_name(scans, {item: case_names_of_mask(item.stem) for item in others}, prefix, found)
    elif folder == top:
        _pair_of_top(folder, [*items, *lacking], contents.loose_dicom, found)
    elif items or lacking or contents.loose_dicom:
        _pair_of_folder(folder, name, [*items, *lacking], contents.loose_dicom, found)
    for item in structures:
        if item not in lacking:
            _pair_of_folder(item.path, prefix + item.stem, [item], False, found)
    for subfolder in subfolders:
        _search(subfolder, top, found, above | {here})


def _siblings(contents: FolderContents, is_top: bool) -> list[SiblingFolders]:
    """Folders of CTs and of masks in a folder. A scan and a mask, each of one DICOM object, may be a patient's own."""
    objects = {item.path for item in contents.items if item.is_folder}
    found = sibling_folders([*sorted(objects), *contents.subfolders])
    return [pair for pair in found if is_top or not objects.issuperset(pair.folders)]


def _pair_by_name(
    scans: Mapping[str, Sequence[Item]], masks: Mapping[Item, Sequence[str]], prefix: str, found: FoundCases
) -> None:
    """Pair CTs, by the names of their cases, with what may be their masks, by the names that their cases may have."""
    fitting: dict[str, list[Item]] = {}
    cases = CaseNames(scans)
    for item, names in masks.items():
        if (case := cases.first(names)) is not None:
            fitting.setdefault(case, []).append(item)
        elif not cases.begin(item.stem):
            # What bears the name of a case is something else of it, such as its vessels.
            found.add_problem(prefix + item.stem, f"There is no CT or no mask to {item.path.name}; {_WHERE}.")
    for case, same in scans.items():
        if len(same) > 1:
            _report_scans(prefix + case, [item.path for item in same], found)
        elif len(own := fitting.get(case, [])) == 1:
            found.cases.append(_case(prefix + case, same[0].path, own[0].path))
        else:
            _report(prefix + case, own, found)


def _pair_of_top(top: Path, items: Sequence[Item], loose_dicom: bool, found: FoundCases) -> None:
    """Add what lies in the folder of the data set itself: a case, or folders of patients with a scan or a mask only."""
    if _pair_by_own_name(items, loose_dicom, "", found):
        return
    folders = [item for item in items if item.is_folder]
    if len(folders) > 1 or (len(folders) == len(items) and not loose_dicom):
        for item in folders:
            scan = innermost(item.path)
            _pair_of_folder(scan, scan.relative_to(top).as_posix(), [replace(item, path=scan)], False, found)
        items = [item for item in items if item not in folders]
    _pair_of_folder(top, top.resolve().name, items, loose_dicom, found, is_top=True)


def _pair_by_own_name(items: Sequence[Item], loose_dicom: bool, prefix: str, found: FoundCases) -> bool:
    """Whether some masks bear the names of CTs beside them, as ``001_mask.nii.gz`` that of ``001.nii.gz``; then all
    are paired by name."""
    kinds = kinds_of(items)
    scans: dict[str, list[Item]] = {}
    for item in items:
        if kinds[item] == CT:
            scans.setdefault(item.stem, []).append(item)
    masks = {item: case_names_beside_ct(item.stem) for item in items if kinds[item] == MASK}
    cases = CaseNames(scans)
    if loose_dicom or not any(cases.first(names) for names in masks.values()):
        return False
    _pair_by_name(scans, masks, prefix, found)
    return True


def _pair_of_folder(
    folder: Path, name: str, items: Sequence[Item], loose_dicom: bool, found: FoundCases, is_top: bool = False
) -> None:
    # What lies in the folder of the data set may be of several patients: there, only a name makes a file a mask.
    by_name = is_top and not loose_dicom
    kinds = {item: item.kind for item in items} if by_name else kinds_of(items, loose_dicom)
    # A picture is a mask where there is none that says so: PTK writes masks as pictures, others write dose reports.
    masks = next((some for kind in (MASK, PICTURE) if (some := [i for i in items if kinds[i] == kind])), [])
    scans = [i.path for i in items if kinds[i] == CT] + ([folder] if loose_dicom else [])
    if not masks and not scans:
        return
    if len(masks) == 1 and len(scans) == 1:
        found.cases.append(_case(name, scans[0], masks[0].path))
    elif _pair_by_own_name(items, loose_dicom, f"{name}/", found):
        return
    elif len(masks) > 1 and (scan := _scan_beside_lungs(folder, items, masks, scans)):
        found.cases.append(_case(name, scan, folder))
    elif not scans:
        found.add_problem(name, _reason_without_ct([item.path.name for item in masks]))
    elif len(scans) > 1 and masks:
        _report_scans(name, scans, found)
    elif len(scans) > 1:
        for scan in scans:
            _report(name if scan == folder else f"{name}/{scan.name}", masks, found)
    else:
        _report(name, masks, found)


def _scan_beside_lungs(
    folder: Path, items: Sequence[Item], masks: Sequence[Item], scans: Sequence[Path]
) -> Path | None:
    """The CT in a folder in which the masks are files for each lung or lobe, perhaps with other organs; None where they
    are not, or it is not clear."""
    lungs = lung_files(folder)
    if not lungs or not lungs.keys() >= {item.path for item in masks}:
        return None
    named = [item.path for item in items if says_ct(item.stem) and item.path in scans] if len(scans) > 1 else scans
    return named[0] if len(named) == 1 else None


def _report_closed(paths: Sequence[Path], top: Path, found: FoundCases) -> None:
    for path in paths:
        reason = "It cannot be opened; remove it or make it readable."
        found.add_problem(path.relative_to(top.parent if path == top else top).as_posix(), reason, REFUSED)


def _reason_without_ct(masks: list[str]) -> str:
    named = ", ".join(masks[:4])
    if len(masks) == 1:
        return f"There is a mask ({named}) but no CT; {_WHERE}."
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


def _report(name: str, masks: Sequence[Item], found: FoundCases) -> None:
    if not masks:
        reason = f"There is no mask; {_WHERE}."
    else:
        names = ", ".join(item.path.name for item in masks[:4])
        reason = f"There are several masks ({names}); keep the one that is meant, or list the cases in a CSV file."
    found.add_problem(name, reason)


def _case(name: str, ct: Path, mask: Path) -> Case:
    # As it comes back from a case list: names of files need not be text, nor begin and end with letters.
    flat = name.replace("/", "_").encode(errors="backslashreplace").decode().strip()
    return Case(flat, ct, mask, TRAIN, patient=flat, patient_is_named=False)
