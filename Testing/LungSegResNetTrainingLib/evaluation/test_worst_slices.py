"""The worst slices of masks worked out by hand, and where the picture is coloured."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.figures.drawing import REFERENCE_COLOR
from LungSegResNetTrainingLib.evaluation.case_result import WorstSlice
from LungSegResNetTrainingLib.evaluation.worst_slices import PREDICTION_COLOR, draw_worst_slice, find_worst_slices


def worst_of(*slices: tuple[int, int, int]) -> tuple[WorstSlice, ...]:
    """Of slices with pixels of 0.1 cm2, as `masks` makes them."""
    reference, predicted = masks(*slices)
    image = sitk.GetImageFromArray(np.zeros(reference.shape, np.int16))
    image.SetSpacing((1.0, 10.0, 5.0))
    return find_worst_slices(CTVolume.from_sitk(image, "phantom"), reference, predicted)


def masks(*slices: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Slices of 1 x 1000 pixels: so many in the reference, found of them, and found beside them."""
    reference, predicted = np.zeros((2, len(slices), 1, 1000), bool)
    for z, (size, common, extra) in enumerate(slices):
        reference[z, 0, :size] = True
        predicted[z, 0, :common] = True
        predicted[z, 0, size : size + extra] = True
    return reference, predicted


def test_lowest_dice_most_missed_and_most_added_are_found() -> None:
    # The fourth is too small a section to count, though nothing of it was found.
    found = worst_of((100, 40, 0), (600, 500, 0), (600, 600, 90), (20, 0, 0))
    assert [(one.index, one.position, one.reason, one.picture) for one in found] == [
        (0, "S 0.0 mm", "lowest Dice", "slice_001.png"),
        (1, "S 5.0 mm", "most lung missed", "slice_002.png"),
        (2, "S 10.0 mm", "most added that is not lung", "slice_003.png"),
    ]
    assert found[0].dice == 80 / 140
    assert (found[1].missed_cm2, found[1].added_cm2) == (10.0, 0.0)
    assert (found[2].missed_cm2, found[2].added_cm2) == (0.0, 9.0)


def test_a_slice_that_is_worst_in_two_ways_comes_once() -> None:
    found = worst_of((100, 40, 0), (100, 100, 0))
    assert [(one.index, one.reason) for one in found] == [(0, "lowest Dice and most lung missed")]


def test_small_sections_count_where_there_is_no_larger_one() -> None:
    (found,) = worst_of((10, 4, 0), (0, 0, 0))
    assert (found.index, found.dice) == (0, 8 / 14)


def test_without_errors_and_without_lung_there_is_no_worst_slice() -> None:
    assert worst_of((100, 100, 0)) == ()
    assert worst_of((0, 0, 0), (0, 0, 0)) == ()


def test_the_picture_fills_what_was_missed_and_what_was_added() -> None:
    image = sitk.GetImageFromArray(np.full((1, 100, 200), -600, np.int16))
    ct = CTVolume.from_sitk(image, "phantom")
    reference, predicted = np.zeros((2, 1, 100, 200), bool)
    reference[0, 30:70, 40:100] = True
    predicted[0, 30:70, 60:120] = True
    (worst,) = find_worst_slices(ct, reference, predicted)
    assert worst.reason == "the only slice"
    picture = np.asarray(draw_worst_slice(ct, reference, predicted, worst, "phantom"), float)
    # 116 x 76 mm are shown, the masks with a margin of 18 mm, in two panels 620 pixels wide.
    scale = 620 / 116

    def at(x_mm: float, y_mm: float, panel: int) -> np.ndarray:
        return picture[round(62 + (y_mm - 12) * scale), round(20 + panel * 628 + (x_mm - 22) * scale)]

    grey = at(80, 50, 0)
    for x, color in ((50, REFERENCE_COLOR), (110, PREDICTION_COLOR)):
        assert np.abs(at(x, 50, 0) - grey).max() <= 1
        assert np.abs(at(x, 50, 1) - (0.45 * grey + 0.55 * np.array(color))).max() < 6
    assert np.abs(at(80, 50, 1) - grey).max() <= 1
