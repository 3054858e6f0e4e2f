"""Does a reference mask belong to its CT? Looked at before training, since one wrong pair spoils many steps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.files.other_segments import OtherSegments
from LungSegResNetLib.labels import LEFT_LUNG, RIGHT_LUNG
from LungSegResNetLib.lungs.densities import BORDER_HU
from LungSegResNetLib.lungs.laterality import sides_exchanged
from LungSegResNetLib.lungs.preprocessing import body_box
from LungSegResNetLib.lungs.quality import LARGEST_ML, LARGEST_RATIO

from .cases import DOUBTFUL, OK, REFUSED
from .disease_in_other_segments import disease_left_out
from .left_out_lung import left_out_lung
from .mask_notes import accepted_text

_AERATED_SHARE = 0.5  # of the mask: below, most of it does not look like lung
_NO_LUNG_SHARE = 0.15  # below, it does not lie on the lungs, or a person has to say that they are so dense
_AIR_HU = -990.0
_PURE_AIR_SHARE = 0.3  # of the mask: above, it covers the air around the patient
_LEAST_ML = 2.0  # PTK warns of a lung below 2000 mm3
_OUTSIDE_SHARE = 0.02
_COARSE_MM = 4.0
_MOVE_MM = 12.0
# How flips and moves along z, y and x of the LPS array are called.
_AXES = (
    ("from head to feet", ("down", "up")),
    ("from front to back", ("to the front", "to the back")),
    ("from side to side", ("to the patient's right", "to the patient's left")),
)
_GAP_SLICES = 1
_MAY_BE_ACCEPTED = "Look at it, and if the mask is right say so in the column accepted of a case list."


@dataclass(frozen=True)
class PairVerdict:
    """Whether CT and mask may be trained on.

    Attributes
    ----------
    status : ``ok``; ``doubtful``: a person has to look, left out of training; ``refused``: cannot be used unless a
        person says that the mask is right.
    reasons : what speaks against it, one sentence each.
    volumes_ml : right and left lung.
    mean_hu : mean of the CT inside the mask; None where the mask is empty or not on the CT's grid.
    accepted : why, or who says that, the mask is right in spite of the reasons.
    lung_slices : the lowest and the highest slice with lung, in the mask or left out of it; None where nobody looked.
    """

    status: str
    reasons: tuple[str, ...]
    volumes_ml: tuple[float, float] = (0.0, 0.0)
    mean_hu: float | None = None
    accepted: str = ""
    lung_slices: tuple[int, int] | None = None

    def after(self, accepted: str) -> PairVerdict:
        """The verdict when a case list says ``accepted`` of the pair: of use, with its reasons kept.

        Nobody can accept a mask that is empty, or that does not lie on the CT's grid.
        """
        if not accepted or not self.reasons or self.mean_hu is None:
            return self
        reasons = tuple(reason for reason in self.reasons if reason != _MAY_BE_ACCEPTED)
        return replace(self, status=OK, reasons=reasons, accepted=accepted)

    @property
    def explanation(self) -> str:
        """The reasons in one text, and that the pair was accepted all the same."""
        return accepted_text(self.accepted, self.reasons) if self.accepted else " ".join(self.reasons)


def check_pair(ct: CTVolume, labels: np.ndarray, left_out: OtherSegments | None = None) -> PairVerdict:
    """Judge a mask (uint8 labels 0/1/2 on the CT's grid) by density, side, volume, place and slice coverage, by
    the aerated lung that it leaves out, and by what its file has beside the lungs."""
    if labels.shape != ct.hu.shape:
        return PairVerdict(REFUSED, ("The mask does not lie on the grid of its CT.",))
    lung = labels > 0
    inside = ct.hu[lung]
    if not inside.size:
        # A single slice of neck or abdomen teaches the network what is no lung; a whole scan has lung somewhere.
        return PairVerdict(OK, ()) if len(ct.hu) == 1 else PairVerdict(REFUSED, ("The mask is empty.",))
    volumes = (
        float(np.count_nonzero(labels == RIGHT_LUNG) * ct.voxel_ml),
        float(np.count_nonzero(labels == LEFT_LUNG) * ct.voxel_ml),
    )
    mean_hu = float(inside.mean())
    aerated = float((inside < BORDER_HU).mean())
    if aerated < _NO_LUNG_SHARE:
        reason = (
            f"Only {100 * aerated:.0f} % of the mask is aerated (mean {mean_hu:.0f} HU): it belongs to another scan, "
            "is shifted or flipped against this one, or nearly all of it is dense."
        )
        return PairVerdict(REFUSED, (reason, _MAY_BE_ACCEPTED), volumes, mean_hu)
    reasons = []
    if aerated < _AERATED_SHARE:
        reasons.append(
            f"Only {100 * aerated:.0f} % of the mask is aerated (mean {mean_hu:.0f} HU): is it aligned with the CT?"
        )
    if (inside < _AIR_HU).mean() > _PURE_AIR_SHARE:
        reasons.append("Much of the mask is pure air: it covers air outside the patient or bowel gas.")
    reasons += _better_elsewhere(ct, lung)
    if sides_exchanged(ct, labels):
        reasons.append("Right and left are swapped: the right lung lies on the patient's left side.")
    reasons += _place(ct, lung) + _coverage(labels)
    lung_slices = None
    if len(ct.hu) > 1:  # a single slice cuts the lungs at any level: its volumes say nothing
        missing = left_out_lung(ct, lung)
        reasons += _volume(volumes) + missing.reasons
        lung_slices = missing.slices
    if left_out is not None:
        reasons += disease_left_out(ct, lung, left_out)
    return PairVerdict(DOUBTFUL if reasons else OK, tuple(reasons), volumes, mean_hu, lung_slices=lung_slices)


def _better_elsewhere(ct: CTVolume, lung: np.ndarray) -> list[str]:
    """A mask in its place covers more aerated lung than the same mask flipped or moved.

    On 23 real scans every flip and every move of 8 mm or more was noticed this way, and no true pair was doubted. With
    dense lung painted into these scans, a true pair was doubted in 1 of them while 40 or 60 % of the lung were aerated,
    and in 3 at 20 % (by hand): the dense part of a mask covers nothing aerated.
    """
    steps = [max(1, round(_COARSE_MM / s)) for s in ct.spacing_zyx]
    coarse = tuple(slice(None, None, n) for n in steps)
    hu, mask = ct.hu[coarse], lung[coarse]
    aerated = (hu < BORDER_HU) & (hu > _AIR_HU)
    own = np.count_nonzero(aerated & mask)
    others: dict[str, np.ndarray] = {}
    for axis, (flipped, directions) in enumerate(_AXES):
        others[f"flipped {flipped}"] = np.flip(mask, axis)
        voxels = round(_MOVE_MM / (ct.spacing_zyx[axis] * steps[axis]))
        if 0 < voxels < mask.shape[axis]:
            for sign, direction in zip((-1, 1), directions, strict=True):
                others[f"moved {direction}"] = np.roll(mask, sign * voxels, axis)
    best = max(others, key=lambda name: np.count_nonzero(aerated & others[name]))
    if np.count_nonzero(aerated & others[best]) > own:
        return [f"The mask would fit the scan better {best}: it is misaligned."]
    return []


def _volume(volumes: tuple[float, float]) -> list[str]:
    total = sum(volumes)
    reasons = []
    if total < _LEAST_ML:
        reasons.append(f"The lungs measure only {total:.1f} ml.")
    if total > LARGEST_ML:
        reasons.append(f"The lungs measure {total:.0f} ml, more than is plausible: is the voxel spacing right?")
    if max(volumes) > LARGEST_RATIO * min(volumes):
        reasons.append(
            f"The lungs differ greatly in volume (right {volumes[0]:.0f} ml, left {volumes[1]:.0f} ml): "
            "is dense or collapsed lung missing, or a lung left out?"
        )
    return reasons


def _place(ct: CTVolume, lung: np.ndarray) -> list[str]:
    """Lung beyond the box of the body, or on the outermost pixels where there is no body."""
    dy, dx = ct.spacing_zyx[1:]
    y0, y1, x0, x1 = body_box(ct.hu, ct.spacing_zyx)
    rows, columns = np.arange(lung.shape[1]) * dy, np.arange(lung.shape[2]) * dx
    beyond = ((rows < y0) | (rows > y1))[:, None] | ((columns < x0) | (columns > x1))[None]
    share = np.count_nonzero(lung & beyond) / np.count_nonzero(lung)
    return [f"{100 * share:.0f} % of the mask lies outside the body."] if share > _OUTSIDE_SHARE else []


def _coverage(labels: np.ndarray) -> list[str]:
    """Slices left out between the first and the last one of the mask or, where it has none, of a lung."""
    whole = {"mask": labels > 0}
    lungs = {"right lung": labels == RIGHT_LUNG, "left lung": labels == LEFT_LUNG}
    for parts in (whole, lungs):
        missing = {name: _empty_between(lung) for name, lung in parts.items()}
        if reasons := [
            f"{count} slices between the first and the last slice of the {name} are empty: was it drawn on all?"
            for name, count in missing.items()
            if count > _GAP_SLICES
        ]:
            return reasons
    return []


def _empty_between(lung: np.ndarray) -> int:
    drawn = np.flatnonzero(lung.any(axis=(1, 2)))
    return int(drawn[-1] - drawn[0] + 1 - len(drawn)) if len(drawn) else 0
