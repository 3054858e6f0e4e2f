"""The training loop: steps, validation, checkpoints that resume, and the finished network file."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from LungSegResNetLib import __version__
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.model_file import ModelCard, save_model

from .progress import Progress, ProgressLog
from .sampling import TrainingSlices
from .settings import TrainingSettings
from .slice_cache import CachedCase
from .training_run import TrainingRun
from .validation import validation_dice


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
    What ``on_progress`` raises ends the run; it can be resumed.

    Raises
    ------
    InputError : no training or no validation slice with lung; the folder holds a run with other settings.
    ModelError : the checkpoint is damaged, or the loss is no longer a number.
    """
    if not any(len(case.lung_slices) for case in training):
        raise InputError("No training case has a slice with lung.")
    if validation and not any(len(case.lung_slices) for case in validation):
        raise InputError("No validation case has a slice with lung.")
    run = TrainingRun(settings, run_folder, device)
    log = ProgressLog(run_folder / "progress.csv")
    log.cut_after(run.step)
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
        log.append(progress)
        on_progress(progress)
        if finished or time.monotonic() - saved > checkpoint_seconds:
            run.save_checkpoint()
            saved = time.monotonic()
    return _export(run, training, validation)


def _export(run: TrainingRun, training: Sequence[CachedCase], validation: Sequence[CachedCase]) -> Path:
    """Write the averaged network with its card."""
    weights = {
        name: value.float().cpu().numpy()
        for name, value in run.averaged.state_dict().items()
        if value.is_floating_point()
    }
    details: dict[str, Any] = {
        "program": f"LungSegResNet {__version__}",
        "settings": run.settings.as_json(),
        "steps_done": run.step,
        "training_cases": [case.name for case in training],
        "validation_cases": [case.name for case in validation],
    }
    path = run.folder / "network.safetensors"
    card = ModelCard(run.averaged.config, run.folder.name, scales=run.settings.scales, training=details)
    save_model(path, weights, card)
    return path


def _single_thread(_worker: int) -> None:
    torch.set_num_threads(1)
