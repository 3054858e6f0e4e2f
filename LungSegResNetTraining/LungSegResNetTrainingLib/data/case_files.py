"""The files that the CT and the mask of a case consist of."""

from __future__ import annotations

import os
from pathlib import Path

from LungSegResNetLib.files.detached_voxels import voxel_files

from .cases import NO_PAIR, REFUSED, Case
from .dicom_kinds import PICTURE, kind_of_file
from .structure_files import files_of_structures
from .system_files import users_files


def files_of(scan: Path) -> list[Path]:
    """The files a scan or a mask consists of; none where there is nothing, which reading it explains better."""
    if os.path.isdir(scan):
        return users_files(scan)
    return [scan, *voxel_files(scan)] if os.path.isfile(scan) else []


def mask_files_of(mask: Path) -> list[Path]:
    """As `files_of`; where one picture of a colour series is named, all pictures that lie beside it, and of a folder
    with a file for each structure those files alone."""
    if kind_of_file(mask) == PICTURE:
        return [path for path in users_files(mask.parent, recursive=False) if kind_of_file(path) == PICTURE]
    return files_of_structures(mask) or files_of(mask)


def failure_of(case: Case) -> str:
    """The status of a case that could not be read: ``no pair`` where CT or mask is not there, else ``refused``."""
    return REFUSED if os.path.exists(case.ct) and os.path.exists(case.mask) else NO_PAIR


def files_of_case(case: Case) -> list[Path]:
    """The files of the CT and then those of the mask."""
    return [*files_of(case.ct), *mask_files_of(case.mask)]
