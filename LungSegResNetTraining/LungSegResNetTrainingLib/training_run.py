"""Network, its running average, optimiser and checkpoint of one training run."""

from __future__ import annotations

import io
import json
from pathlib import Path

import torch

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.cpu_memory import keep_freed_memory
from LungSegResNetLib.errors import InputError, ModelError
from LungSegResNetLib.network import HighRes2DNet
from LungSegResNetLib.torch_predictor import place

from .losses import dice_and_cross_entropy, dice_ns
from .mixed_precision import autocast
from .settings import TrainingSettings

_LOSSES = {"dice_ns": dice_ns, "dice_and_cross_entropy": dice_and_cross_entropy}


class TrainingRun:
    """State of a run; goes on where the checkpoint in ``folder`` stopped, if there is one.

    Attributes
    ----------
    step : number of optimiser steps done.
    network, averaged : the network that learns, and the running average of its weights that is used in the end.

    Raises
    ------
    InputError : the folder holds a run with other settings.
    ModelError : the checkpoint is damaged.
    """

    def __init__(self, settings: TrainingSettings, folder: Path, device: str) -> None:
        if device == "cpu":
            keep_freed_memory()
        self.settings, self.folder, self.device = settings, folder, torch.device(device)
        self.checkpoint = folder / "checkpoint.pt"
        torch.manual_seed(settings.seed)
        self.network = place(HighRes2DNet(), self.device)
        self.averaged = place(HighRes2DNet(), self.device)
        self.averaged.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), settings.learning_rate, weight_decay=settings.adam_weight_decay
        )
        self.schedule: torch.optim.lr_scheduler.LRScheduler = (
            torch.optim.lr_scheduler.OneCycleLR(self.optimiser, settings.learning_rate, settings.steps, pct_start=0.15)
            if settings.one_cycle
            else torch.optim.lr_scheduler.ConstantLR(self.optimiser, factor=1.0)
        )
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.is_file():
            self._resume()

    def train_step(self, slices: torch.Tensor, target: torch.Tensor) -> float:
        """One optimiser step with slices (n, 1, h, w) and their classes (n, h, w); returns the loss."""
        self.network.train()
        slices = slices.to(self.device, memory_format=torch.channels_last)
        with autocast(self.device):
            logits = self.network(slices)
        loss = _LOSSES[self.settings.loss](logits.float(), target.to(self.device))
        if not torch.isfinite(loss):
            raise ModelError(
                f"The loss is no longer a number at step {self.step + 1}; start anew with a lower learning rate."
            )
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        self._average()
        return float(loss.detach())

    @torch.no_grad()
    def _average(self) -> None:
        # The average forgets its start quickly at first, so that early validations mean something.
        keep = min(self.settings.averaging, self.step / (self.step + 10.0)) if self.settings.averaging else 0.0
        learned = self.network.state_dict()
        for name, mean in self.averaged.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(learned[name], 1.0 - keep)
            else:
                mean.copy_(learned[name])

    def save_checkpoint(self) -> None:
        """Replace the checkpoint by the present state."""
        state = {
            "step": self.step,
            "settings": json.dumps(self.settings.as_json()),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        # By way of memory, because PyTorch reports a full disk as a RuntimeError without saying so.
        buffer = io.BytesIO()
        torch.save(state, buffer)
        with write_atomically(self.checkpoint, overwrite=True) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    def _resume(self) -> None:
        try:
            state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
            settings = TrainingSettings.from_json(json.loads(state["settings"]))
            if settings == self.settings:
                self.network.load_state_dict(state["network"])
                self.averaged.load_state_dict(state["averaged"])
                self.optimiser.load_state_dict(state["optimiser"])
                self.schedule.load_state_dict(state["schedule"])
                self.step = int(state["step"])
        except Exception as error:  # a broken archive can fail in many ways
            raise ModelError(f"The checkpoint {self.checkpoint} is damaged; move it away to start anew.") from error
        if settings != self.settings:
            raise InputError(
                f"{self.folder} holds a run with other settings; choose another folder or the same settings."
            )
