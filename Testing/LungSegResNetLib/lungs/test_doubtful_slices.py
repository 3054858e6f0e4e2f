"""The ranking of slices: what is doubtful comes first, what is merely small or changes evenly does not."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.lungs.doubtful_slices import DoubtfulSlice, NetworkDoubt, rank_slices, slices_to_check
from LungSegResNetLib.lungs.preprocessing import SliceFrame
from LungSegResNetLib.lungs.segmentation import segment
from LungSegResNetLib.network.engines import EngineSettings, load_engine

FRAME = SliceFrame(start_y=-10.0, start_x=20.0, pixel_mm=2.0, shape=(60, 80))
SPACING = (5.0, 1.0, 1.0)


def cylinder(slices: int = 9, radius: float = 20.0) -> np.ndarray:
    """Mask of one lung, the same in all slices but the outer two, which are empty."""
    y, x = np.ogrid[-32:32, -32:32]
    mask = np.zeros((slices, 64, 64), np.uint8)
    mask[2:-2] = y**2 + x**2 < radius**2
    return mask


def sure_network(mask: np.ndarray) -> NetworkDoubt:
    """A network that has no doubt about anything."""
    doubt = NetworkDoubt(FRAME, len(mask))
    doubt.expected_mm2[:] = np.count_nonzero(mask, axis=(1, 2))
    return doubt


def test_a_spoiled_slice_of_a_scan_comes_first_and_points_to_the_spoiled_place() -> None:
    image, _ = Thorax().scan((2.5, 2.5, 12.0), (400.0, 300.0, 132.0))
    hu = sitk.GetArrayFromImage(image)
    hu[6, :, 85:] = 40  # a bar of metal hides the left lung
    spoiled = sitk.GetImageFromArray(hu)
    spoiled.CopyInformation(image)
    ct = CTVolume.from_sitk(spoiled, "spoiled")
    result = segment(ct, load_engine(EngineSettings(device="cpu")).predictor)
    assert sorted(one.index for one in result.ranking) == list(range(len(hu)))
    first = result.ranking[0]
    assert first.index == 6
    assert "less than in both neighbouring slices" in first.reason
    y, x = first.spot_mm
    lungs_around = result.mask[5] & result.mask[7]
    assert lungs_around[round(y / 2.5), round(x / 2.5)] == 2


def test_what_both_neighbours_have_and_a_slice_lacks_or_the_reverse_is_doubtful() -> None:
    for value, words in ((0, "less than in both neighbouring slices"), (1, "more than in both neighbouring slices")):
        mask = cylinder()
        mask[4, 20:40, 40:60] = value
        first = rank_slices(mask, SPACING, sure_network(cylinder()))[0]
        assert first.index == 4
        assert words in first.reason
        assert first.score > 0.01


def test_a_lung_that_narrows_evenly_is_not_doubtful() -> None:
    mask = np.concatenate([cylinder(5, radius)[2:3] for radius in (24, 20, 16, 12, 8, 4)])
    assert all(one.score == 0.0 and one.reason == "" for one in rank_slices(mask, SPACING, sure_network(mask)))


def test_a_change_weighs_less_the_further_slices_lie_apart() -> None:
    mask = cylinder()
    mask[4] = 0
    thin, thick = (rank_slices(mask, (mm, 1.0, 1.0), sure_network(cylinder()))[0] for mm in (1.0, 10.0))
    assert thin.index == thick.index == 4
    assert thin.score > thick.score


def test_doubt_of_the_network_is_an_area_with_a_place() -> None:
    doubt = NetworkDoubt(FRAME, 2)
    probability = np.zeros(FRAME.shape, np.float32)
    probability[20:30, 50:60] = 0.6
    doubt.note(1, probability)
    assert doubt.unsure_mm2 == pytest.approx([0.0, 100 * 4 * 0.4])
    assert doubt.expected_mm2 == pytest.approx([0.0, 100 * 4 * 0.6])
    assert doubt.spots_mm[1] == pytest.approx((-10 + 24.5 * 2, 20 + 54.5 * 2), abs=2.1)


def test_the_slice_that_the_network_is_unsure_of_comes_before_the_others() -> None:
    mask = cylinder()
    doubt = sure_network(mask)
    doubt.unsure_mm2[:] = 20.0
    doubt.unsure_mm2[5] = 90.0
    first = rank_slices(mask, SPACING, doubt)[0]
    assert first.index == 5
    assert first.reason == f"uncertain in 0.9 of {np.count_nonzero(mask[5]) / 100:.1f} cm²"


def test_doubt_far_from_the_lungs_counts_for_little() -> None:
    mask = np.concatenate([cylinder(), np.zeros((10, 64, 64), np.uint8)])
    doubt = sure_network(mask)
    doubt.unsure_mm2[[7, 18]] = 100.0
    score = {one.index: one.score for one in rank_slices(mask, SPACING, doubt)}
    assert score[7] > 100 * score[18]


def test_a_single_slice_and_an_empty_mask_can_be_ranked() -> None:
    one = cylinder()[4:5]
    assert [slice_.index for slice_ in rank_slices(one, SPACING, sure_network(one))] == [0]
    empty = np.zeros((3, 64, 64), np.uint8)
    assert len(rank_slices(empty, SPACING, sure_network(empty))) == 3


def test_the_list_is_short_and_shows_a_place_once() -> None:
    ranking = [DoubtfulSlice(index, 1.0 - index / 100, "", (0.0, 0.0)) for index in range(60)]
    assert [one.index for one in slices_to_check(ranking, 2.5)] == [0, 4, 8, 12, 16, 20, 24, 28]
    assert [one.index for one in slices_to_check(ranking[:3], 10.0)] == [0, 1, 2]


def test_of_several_reasons_the_largest_area_is_named_first() -> None:
    mask = cylinder()
    mask[4, 22:42, 22:42] = 0  # 4 cm2 that both neighbours have
    mask[4, :10, :25] = 1  # 2.5 cm2 that none has
    first = rank_slices(mask, SPACING, sure_network(cylinder()))[0]
    assert (
        first.reason == "4.0 cm² less than in both neighbouring slices; 2.5 cm² more than in both neighbouring slices"
    )
    mask[4, :10, :25] = 0
    mask[4, :10, :19] = 1  # less than half of the largest
    assert (
        rank_slices(mask, SPACING, sure_network(cylinder()))[0].reason
        == "4.0 cm² less than in both neighbouring slices"
    )


def test_the_middle_of_a_gap_comes_first_and_is_compared_with_what_lies_around_the_gap() -> None:
    mask = cylinder(24)
    mask[8:13] = 0
    mask[16, 20:44, 20:44] = 0  # lacks less, though from one slice to the next
    doubt = sure_network(mask)
    doubt.unsure_mm2[4] = 900.0
    first, *others = rank_slices(mask, SPACING, doubt)
    assert first.index == 10
    assert first.score > 0.3  # though it lies far from all lung that was found
    section = np.count_nonzero(mask[5]) / 100
    assert first.reason == f"{section:.1f} cm² less than below and above this gap"
    assert first.spot_mm == pytest.approx((32.0, 32.0), abs=10.0)
    assert others[0].index in (4, 16)
    assert sorted(one.index for one in (first, *others)) == list(range(24))
