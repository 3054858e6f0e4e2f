"""The files that the CT and the mask of a case consist of."""

from __future__ import annotations

from pathlib import Path

from LungSegResNetLib.files.detached_voxels import voxel_files

from .dicom_kinds import PICTURE, kind_of_file
from .system_files import users_files


def files_of(scan: Path) -> list[Path]:
    """The files a scan or a mask consists of; none where there is nothing, which reading it explains better."""
    if scan.is_dir():
        return users_files(scan)
    return [scan, *voxel_files(scan)] if scan.is_file() else []


def mask_files_of(mask: Path) -> list[Path]:
    """As `files_of`; where one picture of a colour series is named, all pictures that lie beside it."""
    if mask.is_file() and kind_of_file(mask) == PICTURE:
        return [path for path in users_files(mask.parent, recursive=False) if kind_of_file(path) == PICTURE]
    return files_of(mask)
