"""What lies in folders of a case and belongs to it: masks with a file for each structure, a CT or a mask alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from LungSegResNetLib.files.segment_names import lung_of_name

from .case_items import Item, kinds_of
from .case_names import (
    CaseNames,
    case_names_beside_ct,
    case_names_of_ct,
    case_names_of_mask,
    folder_of_many,
    says_mask,
)
from .dicom_kinds import CT, MASK
from .sibling_folders import lone_items


@dataclass(frozen=True)
class InnerItem:
    """A candidate in a folder of a case.

    Attributes
    ----------
    item : with the name of its folder.
    name : its own name.
    title : what the name of its folder says beside CT or mask, such as ``2021``; often nothing.
    """

    item: Item
    name: str
    title: str = ""


def lone_in(folders: Sequence[Path]) -> list[InnerItem]:
    """What lies alone in those of the folders that are named for CTs or masks."""
    lone, _ = lone_items([folder for folder in folders if folder_of_many(folder.name)])
    found = []
    for folder, item in lone.items():
        kind, title = folder_of_many(folder.name) or ("", "")
        if item.known_kind in (kind, None):
            found.append(InnerItem(replace(item, stem=folder.name), item.stem, title))
    return found


def lacking_items(
    folder: Path, items: Sequence[Item], inner: Sequence[InnerItem], loose_dicom: bool
) -> list[InnerItem]:
    """Those of ``inner`` that are the CT or the mask that ``items``, which lie in the folder itself, lack.

    None unless they make one CT and one mask, whose names do not say that they are of two cases.
    """
    if not inner:
        return []  # the usual case, in which no file has to be asked for its kind
    kinds = kinds_of(items, loose_dicom)
    scans = [item for item in items if kinds[item] == CT]
    lack_ct, lack_mask = not (scans or loose_dicom), MASK not in kinds.values()
    cts = [one for one in inner if lack_ct and one.item.kind == CT]
    masks = [one for one in inner if lack_mask and one.item.kind == MASK]
    if len(scans) + loose_dicom + len(cts) != 1 or (lack_mask and len(masks) != 1) or not (lack_ct or lack_mask):
        return []
    if cts and masks and cts[0].title != masks[0].title:
        return []
    ct = cts[0].name if cts else scans[0].stem if scans else folder.name
    mask = masks[0].name if masks else next(item.stem for item in items if kinds[item] == MASK)
    return [] if _contradict(ct, mask, folder.name) else [*cts, *masks]


def _contradict(ct: str, mask: str, case: str) -> bool:
    """Whether the names of a CT and a mask say that they are not of one case, whose folder has a name, too."""
    if lung_of_name(mask) or CaseNames([*case_names_of_ct(ct), case]).first(case_names_beside_ct(mask)):
        return False
    if [name for name in case_names_of_mask(mask) if not (says_mask(name) or folder_of_many(name))]:
        return True
    numbers = [re.findall(r"\d+", name) for name in (ct, mask)]
    return all(numbers) and numbers[0] != numbers[1]
