"""What the values of a mask file mean: right and left lung, lobes, or lung of either side."""

from __future__ import annotations

import numpy as np

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.labels import LEFT_LUNG, RIGHT_LUNG
from LungSegResNetLib.lungs.laterality import split_lungs
from LungSegResNetLib.lungs.preprocessing import body_box

# In a lung file 2 is the left lung, in PTK's lobe file the right middle lobe: 4, 5 and 6 tell them apart.
_PTK_LOBES = {1: RIGHT_LUNG, 2: RIGHT_LUNG, 4: RIGHT_LUNG, 5: LEFT_LUNG, 6: LEFT_LUNG}
# lungmask counts its lobes 1 to 5 and, unlike PTK, uses 3.
_LUNGMASK_LOBES = {1: LEFT_LUNG, 2: LEFT_LUNG, 3: RIGHT_LUNG, 4: RIGHT_LUNG, 5: RIGHT_LUNG}


def as_right_and_left(values: np.ndarray, ct: CTVolume, source: str) -> tuple[np.ndarray, list[str]]:
    """Labels 0, 1 = right, 2 = left (uint8) from the values of a mask on the CT's grid, and notes on what they were.

    Raises
    ------
    InputError : the values are neither lungs nor lobes.
    """
    present = {float(v) for v in np.unique(values)} - {0.0}
    if not present or present == {RIGHT_LUNG, LEFT_LUNG}:
        return values.astype(np.uint8), []
    if len(present) == 1:
        midline = float(np.mean(body_box(ct.hu, ct.spacing_zyx)[2:]))
        note = "The mask has one value; right and left lung were told apart by position."
        return split_lungs(values != 0, ct.spacing_zyx, midline), [note]
    for lobes, telling, name in ((_PTK_LOBES, {4, 5, 6}, "PTK"), (_LUNGMASK_LOBES, {3}, "lungmask")):
        if present <= lobes.keys() and present & telling and len(present) >= 3:
            labels = np.zeros(values.shape, np.uint8)
            for lobe, lung in lobes.items():
                labels[values == lobe] = lung
            return labels, [f"The mask holds lobes as {name} numbers them; they were joined to right and left lung."]
    shown = ", ".join(f"{v:g}" for v in sorted(present)[:8]) + (", ..." if len(present) > 8 else "")
    raise InputError(
        f"The mask {source} has the values {shown}; expected are 1 = right and 2 = left lung, one value for both, "
        "or lobes as PTK (1, 2, 4, 5, 6) or lungmask (1 to 5) number them."
    )
