"""Time and memory on this machine, beside what else a user could install: ``python Testing/benchmark.py FOLDER``.

FOLDER keeps the sample CT and its resampled versions. Each subject runs in a process of its own: *cold* is the whole
process from its start to the written result, *warm* the median of runs with the network loaded. *The same file* is
that of a run that writes one mask, as lungmask does, instead of everything this program writes. Slow subjects get fewer
slices, so compare their times per slice. Peers get random weights, so their rows say nothing but time.
Results: ``benchmark.json``, ``.md`` and ``.png``. Stopped and started again, it goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
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

from LungSegResNetLib.cores import cores
from LungSegResNetLib.network.devices import processor_name

NATIVE = 133
LIMIT_SECONDS = 900
SUBJECT = Path(__file__).with_name("benchmark_subject.py")
LUNGMASK = "lungmask, R231 with random weights, without its clean-up"
PLAIN_NETWORKS = {"monai": "MONAI HighResNet 2D, network only", "highresnet": "highresnet, network only"}


def ours_label(engine: str, precision: str | None) -> str:
    """Name of a row of this project."""
    return f"LungSegResNet, {engine}, {precision or 'chosen'}"


FEW = 60
# Engine, precision, slices; the first is what a user gets, so it is repeated and run on all lengths.
CHOSEN = ("openvino", None)
OTHERS = [
    ("openvino", "bfloat16", NATIVE),
    ("openvino", "float32", FEW),
    ("torch", None, FEW),
    ("torch", "float32", FEW),
]


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
        command = [sys.executable, str(SUBJECT), json.dumps(task)]
        try:
            process = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            return {"failed": f"stopped after {LIMIT_SECONDS} s"}
        if process.returncode != 0:
            lines = process.stderr.strip().splitlines()
            return {"failed": lines[-1] if lines else f"exit code {process.returncode}"}
        answer = json.loads(process.stdout.strip().splitlines()[-1])
        answer["cold_seconds"] = answer.pop("finished") - started
        answers.append(answer)
    result = dict(answers[0])
    result["cold_seconds"] = statistics.median(answer["cold_seconds"] for answer in answers)
    for key in ("warm_seconds", "warm_mask_seconds", "warm_network_seconds"):
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
    from importlib.metadata import PackageNotFoundError, version

    def versions(names: tuple[str, ...]) -> dict[str, str]:
        found = {}
        for name in names:
            with contextlib.suppress(PackageNotFoundError):
                found[name] = version(name)
        return found

    return {
        "processor": processor_name(),
        "cores": cores(),
        "load at start": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        **versions(("openvino", "torch", "numpy", "lungmask", "monai", "highresnet")),
        "date": datetime.date.today().isoformat(),
    }


def planned(options: argparse.Namespace) -> list[tuple[str, int, dict[str, Any], int]]:
    """Label, slices, task and number of processes of each row."""
    rows: list[tuple[str, int, dict[str, Any], int]] = []

    def ours(engine: str, precision: str | None, slices: int, repeats: int) -> None:
        task = {"kind": "ours", "engine": engine, "precision": precision, "device": options.device, "repeats": repeats}
        rows.append((ours_label(engine, precision), slices, task, repeats))

    for slices in options.slices:
        ours(*CHOSEN, slices, options.repeats if slices == NATIVE else 1)
    for engine, precision, slices in OTHERS:
        if slices in options.slices:
            ours(engine, precision, slices, 1)
    if options.peers and NATIVE in options.slices:
        rows.append((LUNGMASK, NATIVE, {"kind": "lungmask"}, 1))
        rows += [(label, NATIVE, {"kind": kind, "sample": options.sample}, 1) for kind, label in PLAIN_NETWORKS.items()]
    return rows


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All measurements; each row is printed and kept when it is there."""
    ct = fetch_sample(options.folder)
    partial = options.out / "benchmark.partial.json"
    report: dict[str, Any] = {"machine": machine(), "operations_per_slice": operations_per_slice(), "rows": []}
    if partial.is_file():
        earlier = json.loads(partial.read_text(encoding="utf-8"))
        changing = ("load at start",)
        if all(earlier["machine"].get(k) == v for k, v in report["machine"].items() if k not in changing):
            report = earlier
    if "peaks" not in report:
        report["peaks"] = measure({"kind": "matrix peak", "sizes": [1024, 2048, 4096], "repeats": 5}, 1).get(
            "peaks", {}
        )
    done = {row["task"] for row in report["rows"] if "failed" not in row}
    report["rows"] = [row for row in report["rows"] if "failed" not in row]
    for label, slices, task, processes in planned(options):
        task = task | {"ct": str(resampled(ct, slices))}
        key = json.dumps([label, task, processes], sort_keys=True)
        if key in done:
            continue
        row = {"subject": label, "slices": slices, "task": key} | measure(task, processes)
        report["rows"].append(row)
        partial.write_text(json.dumps(report), encoding="utf-8")
        print(f"{label}, {row['slices']} slices: {row.get('failed') or format(row['cold_seconds'], '.1f')}", flush=True)
    return report


def derived(report: dict[str, Any]) -> None:
    """Add times per slice, ratios and the share of the matrix peak to the rows; and how the cost grows with slices."""
    rows = [row for row in report["rows"] if "failed" not in row]
    peer = next((row for row in rows if row["subject"] == LUNGMASK), None)
    peaks = report["peaks"]
    for row in rows:
        row["warm_seconds_per_slice"] = row["warm_seconds"] / row["slices"]
        # Only on the same scan: of thin slices some are interpolated here, and lungmask was not given those.
        if peer and row["subject"].startswith("LungSegResNet") and row["slices"] == peer["slices"]:
            row["times_faster_than_lungmask_cold"] = peer["cold_seconds"] / row["cold_seconds"]
            row["times_faster_than_lungmask_warm"] = peer["warm_seconds"] / row["warm_seconds"]
            row["times_faster_than_lungmask_same_file"] = peer["warm_seconds"] / row["warm_mask_seconds"]
        if "warm_network_seconds" in row:
            row["network_seconds_per_slice"] = row["warm_network_seconds"] / row["slices"]
            if "full_slice_seconds" in row:
                rate = report["operations_per_slice"] / row["full_slice_seconds"] / 1e9
                row["share_of_matrix_peak"] = rate / peaks[row["precision"]] if row["precision"] in peaks else None
                row["share_of_bfloat16_peak"] = rate / peaks["bfloat16"] if "bfloat16" in peaks else None
    cost = {row["slices"]: row["warm_seconds_per_slice"] for row in rows if row["subject"] == ours_label(*CHOSEN)}
    if {300, 1000} <= cost.keys():
        report["cost_of_a_slice_of_1000_over_300"] = cost[1000] / cost[300]


_COLUMNS = {
    "cold, s": ("cold_seconds", "{:.2f}"),
    "warm, s": ("warm_seconds", "{:.2f}"),
    "warm, the same file as lungmask, s": ("warm_mask_seconds", "{:.2f}"),
    "warm, s per slice": ("warm_seconds_per_slice", "{:.4f}"),
    "network, s per slice": ("network_seconds_per_slice", "{:.4f}"),
    "network, s for a slice with every pass": ("full_slice_seconds", "{:.4f}"),
    "share of matrix peak": ("share_of_matrix_peak", "{:.0%}"),
    "of that in bfloat16": ("share_of_bfloat16_peak", "{:.0%}"),
    "peak memory, MiB": ("peak_mib", "{:.0f}"),
    "faster than lungmask, cold": ("times_faster_than_lungmask_cold", "{:.1f} x"),
    "faster than lungmask, warm": ("times_faster_than_lungmask_warm", "{:.1f} x"),
    "the same file": ("times_faster_than_lungmask_same_file", "{:.1f} x"),
}


def markdown(report: dict[str, Any]) -> str:
    """The report as a page with two tables."""
    lines = ["# Benchmark", "", *(f"- {key}: {value}" for key, value in report["machine"].items())]
    lines += [f"- matrix peak, {name}: {value:.0f} giga-operations/s" for name, value in report["peaks"].items()]
    lines += [f"- one slice: {report['operations_per_slice'] / 1e9:.1f} giga-operations", f"- {CREDIT}"]
    if growth := report.get("cost_of_a_slice_of_1000_over_300"):
        lines.append(f"- a slice of 1,000 costs {growth:.2f} times as much as one of 300")
    lines.append("")
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
    """Bars of the time per slice with the network loaded, fastest first; no picture where nothing was measured."""
    rows = sorted((r for r in report["rows"] if "failed" not in r), key=lambda row: row["warm_seconds_per_slice"])
    if not rows:
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(11, 0.4 * len(rows) + 1.2), layout="constrained")
    colours = ["#0b7a75" if row["subject"].startswith("LungSegResNet") else "#6c757d" for row in rows]
    bars = axes.barh(range(len(rows)), [1000 * row["warm_seconds_per_slice"] for row in rows], color=colours)
    axes.bar_label(bars, fmt="%.0f ms", padding=3)
    axes.set_yticks(
        range(len(rows)), [f"{row['subject']} ({row['precision']}), {row['slices']} slices" for row in rows]
    )
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("milliseconds a slice, network loaded (less is better)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description="Time and memory on this machine.")
    parser.add_argument("folder", type=Path, help="where the sample CT is kept")
    parser.add_argument("--out", type=Path, default=Path("out/benchmark"))
    parser.add_argument("--slices", type=int, nargs="+", default=[NATIVE, 60, 300, 1000])
    parser.add_argument("--repeats", type=int, default=3, help="processes and warm runs of the main row (default: 3)")
    parser.add_argument("--sample", type=int, default=16, help="slices given to networks of other packages")
    parser.add_argument("--device", choices=("auto", "cpu"), default="cpu")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="leave other packages out")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    report = run(options)
    derived(report)
    (options.out / "benchmark.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    text = markdown(report)
    (options.out / "benchmark.md").write_text(text, encoding="utf-8")
    draw(report, options.out / "benchmark.png")
    (options.out / "benchmark.partial.json").unlink(missing_ok=True)
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
