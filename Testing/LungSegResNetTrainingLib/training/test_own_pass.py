"""Training one pass alone, with weights of its own, and then all passes together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from network_files import seen_network, write_network
from synthetic_thorax import Thorax
from training_cases import small_case

from LungSegResNetLib.network.model_file import ModelCard, load_model
from LungSegResNetLib.network.torch_predictor import build_network, mean_logits
from LungSegResNetTrainingLib.command_line.main import main
from LungSegResNetTrainingLib.training.fit import fit
from LungSegResNetTrainingLib.training.losses import dice_and_cross_entropy
from LungSegResNetTrainingLib.training.mixed_precision import autocast
from LungSegResNetTrainingLib.training.own_pass import with_own_weights
from LungSegResNetTrainingLib.training.run_options import RunOptions
from LungSegResNetTrainingLib.training.sampling import TrainingSlices
from LungSegResNetTrainingLib.training.settings import (
    FINE_TUNE,
    ONE_PASS,
    ONE_PASS_WITH_OTHERS,
    RECOMMENDED,
    TrainingSettings,
)
from LungSegResNetTrainingLib.training.start_network import StartNetwork, read_start_network
from LungSegResNetTrainingLib.training.training_run import TrainingRun
from LungSegResNetTrainingLib.training.weight_mean import write_mean

_SHAPE = (64, 88)
_ALONE = RunOptions(workers=0, validate_every=2)
_QUARTER = replace(ONE_PASS, own_pass=4, steps=2, batch_size=2, averaging=0.5)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    return write_network(folder / "shared.safetensors", seen_network(_SHAPE), _SHAPE, (1, 2))


@pytest.fixture(scope="module")
def quarter(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose pass at quarter size was trained alone."""
    return trained(shared, _QUARTER, tmp_path_factory.mktemp("quarter"))


def trained(start: Path, settings: TrainingSettings, run: Path) -> Path:
    network = read_start_network(str(start))
    case = small_case()
    return fit([case], [], network.apply_to(settings), run, _ALONE, start=network)


def of_pass(weights: dict[str, np.ndarray], scale: int) -> dict[str, np.ndarray]:
    begin = f"own.{scale}."
    return {name.removeprefix(begin): value for name, value in weights.items() if name.startswith(begin)}


def alike(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_a_pass_begins_with_the_weights_it_had() -> None:
    shared, slices = seen_network(), torch.rand(2, 1, 48, 64)
    begun = {name: value.numpy() for name, value in shared.state_dict().items() if value.is_floating_point()}
    config, weights = with_own_weights(*with_own_weights(shared.config, begun, [4]), [2])
    assert config["own_scales"] == [2, 4]
    again = with_own_weights(config, weights, [2])
    assert (again[0], again[1].keys()) == (config, weights.keys())
    own = build_network(ModelCard(config), weights, "own")
    assert not own.training
    with torch.inference_mode():
        for scale in (1, 2, 4):
            assert torch.equal(mean_logits(own, slices, (scale,)), mean_logits(shared, slices, (scale,)))


def test_the_pass_learns_and_the_others_stay_bit_for_bit(shared: Path, quarter: Path) -> None:
    card, weights = load_model(quarter)
    _, before = load_model(shared)
    assert card.scales == (1, 2, 4)
    assert card.config["own_scales"] == [4]
    assert card.training["settings"]["own_pass"] == 4
    assert alike(before, weights)
    own = of_pass(weights, 4)
    assert own.keys() == before.keys()
    assert not any(np.array_equal(own[name], before[name]) for name in before if name.endswith("conv1.weight"))


def test_the_pass_is_shown_what_it_sees_in_use(shared: Path, tmp_path: Path) -> None:
    start = read_start_network(str(shared))
    settings = start.apply_to(_QUARTER)
    slices, target = TrainingSlices([small_case()], settings)[1]
    assert slices.shape[1:] == target.shape == _SHAPE
    run = TrainingRun(settings, tmp_path, "cpu", start=start)
    seen = []
    run.network.at(4).register_forward_pre_hook(lambda _network, arguments: seen.append(arguments[0]))
    run.train_step(slices.expand(2, -1, -1, -1), target.expand(2, -1, -1))
    torch.testing.assert_close(seen[0][0], torch.nn.functional.avg_pool2d(slices, 4))


def test_with_the_others_the_pass_learns_from_the_mean_and_they_stay(shared: Path, tmp_path: Path) -> None:
    start = read_start_network(str(shared))
    settings = start.apply_to(replace(_QUARTER, joint=True, averaging=0.0))
    assert settings.scales == (1, 2, 4)
    run = TrainingRun(settings, tmp_path, "cpu", start=start)
    before = {name: value.numpy().copy() for name, value in run.network.state_dict().items()}
    logits = []
    for scale in (2, 4):
        run.network.at(scale).register_forward_hook(lambda _network, _arguments, result: logits.append(result))
    slices, target = torch.rand(2, 1, *_SHAPE), torch.ones(2, *_SHAPE, dtype=torch.int64)
    loss = run.train_step(slices, target)
    # The network as it was computes the mean that the pass learns from.
    begun = build_network(start.card, start.weights, "shared")
    with torch.inference_mode(), autocast(run.device, run.precision):
        expected = dice_and_cross_entropy(mean_logits(begun, slices, (1, 2, 4)).float(), target)
    assert loss == pytest.approx(float(expected), abs=0.01)
    assert [result.requires_grad for result in logits] == [False, False, True]
    learned = {name: value.numpy() for name, value in run.network.state_dict().items()}
    changed = {name for name, value in learned.items() if not np.array_equal(value, before[name])}
    assert "own.4.stem.0.weight" in changed
    assert all(name.startswith("own.4.") and "running" not in name for name in changed)


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(shared: Path, quarter: Path, tmp_path: Path) -> None:
    start = read_start_network(str(shared))
    settings = start.apply_to(_QUARTER)
    run = TrainingRun(settings, tmp_path, "cpu", start=start)
    data = TrainingSlices([small_case()], settings)
    run.train_step(*(torch.stack(parts) for parts in zip(*(data[k] for k in range(2)), strict=True)))
    run.save_checkpoint()
    # A start network is known by the checkpoint, without its weights.
    case, known = small_case(), StartNetwork(start.card, {}, start.fingerprint)
    resumed = load_model(fit([case], [], settings, tmp_path, _ALONE, start=known))[1]
    for name, value in load_model(quarter)[1].items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)


def test_a_second_pass_is_trained_on_top_of_the_first(quarter: Path, tmp_path: Path) -> None:
    card, weights = load_model(trained(quarter, replace(_QUARTER, own_pass=2), tmp_path))
    assert (card.scales, card.config["own_scales"]) == ((1, 2, 4), [2, 4])
    before = load_model(quarter)[1]
    assert alike(before, weights)
    assert not np.array_equal(of_pass(weights, 2)["stem.0.weight"], before["stem.0.weight"])


@pytest.mark.parametrize("settings", [FINE_TUNE, RECOMMENDED], ids=["together", "one a step"])
def test_further_training_of_all_passes_changes_the_weights_of_each(
    quarter: Path, tmp_path: Path, settings: TrainingSettings
) -> None:
    settings = replace(settings, steps=6, batch_size=2, averaging=0.0, full_size_share=(0.5, 0.5))
    card, weights = load_model(trained(quarter, settings, tmp_path))
    before = load_model(quarter)[1]
    assert card.scales == (1, 2, 4)
    assert not np.array_equal(weights["stem.0.weight"], before["stem.0.weight"])
    assert not np.array_equal(of_pass(weights, 4)["stem.0.weight"], of_pass(before, 4)["stem.0.weight"])


def test_networks_whose_passes_have_weights_of_their_own_have_a_mean_of_their_own_kind(
    shared: Path, quarter: Path, tmp_path: Path
) -> None:
    other = trained(quarter, replace(_QUARTER, seed=1), tmp_path / "other")
    write_mean([str(quarter), str(other)], tmp_path / "mean.safetensors")
    one, two, mean = (of_pass(load_model(path)[1], 4) for path in (quarter, other, tmp_path / "mean.safetensors"))
    for name, values in mean.items():
        np.testing.assert_allclose(values, (one[name].astype(float) + two[name]) / 2, rtol=1e-6, atol=1e-7)


def test_in_the_mean_the_weights_that_passes_share_count_for_a_pass_without_its_own(
    shared: Path, quarter: Path, tmp_path: Path
) -> None:
    begun, own = load_model(shared)[1], of_pass(load_model(quarter)[1], 4)
    for order in ((shared, quarter), (quarter, shared)):
        target = tmp_path / "mean.safetensors"
        write_mean([str(path) for path in order], target, overwrite=True)
        card, mean = load_model(target)
        assert (set(card.scales), card.config["own_scales"]) == ({1, 2, 4}, [4])
        assert alike(begun, mean)
        for name, values in of_pass(mean, 4).items():
            np.testing.assert_allclose(values, (begun[name].astype(float) + own[name]) / 2, rtol=1e-6, atol=1e-7)


def test_a_step_with_one_pass_leaves_the_weights_of_the_others_alone(quarter: Path, tmp_path: Path) -> None:
    start = read_start_network(str(quarter))
    run = TrainingRun(start.apply_to(replace(RECOMMENDED, steps=4, batch_size=2)), tmp_path, "cpu", start=start)
    target = torch.zeros(2, 64, 88, dtype=torch.int64)
    for scale in (4, 2):
        before = {name: value.clone() for name, value in run.network.state_dict().items()}
        run.train_step(torch.rand(2, 1, 64 // scale, 88 // scale), target[:, ::scale, ::scale])
        changed = {
            name.startswith("own.4.")
            for name, value in run.network.state_dict().items()
            if not torch.equal(value, before[name])
        }
        assert changed == {scale == 4}


@pytest.mark.parametrize(("options", "preset"), [([], ONE_PASS), (["--with-others"], ONE_PASS_WITH_OTHERS)])
def test_by_command_one_pass_of_the_start_network_is_trained(
    shared: Path, tmp_path: Path, options: list[str], preset: TrainingSettings
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("a", "b"):
        image, mask = Thorax(noise=5.0 if name == "a" else 6.0).scan((6.0, 6.0, 20.0))
        sitk.WriteImage(image, str(data / f"{name}_ct.nii"))
        sitk.WriteImage(mask, str(data / f"{name}_lungs.nii"))
    command = ["fit", str(data), "--start-network", str(shared), "--pass", "4", "--out", str(tmp_path / "run")]
    command += ["--cache", str(tmp_path / "cache"), "--device", "cpu", "--workers", "0", "--progress", "none"]
    assert main([*command, "--steps", "1", "--batch-size", "2", *options]) == 0
    card = load_model(tmp_path / "run" / "network.safetensors")[0]
    settings = TrainingSettings.from_json(card.training["settings"])
    assert settings == replace(
        preset, own_pass=4, steps=1, batch_size=2, slice_shape=_SHAPE, scales=(1, 2, 4), start=settings.start
    )
