"""A mask with a file for each structure, as TotalSegmentator and *Export to files* of 3D Slicer write it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.detached_voxels import voxel_files
from LungSegResNetLib.files.dicom_image import may_be_dicom
from LungSegResNetLib.files.folder_walk import is_hidden
from LungSegResNetLib.files.image_files import CT_ENDINGS
from LungSegResNetLib.files.mask_reading import mask_on_ct, read_mask_file
from LungSegResNetLib.files.other_segments import OtherSegments, in_quotes, numbered
from LungSegResNetLib.files.ptk_metafile import ptk_axes
from LungSegResNetLib.files.segment_names import BOTH_SIDES, lung_of_name, lungs_among
from LungSegResNetLib.labels import LEFT_LUNG, RIGHT_LUNG

from .case_names import case_names_of_mask, case_of_ct, folder_of_many
from .dicom_kinds import CT
from .disease_in_other_segments import is_named_as_disease
from .read_mask import MaskOnCt
from .system_files import users_files

_ENDINGS = sorted(CT_ENDINGS, key=len, reverse=True)
# Programs that segment a whole body write a hundred: of so many, only what is named as disease is read.
_MOST_OTHERS = 20
_MOST_NAMED = 8  # of those left out, in a note
_LARGEST_OVERLAP = 0.05  # of the smaller lung


def is_structure_folder(folder: Path) -> bool:
    """Whether a folder is a mask and nothing else: files of both lungs, no CT, no pair of its own, and no folders."""
    try:
        entries = [path for path in folder.iterdir() if not is_hidden(path)]
        if any(map(os.path.isdir, entries)) or any(map(may_be_dicom, entries)):
            return False
    except (OSError, InputError):
        return False
    names = [name for name, _ in _named_images(folder)]
    own = {name for name in names for case in case_names_of_mask(name) if case in names}
    return not own and not any(map(says_ct, names)) and bool(lung_files(folder))


def lung_files(folder: Path) -> dict[Path, int]:
    """Files that are, by their names, the right and the left lung of one patient, or all their lobes, with the label of
    their lung.

    None unless there are both lungs, each once, and none that is both in one, which would leave a choice.
    """
    structures = _structures(folder)
    found = [lung_of_name(name) for name, _ in structures]
    known = [lung for lung in found if lung is not None]
    paths = (path for _, path in structures)
    lungs = {path: label for path, label in zip(paths, lungs_among(found), strict=True) if label}
    is_clear = len(set(known)) == len(known) and BOTH_SIDES not in lungs.values()
    return lungs if is_clear and {RIGHT_LUNG, LEFT_LUNG} <= set(lungs.values()) else {}


def files_of_structures(folder: Path) -> list[Path]:
    """The files of which the mask in a folder consists, of other structures, too; not the CT beside them.

    None where there are no `lung_files`.
    """
    if not lung_files(folder):
        return []
    return [file for _, path in _structures(folder) for file in (path, *voxel_files(path))]


def says_ct(name: str) -> bool:
    """Whether a file is a CT by its name: ``ct``, ``scan`` or ``1_ct``, but not ``tumour_volume``."""
    return folder_of_many(name) == (CT, "") or case_of_ct(name) is not None


def read_structure_files(folder: Path, ct: CTVolume) -> MaskOnCt:
    """The lungs in a folder that has files of both (see `lung_files`), on the grid of ``ct``.

    Of other structures, up to 20 are read, or of more those that are named as disease (see `disease_left_out`).

    Raises
    ------
    InputError : the file of a lung or lobe cannot be read, does not belong to the CT or does not say where it lies, or
        the lungs lie over each other.
    """
    labels = np.zeros(ct.hu.shape, np.uint8)
    notes: dict[str, None] = {}
    lungs, common = lung_files(folder), 0
    for path, label in lungs.items():
        drawn, warnings = _drawn(path, ct)
        common += int(np.count_nonzero(labels[drawn] == RIGHT_LUNG + LEFT_LUNG - label))
        labels[drawn] = label
        notes |= dict.fromkeys(warnings)
    if common:
        notes |= dict.fromkeys(_overlap(folder, common, labels, ct))
    others = {name: path for name, path in _structures(folder) if path not in lungs}
    if others:
        names = list(others)
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        note = f"{folder.name} has files of other structures than lungs, which were left out: "
        notes[f"{note}{in_quotes(names[:_MOST_NAMED])}{more}."] = None
    return MaskOnCt(labels, "files of structures", tuple(notes), True, _left_out(others, ct))


def _overlap(folder: Path, common: int, labels: np.ndarray, ct: CTVolume) -> list[str]:
    smaller = common + min(np.count_nonzero(labels == label) for label in (RIGHT_LUNG, LEFT_LUNG))
    where = f"The files of right and left lung in {folder.name} have {common * ct.voxel_ml:.1f} ml in common"
    if common > _LARGEST_OVERLAP * smaller:
        raise InputError(f"{where}: are they of one patient, and each of one lung?")
    return [f"{where}, which were given to one of them."]


def _structures(folder: Path) -> list[tuple[str, Path]]:
    return [(name, path) for name, path in _named_images(folder) if not says_ct(name)]


def _named_images(folder: Path) -> list[tuple[str, Path]]:
    """Image files of a folder with their names without ending."""
    named = []
    for path in users_files(folder, recursive=False):
        if ending := next((e for e in _ENDINGS if path.name.lower().endswith(e)), ""):
            named.append((path.name[: -len(ending)], path))
    return named


def _drawn(path: Path, ct: CTVolume) -> tuple[np.ndarray, Sequence[str]]:
    """Where a structure lies (bool), and warnings."""
    mask = read_mask_file(path)
    if not mask.has_orientation or ptk_axes(path):
        raise InputError(f"{path.name} does not say where it lies in the patient; put both lungs into one file.")
    if not sitk.GetArrayViewFromImage(mask.labels).any():
        return np.zeros(ct.hu.shape, bool), ()  # a lung that was removed
    values, warnings = mask_on_ct(mask.labels, ct)
    return values > 0, (*warnings, *mask.warnings)


def _left_out(others: Mapping[str, Path], ct: CTVolume) -> OtherSegments | None:
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
