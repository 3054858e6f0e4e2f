"""What a DICOM file is by its SOP Class: a CT, a mask or a picture. Read without pydicom, before anything is opened."""

from __future__ import annotations

import re
from pathlib import Path

from LungSegResNetLib.files.dicom_image import SECONDARY_CAPTURE

from .system_files import users_files

SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
# CT Image, Enhanced CT Image, Legacy Converted Enhanced CT Image.
_CT = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")

CT, MASK, PICTURE, OTHER = "ct", "mask", "picture", "other"

# Media Storage SOP Class UID (0002,0002) in the file meta information, which is always explicit little endian.
_SOP_CLASS = re.compile(rb"\x02\x00\x02\x00UI..([0-9.]+)", re.DOTALL)
_META_BYTES = 1024


def kind_of_file(path: Path) -> str | None:
    """``ct``, ``mask`` (segmentation, structure set), ``picture`` (secondary capture) or ``other`` (a report, MR, ...).

    None where the file does not say, as files from before 1993, or cannot be opened.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_META_BYTES)
    except OSError:
        return None
    match = _SOP_CLASS.search(start) if start[128:132] == b"DICM" else None
    if match is None:
        return None
    sop_class = match[1].decode()
    if sop_class in _CT:
        return CT
    if sop_class in (*SEGMENTATIONS, STRUCTURE_SET):
        return MASK
    return PICTURE if sop_class.startswith(SECONDARY_CAPTURE) else OTHER


def kind_of_folder(folder: Path) -> str | None:
    """Kind of a folder of DICOM files, further folders included: a scan with a report or a picture among its slices
    is a CT."""
    kinds = set()
    for path in users_files(folder):
        kinds.add(kind_of_file(path))
        if CT in kinds:
            return CT
    return next((kind for kind in (MASK, PICTURE, OTHER) if kind in kinds), None)
