from __future__ import annotations

import pytest

from LungSegResNetTrainingLib.data.dicom_labels import lung_side


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("Lung_R", 1), ("Lung_L", 2), ("right lung", 1), ("LEFT LUNG", 2), ("LungRight", 1), ("lung rt", 1),
        ("R-Lung", 1), ("leftlung", 2), ("Lungs", 3), ("Lung", 3), ("both lungs", 3), ("Lung (left)", 2),
        ("Lung re", 1), ("Lung_L2", 2),
        ("Lungs-GTV", None), ("left upper lobe of lung", None), ("lung nodule right", None), ("Heart", None),
        ("PTV lung", None), ("right lung tumor", None),
    ],
)  # fmt: skip
def test_the_side_of_a_lung_is_told_by_its_name(name: str, side: int | None) -> None:
    assert lung_side(name) == side
