"""How good a network is while it is trained: one Dice on a few slices of each validation case."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetLib.network.torch_predictor import mean_logits

from ..slices.augmentation import AugmentationSettings, training_slice
from ..slices.slice_cache import CachedCase
from .mixed_precision import autocast

_SLICES_PER_CASE = 12
_BATCH = 6


def validation_dice(
    network: HighRes2DNet, cases: Sequence[CachedCase], scales: tuple[int, ...], device: torch.device, precision: str
) -> float:
    """Mean over cases with lung of the Dice pooled over evenly spaced slices with lung.

    Counted on network slices without augmentation and without post-processing; at least one case must have lung.
    """
    network.eval()
    with_lung = [case for case in cases if len(case.lung_slices)]
    return float(np.mean([_case_dice(network, case, scales, device, precision) for case in with_lung]))


def _case_dice(
    network: HighRes2DNet, case: CachedCase, scales: tuple[int, ...], device: torch.device, precision: str
) -> float:
    chosen = np.unique(np.linspace(0, len(case.lung_slices) - 1, _SLICES_PER_CASE).round().astype(int))
    none = AugmentationSettings.none()
    pairs = [training_slice(case, int(case.lung_slices[i]), none, np.random.default_rng(0)) for i in chosen]
    slices, target = (torch.stack(parts) for parts in zip(*pairs, strict=True))
    overlap = total = 0
    for start in range(0, len(slices), _BATCH):
        with torch.inference_mode(), autocast(device, precision):
            logits = mean_logits(network, slices[start : start + _BATCH].to(device), scales)
        predicted = logits.argmax(dim=1).cpu()
        reference = target[start : start + _BATCH]
        overlap += int((predicted & reference).sum())
        total += int(predicted.sum() + reference.sum())
    return 2 * overlap / total if total else 1.0
