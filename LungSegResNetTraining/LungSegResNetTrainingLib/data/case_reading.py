"""Reads CT and reference mask of a case onto one grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.dicom_headers import list_series
from LungSegResNetLib.files.dicom_reading import TILTED
from LungSegResNetLib.files.reading import read_ct

from .cases import Case
from .dicom_kinds import MASK, kind_of_file, kind_of_folder
from .mask_files import ReferenceMask, read_reference_mask


def read_case(case: Case) -> tuple[CTVolume, ReferenceMask]:
    """CT and reference mask of a case on one grid; warnings of the CT lead the mask's notes.

    Of several CT series in a folder, that which a DICOM mask says it was drawn on is read, if it is there; else one is
    chosen as ``segment-folder`` does, and a warning names it.

    Raises
    ------
    InputError : a file cannot be read, or the mask does not belong to the CT.
    """
    in_space = _lies_in_space(case.mask)
    series = _series_drawn_on(case) if in_space and case.ct.is_dir() else None
    ct, warnings = read_ct(case.ct, series, when_in_doubt="choose")
    if in_space and any(TILTED in text for text in warnings):
        # Its slices are stacked upright, but the mask says where they were.
        raise InputError(
            f"The CT was scanned with a tilted gantry, so the DICOM mask {case.mask.name} cannot be laid onto its "
            "slices; save the mask as an image with the slices of the CT."
        )
    mask = read_reference_mask(case.mask, ct)
    return ct, replace(mask, notes=(*warnings, *mask.notes))


def _lies_in_space(mask: Path) -> bool:
    """Whether a mask is DICOM that says where in the scanner it lies, and on which scan."""
    return (kind_of_folder(mask) if mask.is_dir() else kind_of_file(mask)) == MASK


def _series_drawn_on(case: Case) -> str | None:
    """UID of the series in the CT's folder on which the DICOM mask was drawn; None if that cannot be told."""
    # Only data sets with DICOM masks need pydicom.
    from .dicom_labels import referenced_series

    wanted = referenced_series(case.mask)
    there = {series.uid for series in list_series(case.ct) if series.modality == "CT"} & wanted
    return there.pop() if len(there) == 1 else None
