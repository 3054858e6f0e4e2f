from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from network_files import seen_network, write_network
from torch.overrides import TorchFunctionMode

from LungSegResNetLib.errors import DeviceError
from LungSegResNetLib.network.torch_predictor import mean_logits
from LungSegResNetTrainingLib.training import training_run
from LungSegResNetTrainingLib.training.losses import dice_and_cross_entropy
from LungSegResNetTrainingLib.training.parallel import Processes
from LungSegResNetTrainingLib.training.settings import RECOMMENDED
from LungSegResNetTrainingLib.training.start_network import read_start_network
from LungSegResNetTrainingLib.training.training_run import TrainingRun

SETTINGS = replace(RECOMMENDED, steps=10, batch_size=4, slice_shape=(32, 40))


def _equal_slices(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """One slice many times: batch norm takes the same statistics from any number of them."""
    slices = torch.rand(1, 1, 32, 40, generator=torch.Generator().manual_seed(0))
    return slices.expand(count, -1, -1, -1), (slices[:, 0] > 0.5).long().expand(count, -1, -1)


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_gradients_of_parts_add_up_to_those_of_the_whole_batch(tmp_path: Path, at_once: int) -> None:
    whole = TrainingRun(SETTINGS, tmp_path / "whole", "cpu")
    parts = TrainingRun(SETTINGS, tmp_path / "parts", "cpu", slices_at_once=at_once)
    # bfloat16 rounds differently for another number of slices.
    assert parts.train_step(*_equal_slices(4)) == pytest.approx(whole.train_step(*_equal_slices(4)), abs=2e-3)
    expected, added_up = (
        torch.cat([weight.grad.flatten() for weight in run.network.parameters() if weight.grad is not None])
        for run in (whole, parts)
    )
    assert float(torch.nn.functional.cosine_similarity(expected, added_up, dim=0)) > 0.95
    assert float(added_up.norm()) == pytest.approx(float(expected.norm()), rel=0.1)


def _rate_and_betas(run: TrainingRun) -> tuple[float, tuple[float, float]]:
    """Those of Adam, after a look whether Muon has the same."""
    adam, muon = (optimiser["param_groups"][0] for optimiser in run.updates.state_dict()["optimisers"])
    assert (muon["lr"], muon["momentum"]) == (adam["lr"], adam["betas"][0])
    return adam["lr"], adam["betas"]


def test_the_learning_rate_rises_and_falls_over_the_run_and_goes_on_where_it_was(tmp_path: Path) -> None:
    settings = replace(SETTINGS, steps=20)
    run, followed = TrainingRun(settings, tmp_path, "cpu"), []
    for step in range(20):
        if step == 12:
            run.save_checkpoint()
            run = TrainingRun(settings, tmp_path, "cpu")
        followed.append(_rate_and_betas(run))
        run.train_step(*_equal_slices(4))
    rates, betas = zip(*followed, strict=True)
    peak = rates.index(max(rates))
    assert 1 <= peak <= 3
    assert rates[peak] == pytest.approx(settings.learning_rate)
    assert rates[0] < 0.1 * rates[peak]
    assert list(rates[peak:]) == sorted(rates[peak:], reverse=True)
    assert rates[-1] < 0.01 * rates[peak]
    # As the documents and the model card say.
    assert [rates[0], rates[-1]] == pytest.approx([settings.learning_rate / 25, settings.learning_rate * 4e-6])
    assert [betas[0], betas[peak], betas[-1]] == [pytest.approx((beta1, 0.999)) for beta1 in (0.95, 0.85, 0.95)]
    constant = TrainingRun(replace(settings, one_cycle=False), tmp_path / "constant", "cpu")
    constant.train_step(*_equal_slices(4))
    assert _rate_and_betas(constant) == (settings.learning_rate, (0.9, 0.999))


def test_the_average_forgets_its_start_quickly_and_then_goes_at_its_own_pace(tmp_path: Path) -> None:
    run = TrainingRun(replace(SETTINGS, averaging=0.15, one_cycle=False), tmp_path, "cpu")

    def weights(network: torch.nn.Module) -> torch.Tensor:
        return torch.cat([weight.detach().flatten() for weight in network.parameters()])

    average = weights(run.averaged)
    assert torch.equal(average, weights(run.network))
    for keep in (1 / 11, 0.15):
        run.train_step(*_equal_slices(4))
        average = keep * average + (1 - keep) * weights(run.network)
        torch.testing.assert_close(weights(run.averaged), average)
        assert not torch.allclose(average, weights(run.network))


def test_a_checkpoint_is_on_the_disk_before_it_replaces_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = TrainingRun(SETTINGS, tmp_path, "cpu")
    run.checkpoint.write_text("before")
    fsync, stored = os.fsync, []

    def record(descriptor: int) -> None:
        fsync(descriptor)
        stored.append((os.fstat(descriptor).st_size, run.checkpoint.read_bytes()))

    monkeypatch.setattr(os, "fsync", record)
    run.save_checkpoint()
    assert stored == [(run.checkpoint.stat().st_size, b"before")]


class CopyingRecorder(TorchFunctionMode):
    """Notes of each copy of a tensor whether it is not waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.unwaited: list[bool] = []

    def __torch_function__(self, function, types, arguments=(), options=None):
        options = options or {}
        if function is torch.Tensor.to:
            self.unwaited.append(options.get("non_blocking", False))
        return function(*arguments, **options)


def test_only_a_cuda_device_is_given_slices_without_waiting(tmp_path: Path) -> None:
    run = TrainingRun(SETTINGS, tmp_path, "cpu")
    with CopyingRecorder() as copies:
        run.train_step(*_equal_slices(4))
    assert copies.unwaited
    assert not any(copies.unwaited)


class Hungry(torch.nn.Module):
    """A network that asks for more memory than any machine has when it is given more than ``most`` slices."""

    def __init__(self, network: torch.nn.Module, most: int) -> None:
        super().__init__()
        self.network, self.most = network, most

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        logits = self.network(slices)  # batch norm has counted by the time that memory ends
        return logits if len(slices) <= self.most else torch.empty(2**60, dtype=torch.uint8)


def test_a_step_that_does_not_fit_into_memory_is_done_in_parts(tmp_path: Path) -> None:
    said: list[str] = []
    run = TrainingRun(SETTINGS, tmp_path / "short", "cpu", on_warning=said.append)
    run._learner = Hungry(run.network, most=1)
    by_ones = TrainingRun(SETTINGS, tmp_path / "ones", "cpu", slices_at_once=1)
    assert run.train_step(*_equal_slices(4)) == by_ones.train_step(*_equal_slices(4))
    assert said == [
        f"There is too little memory for {tried} slices at once; continuing with {fewer} at once and the same 4 slices "
        "for each step."
        for tried, fewer in ((4, 2), (2, 1))
    ]
    # Nothing of the vain attempts is left, in batch norm neither.
    for name, value in by_ones.network.state_dict().items():
        assert torch.equal(run.network.state_dict()[name], value), name


def _part_sizes(run: TrainingRun) -> list[int]:
    """The numbers of slices that the network is given, one after the other, from now on."""
    sizes: list[int] = []
    run.network.register_forward_pre_hook(lambda network, given: sizes.append(len(given[0])))
    return sizes


@pytest.mark.parametrize(("at_once", "sizes"), [(17, [17]), (16, [9, 8]), (8, [6, 6, 5]), (2, [2] * 8 + [1])], ids=str)
def test_the_parts_of_a_step_are_equal(tmp_path: Path, at_once: int, sizes: list[int]) -> None:
    run = TrainingRun(replace(SETTINGS, batch_size=17), tmp_path, "cpu", slices_at_once=at_once)
    given = _part_sizes(run)
    run.train_step(*_equal_slices(17))
    assert given == sizes


def test_the_parts_of_a_step_are_equal_when_the_memory_has_run_out(tmp_path: Path) -> None:
    said: list[str] = []
    run = TrainingRun(replace(SETTINGS, batch_size=17), tmp_path, "cpu", on_warning=said.append)
    run._learner = Hungry(run.network, most=8)
    given = _part_sizes(run)
    run.train_step(*_equal_slices(17))
    assert given == [17, 9, 5, 4, 4, 4]
    assert [text.split("; continuing with ")[1].split(" at once")[0] for text in said] == ["9", "5"]


def test_a_device_that_cannot_hold_one_slice_ends_in_a_sentence(tmp_path: Path) -> None:
    run = TrainingRun(SETTINGS, tmp_path, "cpu")
    run._learner = Hungry(run.network, most=0)
    with pytest.raises(DeviceError, match="too little free memory to train with a single slice"):
        run.train_step(*_equal_slices(4))
    assert run.step == 0


def test_one_of_several_processes_asks_for_fewer_slices_at_once(tmp_path: Path) -> None:
    run = TrainingRun(SETTINGS, tmp_path, "cpu")
    run._learner, run.processes = Hungry(run.network, most=1), Processes(0, 2)
    with pytest.raises(DeviceError, match="run the same command again with --slices-at-once 2"):
        run.train_step(*_equal_slices(4))


def test_a_run_goes_on_in_the_number_format_that_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "fastest_precision", lambda device: "bfloat16")
    run, said = TrainingRun(SETTINGS, tmp_path, "cpu"), []
    run.train_step(*_equal_slices(4))
    run.save_checkpoint()
    expected = run.train_step(*_equal_slices(4))
    monkeypatch.setattr(training_run, "fastest_precision", lambda device: "float32")
    resumed = TrainingRun(SETTINGS, tmp_path, "cpu", on_warning=said.append)
    assert resumed.precision == "bfloat16"
    assert said == ["The run continues in bfloat16, in which it began, though this cpu device is faster in float32."]
    assert resumed.train_step(*_equal_slices(4)) == expected
    other = TrainingRun(SETTINGS, tmp_path / "other", "cpu")
    other.train_step(*_equal_slices(4))
    assert other.train_step(*_equal_slices(4)) != expected


def test_a_run_that_goes_on_elsewhere_says_so(tmp_path: Path) -> None:
    run, said = TrainingRun(SETTINGS, tmp_path, "cpu"), []
    run.train_step(*_equal_slices(4))
    run.save_checkpoint()
    state = torch.load(run.checkpoint, weights_only=True)
    for device, told in (("cpu", []), ("cuda", ["The run began on the device cuda and continues on cpu."])):
        torch.save(state | {"device": device}, run.checkpoint)
        said.clear()
        assert TrainingRun(SETTINGS, tmp_path, "cpu", on_warning=said.append).step == 1
        assert said == told


def test_a_run_that_lacked_memory_goes_on_with_as_few_slices_at_once_unless_told_otherwise(tmp_path: Path) -> None:
    run = TrainingRun(SETTINGS, tmp_path, "cpu")
    run._learner = Hungry(run.network, most=2)
    run.train_step(*_equal_slices(4))
    run.save_checkpoint()
    assert TrainingRun(SETTINGS, tmp_path, "cpu").slices_at_once == 2
    assert TrainingRun(SETTINGS, tmp_path, "cpu", slices_at_once=3).slices_at_once == 3


def test_training_keeps_to_the_quota_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        for quota, threads in ((None, 2), (8, 2), (1, 1)):
            monkeypatch.setattr(training_run, "limited_cores", lambda quota=quota: quota)
            TrainingRun(SETTINGS, tmp_path / str(quota), "cpu")
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_joint_training_learns_from_the_mean_of_all_passes_and_leaves_statistics_alone(tmp_path: Path) -> None:
    network = seen_network((32, 40))
    before = {name: value.clone() for name, value in network.named_buffers()}
    start = read_start_network(str(write_network(tmp_path / "start.safetensors", network, (32, 40), scales=(1,))))
    settings = start.apply_to(replace(SETTINGS, joint=True, scales=(1, 2, 4), learning_rate=1e-3))
    assert settings.scales == (1, 2, 4), "joint training gives the network the passes of the settings"
    run = TrainingRun(settings, tmp_path / "run", "cpu", start=start)
    slices, target = _equal_slices(4)
    with torch.inference_mode():
        expected = float(dice_and_cross_entropy(mean_logits(network, slices, (1, 2, 4)), target))
    losses = [run.train_step(slices, target) for _ in range(6)]
    assert losses[0] == pytest.approx(expected, abs=0.02)  # bfloat16 against float32
    assert losses[-1] < losses[0]
    for name, value in run.network.named_buffers():
        if name.endswith("num_batches_tracked"):  # network files leave them out
            continue
        assert torch.equal(value, before[name]), name
