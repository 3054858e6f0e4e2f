"""Time from a volume in memory to its mask, by stage: ``python Testing/benchmark_in_memory.py FOLDER --device cuda``.

FOLDER keeps the sample CT and its version with so many slices. The network is loaded before; the first run is told
apart, because a graphics card then makes its kernels ready. Stages overlap: together they take longer than the run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import conftest  # noqa: F401  puts the packages on the path
from benchmark import machine, resampled
from fetch_sample import fetch_sample

from LungSegResNetLib.files.reading import read_ct
from LungSegResNetLib.lungs.segmentation import Segmentation, segment
from LungSegResNetLib.network.engines import EngineSettings, load_engine


def measure(ct_file: Path, device: str, engine: str, repeats: int) -> dict[str, Any]:
    """Seconds of the first run, and median seconds of those after it and of their stages."""
    ct, _ = read_ct(ct_file)
    loaded = load_engine(EngineSettings(engine, device))
    runs: list[tuple[float, Segmentation]] = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        result = segment(ct, loaded.predictor)
        runs.append((time.perf_counter() - started, result))
    warm = runs[1:]
    return {
        "why": loaded.reason,
        "precision": runs[0][1].precision,
        "slices": len(ct.hu),
        "first_seconds": runs[0][0],
        "warm_seconds": statistics.median(seconds for seconds, _ in warm),
        "stages": {
            stage: statistics.median(run.seconds[stage] for _, run in warm) for stage in sorted(runs[0][1].seconds)
        },
    }


def main() -> int:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description="Time from a volume in memory to its mask, by stage.")
    parser.add_argument("folder", type=Path, help="where the sample CT is kept")
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "mps", "gpu", "cpu"))
    parser.add_argument("--engine", default="auto", choices=("auto", "openvino", "torch"))
    parser.add_argument("--repeats", type=int, default=5, help="runs after the first")
    options = parser.parse_args()
    ct = resampled(fetch_sample(options.folder), options.slices)
    print(json.dumps(machine() | measure(ct, options.device, options.engine, options.repeats), indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
