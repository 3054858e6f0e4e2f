"""Reads NIfTI files by their sform where SimpleITK does not.

SimpleITK refuses axes that are a hundredth of a degree beside right angles, as those of a rounded matrix are, and
mirrors files with negative sizes of their voxels.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..ct_volume import Geometry
from ..errors import InputError
from .library_paths import library_path
from .nifti_files import NiftiHeader, read_nifti_header, read_slices
from .nifti_geometry import shear_degrees

# A matrix for pixels of 0.5 mm has up to 0.14 if it was rounded to three decimals; 300 mm away a voxel is 0.8 mm off.
_MOST_SHEAR_DEGREES = 0.15


class SformReader(sitk.ImageFileReader):
    """A reader that has read the header of a NIfTI file, on the grid of its sform with axes at right angles.

    Raises
    ------
    InputError : the sform is no geometry or is sheared, or the voxels are of a kind that is left to SimpleITK.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.SetFileName(library_path(path))
        self._path = path
        header = read_nifti_header(path)
        if header is None:
            raise InputError(f"{path.name} is damaged: its header cannot be read; copy or export it again.")
        columns, rows, slices, *points = (*header.dimensions, 1, 1)
        self._size = (columns, rows, slices, *points) if math.prod(points) > 1 else (columns, rows, slices)
        self._geometry = _upright(path, header, (columns, rows, slices))
        if len(self._size) == 3 and read_slices(path, self._size) is None:
            raise InputError(
                f"{path.name} has voxels of a kind that cannot be read by its sform; save it as a 3D volume of 16-bit "
                "whole numbers."
            )

    def GetSize(self) -> tuple[int, ...]:
        return self._size

    def GetDimension(self) -> int:
        return len(self._size)

    def GetSpacing(self) -> tuple[float, ...]:
        return self._geometry.spacing

    def GetOrigin(self) -> tuple[float, ...]:
        return self._geometry.origin

    def GetDirection(self) -> tuple[float, ...]:
        return self._geometry.direction

    def GetNumberOfComponents(self) -> int:
        return 1

    def GetMetaDataKeys(self) -> tuple[str, ...]:
        return ("sform_code",)

    def HasMetaDataKey(self, key: str) -> bool:
        return key in self.GetMetaDataKeys()

    def GetMetaData(self, key: str) -> str:
        return "1"

    def Execute(self) -> sitk.Image:
        slices = read_slices(self._path, self._size)
        assert slices is not None, "checked before"
        return self._geometry.apply_to(sitk.GetImageFromArray(np.stack(list(slices))))


def _upright(path: Path, header: NiftiHeader, size: tuple[int, int, int]) -> Geometry:
    """The geometry nearest to the sform whose axes are at right angles; the first voxel keeps its place."""
    if header.sform is None:
        raise InputError(
            f"{path.name} gives its voxels a negative size and has no sform that says how they lie; convert it again "
            "from its source."
        )
    if not header.in_mm:
        raise InputError(f"{path.name} says in another unit than mm how its voxels lie; save it in mm.")
    form = header.sform_lps
    if form is None or not np.linalg.det(form[:, :3]):
        raise InputError(
            f"{path.name} does not say how its voxels lie: its sform is empty or damaged, and no valid qform stands in "
            "for it; convert it again from its source."
        )
    if shear_degrees(form) > _MOST_SHEAR_DEGREES:
        raise InputError(
            f"{path.name} has axes that are not at right angles, as after a registration; resample it to a grid "
            "that has."
        )
    lengths = np.linalg.norm(form[:, :3], axis=0)
    left, _, right = np.linalg.svd(form[:, :3] / lengths)
    direction = tuple((left @ right).ravel().tolist())
    return Geometry(size, tuple(lengths.tolist()), tuple(form[:, 3].tolist()), direction)
