"""Reads a CT scan, whatever its format is."""

from __future__ import annotations

import os
from pathlib import Path

import SimpleITK as sitk

from ..ct_volume import CTVolume, Geometry
from ..errors import InputError, UsageError, unreadable
from .dicom_choice import WhenInDoubt
from .dicom_image import may_be_dicom
from .dicom_reading import read_dicom_file, read_dicom_folder
from .hounsfield import HounsfieldBuffer, to_hounsfield
from .image_files import (
    NIFTI_ENDINGS,
    has_orientation,
    open_image_file,
    read_voxels,
    require_one_value_per_voxel,
    segment_headers,
)
from .nifti_files import read_slices
from .nifti_geometry import doubts_of_nifti, lacks_voxel_size
from .text_headers import has_voxel_size

_SMALLEST_MM, _LARGEST_MM = 0.05, 20.0


def read_ct(
    path: str | os.PathLike[str],
    series: str | None = None,
    *,
    when_in_doubt: WhenInDoubt = "ask",
    recursive: bool = True,
) -> tuple[CTVolume, list[str]]:
    """Read a CT scan and make sure that it is one; the second value are warnings in plain sentences.

    Parameters
    ----------
    path : folder with DICOM files, a DICOM file (one slice, or an enhanced multi-frame CT), or a NIfTI, NRRD or
        MetaImage file.
    series : for a folder, the series to read: its number in ``dicom_headers.list_series``, its SeriesInstanceUID (or
        the end of it) or a part of its description that no other series has. Without it the largest axial CT series is
        read.
    when_in_doubt, recursive : for a folder, as in ``read_dicom_folder``.

    Raises
    ------
    InputError : the scan cannot be read, is not a CT in Hounsfield units or has an impossible geometry. NoCTError, if
        nothing in a folder claims to be CT.
    UsageError : ``series`` fits none or several, is given with a file, or is needed because several series are about
        equally large.
    """
    path = Path(path)
    try:
        if path.is_dir():
            volume, warnings = read_dicom_folder(path, series, when_in_doubt=when_in_doubt, recursive=recursive)
        elif series is not None and path.is_file():
            raise UsageError(f"{path.name} is a single file; --series chooses among the series of a DICOM folder.")
        elif path.is_file() and path.name.upper() == "DICOMDIR":
            raise InputError(f"{path.name} only lists DICOM files; give the folder that it lies in.")
        elif path.is_file() and may_be_dicom(path):
            _refuse_empty(path)
            volume, warnings = read_dicom_file(path)
        else:
            volume, warnings = _read_image_file(path)
    except OSError as error:
        raise unreadable(path, error) from error
    _check_voxel_size(volume)
    return volume, warnings


def _read_image_file(path: Path) -> tuple[CTVolume, list[str]]:
    reader = open_image_file(path)
    if segment_headers(reader):
        raise InputError(f"{path.name} is a segmentation of 3D Slicer, not a CT; give the CT scan it belongs to.")
    require_one_value_per_voxel(reader)
    buffer, native = _voxels_of(reader, path)
    warnings = to_hounsfield(buffer, path.name)
    if path.name.lower().endswith(NIFTI_ENDINGS):
        warnings += doubts_of_nifti(path, native)
    elif not has_voxel_size(path):
        warnings.append(lacks_voxel_size(path))
    if reader.GetDimension() == 2:
        warnings.append(
            f"{path.name} is a 2D image, which does not give its slice thickness; 1 mm was assumed, so volumes and "
            "masses are unreliable."
        )
    if not has_orientation(reader):
        warnings.append(
            f"{path.name} does not say how the patient lies; right and left, front and back, and top and bottom "
            "may be swapped."
        )
    return CTVolume.from_array(buffer.array, native, path.name), warnings


def _voxels_of(reader: sitk.ImageFileReader, path: Path) -> tuple[HounsfieldBuffer, Geometry]:
    """Voxels of an opened file, put slice by slice into the buffer, which saves a copy of the scan."""
    if path.name.lower().endswith(NIFTI_ENDINGS) and (slices := read_slices(path, reader.GetSize())) is not None:
        native = Geometry.of(reader)
    else:
        image = read_voxels(reader)
        native = Geometry.of(image)
        slices = iter(sitk.GetArrayViewFromImage(image))
    columns, rows, count = native.size
    buffer = HounsfieldBuffer((count, rows, columns))
    for index, section in enumerate(slices):
        buffer.put(index, section)
    return buffer, native


def _refuse_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise InputError(f"{path.name} is empty (0 bytes); copy or export it again.")


def _check_voxel_size(volume: CTVolume) -> None:
    x, y, z = volume.geometry.spacing
    if not all(_SMALLEST_MM <= size <= _LARGEST_MM for size in (x, y, z)):
        raise InputError(
            f"{volume.source} has an impossible voxel size of {x:g} x {y:g} x {z:g} mm; "
            f"each side has to be {_SMALLEST_MM:g} to {_LARGEST_MM:g} mm."
        )
