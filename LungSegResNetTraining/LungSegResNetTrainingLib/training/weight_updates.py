"""How the weights of a run follow their gradients: optimiser and learning rate."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from LungSegResNetLib.errors import DeviceError

from ..choices import MUON
from .mixed_precision import fastest_precision
from .settings import (
    BETA1,
    BETA2,
    FIRST_DIVISOR,
    LAST_DIVISOR,
    ONE_CYCLE_BETA1,
    RISING_SHARE,
    TrainingSettings,
)


class WeightUpdates:
    """Updates all weights of ``trained`` (a ``HighRes2DNet``) by Adam, or the kernels of its residual blocks by Muon.

    Muon (Jordan et al. 2024) makes the running mean of a kernel's gradients, as a matrix (out, in * 9), nearly
    orthogonal, so that directions with small gradients change as much as those with large ones. Its steps are scaled
    to be as large as Adam's (Liu et al. 2025, arXiv 2502.16982): both have the same learning rate.

    Attributes
    ----------
    kernels : those that are updated by Muon.

    Raises
    ------
    DeviceError : this PyTorch is too old for Muon.
    """

    def __init__(self, trained: nn.Module, settings: TrainingSettings) -> None:
        refuse_old_pytorch(settings)
        self._trained = trained
        self.kernels = _kernels_of_blocks(trained) if settings.optimiser == MUON else []
        kernels = set(self.kernels)
        others = [tensor for tensor in trained.parameters() if tensor not in kernels]
        betas, decay = (BETA1, BETA2), settings.adam_weight_decay
        self._optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Adam(others, settings.learning_rate, betas=betas, weight_decay=decay)
        ]
        # PyTorch's Muon takes matrices only. Copies, because kernels lie in memory in an order of the device.
        self._matrices = [
            nn.Parameter(kernel.detach().flatten(1).clone().to(device_of_muon(kernel.device)))
            for kernel in self.kernels
        ]
        if self._matrices:
            self._optimisers.append(_muon(self._matrices, settings.learning_rate))
        self._schedules = [_schedule(optimiser, settings) for optimiser in self._optimisers]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        self._trained.zero_grad()

    @torch.no_grad()
    def step(self) -> None:
        """Change the weights by their gradients, and the learning rate by its schedule."""
        for kernel, matrix in zip(self.kernels, self._matrices, strict=True):
            matrix.copy_(kernel.flatten(1))
            matrix.grad = None if kernel.grad is None else kernel.grad.flatten(1).to(matrix.device)
        for optimiser, schedule in zip(self._optimisers, self._schedules, strict=True):
            optimiser.step()
            schedule.step()
        for kernel, matrix in zip(self.kernels, self._matrices, strict=True):
            kernel.copy_(matrix.view_as(kernel))

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on; the weights are not in it."""
        return {
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
            "schedules": [schedule.state_dict() for schedule in self._schedules],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of the same settings."""
        for optimiser, one in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(one)
        for schedule, one in zip(self._schedules, state["schedules"], strict=True):
            schedule.load_state_dict(one)


def refuse_old_pytorch(settings: TrainingSettings) -> None:
    """Raise DeviceError where this PyTorch is too old for the optimiser."""
    if settings.optimiser == MUON and not hasattr(torch.optim, "Muon"):
        raise DeviceError(
            f"The optimiser Muon needs PyTorch 2.9 or newer, not {torch.__version__}; install a newer one, or train "
            "with another preset or --optimiser adam."
        )


def device_of_muon(device: torch.device) -> torch.device:
    """Where Muon works for a network on ``device``: PyTorch's does so in bfloat16, which not all graphics cards can."""
    return device if fastest_precision(device) == "bfloat16" else torch.device("cpu")


def _kernels_of_blocks(network: nn.Module) -> list[nn.Parameter]:
    """Kernels of the residual blocks, also of passes with weights of their own."""
    named = network.named_parameters()
    return [tensor for name, tensor in named if tensor.ndim == 4 and "blocks" in name.split(".")]


def _muon(matrices: list[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    return torch.optim.Muon(matrices, learning_rate, weight_decay=0.0, momentum=BETA1, adjust_lr_fn="match_rms_adamw")


def _schedule(optimiser: torch.optim.Optimizer, settings: TrainingSettings) -> torch.optim.lr_scheduler.LRScheduler:
    if not settings.one_cycle:
        return torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
    return torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        settings.learning_rate,
        settings.steps,
        pct_start=RISING_SHARE,
        anneal_strategy="cos",
        base_momentum=ONE_CYCLE_BETA1[0],
        max_momentum=ONE_CYCLE_BETA1[1],
        div_factor=FIRST_DIVISOR,
        final_div_factor=LAST_DIVISOR,
    )
