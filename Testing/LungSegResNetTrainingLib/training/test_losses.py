from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from monai.losses import DiceLoss
from torch.nn import functional

from LungSegResNetTrainingLib.training.losses import dice_and_cross_entropy, dice_ns


def _slices(classes: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and classes of four slices, one without lung and one that is all lung."""
    generator = torch.Generator().manual_seed(0)
    logits = 3.0 * torch.randn(4, classes, 24, 32, generator=generator)
    target = torch.randint(0, classes, (4, 24, 32), generator=generator)
    target[1] = 0
    target[2] = 1
    return logits, target


@pytest.mark.parametrize("classes", [2, 3])
def test_dice_ns_equals_the_dice_loss_of_monai_also_on_slices_without_lung(classes: int) -> None:
    logits, target = _slices(classes)
    monai = DiceLoss(softmax=True, to_onehot_y=True, include_background=True)
    assert dice_ns(logits, target).item() == pytest.approx(monai(logits, target[:, None]).item(), abs=1e-6)
    for number in range(4):
        one = slice(number, number + 1)
        expected = monai(logits[one], target[one, None]).item()
        assert dice_ns(logits[one], target[one]).item() == pytest.approx(expected, abs=1e-6)


def test_a_lung_free_slice_costs_half_even_when_it_is_predicted_right() -> None:
    logits = torch.tensor([5.0, -5.0]).view(1, 2, 1, 1).expand(1, 2, 216, 296)
    assert dice_ns(logits, torch.zeros(1, 216, 296, dtype=torch.int64)).item() == pytest.approx(0.5, abs=0.01)


def test_a_right_slice_with_lung_costs_nothing_and_a_wrong_one_everything() -> None:
    target = torch.zeros(1, 20, 20, dtype=torch.int64)
    target[:, 5:15, 5:15] = 1
    logits = 60.0 * functional.one_hot(target, 2).movedim(-1, 1).float()
    assert dice_ns(logits, target).item() == pytest.approx(0.0, abs=1e-6)
    assert dice_ns(logits.flip(1), target).item() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("loss", [dice_ns, dice_and_cross_entropy])
def test_gradients_stay_finite_for_extreme_logits_and_slices_without_lung(
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    logits, target = _slices()
    logits = (logits * 1000.0).requires_grad_()
    loss(logits, target).backward()
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())


def test_a_step_down_the_gradient_lowers_the_loss() -> None:
    logits, target = _slices()
    logits.requires_grad_()
    before = dice_and_cross_entropy(logits, target)
    before.backward()
    assert logits.grad is not None
    assert dice_and_cross_entropy(logits - 10.0 * logits.grad, target) < before


def test_the_sum_with_cross_entropy_counts_both_parts_once() -> None:
    logits, target = _slices()
    expected = dice_ns(logits, target) + functional.cross_entropy(logits, target)
    assert dice_and_cross_entropy(logits, target).item() == pytest.approx(expected.item(), abs=1e-6)
