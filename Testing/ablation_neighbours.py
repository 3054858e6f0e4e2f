"""Whether neighbouring slices as further channels help: two networks that differ in nothing else, in few steps.

``python Testing/ablation_neighbours.py DATASET OUT --steps 300``: trains one network with one channel and one with
three (the slices before and after, about `APART_MM` away, beside the slice itself) on the training volumes, and prints
the Dice of each validation volume. Both see the recommended geometry but no painted disease and no simulated scanner,
because those are made for a slice alone; single slices have no neighbours and are left out. The Dice is pooled over
all slices with lung, on the slices of the network, without post-processing. OUT gets neighbours.md, and a checkpoint of
each network: run again, it goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

import conftest  # noqa: F401  puts the packages on the path
import numpy as np
import torch
from torch.utils.data import DataLoader

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.network.model_file import ModelCard
from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetLib.network.torch_predictor import mean_logits
from LungSegResNetTrainingLib.data.cases import TRAIN, VALIDATION
from LungSegResNetTrainingLib.slices.augmentation import AugmentationSettings, training_slice
from LungSegResNetTrainingLib.slices.slice_cache import CachedCase
from LungSegResNetTrainingLib.training.mixed_precision import autocast
from LungSegResNetTrainingLib.training.parallel import Processes
from LungSegResNetTrainingLib.training.reporting import make_training_reporter
from LungSegResNetTrainingLib.training.run_options import default_workers
from LungSegResNetTrainingLib.training.sampling import StepBatches, TrainingSlices
from LungSegResNetTrainingLib.training.settings import RECOMMENDED, TrainingSettings
from LungSegResNetTrainingLib.training.start_network import StartNetwork
from LungSegResNetTrainingLib.training.training_job import CaseChoice, choose_cases
from LungSegResNetTrainingLib.training.training_run import TrainingRun

APART_MM = 3.0
ALONE, NEIGHBOURS = (0,), (-1, 0, 1)
_VARIANTS = {"the slice alone": ALONE, "three neighbouring slices": NEIGHBOURS}
_GEOMETRY = replace(AugmentationSettings.none(), geometry=1.0)
_BATCH = 6


class StackedSlices(TrainingSlices):
    """Training data whose channels are the slices at ``offsets``, all turned and bent alike."""

    def __init__(self, cases: Sequence[CachedCase], settings: TrainingSettings, offsets: Sequence[int]) -> None:
        super().__init__(cases, settings)
        self._offsets = offsets

    def __getitem__(self, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng([self.settings.seed, 1, k])
        case, index = self._draw(rng)
        seed, scale = int(rng.integers(2**32)), self.scale(k // self.settings.batch_size)
        return stacked_slice(case, index, self._offsets, self.settings.augmentation, seed, scale)


def stacked_slice(
    case: CachedCase, index: int, offsets: Sequence[int], settings: AugmentationSettings, seed: int, shrink: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Slices at ``offsets`` (times `APART_MM`) from one as channels (c, h, w), and the target (h, w) of that one.

    Beyond its ends a volume goes on with its last slice.
    """
    step = max(1, round(APART_MM / case.spacing_z))
    numbers = [min(max(index + offset * step, 0), len(case.hu) - 1) for offset in offsets]
    stack = [training_slice(case, n, settings, np.random.default_rng(seed), shrink) for n in numbers]
    return torch.cat([image for image, _ in stack]), stack[list(offsets).index(0)][1]


def train(
    cases: Sequence[CachedCase], settings: TrainingSettings, folder: Path, offsets: Sequence[int], workers: int
) -> TrainingRun:
    """A network with a channel for each of ``offsets``; so many processes prepare its slices, with 0 this one."""
    torch.manual_seed(settings.seed)
    network = HighRes2DNet(in_channels=len(offsets))
    weights = {name: value.numpy() for name, value in network.state_dict().items() if value.is_floating_point()}
    start = StartNetwork(ModelCard(network.config), weights, "random weights")
    run = TrainingRun(settings, folder, "cpu", start=start)
    sampler = StepBatches(settings, run.step, Processes())
    data = StackedSlices(cases, settings, offsets)
    for slices, target in DataLoader(data, batch_sampler=sampler, num_workers=workers):
        loss = run.train_step(slices, target)
        if run.step % 25 == 0 or run.step == settings.steps:
            print(f"{folder.name}: step {run.step}/{settings.steps}  loss {loss:.4f}", flush=True)
            run.save_checkpoint()
    return run


def dice(run: TrainingRun, case: CachedCase, offsets: Sequence[int]) -> float:
    """Pooled over all slices with lung of a volume."""
    run.averaged.eval()
    overlap = total = 0
    for first in range(0, len(case.lung_slices), _BATCH):
        numbers = case.lung_slices[first : first + _BATCH]
        pairs = [stacked_slice(case, int(n), offsets, AugmentationSettings.none(), seed=0) for n in numbers]
        slices, target = (torch.stack(parts) for parts in zip(*pairs, strict=True))
        with torch.inference_mode(), autocast(run.device, run.precision):
            predicted = mean_logits(run.averaged, slices, run.settings.scales).argmax(dim=1)
        overlap += int((predicted & target).sum())
        total += int(predicted.sum() + target.sum())
    return 2 * overlap / total


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and judge both, and write the table."""
    parser = argparse.ArgumentParser(description="One channel against three neighbouring slices.")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=RECOMMENDED.batch_size)
    parser.add_argument("--slice-shape", type=int, nargs=2, default=RECOMMENDED.slice_shape)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=default_workers("cpu"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/slices"))
    options = parser.parse_args(arguments)
    settings = replace(
        RECOMMENDED,
        steps=options.steps,
        batch_size=options.batch_size,
        seed=options.seed,
        slice_shape=tuple(options.slice_shape),
        augmentation=_GEOMETRY,
    )
    choice = CaseChoice(options.dataset, options.cache)
    chosen = choose_cases(choice, settings, Processes(), make_training_reporter("lines"))
    training, validation = (
        [case for case in chosen.of_split(split) if len(case.hu) > 1 and len(case.lung_slices)]
        for split in (TRAIN, VALIDATION)
    )
    columns = []
    for number, offsets in enumerate(_VARIANTS.values(), start=1):
        run = train(training, settings, options.out / f"variant-{number}", offsets, options.workers)
        columns.append([dice(run, case, offsets) for case in validation])
    lines = ["| validation volume | " + " | ".join(_VARIANTS) + " |", "|---" * (1 + len(_VARIANTS)) + "|"]
    for case, *figures in zip(validation, *columns, strict=True):
        lines.append(f"| {case.name} | " + " | ".join(f"{figure:.4f}" for figure in figures) + " |")
    lines.append(
        f"| **mean (lowest) of {len(validation)}** | "
        + " | ".join(f"{mean(column):.4f} ({min(column):.4f})" for column in columns)
        + " |"
    )
    text = "\n".join(
        [
            f"{options.steps} steps of {options.batch_size} slices, seed {options.seed}, {len(training)} volumes.",
            "",
            *lines,
        ]
    )
    print(text)
    with write_atomically(options.out / "neighbours.md", overwrite=True) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
