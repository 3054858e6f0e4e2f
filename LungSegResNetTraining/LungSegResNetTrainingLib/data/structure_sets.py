"""Fills the contours of a radiotherapy structure set (RTSTRUCT) on the slices of a CT."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from skimage.draw import polygon2mask

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.wording import counted

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_BETWEEN_SLICES = 0.4  # of the slice distance: contours further from the slice's plane were drawn on another scan
_CUT_SHARE = 0.05  # of the structures: above, what lies beyond the CT is told


def read_structure_set(
    dataset: Dataset, chosen: dict[int, int], ct: CTVolume, source: str
) -> tuple[np.ndarray, list[str]]:
    """Values (uint8, the shape of ``ct.hu``) of the structures ``chosen`` (number: value), and notes.

    Contours of one structure in one slice exclude each other, so that a contour within a contour is a hole. Contours
    without points, and what is no closed contour, are left out; a note tells of the latter.

    Raises
    ------
    InputError : a structure has no contours, or they do not lie in slices of the CT.
    """
    values = np.zeros(ct.hu.shape, np.uint8)
    names = {int(roi.ROINumber): str(roi.get("ROIName", "")) for roi in dataset.get("StructureSetROISequence", [])}
    contours = {int(roi.ReferencedROINumber): roi for roi in dataset.get("ROIContourSequence", [])}
    notes = []
    inside, beyond = 0, 0
    for number, value in chosen.items():
        name = names.get(number, str(number))
        drawn = list(contours[number].get("ContourSequence", [])) if number in contours else []
        filled = np.zeros(ct.hu.shape, bool)
        others: dict[int, np.ndarray] = {}
        closed = [one for one in drawn if one.get("ContourGeometricType", _CLOSED[0]) in _CLOSED]
        for contour in closed:
            if points := contour.get("ContourData"):
                _fill(filled, others, np.array(points, float).reshape(-1, 3), ct, name, source)
        if not filled.any():
            raise InputError(f"The structure '{name}' of {source} has no closed contour inside its CT.")
        if open_ones := len(drawn) - len(closed):
            what = "is no closed contour and was" if open_ones == 1 else "are no closed contours and were"
            notes.append(f"{open_ones} of {len(drawn)} contours of the structure '{name}' {what} left out.")
        slices = np.flatnonzero(filled.any(axis=(1, 2)))
        empty = slices[-1] - slices[0] + 1 - len(slices)
        if empty:
            gap = counted(int(empty), "slice")
            notes.append(f"The structure '{name}' is not drawn on {gap} between its first and its last one.")
        values[filled] = value
        inside += int(filled.sum())
        beyond += sum(int(section.sum()) for section in others.values())
    if (share := beyond / (inside + beyond)) > _CUT_SHARE:
        notes.append(f"{100 * share:.0f} % of the mask lies outside {ct.source} and was cut off.")
    return values, notes


def _fill(
    filled: np.ndarray, others: dict[int, np.ndarray], points: np.ndarray, ct: CTVolume, name: str, source: str
) -> None:
    """Turn over the pixels within one contour (points in mm, LPS); ``others`` are slices beyond those of the CT."""
    x, y, z = ((points - ct.geometry.origin) @ ct.geometry.axes / ct.geometry.spacing).T
    index = round(float(np.median(z)))
    if np.abs(z - index).max() > _BETWEEN_SLICES:
        raise InputError(
            f"A contour of '{name}' in {source} lies {np.abs(z - index).max() * ct.geometry.spacing[2]:.1f} mm off the "
            "slices of its CT; it was drawn on another scan."
        )
    within = polygon2mask(filled.shape[1:], np.stack([y, x], axis=1))
    if 0 <= index < len(filled):
        filled[index] ^= within
    else:
        others[index] = others.get(index, False) ^ within
