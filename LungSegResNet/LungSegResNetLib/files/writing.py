"""Writes a lung mask on the grid of the CT's file, so that 3D Slicer and other programs open it as it is."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..atomic import is_full, write_atomically
from ..ct_volume import CTVolume, Geometry
from ..errors import OutputError, UsageError
from ..labels import LUNG_SEGMENTS, LungSegment
from .image_files import NIFTI_ENDINGS, has_mixed_ending
from .library_errors import raise_if_out_of_memory, reason_of
from .library_paths import UnusableNameError, library_path
from .nifti_files import is_complete
from .voxel_damage import is_undamaged

MASK_ENDINGS = (".seg.nrrd", ".nii.gz", ".nii", ".nrrd", ".mha")
_GRID_TOLERANCE = 0.1  # voxels, at the corners


def has_mask_ending(path: str | os.PathLike[str]) -> bool:
    """True if this is the name of a mask, which `refuse_other_ending` may not let be written."""
    return os.fspath(path).lower().endswith(MASK_ENDINGS)


def refuse_other_ending(path: Path) -> None:
    """Raise UsageError for a name under which no mask can be written, or none be read again."""
    if not has_mask_ending(path):
        raise UsageError(
            f"The mask cannot be written as {path.name}; give it one of the endings {', '.join(MASK_ENDINGS)}."
        )
    if has_mixed_ending(path):
        raise UsageError(
            f"The mask cannot be written as {path.name}, whose ending is in mixed upper and lower case; other programs "
            "could not read it."
        )


def write_mask(path: str | os.PathLike[str], mask: np.ndarray, ct: CTVolume, overwrite: bool) -> Path:
    """Write right and left lung (uint8, shape of ``ct.hu``) on the scan's native grid; the ending decides the format.

    ``.seg.nrrd`` opens in 3D Slicer as a segmentation with names, colours and terminology; the header is described
    at https://slicer.readthedocs.io ("Segmentations", file format).

    Raises
    ------
    UsageError : the ending is none of ``MASK_ENDINGS``.
    OutputError : the file is there already and ``overwrite`` is false, or it cannot be written. That is so for NIfTI,
        too, where the axes of the grid are not at right angles.
    MemoryError : there is too little memory.
    """
    path = Path(path)
    refuse_other_ending(path)
    with write_atomically(path, overwrite) as temporary:
        write_mask_into(temporary, path, mask, ct, LUNG_SEGMENTS)
    return path


def write_mask_into(
    temporary: Path, path: Path, mask: np.ndarray, ct: CTVolume, segments: Sequence[LungSegment]
) -> None:
    """Write what is to become ``path`` into the file that `write_atomically` gave for it; else as `write_mask`.

    ``segments`` says what the labels are.
    """
    temporary.touch()  # no permission shows here, as an OSError with its reason
    try:
        name = library_path(temporary)
        image = ct.to_native(mask)
        if path.name.lower().endswith(".seg.nrrd"):
            for key, value in _segmentation_header(image.GetSize(), segments).items():
                image.SetMetaData(key, value)
        sitk.WriteImage(image, name, useCompression=not path.name.lower().endswith(".nii"))
    except UnusableNameError as error:
        raise OutputError(f"{path} cannot be written: {error}.") from error
    except RuntimeError as error:
        raise_if_out_of_memory(error)
        if is_full(path.parent):  # the libraries do not say so
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise OutputError(f"{path} could not be written ({reason_of(error)}).") from error
    if not _is_whole(temporary):
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise OutputError(f"{path} could not be written completely; the disk is probably full.") from full
    if not _is_close(_grid_of(temporary), ct.native):
        raise OutputError(
            f"{path.name} cannot hold the grid of {ct.source}, whose axes are not at right angles; "
            "write the mask as .seg.nrrd or .nrrd."
        )


def _is_whole(path: Path) -> bool:
    """Whether a file that was just written can be read to its end: a full disk may cut it off without an error."""
    if path.stat().st_size == 0:
        return False  # made, but written under another name
    # SimpleITK would not notice damage in these.
    if path.name.lower().endswith(NIFTI_ENDINGS):
        return is_complete(path)
    try:
        sitk.ReadImage(library_path(path))
    except RuntimeError as error:
        raise_if_out_of_memory(error)
        return False
    return is_undamaged(path)


def _grid_of(path: Path) -> Geometry:
    reader = sitk.ImageFileReader()
    reader.SetFileName(library_path(path))
    reader.ReadImageInformation()
    return Geometry.of(reader)


def _is_close(written: Geometry, wanted: Geometry) -> bool:
    return float(np.abs(written.corners - wanted.corners).max()) < _GRID_TOLERANCE * min(wanted.spacing)


def _segmentation_header(size: tuple[int, ...], segments: Sequence[LungSegment]) -> dict[str, str]:
    """Header fields by which 3D Slicer knows a labelmap file as a segmentation in one layer."""
    extent = " ".join(f"0 {n - 1}" for n in size)
    header = {
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    for number, segment in enumerate(segments):
        fields = {
            "ID": segment.segment_id,
            "Name": segment.name,
            "NameAutoGenerated": "0",
            "Color": " ".join(f"{value:g}" for value in segment.color),
            "ColorAutoGenerated": "0",
            "LabelValue": str(segment.label),
            "Layer": "0",
            "Extent": extent,
            "Tags": f"TerminologyEntry:{segment.terminology}|",
        }
        header.update({f"Segment{number}_{key}": value for key, value in fields.items()})
    return header
