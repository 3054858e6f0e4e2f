"""Is a segment that is no lung by its name disease of the lungs? Cut out of a reference, it is trained to be missed."""

from __future__ import annotations

import re

import numpy as np
from scipy import ndimage

from LungSegResNetLib.boxes import widened
from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.files.other_segments import OtherSegments, in_quotes

_SHARE = 0.02  # of the lungs with it: below are nodules of some ml
_AIR_HU = -800.0  # mean: below are airways
# Share of the surface that borders on lung. Of balls of 80 mm that were cut out of the lungs of 11 real scans it was
# 0.3 to 0.9, of dependent parts of lower lobes 0.2 to 0.4, of mediastinum and bones at most 0.2 (by hand). The convex
# hulls of the lungs tell nothing: they held about half of the mediastinum with the heart, but nothing of a lower lobe.
_AMONG_LUNG = 0.5
_BESIDE_LUNG = 0.1
_DISEASE = re.compile(
    r"consolidat|konsolid|ground.?glass|\bggo|milchglas|verre|opaci|infiltrat|atele[ck]t|at[ée]lect|collaps|kollaps"
    r"|pneumoni|covid|infect|infekt|fibros|honeycomb|reticul|emphys|disease|patholog",
    re.I,
)
# What borders on lung and is none; where a mask is of all organs, vessels of the lungs are among them.
_NO_DISEASE = re.compile(
    r"heart|herz|c(œ|oe)ur|cardi|aort|art[eè]r|vein|vene|vessel|vascul|gef[äa]|vaiss|trach|bronch|airway|luft"
    r"|o?esoph|[öo]sophag|mediast|(?<![a-z])hil(um|us|ar|i)|lymph|pleura|effusion|fluid|erguss|[ée]panche|pneumothorax|fissure|diaphragm",
    re.I,
)


def disease_left_out(ct: CTVolume, lung: np.ndarray, left_out: OtherSegments) -> list[str]:
    """A sentence on the left-out segments that seem to be disease of the lungs; none where they are small.

    Disease is a segment that is called so and borders on lung, or one of tissue whose surface is mostly that of lung
    and whose name is that of nothing else there. ``lung`` (bool) and the segments lie on the CT's grid; a voxel that is
    lung, too, is not missing.
    """
    numbers = np.where(lung, 0, left_out.numbers)
    boxes = ndimage.find_objects(numbers)
    found, voxels = [], 0
    for number, (name, box) in enumerate(zip(left_out.names, boxes, strict=False), start=1):
        if box is None:
            continue
        named = is_named_as_disease(name)
        if not named and _NO_DISEASE.search(name):
            continue
        wide = widened(box, 1)
        segment = numbers[wide] == number
        if not named and ct.hu[wide][segment].mean() < _AIR_HU:
            continue
        if _share_of_surface(segment, lung[wide], ct.spacing_zyx) > (_BESIDE_LUNG if named else _AMONG_LUNG):
            found.append(name)
            voxels += int(np.count_nonzero(segment))
    if voxels <= _SHARE * (voxels + np.count_nonzero(lung)):
        return []
    segments, lie, are = ("segment", "lies", "is") if len(found) == 1 else ("segments", "lie", "are")
    what = f"{segments} {in_quotes(found)} ({voxels * ct.voxel_ml:.0f} ml)"
    return [f"The {what} {lie} within the lungs and {are} no part of them: give disease to its lung."]


def is_named_as_disease(name: str) -> bool:
    """Whether a segment is called a disease of the lungs, in English, German or French."""
    return _DISEASE.search(name) is not None


def _share_of_surface(segment: np.ndarray, lung: np.ndarray, spacing_zyx: tuple[float, float, float]) -> float:
    """Of the faces of a segment's voxels that no voxel of it lies behind, by area, those that border on lung."""
    surface = shared = 0.0
    for axis, mm in enumerate(spacing_zyx):
        area = float(np.prod(spacing_zyx)) / mm
        own, other = np.moveaxis(segment, axis, 0), np.moveaxis(lung, axis, 0)
        for inner, outer in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            faces = own[inner] & ~own[outer]
            surface += area * np.count_nonzero(faces)
            shared += area * np.count_nonzero(faces & other[outer])
    return shared / surface if surface else 0.0
