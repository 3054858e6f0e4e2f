"""Runs a network with OpenVINO, without PyTorch: network slices in, lung probabilities out."""

from __future__ import annotations

import functools
import os
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ..errors import DeviceError
from .folding import fold
from .model_file import load_model, weights_do_not_fit
from .openvino_lanes import FewLanes
from .openvino_library import openvino as ov
from .openvino_passes import Lane, Passes
from .openvino_precision import device_precision, float_hint
from .passes import FEW_SLICES, LUNG_IN_VIEW, WHOLE_FRAME, fine_view, lung_probability, split_scales

_DEVICES = {"cpu": "CPU", "gpu": "GPU"}


class OpenVinoPredictor:
    """A loaded network on the processor or on Intel graphics; ``predict`` may be called for any number of scans.

    Several slices run side by side, each on a share of the cores: that spares the waiting that splitting every
    slice between all cores costs. Where the coarser passes see no lung, the finest one is spared; on the processor it
    sees no more of a slice than the lungs and a margin.

    Parameters
    ----------
    model_path : network file.
    device : ``cpu`` or ``gpu`` (Intel graphics).
    batch_size : slices per pass.
    precision : ``int8``, ``bfloat16``, ``float16`` or ``float32``; None is the fastest that the device computes
        with the mask unchanged.
    threads : cores of the processor to use; None is all of them.
    lung_in_view : probability in the coarser passes above which a slice gets the finest one; below 0 all slices do,
        and as a whole.

    Raises
    ------
    ModelError : the network file cannot be used.
    DeviceError : there is no such device, or OpenVINO cannot run the network on it.
    """

    engine = "openvino"

    def __init__(
        self,
        model_path: str | os.PathLike[str],
        device: str = "cpu",
        batch_size: int = 1,
        precision: str | None = None,
        threads: int | None = None,
        lung_in_view: float = LUNG_IN_VIEW,
    ) -> None:
        self.card, weights = load_model(model_path)
        try:
            network = fold(self.card.config, weights)
        except ValueError as error:
            raise weights_do_not_fit(Path(model_path).name, error) from error
        self.batch_size = batch_size
        self._lung_in_view = lung_in_view
        coarse, finest = split_scales(self.card.scales)
        # Graphs for any size are for processors; graphics would compile anew for each.
        self._crops = device == "cpu" and bool(coarse) and finest == 1
        try:
            core = ov.Core()
            _refuse_missing(core, _DEVICES[device])
            self.precision = precision or device_precision(core, _DEVICES[device])
            settings = self._settings(core, device, threads)
            compile_graph = (
                FewLanes(core, settings)
                if device == "cpu"
                else functools.partial(core.compile_model, device_name=_DEVICES[device], config=settings)
            )
            slices = (batch_size, *self.card.slice_shape)
            quantized = self.precision == "int8"
            self._lanes = Passes(compile_graph, network, slices, coarse, finest, quantized, self._crops).lanes
        except RuntimeError as error:
            raise _device_error(error) from error
        self._in_float32: Callable[[], OpenVinoPredictor] | None = None
        if precision is None and self.precision != "float32":
            self._in_float32 = functools.cache(
                lambda: OpenVinoPredictor(model_path, device, batch_size, "float32", threads, lung_in_view)
            )

    def _settings(self, core: ov.Core, device: str, threads: int | None) -> dict[str, str | int]:
        settings: dict[str, str | int] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": float_hint(core, _DEVICES[device], self.precision),
        }
        if device == "cpu":
            # Several processes on one machine would pin their threads to the same few cores.
            settings["ENABLE_CPU_PINNING"] = "NO"
            if threads:
                settings["INFERENCE_NUM_THREADS"] = threads
        return settings

    def for_scan(self, slices: int) -> OpenVinoPredictor:
        """Itself, or for a few slices, unless a precision was asked for, one that works in float32."""
        return self._in_float32() if self._in_float32 and slices <= FEW_SLICES else self

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None] = lambda done: None) -> np.ndarray:
        """Lung probability (n, h, w), float32, of scaled slices (n, h, w), float32, h x w as the card says.

        ``on_slices_done`` gets the number of finished slices after each batch; what it raises ends the run.

        Raises
        ------
        DeviceError : OpenVINO fails, as a rule for lack of memory.
        """
        probability = np.empty(slices.shape, np.float32)
        starts = range(0, len(slices), self.batch_size)
        idle: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        for lane in self._lanes:
            idle.put(lane)

        def work(start: int) -> np.ndarray:
            lane = idle.get()
            try:
                return self._passes(lane, slices[start : start + self.batch_size])
            finally:
                idle.put(lane)

        threads = ThreadPoolExecutor(len(self._lanes))
        try:
            for start, result in zip(starts, threads.map(work, starts), strict=True):
                end = start + len(result)
                probability[start:end] = result
                on_slices_done(end)
        except RuntimeError as error:
            raise _device_error(error) from error
        finally:
            threads.shutdown(cancel_futures=True)
        return probability

    def _passes(self, lane: Lane, slices: np.ndarray) -> np.ndarray:
        """Probability (n, h, w) of at most a batch of slices."""
        batch = self._padded(slices)
        logits = lane.coarse(batch)
        if logits is None:
            return lung_probability(lane.finest(batch)[: len(slices)])
        passes, logits = len(self.card.scales), logits[: len(slices)]
        probability = lung_probability(logits / np.float32(passes - 1))
        seen = probability.max(axis=(1, 2)) > self._lung_in_view
        if seen.any():
            view = fine_view(probability.max(axis=0), self._lung_in_view) if self._crops else WHOLE_FRAME
            box = np.ascontiguousarray(batch[:, :, *view.shown])
            total = logits[:, :, *view.inner] + lane.finest(box, view.unpadded)[: len(slices)]
            probability[seen, *view.inner] = lung_probability(total[seen] / np.float32(passes))
        return probability

    def _padded(self, slices: np.ndarray) -> np.ndarray:
        """Batch (batch_size, 1, h, w); the graph's size is fixed, so empty slices fill up the last one."""
        missing = self.batch_size - len(slices)
        return np.pad(slices, ((0, missing), (0, 0), (0, 0)))[:, None] if missing else slices[:, None]


def _refuse_missing(core: ov.Core, name: str) -> None:
    # Graphics processors are numbered (GPU.0, GPU.1) where there are several.
    if name not in {found.partition(".")[0] for found in core.available_devices}:
        raise DeviceError("OpenVINO finds no Intel GPU here; choose the device auto or cpu.")


def _device_error(error: RuntimeError) -> DeviceError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[-1] if lines else type(error).__name__
    return DeviceError(
        f"OpenVINO could not run the network ({reason}); close other programs or choose the engine PyTorch (torch)."
    )
