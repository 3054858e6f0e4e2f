"""What the check of a data set found about one case."""

from __future__ import annotations

from dataclasses import dataclass

from .cases import OK, Case
from .pair_check import PairVerdict


@dataclass(frozen=True)
class CaseCheck:
    """What was found about one case.

    Attributes
    ----------
    name : of the case, or of the place where one was expected.
    case : its files; None where CT or mask is missing.
    verdict : whether it may be trained on.
    format : of the mask, in words.
    notes : what reading CT and mask had to assume or repair.
    shape, spacing_mm : of the CT, (z, y, x).
    row_png : its row of the contact sheet; empty where it could not be read, or none was asked for.
    group : of one without files, where a case list says it.
    """

    name: str
    case: Case | None
    verdict: PairVerdict
    format: str = ""
    notes: tuple[str, ...] = ()
    shape: tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    row_png: bytes = b""
    group: str = ""

    @property
    def ok(self) -> bool:
        """Whether the case may be trained on."""
        return self.verdict.status == OK


def spacing_text(spacing_mm: tuple[float, float, float]) -> str:
    """Size of a voxel (z, y, x) in the usual order x, y, z, such as ``0.7 x 0.7 x 5``."""
    return " x ".join(f"{mm:.3g}" for mm in reversed(spacing_mm))
