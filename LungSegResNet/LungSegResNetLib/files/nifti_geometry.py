"""What a NIfTI file leaves open of how and where its voxels lie, in sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..ct_volume import Geometry
from .nifti_files import read_nifti_header

_SAME_AXES = 0.02  # relative difference of the steps from voxel to voxel
_ASIDE = 0.5  # voxels
_SHEAR_DEGREES = 0.05  # less is rounding
_SIDES = ("right and left", "front and back", "top and bottom")
_EXCHANGED = -0.5  # cosine between an axis and where the other form has it


def doubts_of_nifti(path: Path, taken: Geometry) -> list[str]:
    """Warnings where a file lacks a size of its voxels, or a form of it differs from the geometry that was taken.

    Libraries differ in which of the two forms they take. A qform counts only beside an sform.
    """
    header = read_nifti_header(path)
    if header is None:
        return []
    if not header.has_voxel_size:
        return [lacks_voxel_size(path)]
    sform = header.sform_lps
    if sform is None or len(taken.size) != 3:
        return []
    warnings = []
    if header.has_negative_size:
        warnings.append(
            f"{path.name} gives its voxels a negative size, for which some programs mirror it; its sform was used "
            "instead."
        )
    if header.qform is None and (degrees := shear_degrees(sform)) > _SHEAR_DEGREES:
        warnings.append(
            f"{path.name} has axes that are {degrees:.2f} degrees off right angles; the nearest ones at right angles "
            "were used."
        )
    forms = {"sform": sform, "qform": header.qform_lps}
    differences = [_difference(name, form, taken) for name, form in forms.items() if form is not None]
    return [*warnings, *(f"{path.name} has a qform and an sform that disagree: {t}" for t in differences if t)]


def lacks_voxel_size(path: Path) -> str:
    """The warning about a file of any format that lacks a size of its voxels."""
    return f"{path.name} lacks a voxel size, for which 1 mm was assumed; volumes are correct only if that is true."


def shear_degrees(form: np.ndarray) -> float:
    """How far the axes of a form (3, 4) are from right angles at most."""
    unit = form[:, :3] / np.maximum(np.linalg.norm(form[:, :3], axis=0), 1e-9)
    cosines = np.abs(unit.T @ unit)[np.triu_indices(3, 1)]
    return float(np.degrees(np.arcsin(min(1.0, cosines.max()))))


def _difference(name: str, form: np.ndarray, taken: Geometry) -> str:
    """How a form (3, 4) differs from the geometry that was taken, for the end of a sentence; empty where it does not.

    Of several differences the one that does most harm is told.
    """
    steps, lengths = form[:, :3], np.linalg.norm(form[:, :3], axis=0)
    if (np.linalg.norm(steps - taken.steps, axis=0) > _SAME_AXES * np.array(taken.spacing)).any():
        unit = steps / np.maximum(lengths, 1e-9)
        turn = unit @ np.linalg.inv(taken.axes)
        if sides := [side for side, cosine in zip(_SIDES, turn.diagonal(), strict=True) if cosine < _EXCHANGED]:
            return (
                f"by the {name}, which was not used, {' and '.join(sides)} are exchanged. Check the sides by the heart "
                "and the liver; other programs may use it."
            )
        is_sheared = shear_degrees(form) > np.degrees(_SAME_AXES)
        if is_sheared or (np.abs(lengths - taken.spacing) > _SAME_AXES * np.array(taken.spacing)).any():
            mm, other_mm = (" x ".join(f"{step:.3g}" for step in sizes) for sizes in (taken.spacing, lengths))
            return (
                f"voxels of {mm} mm were used; the {name} gives {other_mm} mm"
                f"{', with sheared axes' if is_sheared else ''}. Other programs may use that, so that volumes and the "
                "position of the mask differ."
            )
        degrees = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1.0, 1.0)))
        how = f"turns them by {degrees:.0f} degrees" if np.linalg.det(turn) > 0 else "mirrors them"
        return (
            f"the {name}, which was not used, has other axes and {how}. Other programs may use it, so that the "
            "position of the mask differs."
        )
    aside = float(np.linalg.norm(form[:, 3] - taken.origin))
    if aside > _ASIDE * min(taken.spacing):
        return (
            f"the {name} puts its voxels {aside:.1f} mm away from where they were assumed to lie. Other programs may "
            "use that, so that the position of the mask differs."
        )
    return ""
