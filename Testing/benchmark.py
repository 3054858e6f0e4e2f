"""Time and memory on this machine, beside what else a user could install: ``python Testing/benchmark.py FOLDER``.

FOLDER keeps the sample CT and its resampled versions. Each subject runs in a process of its own: *cold* is the whole
process from its start to the written result, *warm* the median of further runs with the network loaded. Peers get
random weights, so their rows say nothing but time. Results: ``benchmark.json``, ``.md`` and ``.png``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# The folders of tests beside this file bear the names of the packages, so that these have to come first.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "LungSegResNet"))

from fetch_sample import CREDIT, fetch_sample

NATIVE = 133
SUBJECT = Path(__file__).with_name("benchmark_subject.py")
LUNGMASK = "lungmask, R231 with random weights, without its clean-up"
PLAIN_NETWORKS = {"monai": "MONAI HighResNet 2D, network only", "highresnet": "highresnet, network only"}


def ours_label(engine: str, precision: str | None) -> str:
    """Name of a row of this project."""
    return f"LungSegResNet, {engine}, {precision or 'chosen'}"


OURS = [("openvino", None), ("openvino", "bfloat16"), ("openvino", "float32"), ("torch", None), ("torch", "float32")]


def resampled(ct: Path, slices: int) -> Path:
    """The CT with another number of slices over the same length; made once."""
    if slices == NATIVE:
        return ct
    target = ct.with_name(f"benchmark_{slices}_slices.nii.gz")
    if not target.is_file():
        import SimpleITK as sitk

        image = sitk.ReadImage(str(ct))
        size, spacing = list(image.GetSize()), list(image.GetSpacing())
        spacing[2] *= (size[2] - 1) / (slices - 1)
        size[2] = slices
        air = float(sitk.GetArrayViewFromImage(image).min())
        # Interpolated values are rounded: scanners store whole Hounsfield units.
        result = sitk.Resample(
            image,
            size,
            sitk.Transform(),
            sitk.sitkLinear,
            image.GetOrigin(),
            spacing,
            image.GetDirection(),
            air,
        )
        partial = target.with_name(f"part_{target.name}")
        sitk.WriteImage(sitk.Cast(sitk.Round(result), sitk.sitkInt16), str(partial), True)
        partial.replace(target)
    return target


def measure(task: dict[str, Any], processes: int) -> dict[str, Any]:
    """Run a subject in so many fresh processes; medians of what they tell."""
    answers = []
    for _ in range(processes):
        started = time.time()
        process = subprocess.run([sys.executable, str(SUBJECT), json.dumps(task)], capture_output=True, text=True)
        if process.returncode != 0:
            lines = process.stderr.strip().splitlines()
            return {"failed": lines[-1] if lines else f"exit code {process.returncode}"}
        answer = json.loads(process.stdout.strip().splitlines()[-1])
        answer["cold_seconds"] = answer.pop("finished") - started
        answers.append(answer)
    result = dict(answers[0])
    result["cold_seconds"] = statistics.median(answer["cold_seconds"] for answer in answers)
    for key in ("warm_seconds", "warm_network_seconds"):
        values = [value for answer in answers for value in answer.get(key, [])]
        if values:
            result[key] = statistics.median(values)
        else:
            result.pop(key, None)
    return result


def operations_per_slice() -> float:
    """Multiplications and additions of the shipped network for one slice, over all its scales."""
    from LungSegResNetLib.network.folding import fold
    from LungSegResNetLib.network.model_file import default_model_path, load_model

    card, weights = load_model(default_model_path())
    network = fold(card.config, weights)
    kernels = [network.stem[0], *(layer[0] for layer in network.head)]
    kernels += [kernel for block in network.blocks for kernel in (block.kernel1, block.kernel2)]
    pixels = sum(card.slice_shape[0] * card.slice_shape[1] / scale**2 for scale in card.scales)
    return 2.0 * pixels * sum(kernel.size for kernel in kernels)


def machine() -> dict[str, Any]:
    """What the figures hold for."""
    from importlib.metadata import version

    cpu = platform.processor()
    if sys.platform == "linux":
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": cpu,
        "cores": cores,
        "load at start": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("openvino", "torch", "numpy")},
        "date": datetime.date.today().isoformat(),
    }


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All measurements; each row is printed when it is there."""
    ct = fetch_sample(options.folder)
    repeats = options.repeats
    report: dict[str, Any] = {"machine": machine(), "operations_per_slice": operations_per_slice(), "rows": []}
    report["peaks"] = measure({"kind": "matrix peak", "size": 2048, "repeats": repeats}, 1).get("peaks", {})

    def add(label: str, slices: int, task: dict[str, Any], processes: int = 1) -> None:
        row = {"subject": label, "slices": slices} | measure(task | {"repeats": repeats}, processes)
        report["rows"].append(row)
        print(row.get("failed") or f"{label}, {row['slices']} slices: cold {row['cold_seconds']:.1f} s", flush=True)

    for slices in options.slices:
        path = str(resampled(ct, slices))
        for engine, precision in OURS if slices == NATIVE else OURS[:1]:
            task = {"kind": "ours", "ct": path, "engine": engine, "precision": precision, "device": options.device}
            add(ours_label(engine, precision), slices, task, options.repeats)
        if options.peers and slices == NATIVE:
            add(LUNGMASK, slices, {"kind": "lungmask", "ct": path})
            for kind, label in PLAIN_NETWORKS.items():
                add(label, slices, {"kind": kind, "ct": path, "sample": options.sample})
    return report


def derived(report: dict[str, Any]) -> None:
    """Add ratios and the share of the matrix peak to the rows."""
    peer = next((row for row in report["rows"] if row["subject"] == LUNGMASK and "failed" not in row), None)
    for row in report["rows"]:
        if "failed" in row:
            continue
        if peer and row["slices"] == peer["slices"] and row["subject"].startswith("LungSegResNet"):
            row["times_faster_than_lungmask_cold"] = peer["cold_seconds"] / row["cold_seconds"]
            row["times_faster_than_lungmask_warm"] = peer["warm_seconds"] / row["warm_seconds"]
        if "warm_network_seconds" in row:
            row["network_seconds_per_slice"] = row["warm_network_seconds"] / row["slices"]
            peak = report["peaks"].get(row["precision"])
            if peak and "scales" in row:
                rate = report["operations_per_slice"] / row["network_seconds_per_slice"] / 1e9
                row["share_of_matrix_peak"] = rate / peak


_COLUMNS = {
    "cold, s": ("cold_seconds", "{:.2f}"),
    "warm, s": ("warm_seconds", "{:.2f}"),
    "network, s per slice": ("network_seconds_per_slice", "{:.4f}"),
    "share of matrix peak": ("share_of_matrix_peak", "{:.0%}"),
    "peak memory, MiB": ("peak_mib", "{:.0f}"),
    "faster than lungmask, cold": ("times_faster_than_lungmask_cold", "{:.1f} x"),
    "faster than lungmask, warm": ("times_faster_than_lungmask_warm", "{:.1f} x"),
}


def markdown(report: dict[str, Any]) -> str:
    """The report as a page with two tables."""
    lines = ["# Benchmark", "", *(f"- {key}: {value}" for key, value in report["machine"].items())]
    lines += [f"- matrix peak, {name}: {value:.0f} giga-operations/s" for name, value in report["peaks"].items()]
    lines += [f"- one slice: {report['operations_per_slice'] / 1e9:.1f} giga-operations", f"- {CREDIT}", ""]
    lines += [
        f"| | slices | {' | '.join(_COLUMNS)} |",
        f"|---|--:|{'--:|' * len(_COLUMNS)}",
    ]
    for row in report["rows"]:
        if "failed" in row:
            lines.append(f"| {row['subject']} | {row['slices']} | {row['failed']} |{' |' * (len(_COLUMNS) - 1)}")
            continue
        cells = [form.format(row[key]) if row.get(key) is not None else "" for key, form in _COLUMNS.values()]
        lines.append(f"| {row['subject']} ({row['precision']}) | {row['slices']} | " + " | ".join(cells) + " |")
    lines += ["", "Seconds per stage of the first run in a fresh process:", ""]
    for row in report["rows"]:
        stages = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in row.get("seconds", {}).items())
        if stages:
            lines.append(f"- {row['subject']}, {row['slices']} slices: {stages}")
    return "\n".join(lines) + "\n"


def draw(report: dict[str, Any], path: Path) -> None:
    """Bars of cold and warm seconds for the scan as it is; no picture where it was not measured."""
    rows = [row for row in report["rows"] if row["slices"] == NATIVE and "failed" not in row]
    if not rows:
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 0.6 * len(rows) + 1.2), layout="constrained")
    for shift, key, colour, label in (
        (-0.2, "cold_seconds", "#6c757d", "cold"),
        (0.2, "warm_seconds", "#0b7a75", "warm"),
    ):
        values = [row[key] for row in rows]
        bars = axes.barh([place + shift for place in range(len(rows))], values, 0.4, color=colour, label=label)
        axes.bar_label(bars, fmt="%.1f s", padding=3)
    axes.set_yticks(range(len(rows)), [row["subject"] for row in rows])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel(f"seconds for {NATIVE} slices (less is better)")
    axes.legend(loc="upper right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description="Time and memory on this machine.")
    parser.add_argument("folder", type=Path, help="where the sample CT is kept")
    parser.add_argument("--out", type=Path, default=Path("out/benchmark"))
    parser.add_argument("--slices", type=int, nargs="+", default=[NATIVE, 60, 300, 1000])
    parser.add_argument("--repeats", type=int, default=3, help="processes, and warm runs in each (default: 3)")
    parser.add_argument("--sample", type=int, default=NATIVE, help="slices given to networks of other packages")
    parser.add_argument("--device", choices=("auto", "cpu"), default="cpu")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="leave other packages out")
    options = parser.parse_args()
    report = run(options)
    derived(report)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "benchmark.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    text = markdown(report)
    (options.out / "benchmark.md").write_text(text, encoding="utf-8")
    draw(report, options.out / "benchmark.png")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
