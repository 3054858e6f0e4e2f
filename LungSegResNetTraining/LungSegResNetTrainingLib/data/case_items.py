"""What may be a CT or a mask in a folder: a file, a series of pictures, a folder of DICOM files or of structures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.dicom_image import may_be_dicom
from LungSegResNetLib.files.image_files import CT_ENDINGS
from LungSegResNetLib.files.ptk_metafile import ptk_axes

from .case_names import case_of_ct, says_mask
from .dicom_kinds import CT, MASK, PICTURE, kind_of_file, kind_of_folder
from .ptk_files import is_formless_nifti
from .structure_files import is_structure_folder
from .system_files import is_system_file

_ENDINGS = tuple(sorted((*CT_ENDINGS, ".seg.nrrd", ".mat", ".hdr", ".dcm"), key=len, reverse=True))
_OF_FOLDER, _OF_STRUCTURES = "/", "//"
_ALWAYS_MASK = (".seg.nrrd", ".mat", ".hdr", _OF_STRUCTURES)


@dataclass(frozen=True)
class Item:
    """What may be a CT or a mask: a file, the first file of a series of pictures, or a folder of DICOM files or, for a
    mask, of structures."""

    path: Path
    stem: str
    ending: str

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of DICOM files."""
        return self.ending == _OF_FOLDER

    @property
    def is_structures(self) -> bool:
        """Whether it is a folder with a file for each structure."""
        return self.ending == _OF_STRUCTURES

    @property
    def known_kind(self) -> str | None:
        """``ct``, ``mask``, ``picture`` or ``other``, by the ending or the SOP Class; None where neither says so."""
        if self.ending in _ALWAYS_MASK:
            return MASK
        return kind_of_folder(self.path) if self.is_folder else kind_of_file(self.path)

    @property
    def kind(self) -> str:
        """As `known_kind` or, where that says nothing or it is a picture, by the name."""
        known = self.known_kind
        if known in (None, PICTURE) and says_mask(self.stem):
            return MASK
        return known or CT

    @property
    def case_of_ct(self) -> str | None:
        """The case whose CT it is by a name that ends with ``_ct``; None for others."""
        return None if self.ending in _ALWAYS_MASK else case_of_ct(self.stem)

    @property
    def is_written_as_mask(self) -> bool:
        """Whether it is a file as PTK writes masks, without a place in the patient."""
        try:
            if self.ending == ".mhd":
                return ptk_axes(self.path) is not None
            return self.ending == ".nii" and is_formless_nifti(self.path)
        except (InputError, OSError, ValueError):
            return False


@dataclass(frozen=True)
class FolderContents:
    """What lies in a folder.

    Attributes
    ----------
    items : candidates for CTs and masks.
    subfolders : folders to go on with, links last.
    loose_dicom : whether slices of a CT lie loose in it.
    closed : what cannot be opened: files, or the folder itself.
    """

    items: Sequence[Item]
    subfolders: Sequence[Path]
    loose_dicom: bool = False
    closed: Sequence[Path] = ()

    @classmethod
    def of(cls, folder: Path) -> FolderContents:
        """Look into ``folder``."""
        items, subfolders, slices, closed = [], [], [], []
        try:
            entries = entries_of(folder)
        except OSError:
            return cls((), (), closed=[folder])
        for path in entries:
            if os.path.isdir(path):
                if is_structure_folder(path):
                    items.append(Item(path, path.name, _OF_STRUCTURES))
                elif _is_dicom_object(path):
                    items.append(Item(path, path.name, _OF_FOLDER))
                else:
                    subfolders.append(path)
            elif ending := next((e for e in _ENDINGS if path.name.lower().endswith(e)), ""):
                items.append(Item(path, path.name[: -len(ending)], ending))
            elif (dicom := _is_dicom(path)) is None:
                closed.append(path)
            elif dicom:
                if kind_of_file(path) in (CT, None):
                    slices.append(path)
                else:
                    items.append(Item(path, path.name, ""))
        single = [i for i in items if i.ending == ".dcm" and i.kind == CT]
        # Many files with .dcm are the slices of one scan; a lone one is a scan or a mask of its own.
        if len(single) > 1:
            items = [i for i in items if i not in single]
            slices += [i.path for i in single]
        return cls(_series_of_pictures(items), sorted(subfolders, key=Path.is_symlink), bool(slices), closed)


def kinds_of(items: Sequence[Item], beside_slices: bool = False) -> dict[Item, str]:
    """The kind of each. Where none is called a mask, those that are written as PTK writes masks are masks if there is
    another CT, perhaps as slices beside them."""
    kinds = {item: item.kind for item in items}
    scans = [item for item in items if kinds[item] == CT]
    if MASK not in kinds.values() and len(scans) + beside_slices > 1:
        written = [item for item in scans if item.is_written_as_mask]
        if len(written) < len(scans) or beside_slices:
            kinds |= dict.fromkeys(written, MASK)
    return kinds


def entries_of(folder: Path) -> list[Path]:
    """What lies in a folder, sorted, without what is no file, as a named pipe, which would be waited for."""
    return sorted(path for path in folder.iterdir() if not is_system_file(path) and not _is_no_file(path))


def innermost(folder: Path) -> Path:
    """Where the files of a DICOM object lie, perhaps further down than its folder."""
    entries = [path for path in entries_of(folder) if path.name.upper() != "DICOMDIR"]
    return innermost(entries[0]) if len(entries) == 1 and entries[0].is_dir() else folder


def _series_of_pictures(items: list[Item]) -> list[Item]:
    """The items; pictures whose names differ only by a number at the end, as PTK names slices of a mask, are one."""
    series: dict[str, list[Item]] = {}
    for item in items:
        if item.ending in ("", ".dcm") and kind_of_file(item.path) == PICTURE:
            series.setdefault(item.stem.rstrip("0123456789"), []).append(item)
    several = {stem: pictures for stem, pictures in series.items() if len(pictures) > 1}
    slices = {item for pictures in several.values() for item in pictures}
    whole = [replace(pictures[0], stem=stem) for stem, pictures in several.items()]
    return [item for item in items if item not in slices] + whole


def _is_no_file(path: Path) -> bool:
    """True for pipes, sockets and devices; a link that leads nowhere may have been a file."""
    return os.path.exists(path) and not os.path.isdir(path) and not os.path.isfile(path)


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
        entries = [path for path in entries_of(folder) if path.name.upper() != "DICOMDIR"]
    except OSError:
        return False
    inner = [path for path in entries if os.path.isdir(path)]
    if inner:
        return len(entries) == 1 and _is_dicom_object(inner[0])
    # Slices with a mask among them are a case of their own, not a scan.
    masks = [path for path in entries if says_mask(path.stem) and kind_of_file(path) != CT]
    dicom = set(map(_is_dicom, entries))
    return True in dicom and False not in dicom and len(masks) in (0, len(entries))
