"""One rule says which lung a segment of Slicer and a structure of DICOM is."""

from __future__ import annotations

import pytest

from LungSegResNetLib.files.segment_names import NamedLung, lung_of_name, lung_of_segment, lungs_among
from LungSegResNetLib.labels import LUNG_SEGMENTS


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Lung_R", 1), ("Lung_L", 2), ("right lung", 1), ("LEFT LUNG", 2), ("LungRight", 1), ("lung rt", 1),
        ("R-Lung", 1), ("leftlung", 2), ("Lungs", 3), ("Lung", 3), ("both lungs", 3), ("Lung (left)", 2),
        ("Lung re", 1), ("Lung_L2", 2), ("Lunge rechts", 1), ("linker Lungenflügel", 2), ("LUNGE LI", 2),
        ("poumon droit", 1), ("left lung ROI", 2), ("Right Lung corrected", 1), ("Left lung (manual)", 2),
        ("right and left lung", 3), ("Lungs-eval", 3),
        ("Lungs-GTV", None), ("left upper lobe of lung", None), ("lung nodule right", None), ("Heart", None),
        ("PTV lung", None), ("right lung tumor", None), ("tumour in the right lung", None), ("left lung vessels", None),
        ("right", None), ("upper right", None), ("", None),
    ],
)  # fmt: skip
def test_the_side_of_a_lung_is_told_by_its_name(name: str, label: int | None) -> None:
    assert lungs_among([lung_of_name(name)]) == [label]


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["right upper lobe", "right middle lobe", "right lower lobe"], [1, 1, 1]),
        (["lung_upper_lobe_left", "lung_lower_lobe_left", "Lung_R"], [2, 2, 1]),
        (["right superior lobe", "inferior lobe of right lung", "right lung"], [None, None, 1]),
        (["right upper lobe", "right lower lobe", "left lower lobe"], [None, None, None]),
        (["left upper lobe", "left middle lobe"], [None, None]),
    ],
)
def test_lobes_are_a_lung_only_where_all_of_them_are_there_and_the_whole_is_not(
    names: list[str], labels: list[int | None]
) -> None:
    assert lungs_among([lung_of_name(name) for name in names]) == labels


@pytest.mark.parametrize(
    ("name", "lung"),
    [
        ("Segment_1", NamedLung(1)), ("", NamedLung(1)), ("Lung", NamedLung(1)), ("right lung", NamedLung(1)),
        ("left lung", NamedLung(2)), ("lungs", NamedLung(3)), ("left upper lobe", NamedLung(2, "upper")),
        ("consolidation", None),
    ],
)  # fmt: skip
def test_a_segment_that_was_renamed_is_what_it_is_called_now_whatever_its_terminology_was(
    name: str, lung: NamedLung | None
) -> None:
    assert lung_of_segment(name, LUNG_SEGMENTS[0].terminology) == lung
