"""The training loop: steps, running average of the weights, validation, checkpoints that resume."""

from __future__ import annotations

import contextlib
import csv
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from LungSegResNetLib import __version__
from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.cpu_memory import keep_freed_memory
from LungSegResNetLib.errors import InputError, ModelError
from LungSegResNetLib.model_file import ModelCard, save_model
from LungSegResNetLib.network import HighRes2DNet
from LungSegResNetLib.torch_predictor import cpu_precision, mean_logits
from torch.utils.data import DataLoader

from .augmentation import AugmentationSettings, training_slice
from .losses import dice_and_cross_entropy, dice_ns
from .sampling import TrainingSlices
from .settings import TrainingSettings
from .slice_cache import CachedCase

_LOSSES = {"dice_ns": dice_ns, "dice_and_cross_entropy": dice_and_cross_entropy}
_VALIDATION_SLICES_PER_CASE = 12


@dataclass(frozen=True)
class Progress:
    """State of a run after a step; ``validation_dice`` (pooled per case, mean) only after a validation."""

    step: int
    steps: int
    loss: float
    slices_per_second: float
    validation_dice: float | None = None


def fit(
    training: Sequence[CachedCase],
    validation: Sequence[CachedCase],
    settings: TrainingSettings,
    run_folder: Path,
    *,
    device: str = "cpu",
    workers: int = 1,
    validate_every: int = 100,
    checkpoint_seconds: float = 180.0,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Path:
    """Train, or go on where a checkpoint in ``run_folder`` stopped; returns the path of the finished network file.

    The folder gets ``checkpoint.pt`` (replaced atomically), ``progress.csv`` and ``network.safetensors``.

    Raises
    ------
    InputError : no training slice with lung; the folder holds a run with other settings.
    ModelError : the checkpoint is damaged.
    """
    if not any(len(case.lung_slices) for case in training):
        raise InputError("No training case has a slice with lung.")
    run = _Run(settings, run_folder, device)
    data = TrainingSlices(training, settings)
    first = run.step * settings.batch_size
    loader = DataLoader(
        data,
        batch_size=settings.batch_size,
        sampler=range(first, len(data)),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_single_thread,
    )
    saved = time.monotonic()
    for slices, target in loader:
        started = time.monotonic()
        loss = run.train_step(slices, target)
        rate = len(slices) / (time.monotonic() - started)
        finished = run.step == settings.steps
        dice = None
        if validation and (run.step % validate_every == 0 or finished):
            dice = validation_dice(run.averaged, validation, settings.scales, run.device)
        progress = Progress(run.step, settings.steps, loss, rate, dice)
        run.log(progress)
        on_progress(progress)
        if finished or time.monotonic() - saved > checkpoint_seconds:
            run.save_checkpoint()
            saved = time.monotonic()
    return run.export(training, validation)


def validation_dice(
    network: torch.nn.Module, cases: Sequence[CachedCase], scales: tuple[int, ...], device: torch.device
) -> float:
    """Mean over cases of the Dice pooled over evenly spaced slices with lung, on network slices, no post-processing."""
    network.eval()
    none = AugmentationSettings.none()
    scores = []
    for case in cases:
        if len(case.lung_slices) == 0:
            continue
        chosen = np.unique(np.linspace(0, len(case.lung_slices) - 1, _VALIDATION_SLICES_PER_CASE).round().astype(int))
        pairs = [training_slice(case, int(case.lung_slices[i]), none, np.random.default_rng(0)) for i in chosen]
        slices, target = (torch.stack(parts) for parts in zip(*pairs, strict=True))
        overlap = total = 0
        for start in range(0, len(slices), 6):
            with torch.inference_mode(), _autocast(device):
                logits = mean_logits(network, slices[start : start + 6].to(device), scales)
            predicted = logits.argmax(dim=1).cpu()
            reference = target[start : start + 6]
            overlap += int((predicted & reference).sum())
            total += int(predicted.sum() + reference.sum())
        scores.append(2 * overlap / total if total else 1.0)
    return float(np.mean(scores))


class _Run:
    """Network, its running average, optimiser and files of one run."""

    def __init__(self, settings: TrainingSettings, folder: Path, device: str) -> None:
        if device == "cpu":
            keep_freed_memory()
        self.settings, self.folder, self.device = settings, folder, torch.device(device)
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        self.network = self._place(HighRes2DNet())
        self.averaged = self._place(HighRes2DNet())
        self.averaged.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.Adam(self.network.parameters(), settings.learning_rate, weight_decay=settings.adam_weight_decay)
        self.schedule = (
            torch.optim.lr_scheduler.OneCycleLR(self.optimiser, settings.learning_rate, settings.steps, pct_start=0.15)
            if settings.one_cycle
            else torch.optim.lr_scheduler.ConstantLR(self.optimiser, factor=1.0)
        )
        self.step = 0
        if self.checkpoint.is_file():
            self._resume()
        elif self._log_path.exists():
            self._log_path.unlink()

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def _log_path(self) -> Path:
        return self.folder / "progress.csv"

    def _place(self, network: HighRes2DNet) -> HighRes2DNet:
        return network.to(self.device, memory_format=torch.channels_last)

    def train_step(self, slices: torch.Tensor, target: torch.Tensor) -> float:
        """One optimiser step; returns the loss."""
        self.network.train()
        slices = slices.to(self.device, memory_format=torch.channels_last)
        with _autocast(self.device):
            logits = self.network(slices)
        loss = _LOSSES[self.settings.loss](logits.float(), target.to(self.device))
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        # The average forgets its start quickly at first, so that early validations mean something.
        keep = min(self.settings.averaging, self.step / (self.step + 10.0)) if self.settings.averaging else 0.0
        with torch.no_grad():
            for mean, value in zip(self.averaged.state_dict().values(), self.network.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(value, 1.0 - keep)
                else:
                    mean.copy_(value)
        return float(loss.detach())

    def log(self, progress: Progress) -> None:
        """Append to the run's CSV; the loss is a plain number, the validation Dice has no unit either."""
        new = not self._log_path.exists()
        with self._log_path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", "loss", "slices_per_second", "validation_dice"])
            dice = "" if progress.validation_dice is None else f"{progress.validation_dice:.5f}"
            writer.writerow([progress.step, f"{progress.loss:.5f}", f"{progress.slices_per_second:.2f}", dice])

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
        with write_atomically(self.checkpoint, overwrite=True) as temporary:
            torch.save(state, temporary)

    def _resume(self) -> None:
        try:
            state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
            settings = TrainingSettings.from_json(json.loads(state["settings"]))
        except Exception as error:
            raise ModelError(f"The checkpoint {self.checkpoint} is damaged; move it away to start anew.") from error
        if settings != self.settings:
            raise InputError(f"{self.folder} holds a run with other settings; choose another folder or the same settings.")
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.step = state["step"]
        self._cut_log()

    def _cut_log(self) -> None:
        """Drop lines of steps that are done again because they came after the checkpoint."""
        if not self._log_path.exists():
            return
        with self._log_path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        kept = rows[:1] + [row for row in rows[1:] if row and int(row[0]) <= self.step]
        with write_atomically(self._log_path, overwrite=True) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(kept)

    def export(self, training: Sequence[CachedCase], validation: Sequence[CachedCase]) -> Path:
        """Write the averaged network with its card."""
        weights = {name: value.float().cpu().numpy() for name, value in self.averaged.state_dict().items() if value.is_floating_point()}
        details: dict[str, Any] = {
            "program": f"LungSegResNet {__version__}",
            "settings": self.settings.as_json(),
            "steps_done": self.step,
            "training_cases": [case.name for case in training],
            "validation_cases": [case.name for case in validation],
        }
        card = ModelCard(config=self.averaged.config, scales=self.settings.scales, training=details, name=self.folder.name)
        path = self.folder / "network.safetensors"
        save_model(path, weights, card)
        return path


def _autocast(device: torch.device) -> contextlib.AbstractContextManager[None]:
    if device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16)
    return torch.autocast("cpu", torch.bfloat16, enabled=device.type == "cpu" and cpu_precision() == "bfloat16")


def _single_thread(_worker: int) -> None:
    torch.set_num_threads(1)
