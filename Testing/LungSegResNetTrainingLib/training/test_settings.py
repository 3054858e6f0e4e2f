"""The settings that follow NiftyNet."""

from __future__ import annotations

from pathlib import Path

import torch

from LungSegResNetTrainingLib.training.settings import PAPER
from LungSegResNetTrainingLib.training.training_run import TrainingRun


def test_the_optimiser_adds_the_gradient_of_niftynets_averaged_decay(tmp_path: Path) -> None:
    """NiftyNet adds to the loss the mean, over kernels, scales and offsets, of decay * sum(w^2) / 2."""
    run = TrainingRun(PAPER, tmp_path, "cpu")
    tensors = list(run.network.parameters())
    terms = [1e-4 * tensor.square().sum() / 2 for tensor in tensors]
    expected = torch.autograd.grad(torch.stack(terms).mean(), tensors)
    for tensor in tensors:
        tensor.grad = torch.zeros_like(tensor)  # of the rest of the loss
    run.optimiser.step()
    for tensor, gradient in zip(tensors, expected, strict=True):
        # After one step, Adam's running mean of the gradients is a tenth of the first one.
        torch.testing.assert_close(10 * run.optimiser.state[tensor]["exp_avg"], gradient, atol=0.0, rtol=1e-4)
