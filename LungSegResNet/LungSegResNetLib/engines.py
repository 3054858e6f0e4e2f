"""Loads a network with the best engine that is installed."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .devices import choose_device
from .errors import DeviceError
from .model_file import default_model_path
from .segmentation import Predictor

ENGINES = ("auto", "torch", "openvino")


@dataclass(frozen=True)
class EngineSettings:
    """What the user asked for; ``model`` None is the shipped network, ``batch_size`` None what suits the device."""

    engine: str = "auto"
    device: str = "auto"
    model: str | os.PathLike[str] | None = None
    batch_size: int | None = None


@dataclass(frozen=True)
class LoadedEngine:
    """A predictor that is ready to run, with the device and the reason for the choice in plain words."""

    predictor: Predictor
    device: str
    reason: str


def load_engine(settings: EngineSettings) -> LoadedEngine:
    """Load the network.

    Raises
    ------
    ModelError : the network file cannot be used.
    DeviceError : the engine or device asked for is not there.
    """
    if settings.engine == "openvino":
        raise DeviceError("The OpenVINO engine is not part of this version; choose --engine torch or auto.")
    choice = choose_device(settings.device)
    from .torch_predictor import TorchPredictor

    batch_size = settings.batch_size or (4 if choice.device == "cpu" else 16)
    predictor = TorchPredictor(settings.model or default_model_path(), choice.device, batch_size)
    return LoadedEngine(predictor, choice.device, f"PyTorch on {choice.device}: {choice.reason}")
