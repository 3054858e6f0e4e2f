"""Passes with weights of their own: the network, its file, and both engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from network_files import seen_network, write_network

from LungSegResNetLib.errors import ModelError
from LungSegResNetLib.network.folding import fold
from LungSegResNetLib.network.model_file import load_model
from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetLib.network.openvino_predictor import OpenVinoPredictor
from LungSegResNetLib.network.passes import lung_probability
from LungSegResNetLib.network.torch_predictor import TorchPredictor, build_network, mean_logits

ENGINES = (TorchPredictor, OpenVinoPredictor)


@pytest.fixture(scope="module")
def network() -> HighRes2DNet:
    """Passes at full, half and quarter size, the last with other weights than the rest."""
    network = HighRes2DNet(own_scales=[4]).eval()
    network.load_state_dict(seen_network(seed=0).state_dict(), strict=False)
    network.at(4).load_state_dict(seen_network(seed=1).state_dict())
    return network


@pytest.fixture(scope="module")
def path(network: HighRes2DNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("own") / "n.safetensors", network, (48, 64), (1, 2, 4))


def test_only_the_pass_itself_has_its_weights(network: HighRes2DNet) -> None:
    slices = torch.rand(2, 1, 48, 64)
    with torch.inference_mode():
        for scale, seed in ((1, 0), (2, 0), (4, 1)):
            alone = mean_logits(seen_network(seed=seed), slices, (scale,))
            assert torch.equal(mean_logits(network, slices, (scale,)), alone)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("lung_in_view", [-1.0, 0.05])
def test_engines_run_each_pass_with_its_weights(
    engine: type, lung_in_view: float, network: HighRes2DNet, path: Path
) -> None:
    slices = np.random.default_rng(0).random((3, 48, 64), np.float32)
    batch = torch.from_numpy(slices)[:, None]
    with torch.inference_mode():
        expected = lung_probability(mean_logits(network, batch, (1, 2, 4)).numpy())
        other = lung_probability(mean_logits(network, batch, (1,)).numpy())
    found = engine(path, precision="float32", lung_in_view=lung_in_view).predict(slices)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.abs(expected - other).max() > 0.05


def test_in_eight_bits_the_result_is_nearly_the_same(path: Path) -> None:
    slices = np.random.default_rng(0).random((3, 48, 64), np.float32)
    exact, rounded = (OpenVinoPredictor(path, precision=p).predict(slices) for p in ("float32", "int8"))
    assert 0.0 < np.abs(exact - rounded).max() < 0.2


def test_weights_of_a_pass_that_are_missing_or_too_many_are_one_sentence(path: Path) -> None:
    card, weights = load_model(path)
    lacking = {name: value for name, value in weights.items() if name != "own.4.stem.0.weight"}
    without = {name: value for name, value in weights.items() if not name.startswith("own.")}
    for wrong in (lacking, without, weights | {"own.2.stem.0.weight": weights["stem.0.weight"]}):
        with pytest.raises(ModelError, match=r"The weights in n\.safetensors do not fit"):
            build_network(card, wrong, "n.safetensors")
        with pytest.raises(ValueError, match=r"own\."):
            fold(card.config, wrong)
