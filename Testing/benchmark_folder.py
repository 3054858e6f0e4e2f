"""How a folder is segmented fastest on this machine: one case after the other with all cores, or several at a time.

Usage: python Testing/benchmark_folder.py FOLDER [--cases 1 4 16] [--pairs 3] [--slices 60]

FOLDER keeps the phantoms. For each number of cases, whole runs of ``segment-folder`` with ``--processes 1`` and with
one process a core take turns, so that whatever else the machine does meets both alike; the table gives the median of
the pairs' ratios. With 1 case both are the same run, so its ratio shows how much the machine wavers.
Results: ``benchmark_folder.json`` and ``.md`` in FOLDER.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import conftest  # noqa: F401  puts the packages on the path
import SimpleITK as sitk
from synthetic_thorax import Thorax

from LungSegResNetLib.cores import cores

_LUNG_MM = 300.0


def archive(folder: Path, cases: int, slices: int) -> Path:
    """A folder with so many phantoms of 512 x 384 pixels, each with other noise; made once."""
    target = folder / f"{cases}_cases_of_{slices}_slices"
    target.mkdir(parents=True, exist_ok=True)
    for number in range(cases):
        path = target / f"{number:02}.nii.gz"
        if not path.is_file():
            image, _ = Thorax().scan((0.8, 0.8, _LUNG_MM / slices), (409.6, 307.2, _LUNG_MM), seed=number)
            sitk.WriteImage(image, str(path))
    return target


def seconds(cases: Path, processes: int) -> float:
    """Duration of a whole run, from the start of the program to the last file."""
    output = cases.with_name("results")
    shutil.rmtree(output, ignore_errors=True)
    command = ["segment-folder", str(cases), str(output), "--device", "cpu", "--processes", str(processes)]
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "LungSegResNetLib.command_line.main", *command], check=True, stdout=subprocess.DEVNULL
    )
    taken = time.perf_counter() - started
    shutil.rmtree(output)
    return taken


def compare(folder: Path, cases: int, slices: int, processes: int, pairs: int) -> dict[str, float]:
    """Alternating pairs of runs: medians in seconds, and the median of the ratios."""
    scans = archive(folder, cases, slices)
    alone, together = [], []
    for pair in range(pairs):
        for runs, count in ((alone, 1), (together, processes))[:: 1 if pair % 2 == 0 else -1]:
            runs.append(seconds(scans, count))
    ratios = [one / several for one, several in zip(alone, together, strict=True)]
    return {
        "cases": cases,
        "one after the other (s)": round(statistics.median(alone), 2),
        "side by side (s)": round(statistics.median(together), 2),
        "times as fast": round(statistics.median(ratios), 2),
    }


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--slices", type=int, default=60)
    parser.add_argument("--processes", type=int, default=min(4, cores()))
    options = parser.parse_args()
    rows = []
    for cases in options.cases:
        rows.append(compare(options.folder, cases, options.slices, options.processes, options.pairs))
        print(rows[-1], flush=True)
    setting = {"cores": cores(), "slices a case": options.slices, "processes": options.processes}
    (options.folder / "benchmark_folder.json").write_text(json.dumps({**setting, "rows": rows}, indent=2))
    lines = ["| " + " | ".join(rows[0]) + " |", "|---" * len(rows[0]) + "|"]
    lines += ["| " + " | ".join(map(str, row.values())) + " |" for row in rows]
    text = ", ".join(f"{value} {name}" for name, value in setting.items())
    (options.folder / "benchmark_folder.md").write_text(f"{text}\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
