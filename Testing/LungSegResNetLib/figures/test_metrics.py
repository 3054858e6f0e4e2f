"""Metrics between masks: numbers worked out by hand, empty masks, known distances, brute force."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from LungSegResNetLib.ct_volume import CTVolume, Geometry
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.figures.metric_definitions import METRICS, Metric
from LungSegResNetLib.figures.metrics import (
    Comparison,
    compare_lungs,
    compare_masks,
    comparison_table,
    comparisons_as_json,
    write_comparisons,
)

SPACING = (5.0, 2.0, 1.0)
STEPS = np.diag(SPACING)


def even_hu(mask: np.ndarray) -> np.ndarray:
    """A scan of one density, where HU do not matter."""
    return np.full(mask.shape, -800)


def compare_shapes(reference: np.ndarray, prediction: np.ndarray, steps_zyx: np.ndarray = STEPS) -> Comparison:
    return compare_masks(reference, prediction, steps_zyx, even_hu(reference))


def test_the_page_of_metrics_defines_each_as_the_code_does() -> None:
    page = (
        (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8").partition("## Measurements")[0]
    )
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    told = [f"| {metric.title} | {metric.unit} | {metric.formula} |" for metric in METRICS]
    assert [row.replace("\\|", "|") for row in rows] == told


def small_pair() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One slice inside a larger empty scan: TP 3, FP 1 (beside the 2 x 3 box of the reference), FN 2, TN 1 in it."""
    reference = np.zeros((3, 5, 8), bool)
    prediction = np.zeros_like(reference)
    hu = np.full(reference.shape, 40.0)
    reference[1, 1:3, 2:6] = [[1, 1, 1, 0], [1, 1, 0, 0]]
    prediction[1, 1:3, 2:6] = [[1, 1, 0, 0], [1, 0, 0, 1]]
    hu[1, 1:3, 2:6] = [[-900, -800, -700, 0], [-850, -750, 0, -50]]
    return reference, prediction, hu


def test_small_masks_give_the_numbers_worked_out_by_hand() -> None:
    c = compare_masks(*small_pair()[:2], STEPS, small_pair()[2])
    assert c.reference_ml == pytest.approx(5 * 10 / 1000)
    assert c.prediction_ml == pytest.approx(4 * 10 / 1000)
    assert c.dice == pytest.approx(6 / 9)
    assert c.jaccard == pytest.approx(3 / 6)
    assert c.mean_error == pytest.approx(-1 / 5)
    assert c.mean_absolute_error == pytest.approx(3 / 5)
    assert c.rmse == pytest.approx(math.sqrt(3 / 5))
    assert c.relative_error_percent == pytest.approx(60)
    assert c.sensitivity == pytest.approx(3 / 5)
    assert c.false_positive_ratio == pytest.approx(1 / 2)
    assert c.false_negative_ratio == pytest.approx(2 / 5)
    # Mean HU: reference (-900 - 800 - 700 - 850 - 750) / 5 = -800, prediction (-900 - 800 - 850 - 50) / 4 = -650.
    assert c.mean_hu_difference_percent == pytest.approx(100 * 150 / 800)
    assert c.absolute_mean_hu_difference_percent == pytest.approx(100 * 150 / 800)
    assert c.mean_hu_difference_hu == pytest.approx(150)
    assert c.volume_difference_percent == pytest.approx(-20)
    assert c.absolute_volume_difference_percent == pytest.approx(20)
    assert c.psnr_db == pytest.approx(10 * math.log10(6 / 3))
    # All voxels are border. Reference to prediction: 0, 0, 1, 0, 1 mm; back: 0, 0, 0 and, from the far voxel
    # (row 2, column 5), 2 mm to column 3 of its row.
    assert c.mean_surface_distance_mm == pytest.approx((1 + 1 + 2) / 9)
    assert c.hd95_mm == pytest.approx(1.7)  # 95th percentile of 0, 0, 0, 2
    assert c.surface_dice_2mm == 1.0


def test_every_field_has_its_definition_in_the_table() -> None:
    assert [m.key for m in METRICS] == [f.name for f in dataclasses.fields(Comparison)]
    assert all(m.title and m.formula.endswith(".") for m in METRICS)


def test_equal_masks_agree_perfectly() -> None:
    mask, _, hu = small_pair()
    c = compare_masks(mask, mask.copy(), STEPS, hu)
    ones = (c.dice, c.jaccard, c.sensitivity, c.surface_dice_2mm)
    assert ones == (1, 1, 1, 1)
    assert c.ssim == pytest.approx(1)
    assert c.psnr_db == math.inf
    assert (c.mean_error, c.mean_absolute_error, c.hd95_mm, c.mean_surface_distance_mm) == (0, 0, 0, 0)
    assert (c.mean_hu_difference_percent, c.volume_difference_percent, c.false_positive_ratio) == (0, 0, 0)


def test_the_hu_difference_of_dense_lung_is_as_large_as_that_of_aerated_lung_but_not_its_part_of_the_mean() -> None:
    reference = np.array([[[True, True, True, True]]])
    prediction = np.array([[[True, True, True, False]]])
    aerated = np.array([[[-860, -860, -860, -820]]])  # means: reference -850, prediction -860
    dense = aerated + 840  # -10 and -20
    figures = [compare_masks(reference, prediction, STEPS, hu) for hu in (aerated, dense, aerated + 850)]
    assert [c.mean_hu_difference_hu for c in figures] == pytest.approx([-10, -10, -10])
    assert [c.mean_hu_difference_percent for c in figures[:2]] == pytest.approx([-100 * 10 / 850, -100])
    assert math.isnan(figures[2].mean_hu_difference_percent)  # a part of 0


def nan_fields(c: Comparison) -> set[str]:
    return {key for key, value in dataclasses.asdict(c).items() if math.isnan(value)}


DISTANCES = {"hd95_mm", "mean_surface_distance_mm"}
HU_DIFFERENCES = {"mean_hu_difference_percent", "absolute_mean_hu_difference_percent", "mean_hu_difference_hu"}
PER_REFERENCE_VOLUME = {
    *("mean_error", "mean_absolute_error", "rmse", "relative_error_percent", "sensitivity", "false_negative_ratio"),
    *("volume_difference_percent", "absolute_volume_difference_percent"),
}


def test_an_empty_reference_leaves_what_is_divided_by_it_undefined() -> None:
    _, prediction, hu = small_pair()
    c = compare_masks(np.zeros_like(prediction), prediction, STEPS, hu)
    assert nan_fields(c) == DISTANCES | HU_DIFFERENCES | PER_REFERENCE_VOLUME
    assert (c.dice, c.jaccard, c.surface_dice_2mm, c.reference_ml) == (0, 0, 0, 0)
    assert c.false_positive_ratio == pytest.approx(4 / 8)


def test_an_empty_prediction_counts_as_a_full_miss() -> None:
    reference, _, hu = small_pair()
    c = compare_masks(reference, np.zeros_like(reference), STEPS, hu)
    assert nan_fields(c) == DISTANCES | HU_DIFFERENCES
    assert (c.dice, c.jaccard, c.sensitivity, c.surface_dice_2mm) == (0, 0, 0, 0)
    assert (c.mean_error, c.false_negative_ratio, c.volume_difference_percent) == (-1, 1, -100)


def test_two_empty_masks_have_nothing_to_compare() -> None:
    empty = np.zeros((3, 4, 5), bool)
    c = compare_masks(empty, empty, STEPS, np.zeros(empty.shape))
    assert nan_fields(c) == {m.key for m in METRICS} - {"reference_ml", "prediction_ml"}
    assert (c.reference_ml, c.prediction_ml) == (0, 0)


@pytest.mark.parametrize(("axis", "step_mm"), [(0, 5.0), (1, 2.0), (2, 1.0)])
def test_a_cube_moved_by_a_voxel_is_a_voxel_away_at_any_spacing(axis: int, step_mm: float) -> None:
    reference = np.zeros((16, 16, 16), bool)
    reference[3:13, 3:13, 3:13] = True
    c = compare_shapes(reference, np.roll(reference, 1, axis))
    assert c.dice == pytest.approx(0.9)
    assert c.hd95_mm == pytest.approx(step_mm)
    # Of the 10^3 - 8^3 = 488 border voxels, the 10 x 10 of one end lie a step outside the other cube. Those of the
    # other end lie within it: the rim on its border, the 8 x 8 inside a step or a way to the side off it.
    to_rim = np.array([1, 2, 3, 4, 4, 3, 2, 1])
    side_a, side_b = (mm for n, mm in enumerate(SPACING) if n != axis)
    inner = np.minimum(step_mm, np.minimum(side_a * to_rim[:, None], side_b * to_rim[None, :]))
    assert c.mean_surface_distance_mm == pytest.approx((100 * step_mm + inner.sum()) / 488)
    beyond = 100 * (step_mm > 2) + (inner > 2).sum()
    assert c.surface_dice_2mm == pytest.approx(1 - beyond / 488)


@pytest.mark.parametrize("degrees", [0, 4, 23, 31, 48, 84])
def test_borders_2_mm_apart_lie_within_2_mm_however_the_grid_is_turned(degrees: int) -> None:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    steps = 2.0 * np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    reference = np.zeros((12, 12, 12), bool)
    reference[3:9, 3:9, 3:9] = True
    c = compare_shapes(reference, np.roll(reference, 1, axis=1), steps)
    assert c.hd95_mm == pytest.approx(2.0)
    assert c.surface_dice_2mm == 1.0


def test_where_the_scan_cuts_the_lung_there_is_no_surface() -> None:
    """A square of 100 mm and the same 8 mm further, by hand: the contours of a slice, however many of it there are."""
    reference = np.zeros((20, 130, 130), bool)
    reference[:, 10:110, 10:110] = True
    prediction = np.roll(reference, 8, axis=2)
    slab = compare_shapes(reference, prediction, np.diag((5.0, 1.0, 1.0)))
    single = compare_shapes(reference[:1], prediction[:1], np.diag((5.0, 1.0, 1.0)))
    # 396 pixels of the contour: of 100 in each of two rows 92 lie on the other contour and 8 are 1 to 8 mm from its
    # corner. Between the corners are 98 in each of two columns: of the outer one all are 8 mm from the other square's
    # column, those of the inner one, too, or nearer to its rows.
    inner = np.minimum(8, np.minimum(np.arange(1, 99), np.arange(98, 0, -1)))
    distances = [*[0] * 184, *2 * [*range(1, 9)], *[8] * 98, *inner]
    assert len(distances) == 396
    pair = compare_shapes(reference[:2], prediction[:2], np.diag((5.0, 1.0, 1.0)))
    for c in (single, pair, slab):
        assert c.hd95_mm == pytest.approx(8.0)
        assert c.surface_dice_2mm == pytest.approx(np.mean(np.array(distances) <= 2))
        assert c.mean_surface_distance_mm == pytest.approx(np.mean(distances))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("flipped", [False, True])
def test_the_end_of_a_mask_that_stops_short_of_a_cut_is_measured_to_the_cut(axis: int, flipped: bool) -> None:
    """A square rod of 30 x 30 mm that the scan cuts, and the same without its last two layers of 2 mm, by hand."""
    reference = np.zeros((8, 40, 40), bool)
    reference[:6, 5:35, 5:35] = True
    prediction = reference.copy()
    prediction[:2] = False
    if flipped:
        reference, prediction = reference[::-1], prediction[::-1]
    masks = [np.moveaxis(mask, 0, axis) for mask in (reference, prediction)]
    steps = np.diag(np.insert([1.0, 1.0], axis, 2.0))
    # Of the 6 layers of the reference the contours of 116 voxels count, and the inner 28 x 28 of the one at its end.
    there = np.array([*[4] * 116, *[2] * 116, *[0] * (4 * 116 + 784)])
    to_wall = np.minimum(np.arange(1, 29), np.arange(28, 0, -1))
    to_cut_or_wall = np.minimum(4, np.minimum(to_wall[:, None], to_wall[None, :])).ravel()
    back = np.array([*to_cut_or_wall, *[0] * (4 * 116 + 784)])
    both = np.concatenate([there, back])
    for c in (compare_shapes(*masks, steps), compare_shapes(*masks[::-1], steps)):
        assert c.hd95_mm == pytest.approx(np.percentile(back, 95)) == 4
        assert c.mean_surface_distance_mm == pytest.approx(both.mean())
        assert c.surface_dice_2mm == pytest.approx((both <= 2).mean())


def test_the_contour_of_a_single_slice_that_stops_short_of_the_field_of_view_is_measured_to_its_edge() -> None:
    reference = np.zeros((1, 90, 90), bool)
    reference[:, 20:80, :60] = True
    prediction = reference.copy()
    prediction[:, :, :2] = False
    c = compare_shapes(reference, prediction, np.diag((5.0, 1.0, 1.0)))
    assert (c.surface_dice_2mm, c.hd95_mm) == (1.0, 2.0)


def test_a_contour_beside_a_cut_is_not_measured_to_it() -> None:
    reference = np.zeros((3, 90, 90), bool)
    reference[:, 20:80, 20:80] = True
    prediction = np.zeros_like(reference)
    prediction[:, 30:70, 30:70] = True
    c = compare_shapes(reference, prediction, np.diag((5.0, 1.0, 1.0)))
    assert c.surface_dice_2mm == 0.0
    assert c.mean_surface_distance_mm >= 10.0


def test_surface_dice_counts_voxels_and_depends_on_the_thickness_of_slices_as_the_page_of_metrics_says() -> None:
    y, x = np.mgrid[:80, :80]
    disc = (y - 40) ** 2 + (x - 40) ** 2 <= 30**2
    found = []
    for thickness in (5.0, 2.5, 1.0):
        reference = np.zeros((round(120 / thickness), 80, 80), bool)
        reference[round(10 / thickness) : round(110 / thickness)] = disc
        prediction = reference.copy()
        prediction[: round(15 / thickness)] = False
        found.append(compare_shapes(reference, prediction, np.diag((thickness, 1.0, 1.0))).surface_dice_2mm)
    assert found == pytest.approx([0.70, 0.78, 0.87], abs=0.005)


def test_masks_that_fill_the_scan_have_no_surface() -> None:
    full = np.ones((2, 3, 4), bool)
    c = compare_shapes(full, full)
    assert nan_fields(c) == DISTANCES | {"surface_dice_2mm", "false_positive_ratio"}


def test_scattered_masks_agree_with_brute_force() -> None:
    rng = np.random.default_rng(3)
    reference, prediction = rng.random((2, 7, 9, 11)) < 0.3
    reference[1:5, 2:7, 2:8] = True
    prediction[2:6, 2:7, 3:9] = True
    c = compare_shapes(reference, prediction)

    def border(mask: np.ndarray) -> np.ndarray:
        points = []
        padded = np.pad(mask, 1, mode="edge")  # beyond the scan a mask goes on
        for z, y, x in np.argwhere(mask) + 1:
            sides = ((z - 1, y, x), (z + 1, y, x), (z, y - 1, x), (z, y + 1, x), (z, y, x - 1), (z, y, x + 1))
            if not all(padded[side] for side in sides):
                points.append((5.0 * z, 2.0 * y, 1.0 * x))
        return np.array(points)

    distances = np.linalg.norm(border(reference)[:, None] - border(prediction)[None], axis=2)
    there, back = distances.min(axis=1), distances.min(axis=0)
    both = np.concatenate([there, back])
    overlap = sum(bool(r and p) for r, p in zip(reference.flat, prediction.flat, strict=True))
    assert c.dice == pytest.approx(2 * overlap / (reference.sum() + prediction.sum()))
    assert c.hd95_mm == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)))
    assert c.mean_surface_distance_mm == pytest.approx(both.mean())
    assert c.surface_dice_2mm == pytest.approx((both <= 2).mean())


def test_ssim_is_that_of_scikit_image_slice_by_slice() -> None:
    rng = np.random.default_rng(5)
    reference, prediction = np.zeros((2, 3, 20, 30), bool)
    reference[:, 4:16, 5:25] = prediction[:, 4:16, 5:25] = True
    prediction ^= (rng.random(prediction.shape) < 0.1) & reference
    prediction[1, 2:4, 8:12] = True  # beside the box of the reference, in windows of its pixels
    # skimage leaves out the window's radius on all sides, so that it averages over exactly the box.
    box = np.s_[:, 4 - 3 : 16 + 3, 5 - 3 : 25 + 3]
    pairs = zip(reference[box].astype(float), prediction[box].astype(float), strict=True)
    expected = np.mean([structural_similarity(a, b, data_range=1.0) for a, b in pairs])
    assert compare_shapes(reference, prediction).ssim == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("rows", [slice(0, 4), slice(20, 24)], ids=["far", "near"])
def test_a_false_blob_makes_no_metric_better_wherever_it_lies(rows: slice) -> None:
    reference, prediction = np.zeros((2, 6, 40, 40), bool)
    reference[1:5, 24:36, 5:35] = True
    prediction[1:5, 24:36, 6:36] = True  # misses a column and adds one beside the box
    reference[:, 24:30, 18:22] = prediction[:, 24:30, 18:22] = False
    before = compare_shapes(reference, prediction)
    assert before.false_positive_ratio == pytest.approx(48 / (48 + 4 * 6 * 4))
    prediction[0, rows, 10:30] = prediction[2, rows, 10:30] = True
    after = compare_shapes(reference, prediction)
    assert after.false_positive_ratio == pytest.approx(208 / (208 + 4 * 6 * 4))
    assert after.psnr_db == pytest.approx(10 * math.log10(4 * 12 * 30 / (2 * 4 * 12 + 2 * 4 * 20)))
    assert after.psnr_db < before.psnr_db
    assert after.ssim < before.ssim if rows.start == 20 else after.ssim == before.ssim
    assert after.dice < before.dice


def test_the_surroundings_of_the_lungs_change_nothing() -> None:
    reference, prediction, hu = small_pair()
    box = np.s_[0:3, 0:4, 1:7]  # a voxel around both
    whole = compare_masks(reference, prediction, STEPS, hu)
    assert compare_masks(reference[box], prediction[box], STEPS, hu[box]) == whole


def test_lungs_are_compared_together_and_each_side_on_its_own() -> None:
    reference, prediction, _ = small_pair()
    reference_labels = np.where(reference, 1, 0).astype(np.uint8)
    reference_labels[0, 4, 4:] = 2
    prediction_labels = np.where(prediction, 1, 0).astype(np.uint8)
    prediction_labels[0, 4, 4:] = [2, 2, 2, 1]
    compared = compare_lungs(reference_labels, prediction_labels, STEPS, even_hu(reference))
    assert list(compared) == ["lungs", "right lung", "left lung"]
    assert compared["lungs"].dice == pytest.approx(2 * 7 / (9 + 8))
    assert compared["right lung"].dice == pytest.approx(2 * 3 / (5 + 5))
    assert compared["left lung"].dice == pytest.approx(2 * 3 / (4 + 3))


def test_boolean_masks_are_compared_without_sides() -> None:
    reference, prediction, _ = small_pair()
    assert list(compare_lungs(reference, prediction.astype(np.uint8), STEPS, even_hu(reference))) == ["lungs"]


def test_masks_on_different_grids_are_refused() -> None:
    with pytest.raises(InputError, match="6 x 5 x 4 voxels but the reference mask has 3 x 5 x 4"):
        compare_shapes(np.zeros((4, 5, 3), bool), np.zeros((4, 5, 6), bool))


def test_comparisons_reach_table_csv_and_valid_json(tmp_path: Path) -> None:
    labels = np.where(small_pair()[0], 1, 0).astype(np.uint8)
    comparisons = compare_lungs(labels, labels, STEPS, even_hu(labels))  # equal, so PSNR is infinite; no left lung
    write_comparisons(tmp_path / "c.json", comparisons, overwrite=False)
    write_comparisons(tmp_path / "c.csv", comparisons, overwrite=False)
    rows = json.loads((tmp_path / "c.json").read_text())
    assert rows == comparisons_as_json(comparisons)
    assert [row["region"] for row in rows] == ["lungs", "right lung", "left lung"]
    assert (rows[1]["dice"], rows[1]["psnr_db"], rows[2]["dice"], rows[2]["reference_ml"]) == (1, None, None, 0)
    with (tmp_path / "c.csv").open(newline="", encoding="utf-8") as file:
        cells = list(csv.DictReader(file))
    assert list(cells[0]) == ["region", *(metric.key for metric in METRICS)]
    assert (cells[1]["dice"], cells[1]["psnr_db"]) == ("1.0", "")
    lines = comparison_table(comparisons).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert next(line for line in lines if line.startswith("Dice ")).split() == ["Dice", "1.0000", "1.0000", "-"]
    assert next(line for line in lines if line.startswith("95 %")).split()[-4:] == ["(mm)", "0.00", "0.00", "-"]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.key)
def test_the_table_of_a_comparison_writes_each_metric_as_reports_do(metric: Metric) -> None:
    reference, _, _ = small_pair()
    comparison = compare_masks(reference, np.zeros_like(reference), STEPS, even_hu(reference))  # some are not known
    lines = comparison_table({"lungs": comparison}).splitlines()
    line = next(line for line in lines if line.startswith(f"{metric.title_with_unit}  "))
    assert line.split()[-1] == metric.text(getattr(comparison, metric.key))
    assert "nan" not in line


def test_volumes_and_distances_are_those_of_the_voxels_also_where_the_axes_are_not_at_right_angles() -> None:
    sheared = Geometry((6, 6, 4), (10.0, 20.0, 5.0), (7.0, 8.0, 9.0), (1.0, 0.0, 0.6, 0.0, 1.0, 0.0, 0.0, 0.0, 0.8))
    ct = CTVolume.from_array(np.zeros((4, 6, 6), np.int16), sheared, "sheared")
    reference, prediction = np.zeros((2, 4, 6, 6), np.uint8)
    reference[1, 2, 2] = prediction[2, 2, 2] = 1
    both = compare_lungs(reference, prediction, ct.steps_zyx, ct.hu)["lungs"]
    # The next slice lies 4 mm above and 3 mm beside.
    assert both.reference_ml == pytest.approx(10 * 20 * 4 / 1000)
    assert (both.hd95_mm, both.mean_surface_distance_mm) == pytest.approx((5.0, 5.0))
    prediction[:] = np.roll(reference, (1, -1), (0, 2))
    # A step up and one to the right: 3 mm less 10 mm aside.
    assert compare_lungs(reference, prediction, ct.steps_zyx, ct.hu)["lungs"].hd95_mm == pytest.approx(math.hypot(4, 7))
