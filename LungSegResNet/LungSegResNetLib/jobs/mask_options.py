"""How the masks of a run are made and written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MaskOptions:
    """What the user asked for, the same for all cases.

    Attributes
    ----------
    smoothing_mm : borders are smoothed with a kernel of this width, as in `smooth_lungs`; 0: they are not.
    one_segment : the masks have both lungs as one segment; all else still tells right and left.
    overwrite : what is there already may be replaced.
    """

    smoothing_mm: float = 0.0
    one_segment: bool = False
    overwrite: bool = False
