"""What the summary of a case says of its result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from LungSegResNetLib.jobs.summary_file import is_one_segment, measurements_of, read_summary, slices_to_check_of

ORIGIN = {"scan": "a.nii.gz", "files": "digest", "network": "digest", "smoothing_mm": 0.0, "one_segment": False}


@pytest.mark.parametrize(
    ("told", "is_one"),
    [
        ({}, False),
        ({"made_from": None}, False),
        ({"made_from": ORIGIN}, False),
        ({"made_from": ORIGIN | {"one_segment": True}}, True),
    ],
    ids=str,
)
def test_a_result_is_one_segment_where_its_summary_says_so(tmp_path: Path, told: dict[str, Any], is_one: bool) -> None:
    path = tmp_path / "a.summary.json"
    path.write_text(json.dumps({"status": "done", **told}))
    row = read_summary(path)
    assert row["status"] == "done"
    assert is_one_segment(row) == is_one


SLICE = {"slice": 3, "position": "S 4.0 mm", "score": 0.4, "reason": "uncertain", "point_lps_mm": [1.0, 2.0, 4.0]}


@pytest.mark.parametrize("slices", [None, 5, [{"slice": 3}], [SLICE | {"point_lps_mm": [1.0, 2.0]}], [SLICE, "3"]])
def test_slices_to_check_in_another_form_are_none(tmp_path: Path, slices: Any) -> None:
    path = tmp_path / "a.summary.json"
    for told, expected in ((slices, []), ([SLICE], [SLICE])):
        path.write_text(json.dumps({"status": "done", "slices_to_check": told}))
        assert slices_to_check_of(read_summary(path)) == expected


MEASURED = {"region": "lungs", "volume_ml": 4000.5, "mean_hu": None}


@pytest.mark.parametrize(
    "rows",
    [None, 5, {}, [5], [{"region": "lungs"}], [MEASURED | {"volume_ml": "4"}], [MEASURED | {"mass_g": 1}, MEASURED]],
    ids=str,
)
def test_measurements_in_another_form_are_none(tmp_path: Path, rows: Any) -> None:
    path = tmp_path / "a.summary.json"
    for told, expected in ((rows, []), ([MEASURED, MEASURED], [MEASURED, MEASURED])):
        path.write_text(json.dumps({"status": "done", "measurements": told}))
        assert measurements_of(read_summary(path)) == expected
