"""What the values of a mask file mean: right and left lung, lobes, or lung of either side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.labels import LEFT_LUNG, RIGHT_LUNG
from LungSegResNetLib.lungs.laterality import body_midline, mean_x, split_lungs
from LungSegResNetLib.lungs.preprocessing import body_middle

from .mask_notes import ONE_VALUE


@dataclass(frozen=True)
class _Numbering:
    """Values of a program's masks and the lung that each belongs to; ``others`` are no lung.

    ``telling`` are values of which one has to be there, and ``least`` is how many of all, or it may be another one's.
    """

    lungs: dict[int, int]
    telling: set[int]
    least: int
    note: str
    others: frozenset[int] = frozenset()

    def fits(self, present: set[float]) -> bool:
        """Whether a mask with these values may be numbered so."""
        return present <= {*self.lungs, *self.others} and bool(present & self.telling) and len(present) >= self.least


# In a lung file 2 is the left lung, in PTK's lobe file the right middle lobe: 4, 5 and 6 tell them apart.
_PTK_LOBES = {1: RIGHT_LUNG, 2: RIGHT_LUNG, 4: RIGHT_LUNG, 5: LEFT_LUNG, 6: LEFT_LUNG}
# lungmask counts its lobes 1 to 5 and, unlike PTK, uses 3.
_LUNGMASK_LOBES = {1: LEFT_LUNG, 2: LEFT_LUNG, 3: RIGHT_LUNG, 4: RIGHT_LUNG, 5: RIGHT_LUNG}
_JOINED = "The mask holds lobes as {} numbers them; they were joined to right and left lung."
_NUMBERINGS = (
    _Numbering(_PTK_LOBES, {4, 5, 6}, 3, _JOINED.format("PTK")),
    _Numbering(_LUNGMASK_LOBES, {3}, 3, _JOINED.format("lungmask")),
    # 5 is the trachea with the main bronchi.
    _Numbering(
        {3: LEFT_LUNG, 4: RIGHT_LUNG},
        {3, 4},
        2,
        "The mask numbers lungs as LUNA16 does; its airways (5) were left out.",
        frozenset({5}),
    ),
)


def as_right_and_left(values: np.ndarray, ct: CTVolume, source: str) -> tuple[np.ndarray, list[str]]:
    """Labels 0, 1 = right, 2 = left (uint8) from the values of a mask on the CT's grid, and notes on what they were.

    The value 2 alone is the left lung, as in `read_lungs`; any other alone is lung of either side.

    Raises
    ------
    InputError : the values are neither lungs nor lobes, or do not lie on their sides.
    """
    present = {float(v) for v in np.unique(values)} - {0.0}
    if not present or present in ({LEFT_LUNG}, {RIGHT_LUNG, LEFT_LUNG}):
        return values.astype(np.uint8), []
    if len(present) == 1:
        midline = body_midline(ct.hu, ct.spacing_zyx)
        return split_lungs(values != 0, ct.spacing_zyx, midline), [ONE_VALUE]
    for numbering in _NUMBERINGS:
        if numbering.fits(present) and _on_their_sides(values, numbering.lungs, ct):
            labels = np.zeros(values.shape, np.uint8)
            for value, lung in numbering.lungs.items():
                labels[values == value] = lung
            return labels, [numbering.note]
    shown = ", ".join(f"{v:g}" for v in sorted(present)[:8]) + (", ..." if len(present) > 8 else "")
    raise InputError(
        f"The mask {source} has the values {shown}; expected are 1 = right and 2 = left lung, one value for both, "
        "lobes as PTK (1, 2, 4, 5, 6) or lungmask (1 to 5) number them, or lungs as LUNA16 does (3 left, 4 right, 5 "
        "airways), each on its side of the body. Remove what is not lung, such as airways, and give "
        "disease that was drawn with a value of its own the value of its lung."
    )


def _on_their_sides(values: np.ndarray, lungs: dict[int, int], ct: CTVolume) -> bool:
    """Whether each value of a lung or lobe lies on its side: that of the right lung at small x in LPS."""
    middle = body_middle(ct.hu, ct.spacing_zyx)  # also where half a body may be in view: a numbering has to be chosen
    x_mm = np.arange(values.shape[2]) * ct.spacing_zyx[2]
    parts = ((values == value, lung) for value, lung in lungs.items())
    return all((mean_x(part, x_mm) < middle) == (lung == RIGHT_LUNG) for part, lung in parts if part.any())
