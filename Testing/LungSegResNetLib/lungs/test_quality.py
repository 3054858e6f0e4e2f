"""What is said about a mask that looks unusual."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from LungSegResNetLib.ct_volume import CTVolume, Geometry
from LungSegResNetLib.lungs.quality import quality_warnings

MIDLINE_MM = 200.0


def scan(slices: int = 30, spacing: tuple[float, float, float] = (2.0, 2.0, 5.0)) -> CTVolume:
    """Nothing but aerated lung; ``spacing`` is x, y, z."""
    direction = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    native = Geometry((200, 150, slices), spacing, (0.0, 0.0, 0.0), direction)
    return CTVolume.from_array(np.full((slices, 150, 200), -850, np.int16), native, "scan")


def lungs(planes: slice = slice(4, 26), right_columns: int = 50, tips: bool = True) -> np.ndarray:
    """Two boxes (1 right, 2 left) 100 mm wide where nothing else is said, with tips of a fifth of their section."""
    mask = np.zeros((30, 150, 200), np.uint8)
    mask[planes, 40:100, 30 : 30 + right_columns] = 1
    mask[planes, 40:100, 120:170] = 2
    for tip, inside in ((planes.start - 1, planes.start), (planes.stop, planes.stop - 1)):
        if tips and 0 <= tip < len(mask):
            mask[tip, 40:52] = mask[inside, 40:52]
    return mask


def test_lungs_that_lie_in_the_middle_of_the_scan_give_no_warning() -> None:
    assert quality_warnings(scan(), lungs(), MIDLINE_MM) == []


@pytest.mark.parametrize(
    ("planes", "told"),
    [
        (slice(0, 26), "reach the lowest slice:"),
        (slice(4, 30), "reach the highest slice:"),
        (slice(0, 30), "reach the lowest and the highest slice:"),
    ],
)
def test_the_end_at_which_the_scan_cuts_the_lungs_off_is_named(planes: slice, told: str) -> None:
    (warning,) = quality_warnings(scan(), lungs(planes), MIDLINE_MM)
    assert told in warning


def test_a_lung_of_less_than_a_third_of_the_other_is_told() -> None:
    assert quality_warnings(scan(), lungs(right_columns=17), MIDLINE_MM) == []
    (warning,) = quality_warnings(scan(), lungs(right_columns=16), MIDLINE_MM)
    assert "right lung 430 ml and left lung 1344 ml" in warning


@pytest.mark.parametrize(
    ("spacing", "told"), [((8.0, 8.0, 10.0), "measure 86016 ml"), ((0.5, 0.5, 5.0), "Only 168 ml")]
)
def test_a_volume_that_no_lungs_have_is_told(spacing: tuple[float, float, float], told: str) -> None:
    (warning,) = quality_warnings(scan(spacing=spacing), lungs(), 100 * spacing[0])
    assert told in warning


@pytest.mark.parametrize(
    ("planes", "told"), [(slice(4, 30), "below"), (slice(0, 26), "above"), (slice(4, 26), "below and above")]
)
def test_lungs_that_end_without_tapering_inside_the_scan_are_told(planes: slice, told: str) -> None:
    warnings = quality_warnings(scan(), lungs(planes, tips=False), MIDLINE_MM)
    text = f"The lungs end without tapering although the scan goes on {told}: dense lung may be missing there."
    assert text in warnings


@pytest.mark.parametrize(("hu", "is_told"), [(-520, False), (-480, True)])
def test_lungs_with_little_air_are_told(hu: int, is_told: bool) -> None:
    ct, mask = scan(), lungs()
    ct.hu[mask > 0] = hu
    assert quality_warnings(ct, mask, MIDLINE_MM) == (
        [f"The lungs contain little air (mean {hu} HU): check whether dense parts are missing."] if is_told else []
    )


@pytest.mark.parametrize(
    ("right_rows", "left_rows", "told"),
    [(8, 8, None), (10, 0, "16 % of the right lung"), (12, 30, "20 % of the right lung and 49 % of the left lung")],
)
def test_a_lung_that_is_dense_in_more_than_15_percent_is_told(
    right_rows: int, left_rows: int, told: str | None
) -> None:
    ct, mask = scan(), lungs()
    ct.hu[4:26, 60 : 60 + right_rows, 30:80] = 40
    ct.hu[4:26, 60 : 60 + left_rows, 120:170] = 40
    text = (
        f"The mask is dense (above -300 HU) in {told}: consolidation and tumour belong in it, fluid does not; look for "
        "missed parts, too."
    )
    assert quality_warnings(ct, mask, MIDLINE_MM) == ([text] if told else [])


def test_lungs_that_are_dense_are_not_said_to_hold_little_air_as_well() -> None:
    ct, mask = scan(), lungs()
    ct.hu[mask > 0] = -100
    (warning,) = quality_warnings(ct, mask, MIDLINE_MM)
    assert "100 % of the right lung and 100 % of the left lung" in warning


def test_what_to_look_for_is_said_once_for_a_small_dense_lung() -> None:
    ct, mask = scan(), lungs(right_columns=16)
    ct.hu[mask == 1] = 40
    volumes, dense = quality_warnings(ct, mask, MIDLINE_MM)
    assert volumes == "The lungs differ greatly in volume (right lung 430 ml and left lung 1344 ml)."
    assert "look for missed parts" in dense
    ct.hu[mask > 0] = np.where(mask == 2, 40, -850)[mask > 0]
    assert "check for missed dense lung" in quality_warnings(ct, mask, MIDLINE_MM)[0]


@pytest.mark.parametrize(
    ("right_rows", "left_rows", "told"),
    [
        (16, 16, None),  # 28 ml in each lung
        (18, 0, "in the right lung (32 ml)"),
        (18, 30, "in the right lung (32 ml) and the left lung (56 ml)"),
    ],
)
def test_air_without_lung_tissue_is_told(right_rows: int, left_rows: int, told: str | None) -> None:
    ct, mask = scan(), lungs()
    for rows, columns in ((right_rows, slice(40, 60)), (left_rows, slice(130, 150))):
        ct.hu[10:15, 50 : 50 + rows, columns] = -1000
    warnings = quality_warnings(ct, mask, MIDLINE_MM)
    text = f"Air without lung tissue lies {told}: a bulla belongs to the lung, a pneumothorax does not."
    assert warnings == ([text] if told else [])


def test_lung_at_the_edge_of_the_view_counts_by_the_pixels_along_that_edge() -> None:
    ct, mask = scan(spacing=(8.0, 1.0, 5.0)), lungs()
    mask[10, 0, 40:56] = 1  # 16 pixels of 8 mm in a slice of 5 mm: 6.4 cm2
    told = "reach the edge of the field of view"
    assert any(told in text for text in quality_warnings(ct, mask, 800.0))
    mask[10, 0, 52:56] = 0  # 4.8 cm2
    assert not any(told in text for text in quality_warnings(ct, mask, 800.0))


def test_two_lungs_under_one_label_are_told() -> None:
    one = np.where(lungs() > 0, 2, 0).astype(np.uint8)
    warnings = quality_warnings(scan(), one, MIDLINE_MM)
    assert any(text.startswith("What was labelled as one lung consists of two large") for text in warnings)
    one[:, :, :100] = 0
    assert not any("two large" in text for text in quality_warnings(scan(), one, MIDLINE_MM))


@pytest.mark.parametrize(
    ("slice_mm", "told"), [(0.55, "Only 296 ml"), (0.57, None), (18.5, None), (18.7, "measure 10053 ml")]
)
def test_less_than_300_ml_and_more_than_10_litres_are_told(slice_mm: float, told: str | None) -> None:
    warnings = quality_warnings(scan(spacing=(2.0, 2.0, slice_mm)), lungs(), MIDLINE_MM)
    assert [told is not None and told in text for text in warnings] == ([True] if told else [])


@pytest.mark.parametrize(
    ("midline_mm", "told"),
    [
        (248.0, []),
        (250.0, ["in the middle of the view"]),
        (328.0, ["in the middle of the view"]),
    ],
)
def test_the_side_of_a_lone_lung_is_sure_only_far_from_the_middle_of_the_body(
    midline_mm: float, told: list[str]
) -> None:
    left = np.where(lungs() == 2, 2, 0).astype(np.uint8)  # its centre lies 289 mm from the first column
    absent, *others = quality_warnings(scan(), left, midline_mm)
    assert absent.startswith("No right lung was found")
    assert [part in text for part, text in zip(told, others, strict=True)] == [True] * len(told)


def test_lungs_that_differ_in_half_a_body_are_not_said_to_be_missed() -> None:
    (warning,) = quality_warnings(scan(), lungs(right_columns=16), None)
    assert warning.endswith("(right lung 430 ml and left lung 1344 ml): only a part of the body is in view.")


def test_a_lung_that_may_lie_outside_of_half_a_body_is_not_said_to_be_missing() -> None:
    left = np.where(lungs() == 2, 2, 0).astype(np.uint8)
    (warning,) = quality_warnings(scan(), left, None)
    assert warning == (
        "Only a part of the body is in view, and all lung in it was taken for the left lung: check the side, and "
        "whether some of it belongs to the right lung."
    )


@pytest.mark.parametrize(("pixels", "is_told"), [(124, False), (126, True)])
def test_a_tip_of_less_than_5_cm2_in_the_last_slice_is_not_cut_off(pixels: int, is_told: bool) -> None:
    mask = lungs(slice(2, 26))
    mask[0, 40:42, 30 : 30 + pixels // 2] = 1  # 4 mm2 each
    assert any("reach the lowest slice" in text for text in quality_warnings(scan(), mask, MIDLINE_MM)) == is_told


@pytest.mark.parametrize(("rows", "is_told"), [(8, False), (20, True)])
def test_a_small_part_beside_a_lone_lung_is_no_second_one(rows: int, is_told: bool) -> None:
    one = np.where(lungs() == 2, 2, 0).astype(np.uint8)
    one[4:26, 40 : 40 + rows, 30:80] = 2
    assert any("two large" in text for text in quality_warnings(scan(), one, MIDLINE_MM)) == is_told


@pytest.mark.parametrize(
    ("gap", "where"),
    [
        (slice(12, 16), "4 slices from 13 (S 60.0 mm) to 16 (S 75.0 mm)"),
        (slice(20, 21), "slice 21 (S 100.0 mm)"),
    ],
)
def test_a_gap_inside_a_lung_is_told_with_its_slices(gap: slice, where: str) -> None:
    mask = lungs()
    mask[gap, :, :100] = 0
    text = (
        f"The right lung is interrupted in {where}: the scan may be empty or damaged there, or dense lung was missed."
    )
    assert quality_warnings(scan(), mask, MIDLINE_MM) == [text]


def test_slices_of_a_gap_are_numbered_as_in_the_file_and_each_lung_is_told_of() -> None:
    ct = scan()
    downwards = (*ct.native.direction[:8], -1.0)
    ct = CTVolume.from_array(ct.hu, replace(ct.native, direction=downwards), "scan")
    mask = lungs()
    mask[12:14] = 0
    mask[16] = 0
    warnings = quality_warnings(ct, mask, MIDLINE_MM)
    assert ["in 3 slices from 14 (I 65.0 mm) to 18 (I 85.0 mm)" in text for text in warnings] == [True, True]
    assert [text[:14] for text in warnings] == ["The right lung", "The left lung "]


@pytest.mark.parametrize("lobe_rows", [1, 10, 26])
def test_a_lung_that_tapers_or_narrows_beside_a_large_heart_has_no_gap(lobe_rows: int) -> None:
    mask = np.zeros((30, 150, 200), np.uint8)
    for z in range(3, 27):
        rows = lobe_rows if z < 6 else 2 + 2 * z  # a narrow base, then ever wider up to the last slice
        mask[z, 40 : 40 + rows, 30:80] = mask[z, 40 : 40 + rows, 120:170] = 1
    mask[:, :, 100:] *= 2
    mask[14:18, 40:56, 120:170] = 0  # not half of the section
    assert not any("interrupted" in text for text in quality_warnings(scan(), mask, MIDLINE_MM))


def test_lungs_of_few_slices_and_stray_pieces_make_no_gap() -> None:
    few = lungs(slice(10, 17))
    few[13] = 0
    assert not any("interrupted" in text for text in quality_warnings(scan(), few, MIDLINE_MM))
    stray = lungs()
    stray[0:2, 40:54, 30:80] = 1  # a quarter of the section of the lung, below its tip
    stray[3] = 0
    assert not any("interrupted" in text for text in quality_warnings(scan(), stray, MIDLINE_MM))
