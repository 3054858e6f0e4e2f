"""Time from request to mask file, cold and warm, as in Slicer: ``python Testing/benchmark_warm.py FOLDER``.

FOLDER keeps the sample CT, which is given as the uncompressed file that the panel writes. *Cold* is the first run of a
fresh worker, from the start of its process on; *warm* are the runs after it in the same process. Only the mask is
written, as for the panel.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import conftest  # noqa: F401  puts the packages on the path
import SimpleITK as sitk
from benchmark import machine
from fetch_sample import fetch_sample

PACKAGES = Path(__file__).resolve().parents[1] / "LungSegResNet"


class Worker:
    """A process that is given one command after another."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "LungSegResNetLib.command_line.worker"],
            cwd=PACKAGES,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def segment(self, ct: Path, mask: Path, engine: str) -> dict[str, Any]:
        """Segment; returns the summary of the command."""
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        request = ["segment", str(ct), str(mask), "--engine", engine, "--json", "--progress", "json"]
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        for line in self._process.stderr:
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == "end":
                if event["exit_code"] != 0:
                    raise RuntimeError(f"the run failed with exit code {event['exit_code']}")
                return json.loads(event["output"])
        raise RuntimeError("the worker ended unexpectedly")

    def waiting_mib(self) -> float | None:
        """Memory that it holds between two runs; None where the system does not tell in this way."""
        status = Path(f"/proc/{self._process.pid}/status")
        lines = status.read_text().splitlines() if status.is_file() else []
        return next((int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmRSS:")), None)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def measure(ct: Path, engine: str, processes: int, repeats: int) -> dict[str, Any]:
    """Median seconds of cold and of warm runs, of what loading takes in them, and whether all masks are the same."""
    seconds: dict[str, list[float]] = {"cold": [], "warm": []}
    loading: dict[str, list[float]] = {"cold": [], "warm": []}
    masks = set()
    with tempfile.TemporaryDirectory() as folder:
        volume = Path(folder) / "ct.nrrd"
        sitk.WriteImage(sitk.ReadImage(str(ct)), str(volume), False)
        for process in range(processes):
            started = time.perf_counter()
            worker = Worker()
            for run in range(repeats + 1):
                kind = "warm" if run else "cold"
                started = time.perf_counter() if run else started
                mask = Path(folder) / f"{process}_{run}.nrrd"
                summary = worker.segment(volume, mask, engine)
                seconds[kind].append(time.perf_counter() - started)
                loading[kind].append(summary["seconds"]["load network"])
                masks.add(mask.read_bytes())
            waiting = worker.waiting_mib()
            worker.close()
    medians = {kind: statistics.median(values) for kind, values in seconds.items()}
    return {
        "why": summary["why"],
        "slices": summary["slices"],
        "cold_seconds": medians["cold"],
        "warm_seconds": medians["warm"],
        "cold_by_warm": medians["cold"] / medians["warm"],
        "load_network_seconds": {kind: statistics.median(values) for kind, values in loading.items()},
        "waiting_mib": waiting,
        "same_masks": len(masks) == 1,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Time from request to mask file, cold and warm.")
    parser.add_argument("folder", type=Path, help="where the sample CT is kept")
    parser.add_argument("--engine", choices=("auto", "openvino", "torch"), default="auto")
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3, help="warm runs in each process")
    options = parser.parse_args()
    report = machine() | measure(fetch_sample(options.folder), options.engine, options.processes, options.repeats)
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
