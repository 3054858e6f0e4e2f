"""What is known about one judged case, and about one that could not be evaluated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from LungSegResNetLib.figures.metric_definitions import DICE
from LungSegResNetLib.figures.metrics import Comparison

from ..data.cases import Case
from ..data.mask_notes import ONE_VALUE, accepted_text

if TYPE_CHECKING:  # the panel reads results before the packages of a run are there
    from ..data.found_cases import LeftOutCase

LUNGS, RIGHT, LEFT = "lungs", "right lung", "left lung"
REGIONS = (LUNGS, RIGHT, LEFT)
NETWORK, THRESHOLDING = "network", "thresholding"
METHODS = (NETWORK, THRESHOLDING)
VOLUMES, SINGLE_SLICES = "volumes", "single slices"
KINDS = (VOLUMES, SINGLE_SLICES)
JUDGED, FAILED, LEFT_OUT = "judged", "failed", "left out"  # states of a case
TRAINED_ON = "trained on"  # why a case is not judged, where that is not its status in the data set
WITH_DOUBTFUL, WITHOUT_DOUBTFUL = "included", "left out"  # how figures of several cases take doubtful references


def kind_of(slices: int) -> str:
    """One of ``KINDS`` for a scan of so many slices."""
    return VOLUMES if slices > 1 else SINGLE_SLICES


@dataclass(frozen=True)
class WorstSlice:
    """A slice worth looking at.

    Attributes
    ----------
    index : of the slice, 0 is the lowest.
    position : in the patient, such as ``S 12.5 mm``.
    reason : why it was chosen, in words.
    dice : of the slice alone.
    missed_cm2, added_cm2 : areas that only the reference and only the prediction has.
    picture : file name in the folder of the case.
    """

    index: int
    position: str
    reason: str
    dice: float
    missed_cm2: float
    added_cm2: float
    picture: str


@dataclass(frozen=True)
class CaseResult:
    """One judged case.

    Attributes
    ----------
    folder : of its pictures.
    comparisons : by method (``network`` and, where asked for, ``thresholding``) and region (see ``REGIONS``).
    missed_ml, added_ml : volumes that only the reference and only the network has.
    missed_dense_ml, added_dense_ml : the part of them above ``draft_mask.LUNG_HU``.
    overlay : file name in ``folder``.
    fold : of a cross-validation, whose network judged the case.
    notes : what reading the files had to assume, and the warnings of the segmentation.
    doubts : what the check of pairs has against the reference, one sentence each.
    spacing_mm : size of a voxel (z, y, x).
    ct_sha256, mask_sha256 : digests of the voxels that were compared, in LPS order and as `array_digest` makes them:
        Hounsfield units, and labels of the reference on the CT's grid. They tell a pair whatever files it came in.
    """

    case: Case
    folder: Path
    slices: int
    comparisons: dict[str, dict[str, Comparison]]
    missed_ml: float
    missed_dense_ml: float
    added_ml: float
    added_dense_ml: float
    overlay: str
    worst_slices: tuple[WorstSlice, ...]
    notes: tuple[str, ...]
    spacing_mm: tuple[float, float, float]
    ct_sha256: str
    mask_sha256: str
    fold: int | None = None
    doubts: tuple[str, ...] = ()

    @property
    def doubtful(self) -> str:
        """Why the reference is doubtful, by the case list and by the check of pairs; empty where it is not.

        What the check doubts and the list accepts is no longer in doubt.
        """
        return " ".join(filter(None, (self.case.doubtful, *(() if self.accepted else self.doubts))))

    @property
    def accepted(self) -> str:
        """What the case list accepts the reference for, and in spite of what; empty where nothing spoke against it."""
        return accepted_text(self.case.accepted, self.doubts) if self.case.accepted and self.doubts else ""

    def value(self, key: str, method: str = NETWORK, region: str = LUNGS) -> float:
        """A metric by its key.

        It is nan where the method was not run, the region has no lung in the reference, or is a side that the reference
        does not tell (see ``has_sides``).
        """
        comparison = self.comparisons.get(method, {}).get(region)
        if comparison is None or comparison.reference_ml == 0 or not (region == LUNGS or self.has_sides):
            return math.nan
        return float(getattr(comparison, key))

    @property
    def has_sides(self) -> bool:
        """Whether right and left are the reference's own.

        A mask with one value is parted by the function that parts the network's: to compare the sides would partly
        compare that function with itself.
        """
        return ONE_VALUE not in self.notes

    def found_nothing(self, method: str = NETWORK, region: str = LUNGS) -> bool:
        """Whether the reference has lung in the region and the method found none, so that there is no distance."""
        return self.value("prediction_ml", method, region) == 0.0

    @property
    def kind(self) -> str:
        """One of ``KINDS``: the figures of a slice alone scatter more than those of a scan, and its volume is less."""
        return kind_of(self.slices)

    @property
    def dice(self) -> float:
        """Of the network, both lungs pooled; nan without lung in the reference."""
        return self.value("dice")

    @property
    def has_lung(self) -> bool:
        """Whether the reference has any lung; without it there is nothing that Dice could be the share of."""
        return self.comparisons[NETWORK][LUNGS].reference_ml > 0

    def line(self) -> str:
        """One line for a terminal."""
        doubt = (f"  doubtful: {self.doubtful}" if self.doubtful else "") + (self.accepted and f"  {self.accepted}")
        if not self.has_lung:
            found = f"{self.added_ml:.0f} ml were found" if self.added_ml else "none was found"
            return f"{self.case.name:24s} no lung in the reference, {found}{doubt}"
        score = f"{self.case.name:24s} Dice {DICE.text(self.dice)}"
        text = f"{score}  missed {self.missed_ml:.0f} ml  added {self.added_ml:.0f} ml"
        baseline = self.value("dice", THRESHOLDING)
        return text + ("" if math.isnan(baseline) else f"  thresholding {DICE.text(baseline)}") + doubt


@dataclass(frozen=True)
class UnjudgedCase:
    """A case that was not judged, and why in one sentence.

    ``cause`` is its status in the data set where that is why, such as ``doubtful``, ``refused`` or ``no pair``, or
    ``TRAINED_ON``; else it is empty.
    """

    name: str
    reason: str
    group: str = ""
    cause: str = ""

    @classmethod
    def of(cls, item: LeftOutCase, cause: str | None = None) -> UnjudgedCase:
        """One that the data set leaves out; because of its pair's status unless another ``cause`` is given."""
        group = item.case.group if item.case else item.group
        return cls(item.name, item.reason, group, item.verdict.status if cause is None else cause)
