"""Aerated lung that a mask leaves out, as one does that nobody finished. Found on a thinned grid, in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.lungs.densities import BORDER_HU

from .draft_mask import GAS_HU, large_air_in_body

_GRID_MM = (8.0, 4.0, 4.0)
# Of the mask. By hand, on 23 real volumes: 0.6 to 3.4 % lie outside of a true mask, 7 to 14 % outside of one drawn 2 mm
# too narrow all round, as a contour may be, and 12 to 23 % at 3 mm. Outside of an upper, lower or front half lie 45 to
# 283 %, of eight slices 158 % and more, of one lung 33 to 206 %, of masks without their lower third 17 to 140 %.
_LARGEST_SHARE = 0.25
# Of a slice above or below all that is drawn. By hand, on the same volumes: at most 5 cm2 beyond a true mask, 52 to 309
# beyond one without the lowest fifth of its slices, 37 to 188 without the highest.
_LARGEST_BEYOND_CM2 = 25.0
_NO_LUNG_CM2 = 1.0  # where a slice has less, lung has ended: further off lies bowel
_WINDPIPE_CM2 = 9.0  # at most; a slice with less air has the lungs' ends in it, or none of them


@dataclass(frozen=True)
class LeftOutLung:
    """How a mask lies to the aerated lung of its scan.

    Attributes
    ----------
    share : volume of aerated lung outside of the mask, by that of the mask.
    beyond_cm2 : largest section of aerated lung in the slices that follow upon the whole mask above or below.
    slices : the lowest and the highest slice with lung, in the mask or outside of it.
    """

    share: float
    beyond_cm2: float
    slices: tuple[int, int]

    @property
    def reasons(self) -> list[str]:
        """What it says against the mask, in a sentence; nothing where that may be its border alone."""
        if self.share > _LARGEST_SHARE:
            what = f"Much aerated lung, {100 * self.share:.0f} % of the mask's volume, lies outside of it"
        elif self.beyond_cm2 > _LARGEST_BEYOND_CM2:
            what = f"Slices above or below the mask still show up to {self.beyond_cm2:.0f} cm² of aerated lung"
        else:
            return []
        return [f"{what}: is it unfinished?"]


def left_out_lung(ct: CTVolume, lung: np.ndarray) -> LeftOutLung:
    """Compare a mask (bool, with some lung) with the air in the body, airways and pure gas left out as far as that is
    easy."""
    dz, dy, dx = ct.spacing_zyx
    steps = [max(1, round(mm / s)) for mm, s in zip(_GRID_MM, ct.spacing_zyx, strict=True)]
    grid = tuple(slice(None, None, n) for n in steps)
    hu, spacing = np.ascontiguousarray(ct.hu[grid]), (steps[0] * dz, steps[1] * dy, steps[2] * dx)
    # Dense voxels are the draft's guess, and pure air is bowel gas, a pneumothorax or the windpipe.
    aerated = large_air_in_body(hu, spacing) & (hu < BORDER_HU) & (hu > GAS_HU)
    outside = np.count_nonzero(aerated & ~lung[grid]) * np.prod(steps) / np.count_nonzero(lung)
    areas_cm2 = aerated.sum(axis=(1, 2)) * spacing[1] * spacing[2] / 100
    drawn, with_air = np.flatnonzero(lung.any(axis=(1, 2))), np.flatnonzero(areas_cm2 > _WINDPIPE_CM2) * steps[0]
    both = np.concatenate([drawn, with_air])
    numbers = np.arange(len(areas_cm2)) * steps[0]
    below, above = areas_cm2[numbers < drawn[0]][::-1], areas_cm2[numbers > drawn[-1]]
    beyond_cm2 = max(_largest_until_a_gap(below), _largest_until_a_gap(above))
    return LeftOutLung(float(outside), beyond_cm2, (int(both.min()), int(both.max())))


def _largest_until_a_gap(areas_cm2: np.ndarray) -> float:
    """Of the slices up to the first one without lung; 0 where that is the first of all."""
    ends = np.flatnonzero(areas_cm2 < _NO_LUNG_CM2)
    return float(areas_cm2[: ends[0] if len(ends) else None].max(initial=0.0))
