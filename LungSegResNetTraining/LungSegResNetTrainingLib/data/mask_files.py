"""Reference masks as they come: one reader for everything a centre may have drawn or exported."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.dicom_image import may_be_dicom
from LungSegResNetLib.files.mask_reading import left_out_on_ct, mask_on_ct, read_mask_file
from LungSegResNetLib.files.other_segments import OtherSegments
from LungSegResNetLib.files.ptk_metafile import ptk_axes

from .lung_values import as_right_and_left
from .ptk_files import is_formless_nifti, read_formless_nifti, read_ptk_mat, read_ptk_metafile
from .read_mask import MaskOnCt
from .structure_files import lung_files, read_structure_files


@dataclass(frozen=True)
class ReferenceMask:
    """A reference mask on the grid of its CT.

    Attributes
    ----------
    labels : uint8 with the shape of ``ct.hu``: 0, 1 = right lung, 2 = left lung.
    format : what the file was, in words.
    notes : what had to be assumed or repaired, one sentence each.
    left_out : segments that are no lungs by their names, on the grid of the CT; None without any, and for contours.
    """

    labels: np.ndarray
    format: str
    notes: tuple[str, ...] = ()
    left_out: OtherSegments | None = None


def read_reference_mask(path: str | os.PathLike[str], ct: CTVolume) -> ReferenceMask:
    """Read the lungs of ``ct`` from a mask of any known format, on the CT's grid.

    Known are NIfTI, NRRD, MetaImage and Slicer segmentations; the four exports of the Pulmonary Toolkit (``.mhd``,
    ``.nii``, ``.mat``, a folder of colour DICOM), DICOM segmentations, radiotherapy structure sets, and folders with a
    file for each structure.

    Raises
    ------
    InputError : the file cannot be read, does not belong to the CT, or its values are not lungs or lobes.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"The mask {path} does not exist.")
    mask = _read(path, ct)
    labels, more = (mask.values, []) if mask.has_sides else as_right_and_left(mask.values, ct, path.name)
    return ReferenceMask(labels, mask.format, (*mask.notes, *more), mask.left_out)


def _read(path: Path, ct: CTVolume) -> MaskOnCt:
    name = path.name.lower()
    if path.is_dir() and lung_files(path):
        return read_structure_files(path, ct)
    if path.is_dir() or may_be_dicom(path):
        # Only data sets with DICOM masks need pydicom and highdicom.
        from .dicom_labels import read_dicom_mask

        return read_dicom_mask(path, ct)
    if name.endswith(".mat"):
        return read_ptk_mat(path, ct)
    if ptk_axes(path):
        return read_ptk_metafile(path, ct)
    if name.endswith((".nii", ".nii.gz", ".hdr", ".img")) and is_formless_nifti(path):
        return read_formless_nifti(path, ct)
    if name.endswith(".raw"):
        raise InputError(f"{path.name} holds bare voxels; give the .mhd file that belongs to it.")
    mask = read_mask_file(path)
    values, warnings = mask_on_ct(mask.labels, ct)
    kind = "Slicer segmentation" if name.endswith(".seg.nrrd") else "label map"
    left_out = left_out_on_ct(mask.left_out, mask.left_out_numbers, ct) if mask.left_out_numbers is not None else None
    return MaskOnCt(values, kind, (*warnings, *mask.warnings), mask.has_sides, left_out)
