"""What a user should know about a result before trusting it."""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from ..ct_volume import CTVolume
from ..labels import LUNG_SEGMENTS
from .densities import DENSE_HU
from .empty_air import empty_air_ml
from .gaps import gaps_of
from .laterality import NEAR_MIDLINE_MM, mean_x
from .postprocessing import TAPERED_SHARE
from .run_length import RunLengths
from .slicewise import over_slabs, over_slices
from .spine import spine_is_in_front

_SMALL_ML = 300.0
# Of the larger lung to the smaller one; PTK warns above 1.5, which healthy lungs reach and diseased ones double.
LARGEST_RATIO = 3.0
LARGEST_ML = 10_000.0
_CUT_OFF_CM2 = 5.0
_LARGE_SHARE = 0.2  # of all lung, of a part that may be a lung
_DENSE_SHARE = 0.15  # of a lung's voxels; of the training volumes' lungs at most 0.130 are dense
_LITTLE_AIR_HU = -500.0  # mean of both lungs; of the training volumes it is -673 HU at most
_EMPTY_ML = 30.0  # of air without lung tissue in one lung; training volumes made 60 HU lower have 23 ml at most


def quality_warnings(ct: CTVolume, mask: np.ndarray, midline_mm: float | None) -> list[str]:
    """Sentences about what looks unusual in a lung mask (uint8 labels with the shape of ``ct.hu``).

    ``midline_mm`` is that of the body, in mm from the centre of the first column, or None where it is not known.
    """
    warnings = []
    if mask.shape[0] == 1:
        return [
            "The scan is a single slice: volumes cover that slice only, and right and left are told apart by position."
        ]
    voxels, dense_voxels, sums_hu = _densities(ct.hu, mask)
    volumes = {s.name: n * ct.voxel_ml for s, n in zip(LUNG_SEGMENTS, voxels, strict=True)}
    total = sum(volumes.values())
    dense = {s.name: d / n for s, n, d in zip(LUNG_SEGMENTS, voxels, dense_voxels, strict=True) if d > _DENSE_SHARE * n}
    missing = [name for name, ml in volumes.items() if ml == 0]
    if missing:
        warnings += _missing_lungs(missing, mask, ct.spacing_zyx[2], midline_mm)
    elif max(volumes.values()) > LARGEST_RATIO * min(volumes.values()):
        text = " and ".join(f"{name} {ml:.0f} ml" for name, ml in volumes.items())
        warnings.append(
            f"The lungs differ greatly in volume ({text}){_why_volumes_differ(volumes, dense, midline_mm)}."
        )
    if not missing and spine_is_in_front(ct.hu, mask, ct.spacing_zyx):
        warnings.append(
            "The spine seems to lie in front of the lungs: the orientation in the header is probably wrong, so check "
            "right and left."
        )
    if total > LARGEST_ML:
        warnings.append(
            f"The lungs measure {total:.0f} ml, more than is plausible: check the voxel spacing of the scan."
        )
    elif total < _SMALL_ML:
        warnings.append(f"Only {total:.0f} ml of lung was found.")
    if dense:
        where = " and ".join(f"{100 * share:.0f} % of the {name}" for name, share in dense.items())
        warnings.append(
            f"The mask is dense (above {DENSE_HU} HU) in {where}: consolidation and tumour belong in it, fluid does "
            "not; look for missed parts, too."
        )
    elif total > 0 and (mean_hu := sums_hu.sum() / voxels.sum()) > _LITTLE_AIR_HU:
        warnings.append(f"The lungs contain little air (mean {mean_hu:.0f} HU): check whether dense parts are missing.")
    return warnings + _empty_air(ct, mask) + _interrupted(ct, mask) + _wide_ends(mask) + _cut_off(ct, mask)


def _missing_lungs(names: list[str], mask: np.ndarray, column_mm: float, midline_mm: float | None) -> list[str]:
    """Warnings where the lungs of these names were not found."""
    absent = f"No {names[0]} was found: it is absent, out of view, or too dense to be recognised."
    if len(names) > 1:
        return [absent]
    if midline_mm is None:
        (found,) = {s.name for s in LUNG_SEGMENTS} - {*names}
        text = (
            f"Only a part of the body is in view, and all lung in it was taken for the {found}: check the side, and "
            f"whether some of it belongs to the {names[0]}."
        )
        return [text, *_two_as_one(mask)]
    return [absent, *(_two_as_one(mask) or _unsure_side(mask, column_mm, midline_mm))]


def _why_volumes_differ(volumes: dict[str, float], dense: Container[str], midline_mm: float | None) -> str:
    if midline_mm is None:
        return ": only a part of the body is in view"
    # What to look for in a dense lung has a warning of its own.
    return "" if min(volumes, key=volumes.__getitem__) in dense else ": check for missed dense lung"


def _two_as_one(mask: np.ndarray) -> list[str]:
    """Warning where what was taken for one lung are two large parts, which lie above each other from side to side."""
    _, sizes = RunLengths.of(mask > 0).components()
    if np.count_nonzero(sizes > _LARGE_SHARE * sizes.sum()) < 2:
        return []
    text = (
        "What was labelled as one lung consists of two large separate parts: if the patient lay on the side although "
        "the scan says otherwise, right and left are unreliable."
    )
    return [text]


def _unsure_side(mask: np.ndarray, column_mm: float, midline_mm: float) -> list[str]:
    """Warning for a lung that is alone and does not lie where one of the two would."""
    if abs(mean_x(mask, np.arange(mask.shape[2]) * column_mm) - midline_mm) < NEAR_MIDLINE_MM:
        return ["The lung lies in the middle of the view: check whether it is the right or the left one."]
    return []


def _densities(hu: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Voxels, dense voxels and the sum of the HU of all, of each of the ``LUNG_SEGMENTS``; shape (3, 2)."""

    def of_slab(slab: np.ndarray, labels: np.ndarray) -> list[tuple[int, int, float]]:
        values = [slab[labels == s.label] for s in LUNG_SEGMENTS]
        return [(len(v), int(np.count_nonzero(v > DENSE_HU)), float(v.sum(dtype=np.float64))) for v in values]

    return np.sum(over_slabs(of_slab, hu, mask), axis=0).T


def _empty_air(ct: CTVolume, mask: np.ndarray) -> list[str]:
    """Warning for air in the mask that has no lung tissue in it."""
    empty = empty_air_ml(ct.hu, mask, ct.spacing_zyx)
    places = [f"the {s.name} ({empty[s.label]:.0f} ml)" for s in LUNG_SEGMENTS if empty[s.label] > _EMPTY_ML]
    if not places:
        return []
    where = " and ".join(places)
    return [f"Air without lung tissue lies in {where}: a bulla belongs to the lung, a pneumothorax does not."]


def _interrupted(ct: CTVolume, mask: np.ndarray) -> list[str]:
    """Warning for each lung that has a gap."""
    warnings = []
    gaps = gaps_of(mask)
    for lung in LUNG_SEGMENTS:
        own = [gap for gap in gaps if gap.label == lung.label]
        if not own:
            continue
        count = sum(gap.last - gap.first + 1 for gap in own)
        ends = sorted((ct.native_slice(z) + 1, ct.position_text(0, z)) for z in {own[0].first, own[-1].last})
        places = " to ".join(f"{number} ({position})" for number, position in ends)
        where = f"slice {places}" if count == 1 else f"{count} slices from {places}"
        warnings.append(
            f"The {lung.name} is interrupted in {where}: the scan may be empty or damaged there, or dense lung was "
            "missed."
        )
    return warnings


def _wide_ends(mask: np.ndarray) -> list[str]:
    """Warning where the lungs end with a large section although the scan goes on."""
    sections = np.array(over_slices(np.count_nonzero, mask))
    found = np.flatnonzero(sections)
    if not len(found):
        return []
    wide = TAPERED_SHARE * sections.max()
    ends = []
    if found[0] > 0 and sections[found[0]] > wide:
        ends.append("below")
    if found[-1] < len(mask) - 1 and sections[found[-1]] > wide:
        ends.append("above")
    if not ends:
        return []
    where = " and ".join(ends)
    return [f"The lungs end without tapering although the scan goes on {where}: dense lung may be missing there."]


def _cut_off(ct: CTVolume, mask: np.ndarray) -> list[str]:
    """Warnings for lung that reaches the border of the scan."""
    dz, dy, dx = ct.spacing_zyx
    ends = [
        name
        for index, name in ((0, "lowest"), (-1, "highest"))
        if np.count_nonzero(mask[index]) * dy * dx > 100 * _CUT_OFF_CM2
    ]
    warnings = []
    if ends:
        warnings.append(
            f"The lungs reach the {' and the '.join(ends)} slice: the scan cuts them off, so volumes are too small."
        )
    sides = [(mask[:, 0], dx), (mask[:, -1], dx), (mask[:, :, 0], dy), (mask[:, :, -1], dy)]
    if any(np.count_nonzero(side) * dz * step > 100 * _CUT_OFF_CM2 for side, step in sides):
        warnings.append(
            "The lungs reach the edge of the field of view: parts of them may lie outside, so volumes are too small."
        )
    return warnings
