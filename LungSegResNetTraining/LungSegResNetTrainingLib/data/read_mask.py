"""What reading a mask gives, whatever its format, before its values are told to be right and left lung."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from LungSegResNetLib.files.other_segments import OtherSegments


@dataclass(frozen=True)
class MaskOnCt:
    """The values of a mask file on the grid of a CT.

    Attributes
    ----------
    values : the shape of ``ct.hu``, as the file numbers lungs or lobes; 0 is neither.
    format : what the file was, in words.
    notes : what had to be assumed or left out, one sentence each.
    has_sides : whether 1 is the right and 2 the left lung by what the file says.
    left_out : segments that are no lungs by their names, on the grid of the CT; None without any, and for contours.
    """

    values: np.ndarray
    format: str
    notes: tuple[str, ...] = ()
    has_sides: bool = False
    left_out: OtherSegments | None = None
