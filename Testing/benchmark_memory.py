"""Peak memory of ``lungsegresnet-train fit`` with 10 and with 500 synthetic cases: it must not depend on their number.

Usage: python Testing/benchmark_memory.py FOLDER [CASES ...]   (Linux or macOS)
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import conftest  # noqa: F401  puts the packages on the path
import SimpleITK as sitk
from synthetic_thorax import Thorax

_OPTIONS = "--steps 3 --batch-size 2 --slice-shape 64 88 --device cpu --workers 1 --progress none".split()  # noqa: SIM905
_MOST_GROWTH = 1.1


def peak_mb(folder: Path, cases: int) -> float:
    """Highest resident memory (MB) of a short run on so many cases, or of one of its workers if that has more."""
    data = folder / f"data_{cases}"
    data.mkdir(parents=True)
    for number in range(cases):
        scan = Thorax().scan((8.0, 8.0, 20.0), seed=number)
        for image, part in zip(scan, ("ct", "lungs"), strict=True):
            sitk.WriteImage(image, str(data / f"case{number}_{part}.nii"))
    run = folder / f"run_{cases}"
    command = [sys.executable, "-m", "LungSegResNetTrainingLib.command_line.main", "fit", str(data)]
    command += ["--out", str(run), "--cache", str(folder / f"cache_{cases}"), *_OPTIONS]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"The run with {cases} cases failed.")
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return max(usage.ru_maxrss, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / unit


def main(folder: Path, counts: list[int]) -> int:
    """Measure each number of cases and compare the last with the first."""
    peaks = []
    for cases in counts:
        peaks.append(peak_mb(folder, cases))
        print(f"{cases} cases: {peaks[-1]:.0f} MB", flush=True)
        for part in ("data", "run", "cache"):
            shutil.rmtree(folder / f"{part}_{cases}")
    return 0 if peaks[-1] < _MOST_GROWTH * peaks[0] else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [int(text) for text in sys.argv[2:]] or [10, 500]))
