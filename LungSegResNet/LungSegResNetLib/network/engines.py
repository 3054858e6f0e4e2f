"""Loads a network with the best engine that is installed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial

from ..cores import limited_cores
from ..errors import DeviceError
from .devices import choose_device, may_have_graphics_card
from .model_file import default_model_path
from .predictor import Predictor

_DEVICES = {  # in words
    "cpu": "the CPU",
    "cuda": "the NVIDIA GPU",
    "mps": "the Apple GPU",
    "gpu": "the Intel GPU",
}


@dataclass(frozen=True)
class EngineSettings:
    """What the user asked for; ``model`` None is the shipped network, ``batch_size`` None what suits the device.

    ``precision`` None is the fastest that the device computes with the mask unchanged. ``threads`` None is all that
    `cores` counts; less where several processes share them.
    """

    engine: str = "auto"
    device: str = "auto"
    model: str | os.PathLike[str] | None = None
    batch_size: int | None = None
    precision: str | None = None
    threads: int | None = None


@dataclass(frozen=True)
class LoadedEngine:
    """A predictor that is ready to run, with the device and the reason for the choice in plain words.

    ``on_processor`` gives what takes its place when a graphics processor fails, loaded when it is first asked for; None
    where it runs on no such thing.
    """

    predictor: Predictor
    device: str
    reason: str
    on_processor: Callable[[], LoadedEngine] | None = None


def load_engine(settings: EngineSettings) -> LoadedEngine:
    """Load the network: PyTorch on a GPU, else OpenVINO, else PyTorch on the CPU.

    PyTorch is not even imported where OpenVINO does the work. With the device ``auto``, the processor takes over from a
    graphics processor that cannot be used, and with the engine ``auto``, PyTorch from an OpenVINO that cannot be; the
    reason says so.

    Raises
    ------
    ModelError : the network file cannot be used.
    DeviceError : the engine or device asked for is not there.
    """
    instead = replace(settings, device="cpu", batch_size=None, precision=None)
    try:
        engine = _load(settings)
    except DeviceError as error:
        if settings.device != "auto":
            raise
        engine = _load(instead)
        return replace(engine, reason=f"{engine.reason}, because of this: {error}")
    if engine.device == "cpu":
        return engine
    return replace(engine, on_processor=cache(partial(load_engine, instead)))


def _load(settings: EngineSettings) -> LoadedEngine:
    if settings.engine == "openvino":
        return _load_openvino(settings, "asked for")
    if settings.engine == "torch":
        return _load_torch(settings)
    if settings.device == "gpu":
        return _load_openvino(settings, "the engine for Intel GPUs")
    has_openvino, has_torch = (importlib.util.find_spec(name) is not None for name in ("openvino", "torch"))
    if not has_openvino and not has_torch:
        raise DeviceError(
            "Neither OpenVINO nor PyTorch is installed; install one with: pip install 'lungsegresnet[openvino]'."
        )
    if has_torch and settings.device == "auto" and may_have_graphics_card() and choose_device().device != "cpu":
        return _load_torch(settings)
    if has_openvino and settings.device in ("auto", "cpu"):
        why = "no GPU for PyTorch found; " if settings.device == "auto" else ""
        try:
            return _load_openvino(settings, f"{why}the fastest engine on a CPU")
        except DeviceError as error:
            if not has_torch:
                raise
            return _load_torch(settings, f"; {error}")
    return _load_torch(settings, "" if has_openvino else "; OpenVINO, which is faster on a CPU, is not installed")


def runs_on_processor(settings: EngineSettings) -> bool:
    """Whether ``load_engine`` would use no graphics processor; found out without loading a network.

    Raises
    ------
    DeviceError : the device asked for is not there.
    """
    if settings.device != "auto":
        return settings.device == "cpu"
    if settings.engine == "openvino" or not may_have_graphics_card() or importlib.util.find_spec("torch") is None:
        return True
    try:
        return choose_device().device == "cpu"
    except DeviceError:  # of a PyTorch that cannot be loaded; ``load_engine`` says what it does without
        return True


def _load_torch(settings: EngineSettings, note: str = "") -> LoadedEngine:
    choice = choose_device(settings.device)
    import torch

    from .torch_predictor import TorchPredictor, fitting_batch_size

    threads = settings.threads or limited_cores()
    if threads and choice.device == "cpu":
        torch.set_num_threads(threads)
    batch_size = settings.batch_size or fitting_batch_size(choice.device)
    predictor = TorchPredictor(
        settings.model or default_model_path(), choice.device, batch_size, precision=settings.precision
    )
    reason = choice.reason + (note if choice.device == "cpu" else "")
    return LoadedEngine(predictor, choice.device, f"PyTorch on {_DEVICES[choice.device]}: {reason}")


def _load_openvino(settings: EngineSettings, reason: str) -> LoadedEngine:
    if importlib.util.find_spec("openvino") is None:
        raise DeviceError("OpenVINO is not installed; install it with: pip install 'lungsegresnet[openvino]'.")
    if settings.device in ("cuda", "mps"):
        raise DeviceError(
            f"OpenVINO cannot use the device {settings.device}; choose the engine PyTorch (torch) or the device cpu."
        )
    try:
        from .openvino_predictor import OpenVinoPredictor
    except (ImportError, OSError) as error:  # a library of its own
        raise DeviceError(f"OpenVINO is installed but cannot be loaded ({error}); install it again.") from error

    device = "gpu" if settings.device == "gpu" else "cpu"
    threads = settings.threads or limited_cores()
    predictor = OpenVinoPredictor(
        settings.model or default_model_path(), device, settings.batch_size or 1, settings.precision, threads
    )
    return LoadedEngine(predictor, device, f"OpenVINO on {_DEVICES[device]}: {reason}")
