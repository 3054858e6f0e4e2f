"""Volumes and densities of the lungs: small arrays worked out by hand, the phantom, empty lungs, the files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from synthetic_thorax import LUNG, Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError, OutputError, UsageError
from LungSegResNetLib.figures.measurements import (
    DENSITY_BANDS,
    QUANTITIES,
    measure_lungs,
    measurements_as_json,
    table_from_json,
    write_measurements,
)


def tiny_ct() -> tuple[CTVolume, np.ndarray]:
    """Two slices of 1 x 5 voxels of 2 ml; right lung five voxels with one in each band, left lung two voxels."""
    hu = np.array([[[-951, -950, -700, -300, 100]], [[-800, -600, 40, 40, 40]]], np.int16)
    image = sitk.GetImageFromArray(hu)
    image.SetSpacing((10.0, 20.0, 10.0))
    mask = np.array([[[1, 1, 1, 1, 1]], [[2, 2, 0, 0, 0]]], np.uint8)
    return CTVolume.from_sitk(image, "tiny"), mask


def test_small_lungs_give_the_numbers_worked_out_by_hand() -> None:
    right, left, both = measure_lungs(*tiny_ct())
    assert (right.region, left.region, both.region) == ("right lung", "left lung", "lungs")
    assert (right.volume_ml, left.volume_ml, both.volume_ml) == pytest.approx((10, 4, 14))
    assert (right.slices, left.slices, both.slices) == (1, 1, 2)
    assert left.mean_hu == pytest.approx(-700)
    assert left.sd_hu == pytest.approx(100)
    assert left.percentiles_hu == pytest.approx((-790, -700, -610))
    assert left.mass_g == pytest.approx(4 * 0.3)
    assert both.mean_hu == pytest.approx((-951 - 950 - 700 - 300 + 100 - 800 - 600) / 7)
    assert both.mass_g == pytest.approx(right.mass_g + left.mass_g)


def test_each_number_stands_under_its_name() -> None:
    _, left, _ = measure_lungs(*tiny_ct())
    assert left.as_row() == pytest.approx(
        {
            "region": "left lung",
            "volume_ml": 4,
            "mean_hu": -700,
            "sd_hu": 100,
            "p5_hu": -790,
            "p50_hu": -700,
            "p95_hu": -610,
            "below_-950_hu_percent": 0,
            "-950_to_-700_hu_percent": 50,
            "-700_to_-300_hu_percent": 50,
            "-300_to_100_hu_percent": 0,
            "above_100_hu_percent": 0,
            "mass_g": 1.2,
            "slices": 1,
        }
    )


def test_a_density_on_an_edge_belongs_to_the_band_above() -> None:
    right, left, both = measure_lungs(*tiny_ct())
    assert right.band_percent == pytest.approx((20, 20, 20, 20, 20))
    assert left.band_percent == pytest.approx((0, 50, 50, 0, 0))
    assert both.band_percent == pytest.approx(tuple(100 * n / 7 for n in (1, 2, 2, 1, 1)))


def test_the_page_of_metrics_names_the_density_bands() -> None:
    page = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert "\n".join(f"| {band.title} | {band.meaning} |" for band in DENSITY_BANDS) in page


def test_bands_cover_every_density_once() -> None:
    assert DENSITY_BANDS[0].low == -np.inf
    assert DENSITY_BANDS[-1].high == np.inf
    assert [b.high for b in DENSITY_BANDS[:-1]] == [b.low for b in DENSITY_BANDS[1:]]


def test_the_phantoms_lungs_have_the_density_they_were_painted_with() -> None:
    scan, truth = Thorax().scan(spacing=(4.0, 4.0, 8.0))
    ct = CTVolume.from_sitk(scan, "phantom")
    mask = sitk.GetArrayFromImage(truth)
    right, left, both = measure_lungs(ct, mask)
    assert right.percentiles_hu[1] == pytest.approx(LUNG, abs=2)
    assert right.volume_ml == pytest.approx((mask == 1).sum() * 4 * 4 * 8 / 1000)
    assert both.volume_ml == pytest.approx(right.volume_ml + left.volume_ml)
    assert sum(both.band_percent) == pytest.approx(100)


def test_a_missing_lung_is_zero_ml_and_null_in_valid_json() -> None:
    ct, mask = tiny_ct()
    mask[mask == 2] = 0
    right, left, both = measure_lungs(ct, mask)
    rows = json.loads(json.dumps(measurements_as_json([right, left, both]), allow_nan=False))
    assert rows[1] == {
        "region": "left lung",
        **dict.fromkeys(("volume_ml", "mass_g", "slices"), 0),
        **dict.fromkeys(("mean_hu", "sd_hu", "p5_hu", "p50_hu", "p95_hu")),
        **{f"{band.key}_percent": None for band in DENSITY_BANDS},
    }
    assert {**rows[2], "region": "right lung"} == rows[0]


def test_the_csv_has_units_in_its_header_and_a_row_per_region(tmp_path: Path) -> None:
    ct, mask = tiny_ct()
    mask[mask == 1] = 0
    write_measurements(tmp_path / "m.csv", measure_lungs(ct, mask), overwrite=False)
    with (tmp_path / "m.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["region"] for row in rows] == ["right lung", "left lung", "lungs"]
    assert list(rows[0])[:3] == ["region", "volume_ml", "mean_hu"]
    assert (rows[0]["volume_ml"], rows[0]["mean_hu"]) == ("0.0", "")
    assert (rows[1]["mean_hu"], rows[1]["-950_to_-700_hu_percent"]) == ("-700.0", "50.0")


def test_the_json_file_holds_the_same_rows(tmp_path: Path) -> None:
    measurements = measure_lungs(*tiny_ct())
    write_measurements(tmp_path / "m.json", measurements, overwrite=False)
    for written, row in zip(
        json.loads((tmp_path / "m.json").read_text()), measurements_as_json(measurements), strict=True
    ):
        assert written == pytest.approx(row)


def test_another_ending_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.csv or \.json"):
        write_measurements(tmp_path / "m.xlsx", measure_lungs(*tiny_ct()), overwrite=False)
    assert not list(tmp_path.iterdir())


def test_a_csv_that_exists_is_kept_unless_overwriting_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("mine")
    measurements = measure_lungs(*tiny_ct())
    with pytest.raises(OutputError, match="exists already"):
        write_measurements(path, measurements, overwrite=False)
    assert path.read_text() == "mine"
    write_measurements(path, measurements, overwrite=True)
    assert path.read_text().startswith("region,volume_ml")


def test_the_table_is_aligned_and_shows_a_dash_for_what_does_not_exist() -> None:
    ct, mask = tiny_ct()
    mask[mask == 2] = 0
    lines = table_from_json(measurements_as_json(measure_lungs(ct, mask))).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == ["right", "lung", "left", "lung", "lungs"]
    assert next(line for line in lines if line.startswith("Volume (ml)")).split()[-3:] == ["10", "0", "10"]
    assert next(line for line in lines if line.startswith("Mean density")).split()[-2] == "-"
    assert next(line for line in lines if line.startswith("Mass (g)")).split()[-3:] == ["4", "0", "4"]


def test_the_table_has_a_row_for_each_column_of_a_file_in_its_order() -> None:
    row = measurements_as_json(measure_lungs(*tiny_ct()))[0]
    assert ["region", *(quantity.key for quantity in QUANTITIES)] == list(row)


def test_a_mask_on_another_grid_is_refused() -> None:
    ct, mask = tiny_ct()
    with pytest.raises(InputError, match="grid of the CT"):
        measure_lungs(ct, mask[:1])
