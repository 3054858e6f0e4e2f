from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetTrainingLib.data.cases import DOUBTFUL, OK, REFUSED
from LungSegResNetTrainingLib.data.pair_check import check_pair


@pytest.fixture(scope="module")
def pair() -> tuple[CTVolume, np.ndarray]:
    image, mask = Thorax(consolidation=True).scan((3.0, 3.0, 8.0), (400.0, 300.0, 304.0))
    return CTVolume.from_sitk(image, "phantom"), CTVolume.from_sitk(mask, "truth").hu


def test_a_true_pair_with_dense_disease_is_ok(pair) -> None:
    ct, truth = pair
    verdict = check_pair(ct, truth)
    assert (verdict.status, verdict.reasons) == (OK, ())
    assert verdict.volumes_ml == pytest.approx([np.count_nonzero(truth == n) * 0.072 for n in (1, 2)])
    assert verdict.mean_hu == pytest.approx(ct.hu[truth > 0].mean())


def test_exchanged_sides_are_doubtful(pair) -> None:
    ct, truth = pair
    verdict = check_pair(ct, np.array([0, 2, 1], np.uint8)[truth])
    assert verdict.status == DOUBTFUL
    assert "swapped" in verdict.reasons[0]


def test_a_lone_lung_on_the_wrong_side_is_doubtful(pair) -> None:
    ct, truth = pair
    verdict = check_pair(ct, (truth == 2).astype(np.uint8))
    assert any("swapped" in reason for reason in verdict.reasons)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_flipped_mask_is_doubtful(pair, axis: int) -> None:
    ct, truth = pair
    verdict = check_pair(ct, np.flip(truth, axis))
    assert verdict.status == DOUBTFUL
    assert any("fit the scan better flipped" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(("axis", "voxels", "back"), [(0, 2, "down"), (1, -5, "to the back"), (2, 5, "right")])
def test_a_mask_moved_by_15_mm_is_doubtful(pair, axis: int, voxels: int, back: str) -> None:
    ct, truth = pair
    verdict = check_pair(ct, np.roll(truth, voxels, axis))
    assert verdict.status == DOUBTFUL
    assert any(back in reason for reason in verdict.reasons)


def test_a_mask_on_soft_tissue_is_refused(pair) -> None:
    ct, truth = pair
    body = (ct.hu > -200) & (truth == 0)
    verdict = check_pair(ct, body.astype(np.uint8))
    assert verdict.status == REFUSED
    assert "another scan, is shifted or flipped against this one, or nearly all of it is dense" in verdict.reasons[0]


def test_a_mask_in_which_nearly_all_is_dense_is_of_use_once_a_person_accepts_it(pair) -> None:
    ct, truth = pair
    refused = check_pair(_with_dense_lung(ct, truth, 0.9), truth)
    assert refused.status == REFUSED
    assert refused.after("") == refused
    accepted = refused.after("white lungs, seen by Dr. Meyer.")
    assert (accepted.status, accepted.reasons) == (OK, refused.reasons[:1])
    assert accepted.explanation == f"accepted: white lungs, seen by Dr. Meyer. {refused.reasons[0]}"


def test_nothing_is_accepted_of_a_mask_that_nobody_doubts_nor_of_one_that_is_empty_or_of_another_grid(pair) -> None:
    ct, truth = pair
    assert check_pair(ct, truth).after("seen").explanation == ""
    for mask in (np.zeros_like(truth), truth[1:]):
        assert check_pair(ct, mask).after("seen").status == REFUSED


def _with_dense_lung(ct: CTVolume, labels: np.ndarray, share: float) -> CTVolume:
    """The CT with 30 HU in so much of the lungs, from the back on."""
    hu, rows = ct.hu.copy(), np.nonzero(labels)[1]
    dense = labels > 0
    dense[:, : int(np.quantile(rows, 1 - share))] = False
    hu[dense] = 30
    return replace(ct, hu=hu)


@pytest.mark.parametrize(("percent", "status"), [(10, REFUSED), (20, DOUBTFUL), (40, DOUBTFUL), (60, None)])
def test_a_mask_of_which_less_than_half_is_aerated_is_doubtful_and_with_very_little_refused(
    pair, percent: int, status: str | None
) -> None:
    ct, truth = pair
    mask = np.zeros_like(truth)
    for voxels, count in (((truth > 0) & (ct.hu < -700), percent), (ct.hu > 0, 100 - percent)):
        mask.flat[np.flatnonzero(voxels)[: 300 * count]] = 1
    verdict = check_pair(ct, mask)
    told = [reason for reason in verdict.reasons if reason.startswith(f"Only {percent} % of the mask is aerated")]
    assert (verdict.status if told else None) == status


def test_a_mask_of_the_air_around_the_patient_is_doubtful(pair) -> None:
    ct, truth = pair
    around = truth.copy()
    around[:, :8], around[:, -8:] = 1, 2
    verdict = check_pair(ct, around)
    assert verdict.status == DOUBTFUL
    assert any("outside the body" in reason for reason in verdict.reasons)
    few = truth.copy()
    few[:8, :1] = 1
    assert 0.005 < np.count_nonzero(few != truth) / np.count_nonzero(truth) < 0.02
    assert not [reason for reason in check_pair(ct, few).reasons if "outside the body" in reason]


def test_a_lung_that_was_left_out_is_doubtful(pair) -> None:
    ct, truth = pair
    verdict = check_pair(ct, np.where(truth == 1, 1, 0).astype(np.uint8))
    assert verdict.status == DOUBTFUL
    assert "differ greatly in volume" in verdict.reasons[0]


def _slices(truth: np.ndarray) -> np.ndarray:
    return np.flatnonzero((truth > 0).any(axis=(1, 2)))


def test_gas_far_below_the_lungs_makes_no_mask_unfinished() -> None:
    """Scans of a whole trunk show bowel, whose contents are as dense as aerated lung in places."""
    images = Thorax(noise=5.0).scan((4.0, 4.0, 10.0), (400.0, 300.0, 300.0))
    chest, lungs = (CTVolume.from_sitk(image, "phantom") for image in images)
    below = np.repeat(chest.hu[:1], 30, axis=0)
    rows, columns = np.indices(below.shape[1:])
    colon = np.hypot((rows - below.shape[1] / 2) * 4.0, (columns - below.shape[2] / 2) * 4.0) < 35.0
    below[4:20, colon] = np.random.default_rng(0).integers(-900, -700, (16, np.count_nonzero(colon)))
    ct = replace(chest, hu=np.concatenate([below, chest.hu]))
    labels = np.concatenate([np.zeros(below.shape, np.uint8), lungs.hu.astype(np.uint8)])
    assert check_pair(ct, labels).status == OK
    drawn = _slices(labels)
    labels[drawn[: len(drawn) // 5]] = 0
    assert any("is it unfinished?" in reason for reason in check_pair(ct, labels).reasons)


@pytest.mark.parametrize("end", ["lowest", "highest"])
def test_a_mask_without_the_last_fifth_of_the_lungs_is_doubtful(pair, end: str) -> None:
    """What it leaves out is less than a mask that is drawn too narrow all round does."""
    ct, truth = pair
    drawn = _slices(truth)
    fifth = round(len(drawn) / 5)
    cut = truth.copy()
    cut[drawn[:fifth] if end == "lowest" else drawn[-fifth:]] = 0
    verdict = check_pair(ct, cut)
    assert verdict.status == DOUBTFUL
    (reason,) = verdict.reasons
    assert reason.startswith("Slices above or below the mask still show up to")
    assert verdict.lung_slices == pytest.approx((drawn[0], drawn[-1]), abs=3)


@pytest.mark.parametrize("kept", ["upper half", "eight slices", "front half"])
def test_a_mask_that_leaves_out_half_of_the_lungs_is_doubtful(pair, kept: str) -> None:
    ct, truth = pair
    drawn = _slices(truth)
    middle, row = int(drawn[len(drawn) // 2]), int(np.median(np.nonzero(truth)[1]))
    parts = {
        "upper half": np.s_[middle:],
        "eight slices": np.s_[middle : middle + 8],
        "front half": np.s_[:, :row],
    }
    left_out = np.ones(truth.shape, bool)
    left_out[parts[kept]] = False
    verdict = check_pair(ct, np.where(left_out, 0, truth).astype(np.uint8))
    assert verdict.status == DOUBTFUL
    (reason,) = verdict.reasons
    assert "aerated lung" in reason
    assert "is it unfinished?" in reason
    assert verdict.lung_slices == pytest.approx((drawn[0], drawn[-1]), abs=3)


def test_a_mask_that_was_drawn_a_little_too_narrow_is_ok(pair) -> None:
    ct, truth = pair
    narrow = np.stack([ndimage.binary_erosion(section, iterations=1) for section in truth > 0])
    assert 0.75 < np.count_nonzero(narrow) / np.count_nonzero(truth) < 0.95
    assert check_pair(ct, np.where(narrow, truth, 0).astype(np.uint8)).status == OK


@pytest.mark.parametrize("gas", [{"stomach_gas": True}, {"right_lung": False}], ids=["stomach", "one lung removed"])
def test_nothing_is_missed_in_a_mask_where_there_is_no_more_lung(gas: dict[str, bool]) -> None:
    images = Thorax(**gas).scan((3.0, 3.0, 8.0), (400.0, 300.0, 304.0))
    ct, truth = (CTVolume.from_sitk(image, "phantom") for image in images)
    assert not any("unfinished" in reason for reason in check_pair(ct, truth.hu.astype(np.uint8)).reasons)


def test_gas_that_is_no_lung_is_not_missed_in_a_mask(pair) -> None:
    ct, truth = pair
    behind = (truth > 0) & (np.arange(truth.shape[1])[:, None] > np.quantile(np.nonzero(truth)[1], 0.6))
    collapsed = np.where(behind, 0, truth).astype(np.uint8)
    assert check_pair(ct, collapsed).status == DOUBTFUL
    pneumothorax = replace(ct, hu=np.where(behind, np.int16(-1000), ct.hu))
    assert not any("unfinished" in reason for reason in check_pair(pneumothorax, collapsed).reasons)


def test_a_single_slice_is_not_doubted_for_the_lung_it_leaves_out(pair) -> None:
    ct, truth = pair
    middle = len(truth) // 2
    part = truth[middle : middle + 1].copy()
    part[:, : int(np.median(np.nonzero(part)[1]))] = 0
    assert check_pair(replace(ct, hu=ct.hu[middle : middle + 1]), part).status == OK


def test_a_mask_on_every_second_slice_is_doubtful(pair) -> None:
    ct, truth = pair
    sparse = truth.copy()
    sparse[::2] = 0
    assert any("slices between" in reason for reason in check_pair(ct, sparse).reasons)


@pytest.mark.parametrize(("left_out", "status"), [(1, OK), (2, DOUBTFUL)])
def test_more_than_one_slice_that_was_not_drawn_is_doubtful(pair, left_out: int, status: str) -> None:
    ct, truth = pair
    mask = truth.copy()
    mask[20 : 20 + left_out] = 0
    verdict = check_pair(ct, mask)
    assert verdict.status == status
    assert all("2 slices between the first and the last" in reason for reason in verdict.reasons)


def test_slices_that_one_lung_alone_lacks_are_doubtful(pair) -> None:
    ct, truth = pair
    drawn = np.flatnonzero((truth == 1).any(axis=(1, 2)))
    middle = int(drawn[len(drawn) // 2])
    sparse = truth.copy()
    sparse[middle : middle + 3][truth[middle : middle + 3] == 1] = 0
    assert check_pair(ct, sparse).reasons == (
        "3 slices between the first and the last slice of the right lung are empty: was it drawn on all?",
    )


def test_an_empty_mask_is_refused_for_a_scan_and_fine_for_a_single_slice(pair) -> None:
    ct, truth = pair
    assert check_pair(ct, np.zeros_like(truth)).status == REFUSED
    single = CTVolume(ct.hu[:1], ct.geometry, ct.native, "slice")
    assert check_pair(single, np.zeros_like(truth[:1])).status == OK


def test_a_mask_on_another_grid_is_refused(pair) -> None:
    ct, truth = pair
    assert check_pair(ct, truth[1:]).status == REFUSED


def test_a_mask_that_holds_much_pure_air_is_doubtful(pair) -> None:
    ct, truth = pair
    for share, told in ((0.25, False), (0.35, True)):
        emptied = (truth > 0) & (np.random.default_rng(0).random(truth.shape) < share)
        reasons = check_pair(replace(ct, hu=np.where(emptied, np.int16(-1000), ct.hu)), truth).reasons
        assert any("is pure air" in reason for reason in reasons) == told


@pytest.mark.parametrize(("times", "told"), [(0.06, "measure only"), (1.6, "more than is plausible")])
def test_volumes_that_no_lungs_have_are_doubtful_in_a_scan_and_not_in_a_slice(pair, times: float, told: str) -> None:
    ct, truth = pair
    x, y, z = (times * mm for mm in ct.geometry.spacing)
    other = replace(ct, geometry=replace(ct.geometry, spacing=(x, y, z)))
    assert any(told in reason for reason in check_pair(other, truth).reasons)
    middle = len(truth) // 2
    single = replace(other, hu=other.hu[middle : middle + 1])
    assert not any("measure" in reason for reason in check_pair(single, truth[middle : middle + 1]).reasons)


@pytest.mark.parametrize("label", [1, 2])
def test_the_side_of_a_lone_lung_in_half_a_body_is_not_doubted(pair, label: int) -> None:
    ct, truth = pair
    half = np.s_[..., : truth.shape[2] // 2]
    lone = (truth[half] > 0).astype(np.uint8) * np.uint8(label)
    assert not any("swapped" in reason for reason in check_pair(replace(ct, hu=ct.hu[half]), lone).reasons)
