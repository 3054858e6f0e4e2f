"""How fast slices are prepared and trained on, each alone, and how near that is to the processor's peak."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import torch
from torch import nn

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetLib.wording import counted

from ..slices.slice_cache import CachedCase
from .mixed_precision import autocast, fastest_precision
from .parallel import Processes
from .settings import TrainingSettings
from .slice_loading import slice_loader
from .start_network import StartNetwork
from .training_run import TrainingRun

_WARM_UP = 2
_LOADING_BATCHES = 12
_TRAINING_STEPS = 5
_PRODUCTS = 3
# Matrices large enough that a product is limited by arithmetic, not by memory.
_MATRIX_SIZE = {"cpu": 2048}
_MATRIX_SIZE_ELSEWHERE = 8192


@dataclass(frozen=True)
class PassSpeed:
    """Training with one choice of passes.

    Attributes
    ----------
    name : which passes, in words.
    slices_per_second : forward, backward and optimiser together.
    gmac_per_slice : 1e9 multiplications with addition of the convolutions of one slice: forward and, of passes that
        learn, both gradients, of inputs and of weights, each of which costs as much.
    """

    name: str
    slices_per_second: float
    gmac_per_slice: float

    @property
    def gflops(self) -> float:
        """GFLOP/s: a multiplication with addition counts as two."""
        return self.slices_per_second * 2 * self.gmac_per_slice


@dataclass(frozen=True)
class Speed:
    """Speed of a machine.

    Attributes
    ----------
    loading : slices per second that ``workers`` processes prepare, without training beside them.
    peak_gflops : measured with a large matrix product in the ``precision`` of training.
    """

    loading: float
    workers: int
    training: tuple[PassSpeed, ...]
    peak_gflops: float
    precision: str

    def text(self) -> str:
        """The figures with their units, a line each."""
        by = counted(self.workers, "worker") if self.workers else "the training process"
        lines = [f"prepared by {by}: {self.loading:.1f} slices/s"]
        lines += [
            f"trained on {one.name}: {one.slices_per_second:.2f} slices/s x 2 x {one.gmac_per_slice:.2f} GMAC = "
            f"{one.gflops:.0f} GFLOP/s, {100 * one.gflops / self.peak_gflops:.0f} % of the peak"
            for one in self.training
        ]
        return "\n".join([*lines, f"peak (matrix product, {self.precision}): {self.peak_gflops:.0f} GFLOP/s"])


def measure_speed(
    cases: Sequence[CachedCase],
    settings: TrainingSettings,
    device: str,
    workers: int,
    start: StartNetwork | None = None,
) -> Speed:
    """Measure loading, training with each of the settings' passes, and the peak; nothing of it is kept.

    Parameters
    ----------
    start : the network that training would begin with.

    Raises
    ------
    InputError : no case has a slice with lung.
    """
    if not any(len(case.lung_slices) for case in cases):
        raise InputError("No case has a slice with lung.")
    settings = replace(settings, steps=max(settings.steps, _WARM_UP + _LOADING_BATCHES))
    loading = _loading(cases, settings, workers)
    with tempfile.TemporaryDirectory() as folder:
        run = TrainingRun(settings, Path(folder), device, start=start)
        training = tuple(_training(run, scales) for scales in _steps_of(settings))
        peak, precision = _peak(run.device)
    return Speed(loading, workers, training, peak, precision)


def _steps_of(settings: TrainingSettings) -> list[tuple[int, ...]]:
    """The passes of each kind of step: all together, or one of them."""
    together = settings.scales_of_a_step
    return [together] if together else [(scale,) for scale in settings.scales]


def _loading(cases: Sequence[CachedCase], settings: TrainingSettings, workers: int) -> float:
    batches = iter(slice_loader(cases, settings, 0, workers, Processes()))
    for _ in islice(batches, _WARM_UP):
        pass
    started = time.monotonic()
    for _ in islice(batches, _LOADING_BATCHES):
        pass
    return settings.batch_size * _LOADING_BATCHES / (time.monotonic() - started)


def _training(run: TrainingRun, scales: tuple[int, ...]) -> PassSpeed:
    """Steps with slices of noise, which take as long as any."""
    settings = run.settings
    shrink = 1 if settings.scales_of_a_step else scales[0]
    slices = torch.rand(settings.batch_size, 1, *(side // shrink for side in settings.slice_shape))
    target = (slices[:, 0] > 0.5).long()
    run.train_step(slices, target)
    started = time.monotonic()
    for _ in range(_TRAINING_STEPS):
        run.train_step(slices, target)
    rate = settings.batch_size * _TRAINING_STEPS / (time.monotonic() - started)
    name = " and ".join(f"1/{scale}" for scale in scales) + " of the size" + (" together" if len(scales) > 1 else "")
    return PassSpeed(name, rate, sum(_gmac(run.network, settings.slice_shape, scale) for scale in scales))


def _gmac(network: HighRes2DNet, slice_shape: tuple[int, int], scale: int) -> float:
    """Every weight of a convolution meets every pixel once, because no layer has a stride; gradients: twice more."""
    one = network.at(scale)
    layers = chain.from_iterable(part.modules() for part in (one.stem, one.blocks, one.head))
    kernels = [layer.weight for layer in layers if isinstance(layer, nn.Conv2d)]
    weights = sum(kernel.numel() * (3 if kernel.requires_grad else 1) for kernel in kernels)
    return weights * (slice_shape[0] // scale) * (slice_shape[1] // scale) / 1e9


def _peak(device: torch.device) -> tuple[float, str]:
    """GFLOP/s of the best of a few large matrix products, and the number format training computes them in."""
    size = _MATRIX_SIZE.get(device.type, _MATRIX_SIZE_ELSEWHERE)
    left, right = torch.rand(2, size, size, device=device)
    with autocast(device, fastest_precision(device)):
        precision = torch.mm(left[:8, :8], right[:8, :8]).dtype
    left, right = left.to(precision), right.to(precision)
    seconds = []
    for _ in range(1 + _PRODUCTS):
        started = time.monotonic()
        float(torch.mm(left, right)[0, 0])  # reading a value waits for the device
        seconds.append(time.monotonic() - started)
    return 2 * size**3 / min(seconds[1:]) / 1e9, str(precision).removeprefix("torch.")
