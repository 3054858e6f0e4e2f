"""Folder runs with several cases at a time on this machine."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from archives import Record, killer, write_archive

from LungSegResNetLib.jobs import local_run
from LungSegResNetLib.jobs.folder_cases import find_cases
from LungSegResNetLib.jobs.folder_job import run_folder
from LungSegResNetLib.jobs.local_run import LocalRun
from LungSegResNetLib.jobs.mask_options import MaskOptions
from LungSegResNetLib.jobs.reporting import NullReporter
from LungSegResNetLib.network.engines import EngineSettings


def test_a_case_that_ends_its_process_each_time_fails_after_three_and_costs_no_other_case(
    tmp_path: Path, quick_network: Path
) -> None:
    archive, out = write_archive(tmp_path / "in", "ab"), tmp_path / "out"
    record = Record()
    with killer(out, {"b": 99}):
        run = LocalRun(EngineSettings(model=quick_network), 2)
        rows = run_folder(
            find_cases(archive, out), out, run, record, ending=".seg.nrrd", model=quick_network, options=MaskOptions()
        )
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert "begun 3 times" in rows[1]["error"]
    table = list(csv.DictReader((out / "results.csv").open()))
    assert [(row["case"], row["status"]) for row in table] == [("a", "done"), ("b", "failed")]
    assert {record.statuses(case)[-1] for case in "ab"} == {"done", "failed"}
    assert [path.name for path in out.glob("*.seg.nrrd")] == ["a.seg.nrrd"]


def test_a_stopped_run_ends_its_processes_and_leaves_nothing_unfinished(tmp_path: Path) -> None:
    names = "abcdefghijkl"  # more than are done before the end, also on a fast machine
    archive, out = write_archive(tmp_path / "in", names), tmp_path / "out"
    run = subprocess.Popen(
        [sys.executable, "-m", "LungSegResNetLib.command_line.worker"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdin is not None
    assert run.stderr is not None
    command = ["segment-folder", str(archive), str(out), "--processes", "2", "--progress", "json"]
    run.stdin.write(json.dumps(command) + "\n")
    run.stdin.flush()
    for line in run.stderr:
        if '"status": "done"' in line:
            break
    children = psutil.Process(run.pid).children(recursive=True)
    run.stdin.close()
    run.wait(timeout=60)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    statuses = [json.loads(path.read_text())["status"] for path in out.glob("*.summary.json")]
    assert set(statuses) == {"done"}
    assert len(statuses) == len(list(out.glob("*.seg.nrrd"))) < len(names)
    assert not [path for path in out.iterdir() if ".part" in path.name]


@pytest.mark.parametrize(
    ("processes", "cases", "told"), [(2, 3, (2, 4)), (None, 9, (4, 2)), (None, 3, (3, 2)), (16, 12, (12, 1))]
)
def test_processes_side_by_side_share_the_cores_and_are_no_more_than_cases(
    processes: int | None, cases: int, told: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_run, "cores", lambda: 8)
    monkeypatch.setattr(local_run, "_side_by_side", lambda tasks, reporter, settings, count: (count, settings.threads))
    run = LocalRun(EngineSettings(device="cpu"), processes)
    assert run([object()] * cases, NullReporter()) == told  # type: ignore[list-item]


def test_a_graphics_card_serves_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_run, "cores", lambda: 8)
    monkeypatch.setattr(local_run, "runs_on_processor", lambda settings: False)
    monkeypatch.setattr(local_run, "_one_by_one", lambda tasks, reporter, settings: len(tasks))
    assert LocalRun(EngineSettings())([object()] * 9, NullReporter()) == 9  # type: ignore[list-item]
