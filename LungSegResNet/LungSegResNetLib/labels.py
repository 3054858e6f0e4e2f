"""Label values of the lungs (the same as those of PTK and lungmask), and the segments that they become in 3D Slicer."""

from __future__ import annotations

from dataclasses import dataclass

BACKGROUND = 0
RIGHT_LUNG = 1
LEFT_LUNG = 2


@dataclass(frozen=True)
class LungSegment:
    """One segment of a result: its label value, name, display colour and SNOMED CT laterality (empty: both sides)."""

    label: int
    name: str
    color: tuple[float, float, float]
    laterality_code: str
    laterality_meaning: str

    @property
    def segment_id(self) -> str:
        """The ID of the segment in a ``.seg.nrrd`` file and in a segmentation of Slicer."""
        return self.name.replace(" ", "_")

    @property
    def terminology(self) -> str:
        """The terminology entry as Slicer stores it in a segment's ``TerminologyEntry`` tag."""
        laterality = f"SCT^{self.laterality_code}^{self.laterality_meaning}" if self.laterality_code else "^^"
        return (
            "Segmentation category and type - 3D Slicer General Anatomy list"
            "~SCT^123037004^Anatomical Structure"
            "~SCT^39607008^Lung"
            f"~{laterality}"
            "~Anatomic codes - DICOM master list~^^~^^"
        )


# Slicer's terminology recommends one colour for both lungs; two are used so that they can be told apart.
LUNG_SEGMENTS = (
    LungSegment(RIGHT_LUNG, "right lung", (0.35, 0.65, 0.85), "24028007", "Right"),
    LungSegment(LEFT_LUNG, "left lung", (0.95, 0.70, 0.30), "7771000", "Left"),
)
# Both lungs as one segment; its voxels are those of both labels.
BOTH_LUNGS = LungSegment(RIGHT_LUNG, "lungs", (0.45, 0.72, 0.72), "", "")
