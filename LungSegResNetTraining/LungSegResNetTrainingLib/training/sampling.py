"""Which slice is shown when: sample k of a run is a pure function of the seed and k, so that runs resume exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from LungSegResNetLib.network.torch_threads import one_thread

from ..slices.augmentation import training_slice
from ..slices.slice_cache import CachedCase
from .parallel import Processes
from .settings import TrainingSettings

_BORDER_SHARE = 0.25  # of slices drawn from the first and last eighth of the lung, where the shape changes fastest


class TrainingSlices(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless training data: item k is sample k of the run (batch ``k // batch_size``)."""

    def __init__(self, cases: Sequence[CachedCase], settings: TrainingSettings) -> None:
        self.settings = settings
        with_lung = [case for case in cases if len(case.lung_slices)]
        self._volumes = [case for case in with_lung if len(case.hu) > 1]
        self._singles = [case for case in with_lung if len(case.hu) == 1]
        # Few single slices are shown no more often than their number among the cases, or they would be learnt by heart.
        self._single_share = min(settings.single_slice_share, len(self._singles) / max(1, len(with_lung)))
        self._empty = [case for case in cases if len(case.lung_slices) < len(case.hu)]

    def __len__(self) -> int:
        return self.settings.steps * self.settings.batch_size

    def __getitem__(self, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng([self.settings.seed, 1, k])
        case, index = self._draw(rng)
        shrink = self.scale(k // self.settings.batch_size)
        with one_thread():  # the same slice, whether another process prepares it or the one that trains
            return training_slice(case, index, self.settings.augmentation, rng, shrink)

    def scale(self, step: int) -> int:
        """The factor by which all slices of a step are shrunk; joint passes, and one alone, shrink them themselves.

        So they see what they see in use: noise that is painted on a smaller slice is not averaged.
        """
        scales, (first, last) = self.settings.scales, self.settings.full_size_share
        if self.settings.scales_of_a_step:
            return 1
        if len(scales) == 1:
            return scales[0]
        rng = np.random.default_rng([self.settings.seed, 2, step])
        share = first + (last - first) * step / self.settings.steps
        return scales[0] if rng.random() < share else int(rng.choice(scales[1:]))

    def _draw(self, rng: np.random.Generator) -> tuple[CachedCase, int]:
        if self._empty and rng.random() < self.settings.empty_share:
            case = self._empty[rng.integers(len(self._empty))]
            empty = np.setdiff1d(np.arange(len(case.hu)), case.lung_slices)
            return case, int(rng.choice(empty))
        single = rng.random() < self._single_share
        cases = (self._singles if single else self._volumes) or self._singles or self._volumes
        case = cases[rng.integers(len(cases))]
        slices = case.lung_slices
        if rng.random() < _BORDER_SHARE:
            border = max(1, len(slices) // 8)
            slices = np.concatenate([slices[:border], slices[-border:]])
        return case, int(rng.choice(slices))


class StepBatches(Sampler[list[int]]):
    """Numbers of the samples that a process prepares for each step from ``first_step`` on.

    All processes together draw the samples that one process would draw alone: sample k is for process k modulo count.
    """

    def __init__(self, settings: TrainingSettings, first_step: int, processes: Processes) -> None:
        self.settings, self.first_step, self.processes = settings, first_step, processes

    def __len__(self) -> int:
        return self.settings.steps - self.first_step

    def __iter__(self) -> Iterator[list[int]]:
        rank, count, size = self.processes.rank, self.processes.count, self.settings.batch_size
        for step in range(self.first_step, self.settings.steps):
            yield [k for k in range(step * size, (step + 1) * size) if k % count == rank]
