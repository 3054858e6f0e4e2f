"""A mask with a file for each structure, as TotalSegmentator and *Export to files* of 3D Slicer write it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.image_files import CT_ENDINGS
from LungSegResNetLib.files.mask_reading import mask_on_ct, read_mask_file
from LungSegResNetLib.files.other_segments import OtherSegments, in_quotes, numbered
from LungSegResNetLib.files.segment_names import lung_of_name, lungs_among
from LungSegResNetLib.labels import LEFT_LUNG, RIGHT_LUNG

from .case_names import folder_of_many
from .dicom_kinds import CT
from .disease_in_other_segments import is_named_as_disease
from .read_mask import MaskOnCt
from .system_files import users_files

_ENDINGS = sorted(CT_ENDINGS, key=len, reverse=True)
# Programs that segment a whole body write a hundred: of so many, only what is named as disease is read.
_MOST_OTHERS = 20
_MOST_NAMED = 8  # of those left out, in a note


def is_structure_folder(folder: Path) -> bool:
    """Whether a folder is a mask and nothing else: files of both lungs, no CT, by its name, and no further folders."""
    try:
        if any(os.path.isdir(path) for path in folder.iterdir()):
            return False
    except OSError:
        return False
    named = _named_images(folder)
    return not any(map(_says_ct, named)) and bool(_lungs(named))


def has_lung_files(folder: Path) -> bool:
    """Whether files in a folder are, by their names, the right and the left lung of one patient, or all their lobes."""
    return bool(_lungs(_structures(folder)))


def read_structure_files(folder: Path, ct: CTVolume) -> MaskOnCt:
    """The lungs in a folder that has files of both (see `has_lung_files`), on the grid of ``ct``.

    Of other structures, up to 20 are read, or of more those that are named as disease (see `disease_left_out`).

    Raises
    ------
    InputError : the file of a lung or lobe cannot be read or does not belong to the CT.
    """
    structures = _structures(folder)
    lungs = _lungs(structures)
    labels = np.zeros(ct.hu.shape, np.uint8)
    notes: dict[str, None] = {}
    for path, label in lungs.items():
        drawn, warnings = _drawn(path, ct)
        labels[drawn] = label
        notes |= dict.fromkeys(warnings)
    others = {name: path for name, path in structures.items() if path not in lungs}
    if others:
        names = list(others)
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        notes[
            f"{folder.name} has files of other structures than lungs, which were left out: "
            f"{in_quotes(names[:_MOST_NAMED])}{more}."
        ] = None
    return MaskOnCt(labels, "files of structures", tuple(notes), True, _left_out(others, ct))


def _structures(folder: Path) -> dict[str, Path]:
    return {name: path for name, path in _named_images(folder).items() if not _says_ct(name)}


def _named_images(folder: Path) -> dict[str, Path]:
    """Image files of a folder by their names without ending."""
    named = {}
    for path in users_files(folder, recursive=False):
        if ending := next((e for e in _ENDINGS if path.name.lower().endswith(e)), ""):
            named[path.name[: -len(ending)]] = path
    return named


def _says_ct(name: str) -> bool:
    kind = folder_of_many(name)
    return kind is not None and kind[0] == CT


def _lungs(structures: dict[str, Path]) -> dict[Path, int]:
    """Files of lungs and lobes with the label of their lung; none unless there are both lungs, and of one patient."""
    found = [lung_of_name(name) for name in structures]
    known = [lung for lung in found if lung is not None]
    sided = zip(structures.values(), lungs_among(found), strict=True)
    lungs = {path: label for path, label in sided if label in (RIGHT_LUNG, LEFT_LUNG)}
    of_one_patient = len(set(known)) == len(known)
    return lungs if of_one_patient and {RIGHT_LUNG, LEFT_LUNG} <= set(lungs.values()) else {}


def _drawn(path: Path, ct: CTVolume) -> tuple[np.ndarray, Sequence[str]]:
    """Where a structure lies (bool), and warnings."""
    mask = read_mask_file(path)
    if not sitk.GetArrayViewFromImage(mask.labels).any():
        return np.zeros(ct.hu.shape, bool), ()  # a lung that was removed
    values, warnings = mask_on_ct(mask.labels, ct)
    return values > 0, (*warnings, *mask.warnings)


def _left_out(others: dict[str, Path], ct: CTVolume) -> OtherSegments | None:
    read = others if len(others) <= _MOST_OTHERS else {n: p for n, p in others.items() if is_named_as_disease(n)}
    names: list[str] = []

    def layers() -> Iterator[np.ndarray]:
        for name, path in read.items():
            try:
                drawn, _ = _drawn(path, ct)
            except InputError:
                continue  # no drawing, such as a map of doses or of probabilities
            names.append(name)
            yield drawn.astype(np.uint16) * np.uint16(len(names))

    numbers = numbered(layers(), ct.hu.shape)
    return OtherSegments(tuple(names), numbers) if names else None
