"""Folder runs with several cases at a time on this machine."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import psutil
from archives import Record, killer, write_archive

from LungSegResNetLib.jobs.folder_cases import find_cases
from LungSegResNetLib.jobs.folder_job import run_folder
from LungSegResNetLib.jobs.local_run import LocalRun
from LungSegResNetLib.network.engines import EngineSettings


def test_a_killed_process_costs_no_case(tmp_path: Path) -> None:
    archive, out = write_archive(tmp_path / "in", "abc"), tmp_path / "out"
    record = Record()
    with killer(out, {"b": 1}):
        rows = run_folder(find_cases(archive, out), out, LocalRun(EngineSettings(), 2), record)
    assert [row["status"] for row in rows] == ["done"] * 3
    assert [row["case"] for row in csv.DictReader((out / "results.csv").open())] == ["a", "b", "c"]
    assert sorted(record.statuses(case)[-1] for case in "abc") == ["done"] * 3
    assert len({row["measurements"][0]["volume_ml"] for row in rows}) == 1


def test_a_stopped_run_ends_its_processes_and_leaves_nothing_unfinished(tmp_path: Path) -> None:
    archive, out = write_archive(tmp_path / "in", "abcdef"), tmp_path / "out"
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
    assert len(statuses) == len(list(out.glob("*.seg.nrrd"))) < 6
    assert not [path for path in out.iterdir() if ".part" in path.name]
