"""Network, its running average, optimiser and checkpoint of one training run."""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import get_ema_multi_avg_fn

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.cores import limited_cores
from LungSegResNetLib.errors import DeviceError, InputError, ModelError
from LungSegResNetLib.network.cpu_memory import keep_freed_memory
from LungSegResNetLib.network.model_file import card_from_json, card_to_json
from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetLib.network.torch_predictor import (
    build_network,
    is_out_of_memory,
    mean_logits,
    memory_order,
    on_device,
)

from .best_validation import BestValidation
from .losses import dice_and_cross_entropy, dice_ns
from .mixed_precision import autocast, fastest_precision
from .own_pass import with_own_weights
from .parallel import Processes
from .run_files import CHECKPOINT
from .settings import TrainingSettings
from .start_network import StartNetwork
from .weight_updates import WeightUpdates

_LOSSES = {"dice_ns": dice_ns, "dice_and_cross_entropy": dice_and_cross_entropy}


class TrainingRun:
    """State of a run; goes on where the checkpoint in ``folder`` stopped, if there is one.

    Parameters
    ----------
    start : network to begin with when there is no checkpoint; random weights without it.
    slices_at_once : most slices in memory together; a step with more is done in equal parts, whose gradients are added
        up. Batch norm then takes its statistics from each part, and with several processes from those of the first.
    processes : the place of this process among all that train together.
    on_warning : is told when the memory is too small and fewer slices are taken at once.

    Attributes
    ----------
    step : number of optimiser steps done.
    best : the best validation so far.
    network, averaged : the network that learns, and the running average of its weights that is used in the end.
    updates : what changes the weights.
    precision : number format of the convolutions; like the slices at once, unless these are given, the one that the
        run began with.

    Raises
    ------
    InputError : the folder holds a run with other settings.
    ModelError : the checkpoint is damaged, or the start network has another architecture.
    DeviceError : this PyTorch is too old for the optimiser.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        folder: Path,
        device: str,
        *,
        start: StartNetwork | None = None,
        slices_at_once: int | None = None,
        processes: Processes | None = None,
        on_warning: Callable[[str], None] = lambda text: None,
    ) -> None:
        if device == "cpu":
            keep_freed_memory()
            if quota := limited_cores():
                torch.set_num_threads(min(quota, torch.get_num_threads()))
        self.processes = processes or Processes()
        self.settings, self.folder, self.start = settings, folder, start
        self.device = torch.device(self.processes.device(device))
        self._asked_at_once = slices_at_once
        self.slices_at_once = min(slices_at_once or settings.batch_size, settings.batch_size)
        self.precision = self.processes.from_first(fastest_precision(self.device))
        self._on_warning = on_warning
        self.checkpoint = folder / CHECKPOINT
        torch.manual_seed(settings.seed)
        self.network = on_device(self._new_network(start, settings.own_pass), self.device)
        self.averaged = on_device(HighRes2DNet(**self.network.config), self.device)
        self.averaged.load_state_dict(self.network.state_dict())
        trained = self.network.at(settings.own_pass) if settings.own_pass else self.network
        self.network.requires_grad_(False)
        trained.requires_grad_(True)
        self.updates = WeightUpdates(trained, settings)
        self.step = 0
        self.best = BestValidation()
        folder.mkdir(parents=True, exist_ok=True)
        # The first process reads for all, so that machines need no common disk.
        content = self.checkpoint.read_bytes() if self.processes.first and self.checkpoint.is_file() else None
        content = self.processes.from_first(content)
        if content is not None:
            self._resume(content)
        self._learner: nn.Module
        if scales := settings.scales_of_a_step:
            self._learner = _MeanOfPasses(self.network, scales, keeps_statistics=settings.joint)
        else:
            self._learner = _PassOfSize(trained, settings.slice_shape[0])
        if self.processes.count > 1:
            # Of a network whose passes differ in their weights, a step with one pass leaves those of the others alone.
            spares = not settings.joint and len(trained.own) > 0
            self._learner = DistributedDataParallel(self._learner, find_unused_parameters=spares)

    @staticmethod
    def _new_network(start: StartNetwork | None, own_pass: int) -> HighRes2DNet:
        if start is None:
            return HighRes2DNet()
        own_scales = [own_pass] if own_pass else []
        config, weights = with_own_weights(start.card.config, start.weights, own_scales)
        if not weights:
            return HighRes2DNet(**config)
        return build_network(replace(start.card, config=config), weights, start.fingerprint)

    def train_step(self, slices: torch.Tensor, target: torch.Tensor) -> float:
        """One optimiser step with this process' slices (n, 1, h, w) and their classes (n, h, w).

        Returns the mean loss of all slices of the step.

        Raises
        ------
        ModelError : the loss is no longer a number.
        DeviceError : not even one slice fits into the memory, or fewer slices at once are needed by one of several
            processes.
        """
        self._learner.train()
        statistics = [buffer.clone() for buffer in self.network.buffers()]
        while True:
            try:
                loss = self._gradients(slices, target)
                break
            except (RuntimeError, MemoryError) as error:
                if not _lacks_memory(error):
                    raise
                self._take_fewer_slices(len(self._parts(slices)[0]), error)
            for buffer, before in zip(self.network.buffers(), statistics, strict=True):
                buffer.copy_(before)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        loss = self.processes.sum(loss, self.device)
        if not torch.isfinite(torch.tensor(loss)):
            raise ModelError(
                f"The loss is no longer a number at step {self.step + 1}; start again with a lower learning rate."
            )
        self.updates.step()
        # Muon rounds, and not alike on unlike processors.
        self.processes.take_from_first(self.updates.kernels)
        self.step += 1
        self._average()
        return loss

    def _gradients(self, slices: torch.Tensor, target: torch.Tensor) -> float:
        """Gradients of the mean loss over the whole batch, whoever has its slices; returns this process' part of it."""
        self.updates.zero_grad()
        total = 0.0
        # On other devices, a copy that is not waited for may read memory that was given back meanwhile.
        unwaited = self.device.type == "cuda"
        parts = list(zip(self._parts(slices), self._parts(target), strict=True))
        for n, (part, classes) in enumerate(parts, start=1):
            # The gradients of all processes are averaged once, with the last part.
            with self._without_exchange() if n < len(parts) else nullcontext():
                images = part.to(self.device, memory_format=memory_order(self.device), non_blocking=unwaited)
                with autocast(self.device, self.precision):
                    logits = self._learner(images)
                loss = _LOSSES[self.settings.loss](logits.float(), classes.to(self.device, non_blocking=unwaited))
                share = len(images) / self.settings.batch_size
                (loss * (share * self.processes.count)).backward()
                total += float(loss.detach()) * share
        return total

    def _parts(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """A batch in as few parts as the memory allows, of sizes that differ by one at most, the largest first.

        A single slice that is left over would move the statistics of batch norm as far as all slices of another part.
        """
        return batch.tensor_split(math.ceil(len(batch) / self.slices_at_once))

    def _without_exchange(self) -> AbstractContextManager[None]:
        return self._learner.no_sync() if isinstance(self._learner, DistributedDataParallel) else nullcontext()

    def _take_fewer_slices(self, tried: int, error: Exception) -> None:
        if tried == 1:
            raise DeviceError(
                f"The {self.device.type} device has too little free memory to train with a single slice; "
                "close other programs or choose another device."
            ) from error
        fewer = math.ceil(tried / 2)
        if self.processes.count > 1:
            # The others wait for this process' gradients by now; all have to begin the step again.
            raise DeviceError(
                f"There is too little memory for {tried} slices at once; run the same command again with "
                f"--slices-at-once {fewer}."
            ) from error
        self.slices_at_once = fewer
        self._on_warning(
            f"There is too little memory for {tried} slices at once; continuing with {fewer} at once and the same "
            f"{self.settings.batch_size} slices for each step."
        )

    @torch.no_grad()
    def _average(self) -> None:
        # The average forgets its start quickly at first, so that early validations mean something.
        keep = min(self.settings.averaging, self.step / (self.step + 10.0)) if self.settings.averaging else 0.0
        tensors = (self.averaged.state_dict().values(), self.network.state_dict().values())
        means, learned = ([tensor for tensor in state if tensor.is_floating_point()] for state in tensors)
        # All at once: a graphics card would wait for the processor to ask for one after the other.
        get_ema_multi_avg_fn(keep)(means, learned, self.step)

    def save_checkpoint(self) -> None:
        """Replace the checkpoint by the present state."""
        state = {
            "step": self.step,
            "settings": json.dumps(self.settings.as_json()),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "updates": self.updates.state_dict(),
            "best": (self.best.dice, self.best.since),
            "device": self.device.type,
            "precision": self.precision,
            "slices_at_once": self.slices_at_once,
            "start": None if self.start is None else (self.start.fingerprint, card_to_json(self.start.card)),
        }
        # By way of memory, because PyTorch reports a full disk as a RuntimeError without saying so.
        buffer = io.BytesIO()
        torch.save(state, buffer)
        with write_atomically(self.checkpoint, overwrite=True) as temporary, temporary.open("wb") as file:
            file.write(buffer.getbuffer())
            # Else a power failure could leave an empty file in the place of the checkpoint before.
            file.flush()
            os.fsync(file.fileno())

    def _resume(self, content: bytes) -> None:
        with _damage_told(self.checkpoint):
            state = torch.load(io.BytesIO(content), map_location=self.device, weights_only=True)
            differing = self.settings.differing(TrainingSettings.from_json(json.loads(state["settings"])))
            if not differing and "optimiser" not in state:
                self.network.load_state_dict(state["network"])
                self.averaged.load_state_dict(state["averaged"])
                self.updates.load_state_dict(state["updates"])
                self.step = int(state["step"])
                self.best = BestValidation(*state["best"])
                self._go_on_as_before(state)
        if "optimiser" in state and state["step"]:
            raise InputError(f"{self.folder} holds a run that an earlier version began; choose another folder.")
        if differing and state["step"]:
            raise InputError(
                f"{self.folder} holds a run with other settings ({', '.join(differing)}); choose another folder or the "
                "same settings."
            )

    def _go_on_as_before(self, state: Mapping[str, Any]) -> None:
        """Take what else makes a difference to the result from a checkpoint, as far as it tells."""
        if not self._asked_at_once:
            self.slices_at_once = min(state.get("slices_at_once", self.slices_at_once), self.settings.batch_size)
        if (began := state.get("device", self.device.type)) != self.device.type:
            self._on_warning(f"The run began on the device {began} and continues on {self.device.type}.")
        fastest, self.precision = self.precision, state.get("precision", self.precision)
        if fastest != self.precision:
            self._on_warning(
                f"The run continues in {self.precision}, in which it began, though this {self.device.type} device is "
                f"faster in {fastest}."
            )


def kept_start(folder: Path) -> StartNetwork | None:
    """The start network that the checkpoint in the folder of a run tells of, without weights.

    None where no step was done, or the run began with random weights.

    Raises
    ------
    ModelError : the checkpoint is damaged.
    """
    checkpoint = folder / CHECKPOINT
    if not checkpoint.is_file():
        return None
    with _damage_told(checkpoint):
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if not state["step"] or state["start"] is None:
            return None
        fingerprint, card = state["start"]
        return StartNetwork(card_from_json(checkpoint.name, card), {}, fingerprint)


@contextmanager
def _damage_told(checkpoint: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a broken archive can fail in many ways
        raise ModelError(f"The checkpoint {checkpoint} is damaged; move it away to start again.") from error


class _PassOfSize(nn.Module):
    """The pass that sees slices of the size they have; ``rows`` are those of a slice at full size."""

    def __init__(self, network: HighRes2DNet, rows: int) -> None:
        super().__init__()
        self.network, self.rows = network, rows

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        return self.network.at(self.rows // slices.shape[-2])(slices)


class _MeanOfPasses(nn.Module):
    """All passes together, or one alone, on slices at full size: mean logits as in use.

    Passes that share weights share the statistics of the batch norms, which suit none of them if they are taken anew;
    those of one alone are.
    """

    def __init__(self, network: HighRes2DNet, scales: tuple[int, ...], keeps_statistics: bool) -> None:
        super().__init__()
        self.network, self.scales, self.keeps_statistics = network, scales, keeps_statistics

    def train(self, mode: bool = True) -> _MeanOfPasses:
        super().train(mode)
        for module in self.network.modules() if self.keeps_statistics else ():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        return mean_logits(self.network, slices, self.scales)


def _lacks_memory(error: RuntimeError | MemoryError) -> bool:
    return isinstance(error, MemoryError) or is_out_of_memory(error)
