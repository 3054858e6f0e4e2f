"""The ablation table on thoraxes of a few slices: what is trained, and what is only used otherwise."""

from __future__ import annotations

import csv
from pathlib import Path

import ablation
from training_cases import write_data_set

from LungSegResNetTrainingLib.training.settings import RECOMMENDED


def test_the_table_has_a_row_for_each_way_of_training_and_of_use(tmp_path: Path) -> None:
    data_set = write_data_set(tmp_path, {"a": "train", "b": "train", "v": "validation"})
    out = tmp_path / "out"
    command = [str(data_set), str(out), "--steps", "2", "--batch-size", "2", "--slice-shape", "32", "40"]
    command += ["--cache", str(tmp_path / "cache"), "--workers", "0", "--only"]
    assert ablation.main(command) == 0
    with (out / "ablation.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["variant"] for row in rows if row["trained"] == "yes"] == ["recommended"]
    assert [row["variant"] for row in rows if row["trained"] == "no"] == [
        "recommended, used with passes 1",
        "recommended, used with passes 1, 1/2, 1/4",
        "recommended, last weights instead of their average",
        "recommended, mean with the mirrored slice",
    ]
    assert all(row["volumes: cases"] == "1" and row["single slices: cases"] == "0" for row in rows)
    page = (out / "ablation.md").read_text(encoding="utf-8")
    assert "took 2 steps of 2 slices from random weights with seed 0" in page
    assert page.count("n = 1 | - | - |") == len(rows)


def test_each_trained_variant_changes_one_thing() -> None:
    variants = ablation.trained_variants(RECOMMENDED)
    assert variants.pop("recommended") == RECOMMENDED
    paper = variants.pop("preset paper")
    assert (paper.preset, paper.batch_size) == ("paper", RECOMMENDED.batch_size)  # as many slices as the others
    for settings in variants.values():
        before, after = RECOMMENDED.as_json(), settings.as_json()
        assert len([key for key in before if before[key] != after[key]]) == 1
    assert variants["input of 144 x 200"].slice_shape == (144, 200)
    assert variants["input of 288 x 392"].slice_shape == (288, 392)
