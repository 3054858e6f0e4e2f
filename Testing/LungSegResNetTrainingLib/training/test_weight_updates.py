"""What the optimisers make of gradients."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from LungSegResNetLib.errors import DeviceError
from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetTrainingLib.choices import ADAM, MUON
from LungSegResNetTrainingLib.training.settings import FINE_TUNE, PAPER, RECOMMENDED, TrainingSettings
from LungSegResNetTrainingLib.training.weight_updates import WeightUpdates, device_of_muon

CONSTANT = replace(RECOMMENDED, one_cycle=False)
KERNEL = "blocks.8.conv1.weight"  # (64, 64, 3, 3)


def new_network(own_scales: tuple[int, ...] = ()) -> HighRes2DNet:
    torch.manual_seed(0)
    return HighRes2DNet(own_scales=own_scales)


def set_gradients(network: HighRes2DNet, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for tensor in network.parameters():
        tensor.grad = torch.randn(tensor.shape, generator=generator)


def test_muon_moves_all_directions_of_a_kernel_alike_and_as_far_as_adam_moves_weights() -> None:
    network = new_network()
    before = network.get_parameter(KERNEL).detach().clone()
    updates = WeightUpdates(network, CONSTANT)
    set_gradients(network, 1)
    network.get_parameter(KERNEL).grad *= torch.logspace(-1, 0, 64)[:, None, None, None]
    updates.step()
    step = ((before - network.get_parameter(KERNEL)) / CONSTANT.learning_rate).detach().flatten(1)
    singular = torch.linalg.svdvals(step) / (0.2 * 576**0.5)
    assert singular.min() > 0.5
    assert singular.max() < 1.5
    assert step.square().mean().sqrt() == pytest.approx(0.2, abs=0.05)


def test_only_kernels_of_residual_blocks_are_updated_by_muon_also_those_of_a_pass_of_its_own() -> None:
    moved = {}
    for optimiser in (CONSTANT.optimiser, ADAM):
        network = new_network(own_scales=(4,))
        updates = WeightUpdates(network, replace(CONSTANT, optimiser=optimiser))
        set_gradients(network, 1)
        updates.step()
        moved[optimiser] = {name: tensor.detach() for name, tensor in network.named_parameters()}
    by_muon = {name for name, tensor in moved[ADAM].items() if not tensor.equal(moved[CONSTANT.optimiser][name])}
    blocks = {f"blocks.{block}.conv{number}.weight" for block in range(9) for number in (1, 2)}
    assert by_muon == blocks | {f"own.4.{name}" for name in blocks}


def test_the_order_of_kernels_in_memory_makes_no_difference() -> None:
    plain, last = new_network(), new_network().to(memory_format=torch.channels_last)
    for network in (plain, last):
        updates = WeightUpdates(network, CONSTANT)
        for seed in (1, 2):
            set_gradients(network, seed)
            updates.step()
    for one, other in zip(plain.parameters(), last.parameters(), strict=True):
        assert one.equal(other)


@pytest.mark.parametrize("settings", [RECOMMENDED, PAPER, FINE_TUNE, replace(FINE_TUNE, optimiser=MUON)])
def test_updates_go_on_from_their_state_as_without_a_break(settings: TrainingSettings) -> None:
    network = new_network()
    updates = WeightUpdates(network, settings)
    set_gradients(network, 1)
    updates.step()
    resumed = copy.deepcopy(network)
    goes_on = WeightUpdates(resumed, settings)
    goes_on.load_state_dict(copy.deepcopy(updates.state_dict()))
    for one, its_updates in ((network, updates), (resumed, goes_on)):
        for seed in (2, 3):
            set_gradients(one, seed)
            its_updates.step()
    for one, other in zip(network.parameters(), resumed.parameters(), strict=True):
        assert one.equal(other)


def test_muon_works_on_the_processor_where_a_graphics_processor_lacks_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_of_muon(torch.device("mps")) == torch.device("cpu")
    for has_bfloat16, device in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda has=has_bfloat16, **options: has)
        assert device_of_muon(torch.device("cuda")) == torch.device(device)


def test_a_pytorch_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(DeviceError, match=r"PyTorch 2\.9 or newer"):
        WeightUpdates(new_network(), RECOMMENDED)
    assert WeightUpdates(new_network(), PAPER)
