"""How fast slices are prepared and trained on, each alone, so that one sees which of the two holds a run up."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from ..slices.slice_cache import CachedCase
from .fit import slice_loader
from .parallel import Processes
from .settings import TrainingSettings
from .training_run import TrainingRun

_WARM_UP = 2
_LOADING_BATCHES = 12
_TRAINING_STEPS = 5


@dataclass(frozen=True)
class Speed:
    """Slices per second: prepared by the workers alone; forward, backward and optimiser alone at each scale."""

    loading: float
    training: dict[int, float]

    def text(self) -> str:
        """The figures in words."""
        trained = ", ".join(f"{rate:.1f} at 1/{scale} of the size" for scale, rate in self.training.items())
        return f"slices per second: {self.loading:.1f} prepared, trained on {trained}"


def measure_speed(cases: Sequence[CachedCase], settings: TrainingSettings, device: str, workers: int) -> Speed:
    """Measure both on the first steps of a run; nothing of it is kept."""
    settings = replace(settings, steps=max(settings.steps, _WARM_UP + _LOADING_BATCHES))
    batches = iter(slice_loader(cases, settings, 0, workers, Processes()))
    kept = list(islice(batches, _WARM_UP))
    started = time.monotonic()
    kept += islice(batches, _LOADING_BATCHES)
    loading = settings.batch_size * _LOADING_BATCHES / (time.monotonic() - started)
    del batches
    training = {}
    with tempfile.TemporaryDirectory() as folder:
        run = TrainingRun(settings, Path(folder), device)
        for scale in settings.scales:
            height = settings.slice_shape[0] // scale
            batch = next((batch for batch in kept if batch[0].shape[-2] == height), None)
            if batch is None:
                continue
            run.train_step(*batch)
            started = time.monotonic()
            for _ in range(_TRAINING_STEPS):
                run.train_step(*batch)
            training[scale] = settings.batch_size * _TRAINING_STEPS / (time.monotonic() - started)
    return Speed(loading, training)
