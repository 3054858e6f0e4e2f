"""One subject of the benchmark in a process of its own: ``python benchmark_subject.py '{"kind": ..., ...}'``.

Prints one JSON object: ``finished`` (time of day at the first result), ``seconds`` (per stage of the first run),
``warm_seconds`` (each later run; ``warm_mask_seconds`` if only a mask is written), ``peak_mib`` after the first run,
``slices``.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

# The folders of tests beside this file bear the names of the packages, so that these have to come first.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "LungSegResNet"))


_FULL_SLICES = 32


def peak_mib() -> float | None:
    """Largest resident memory of this process so far; None where the system does not tell (Windows)."""
    status = Path("/proc/self/status")
    if status.is_file():
        # On Linux, ``ru_maxrss`` of a new process begins with the memory of the one that started it.
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return int(lines["VmHWM"].split()[0]) / 2**10
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS


def timed_run(run: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result."""
    started = time.perf_counter()
    result = run()
    return time.perf_counter() - started, result


def ours(task: dict[str, Any]) -> dict[str, Any]:
    """What ``lungsegresnet segment`` does, with every output, and again with the network that is loaded."""
    from LungSegResNetLib.jobs.case_job import run_case
    from LungSegResNetLib.jobs.mask_options import MaskOptions
    from LungSegResNetLib.jobs.outputs import Outputs
    from LungSegResNetLib.jobs.reporting import WarningReporter
    from LungSegResNetLib.network.engines import EngineSettings, load_engine
    from LungSegResNetLib.network.model_file import default_model_path

    settings = EngineSettings(task["engine"], task.get("device", "auto"), precision=task.get("precision"))
    load = cache(lambda: load_engine(settings))
    with tempfile.TemporaryDirectory() as folder:
        everything = Outputs.at(Path(folder) / "case")
        mask = Outputs(masks=(Path(folder) / "mask.nii.gz",))

        def case(outputs: Outputs) -> dict[str, float]:
            options = MaskOptions(overwrite=True)
            return run_case(task["ct"], outputs, options, load, WarningReporter())["seconds"]

        first = {"seconds": case(everything), "finished": time.time(), "peak_mib": peak_mib()}
        warm = [timed_run(lambda: case(everything)) for _ in range(task["repeats"])]
        warm_mask = [timed_run(lambda: case(mask))[0] for _ in range(task["repeats"])]
    predictor = load().predictor
    # Whole slices and every pass, which a scan does not need for all.
    whole = type(predictor)(
        default_model_path(), load().device, predictor.batch_size, predictor.precision, lung_in_view=-1.0
    )
    slices = network_slices(task["ct"], _FULL_SLICES, (0.35, 0.65))
    full = min(timed_run(lambda: whole.predict(slices))[0] for _ in range(2))
    return first | {
        "full_slice_seconds": full / len(slices),
        "warm_seconds": [total for total, _ in warm],
        "warm_mask_seconds": warm_mask,
        "warm_network_seconds": [stages["network"] for _, stages in warm],
        "precision": predictor.precision,
        "scales": predictor.card.scales,
    }


def lungmask(task: dict[str, Any]) -> dict[str, Any]:
    """lungmask's own pipeline from file to file, its network R231 with random weights through its own model path.

    Its clean-up of the labels is left out: on the noise that random weights give, its time would say nothing.
    """
    import SimpleITK as sitk
    import torch
    from lungmask.mask import LMInferer
    from lungmask.resunet import UNet

    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.pth"
        torch.manual_seed(0)
        # The architecture that lungmask builds for R231, which has three classes.
        network = UNet(n_classes=3, padding=True, depth=5, up_mode="upsample", batch_norm=True, residual=False)
        torch.save(network.state_dict(), weights)
        load, inferer = timed_run(
            lambda: LMInferer(modelpath=str(weights), force_cpu=True, volume_postprocessing=False, tqdm_disable=True)
        )

        def case() -> dict[str, float]:
            read, image = timed_run(lambda: sitk.ReadImage(task["ct"]))
            segment, mask = timed_run(lambda: inferer.apply(image))
            result = sitk.GetImageFromArray(mask)
            result.CopyInformation(image)
            write, _ = timed_run(lambda: sitk.WriteImage(result, str(Path(folder) / "mask.nii.gz"), True))
            return {"read": read, "segment": segment, "write": write}

        # The run takes minutes, so that its time without loading stands for a warm run.
        warm, seconds = timed_run(case)
        first = {"finished": time.time(), "seconds": {"load network": load} | seconds, "peak_mib": peak_mib()}
    return first | {"warm_seconds": [warm], "precision": "float32"}


def plain_network(task: dict[str, Any]) -> dict[str, Any]:
    """The same architecture from another package as its user would run it: float32, slices as ours."""
    import numpy as np
    import torch

    if task["kind"] == "monai":
        from monai.networks.nets import HighResNet

        network = HighResNet(spatial_dims=2, in_channels=1, out_channels=2)
    else:
        from highresnet import HighRes2DNet

        network = HighRes2DNet(in_channels=1, out_channels=2)
    network.eval()
    slices = torch.from_numpy(network_slices(task["ct"], task["sample"]))

    def case() -> np.ndarray:
        with torch.inference_mode():
            return torch.cat([network(part[:, None]) for part in slices.split(4)]).numpy()

    first, _ = timed_run(case)
    result = {"finished": time.time(), "seconds": {"network": first}, "peak_mib": peak_mib()}
    warm = [timed_run(case)[0]]
    return result | {"warm_seconds": warm, "warm_network_seconds": warm, "precision": "float32", "slices": len(slices)}


def network_slices(path: str, count: int, part: tuple[float, float] = (0.0, 1.0)) -> Any:
    """Slices (count, h, w) of a CT, evenly spread over a part of it, as the network sees them."""
    import numpy as np

    from LungSegResNetLib.files.reading import read_ct
    from LungSegResNetLib.lungs.preprocessing import frame_for, scale_hu, to_frame_matrices
    from LungSegResNetLib.network.architecture import HU_WINDOW, SLICE_SHAPE

    ct, _ = read_ct(path)
    frame = frame_for(ct.hu, ct.spacing_zyx, SLICE_SHAPE)
    rows, columns = to_frame_matrices(frame, ct.hu.shape[1:], ct.spacing_zyx[1:])
    positions = np.linspace(*(share * (len(ct.hu) - 1) for share in part), count).round().astype(int)
    return np.stack([rows @ scale_hu(ct.hu[z], HU_WINDOW) @ columns.T for z in positions])


def matrix_peak(task: dict[str, Any]) -> dict[str, Any]:
    """Giga-operations a second (a multiplication and an addition are two) of large matrix products in PyTorch.

    The best of several sizes, since none suits all processors.
    """
    import torch

    peaks: dict[str, float] = {}
    for name, size in itertools.product(("float32", "bfloat16", "int8"), task["sizes"]):
        if name == "int8":
            first, second = (torch.randint(-9, 9, (size, size), dtype=torch.int8) for _ in range(2))
            multiply = torch._int_mm
        else:
            first, second = (torch.randn(size, size).to(getattr(torch, name)) for _ in range(2))
            multiply = torch.matmul
        try:
            best = min(timed_run(lambda a=first, b=second, f=multiply: f(a, b))[0] for _ in range(task["repeats"]))
        except RuntimeError:
            continue  # this processor or release of PyTorch has no such product
        peaks[name] = max(peaks.get(name, 0.0), 2 * size**3 / best / 1e9)
    return {"finished": time.time(), "peaks": peaks}


SUBJECTS = {
    "ours": ours,
    "lungmask": lungmask,
    "monai": plain_network,
    "highresnet": plain_network,
    "matrix peak": matrix_peak,
}


def main() -> int:
    task = json.loads(sys.argv[1])
    print(json.dumps(SUBJECTS[task["kind"]](task)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
