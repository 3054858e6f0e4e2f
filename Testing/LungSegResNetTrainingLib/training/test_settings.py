"""The settings that follow the article and NiftyNet."""

from __future__ import annotations

from dataclasses import replace

import torch

from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetTrainingLib.slices.augmentation import AugmentationSettings
from LungSegResNetTrainingLib.training.settings import PAPER, RECOMMENDED, TrainingSettings
from LungSegResNetTrainingLib.training.weight_updates import WeightUpdates


def test_the_preset_paper_has_the_settings_of_the_article() -> None:
    assert (PAPER.optimiser, PAPER.learning_rate, PAPER.one_cycle, PAPER.decay) == ("adam", 0.02, False, 1e-4)
    assert (PAPER.loss, PAPER.batch_size, PAPER.slice_shape, PAPER.scales) == ("dice_ns", 17, (216, 296), (1,))
    assert PAPER.augmentation == AugmentationSettings.none()


def test_settings_of_a_network_that_do_not_name_its_optimiser_mean_adam() -> None:
    values = RECOMMENDED.as_json()
    del values["optimiser"]
    assert TrainingSettings.from_json(values) == replace(RECOMMENDED, optimiser="adam")


def test_the_optimiser_adds_the_gradient_of_niftynets_averaged_decay() -> None:
    """NiftyNet adds to the loss the mean, over kernels, scales and offsets, of decay * sum(w^2) / 2."""
    network = HighRes2DNet()
    updates, tensors = WeightUpdates(network, PAPER), list(network.parameters())
    terms = [1e-4 * tensor.square().sum() / 2 for tensor in tensors]
    expected = torch.autograd.grad(torch.stack(terms).mean(), tensors)
    for tensor in tensors:
        tensor.grad = torch.zeros_like(tensor)  # of the rest of the loss
    updates.step()
    (adam,) = updates.state_dict()["optimisers"]
    for number, gradient in enumerate(expected):
        # After one step, Adam's running mean of the gradients is a tenth of the first one.
        torch.testing.assert_close(10 * adam["state"][number]["exp_avg"], gradient, atol=0.0, rtol=1e-4)
