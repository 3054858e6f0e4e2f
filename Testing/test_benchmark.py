"""What the benchmark works out from measured times."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import benchmark_folder
import pytest
from benchmark import LUNGMASK, derived


def row(subject: str, slices: int, cold: float, warm: float, **further: Any) -> dict[str, Any]:
    return {"subject": subject, "slices": slices, "cold_seconds": cold, "warm_seconds": warm, **further}


def test_ratios_to_lungmask_are_those_of_the_same_scan() -> None:
    ours = "LungSegResNet, openvino, chosen"
    rows = [row(ours, 133, 8.0, 5.0, warm_mask_seconds=4.0), row(ours, 300, 12.0, 9.0), row(LUNGMASK, 133, 100.0, 90.0)]
    derived({"rows": rows, "peaks": {}})
    assert rows[0]["times_faster_than_lungmask_cold"] == 100.0 / 8.0
    assert rows[0]["times_faster_than_lungmask_warm"] == 90.0 / 5.0
    assert rows[0]["times_faster_than_lungmask_same_file"] == 90.0 / 4.0
    assert not any("lungmask" in key for key in rows[1])
    assert rows[1]["warm_seconds_per_slice"] == 9.0 / 300


def test_the_share_of_the_peak_is_that_of_a_slice_with_every_pass() -> None:
    measured = row("LungSegResNet", 10, 1.0, 0.8, warm_network_seconds=0.5, full_slice_seconds=0.04, precision="int8")
    report = {"rows": [measured], "peaks": {"int8": 2000.0, "bfloat16": 1000.0}, "operations_per_slice": 40e9}
    derived(report)
    assert measured["network_seconds_per_slice"] == 0.05
    assert measured["share_of_matrix_peak"] == pytest.approx(0.5)
    assert measured["share_of_bfloat16_peak"] == pytest.approx(1.0)


def test_a_folder_is_measured_with_as_many_processes_as_the_program_starts_in_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("LungSegResNetLib.cores._of_quotas", lambda: 1)
    monkeypatch.setattr("LungSegResNetLib.cores._of_process", lambda: 64)
    monkeypatch.setattr(benchmark_folder, "compare", lambda *arguments: {"cases": arguments[1]})
    monkeypatch.setattr(sys, "argv", ["benchmark_folder.py", str(tmp_path)])
    benchmark_folder.main()
    told = json.loads((tmp_path / "benchmark_folder.json").read_text())
    assert told["processes"] == 1
    assert told["cores"] == 1
