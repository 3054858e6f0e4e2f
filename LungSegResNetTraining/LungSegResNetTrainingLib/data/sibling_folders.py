"""CTs and masks in two folders beside each other that are named for them, such as ``ct`` and ``masks``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .case_items import FolderContents, Item
from .case_names import CaseNames, case_names_beside_ct, case_names_of_ct, case_names_of_mask, folder_of_many
from .dicom_kinds import CT, MASK, OTHER


@dataclass(frozen=True)
class SiblingFolders:
    """Two such folders.

    Attributes
    ----------
    title : what else their names say, such as ``tr``; often nothing.
    scans : CTs by the names of their cases; several of one name are not told apart.
    masks : the masks; each may belong to a CT, or to none.
    folders : the two.
    subfolders : those in them that hold anything but one CT or one mask.
    closed : files in them that cannot be opened.
    """

    title: str
    scans: dict[str, list[Item]]
    masks: Sequence[Item]
    folders: tuple[Path, Path]
    subfolders: Sequence[Path]
    closed: Sequence[Path]


def sibling_folders(folders: Sequence[Path]) -> list[SiblingFolders]:
    """The pairs of such folders among ``folders``, which lie in one folder, if some case has a CT and a mask in them.

    Folders whose names leave a choice, or of which one holds both, are left out.
    """
    named: dict[str, dict[str, list[Path]]] = {}
    for folder in folders:
        if about := folder_of_many(folder.name):
            kind, title = about
            named.setdefault(title, {CT: [], MASK: []})[kind].append(folder)
    found = (
        _joined(title, kinds[CT][0], kinds[MASK][0])
        for title, kinds in named.items()
        if len(kinds[CT]) == 1 and len(kinds[MASK]) == 1
    )
    return [pair for pair in found if pair is not None]


def _joined(title: str, ct_folder: Path, mask_folder: Path) -> SiblingFolders | None:
    """The two folders, or None where one is not what its name says, or they have no case in common."""
    of_cts, of_masks = map(_one_for_each, (ct_folder, mask_folder))
    cts, masks = of_cts.items, of_masks.items
    if not (_all_cts(of_cts) and _all_masks(of_masks)):
        return None
    cases = CaseNames({name for item in masks for name in case_names_beside_ct(item.stem)})
    scans: dict[str, list[Item]] = {}
    common = False
    for item in cts:
        case = next((name for name in case_names_of_ct(item.stem) if cases.first([name])), None)
        common |= case is not None
        scans.setdefault(case or item.stem, []).append(item)
    if not common:
        return None
    subfolders, closed = (*of_cts.subfolders, *of_masks.subfolders), (*of_cts.closed, *of_masks.closed)
    return SiblingFolders(title, scans, masks, (ct_folder, mask_folder), subfolders, closed)


def _all_cts(contents: FolderContents) -> bool:
    """False where something is a mask by what it is, or by the name of another one; words as ``lung`` say nothing."""
    cases = CaseNames([item.stem for item in contents.items])
    masks = (item for item in contents.items if cases.first(case_names_of_mask(item.stem)))
    known = {item.known_kind for item in contents.items}
    return not contents.loose_dicom and known <= {CT, None} and not any(masks)


def _all_masks(contents: FolderContents) -> bool:
    return not contents.loose_dicom and all(item.known_kind != CT for item in contents.items)


def _one_for_each(folder: Path) -> FolderContents:
    """What is in a folder; a candidate that lies alone in a folder in it has that folder's name."""
    contents = FolderContents.of(folder)
    lone, subfolders = lone_items(contents.subfolders)
    items = [item for item in contents.items if item.known_kind != OTHER]
    items += [replace(item, stem=inner.name) for inner, item in lone.items()]
    return replace(contents, items=items, subfolders=subfolders)


def lone_items(folders: Sequence[Path]) -> tuple[dict[Path, Item], list[Path]]:
    """What lies alone in one of the folders, by its folder, and the folders that hold anything else."""
    lone, others = {}, []
    for folder in folders:
        inner = FolderContents.of(folder)
        if len(inner.items) == 1 and not (inner.subfolders or inner.loose_dicom or inner.closed):
            lone[folder] = inner.items[0]
        else:
            others.append(folder)
    return lone, others
