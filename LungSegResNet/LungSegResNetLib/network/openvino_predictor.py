"""Runs a network with OpenVINO, without PyTorch: network slices in, lung probabilities out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import DeviceError, ModelError
from .folding import fold
from .model_file import load_model
from .openvino_graph import build_graph
from .openvino_library import openvino as ov
from .openvino_precision import device_precision, float_hint

_DEVICES = {"cpu": "CPU", "gpu": "GPU"}


class OpenVinoPredictor:
    """A loaded network on the processor or on Intel graphics; ``predict`` may be called for any number of scans.

    Several slices run side by side, each on a share of the cores: that spares the waiting that splitting every
    slice between all cores costs.

    Parameters
    ----------
    model_path : network file.
    device : ``cpu`` or ``gpu`` (Intel graphics).
    batch_size : slices per pass.
    precision : ``int8``, ``bfloat16``, ``float16`` or ``float32``; None is the fastest that the device computes
        with the mask unchanged.
    threads : cores of the processor to use; None is all of them.

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
    ) -> None:
        self.card, weights = load_model(model_path)
        try:
            network = fold(self.card.config, weights)
        except ValueError as error:
            raise ModelError(
                f"The weights in {Path(model_path).name} do not fit the network its metadata describe ({error})."
            ) from error
        self.batch_size = batch_size
        core = ov.Core()
        # Graphics processors are numbered (GPU.0, GPU.1) where there are several.
        if _DEVICES[device] not in {name.partition(".")[0] for name in core.available_devices}:
            raise DeviceError("OpenVINO finds no Intel graphics processor here; choose --device cpu or auto.")
        self.precision = precision or device_precision(core, _DEVICES[device])
        settings: dict[str, str | int] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": float_hint(core, _DEVICES[device], self.precision),
        }
        if device == "cpu":
            # Several processes on one machine would pin their threads to the same few cores.
            settings["ENABLE_CPU_PINNING"] = "NO"
            if threads:
                settings["INFERENCE_NUM_THREADS"] = threads
        try:
            graph = build_graph(
                network, (batch_size, *self.card.slice_shape), self.card.scales, self.precision == "int8"
            )
            compiled = core.compile_model(graph, _DEVICES[device], settings)
            count = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
            self._requests = [compiled.create_infer_request() for _ in range(count)]
        except RuntimeError as error:
            raise _device_error(error) from error

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None] = lambda done: None) -> np.ndarray:
        """Lung probability (n, h, w), float32, of scaled slices (n, h, w), float32, h x w as the card says.

        ``on_slices_done`` gets the number of finished slices after each batch; what it raises ends the run.

        Raises
        ------
        DeviceError : OpenVINO fails, as a rule for lack of memory.
        """
        probability = np.empty(slices.shape, np.float32)
        starts = list(range(0, len(slices), self.batch_size))
        lanes = len(self._requests)
        try:
            for turn in range(len(starts)):
                # Fill all lanes first, then start the next batch in the lane that has been collected.
                first, last = (0, min(lanes, len(starts))) if turn == 0 else (turn + lanes - 1, turn + lanes)
                for upcoming in range(first, min(last, len(starts))):
                    batch = self._padded(slices[starts[upcoming] : starts[upcoming] + self.batch_size])
                    self._requests[upcoming % lanes].start_async({0: batch})
                request = self._requests[turn % lanes]
                request.wait()
                start, end = starts[turn], min(starts[turn] + self.batch_size, len(slices))
                probability[start:end] = request.get_output_tensor().data[: end - start]
                on_slices_done(end)
        except RuntimeError as error:
            raise _device_error(error) from error
        finally:
            self._stop()
        return probability

    def _padded(self, slices: np.ndarray) -> np.ndarray:
        """Batch (batch_size, 1, h, w); the graph's size is fixed, so empty slices fill up the last one."""
        missing = self.batch_size - len(slices)
        return np.pad(slices, ((0, missing), (0, 0), (0, 0)))[:, None] if missing else slices[:, None]

    def _stop(self) -> None:
        """Give up what is still running, so that the next call finds all lanes free."""
        for request in self._requests:
            request.cancel()
        for request in self._requests:
            try:
                request.wait()
            except RuntimeError:
                continue  # a cancelled request says so by raising


def _device_error(error: RuntimeError) -> DeviceError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[-1] if lines else type(error).__name__
    return DeviceError(f"OpenVINO could not run the network ({reason}); close other programs or choose --engine torch.")
