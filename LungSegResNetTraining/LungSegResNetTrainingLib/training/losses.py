"""Loss functions of NiftyNet that the article names."""

from __future__ import annotations

import torch
from torch.nn import functional

EPSILON = 1e-5


def dice_ns(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """``Dice_NS`` of NiftyNet (``dice_nosquare``), a scalar.

    Dice of softmax probabilities without squares in the denominator, for every slice and every class,
    background included, averaged. A slice without lung costs about 0.5 even when it is predicted right,
    because ``EPSILON`` is tiny: 1 - loss is no Dice.

    Parameters
    ----------
    logits : (n, classes, h, w), float32.
    target : (n, h, w), class numbers (int64).
    """
    probability = torch.softmax(logits, dim=1)
    reference = functional.one_hot(target, logits.shape[1]).movedim(-1, 1).to(probability.dtype)
    overlap = (probability * reference).sum(dim=(2, 3))
    total = probability.sum(dim=(2, 3)) + reference.sum(dim=(2, 3))
    return 1.0 - ((2.0 * overlap + EPSILON) / (total + EPSILON)).mean()


def dice_and_cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Sum of ``dice_ns`` and the mean cross-entropy; the latter also learns from slices without lung."""
    return dice_ns(logits, target) + functional.cross_entropy(logits, target)
