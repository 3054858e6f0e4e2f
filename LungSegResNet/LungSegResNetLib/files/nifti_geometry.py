"""What a NIfTI file leaves open of how and where its voxels lie, in sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..ct_volume import Geometry
from .nifti_files import read_nifti_header

_SAME_AXES = 0.02  # relative difference of the steps from voxel to voxel
_ASIDE = 0.5  # voxels


def doubts_of_nifti(path: Path, taken: Geometry) -> list[str]:
    """Warning where a file lacks a size of its voxels, or its sform differs from the geometry that was taken."""
    header = read_nifti_header(path)
    if header is None:
        return []
    if not header.has_voxel_size:
        return [lacks_voxel_size(path)]
    other = header.sform_lps
    if other is None or len(taken.size) != 3:
        return []
    steps, origin = other[:, :3], other[:, 3]
    axes = taken.steps
    if (np.linalg.norm(steps - axes, axis=0) > _SAME_AXES * np.linalg.norm(axes, axis=0)).any():
        mm, other_mm = (" x ".join(f"{step:.3g}" for step in np.linalg.norm(m, axis=0)) for m in (axes, steps))
        how = ", with sheared axes" if _is_sheared(steps) else ""
        text = (
            f"{path.name} has a qform and an sform that disagree: voxels of {mm} mm were used; the sform gives "
            f"{other_mm} mm{how}. Other programs may use that, so that volumes and the position of the mask differ."
        )
        return [text]
    aside = float(np.linalg.norm(origin - taken.origin))
    if aside > _ASIDE * min(taken.spacing):
        text = (
            f"{path.name} has a qform and an sform that disagree: the sform puts its voxels {aside:.1f} mm away from "
            "where they were assumed to lie. Other programs may use that, so that the position of the mask differs."
        )
        return [text]
    return []


def lacks_voxel_size(path: Path) -> str:
    """The warning about a file of any format that lacks a size of its voxels."""
    return f"{path.name} lacks a voxel size, for which 1 mm was assumed; volumes are correct only if that is true."


def _is_sheared(axes: np.ndarray) -> bool:
    unit = axes / np.maximum(np.linalg.norm(axes, axis=0), 1e-9)
    return bool(np.abs(unit.T @ unit - np.eye(3)).max() > _SAME_AXES)
