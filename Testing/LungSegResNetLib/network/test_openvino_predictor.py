from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from network_files import seen_network, write_network

from LungSegResNetLib.errors import DeviceError, ModelError
from LungSegResNetLib.network import openvino_lanes, openvino_predictor
from LungSegResNetLib.network.model_file import ModelCard, load_model, save_model
from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetLib.network.openvino_predictor import OpenVinoPredictor
from LungSegResNetLib.network.torch_predictor import TorchPredictor


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("model") / "network.safetensors", seen_network())


@pytest.fixture(scope="module")
def slices() -> np.ndarray:
    return np.random.default_rng(0).random((5, 48, 64), dtype=np.float32)


@pytest.fixture(scope="module")
def expected(model_path: Path, slices: np.ndarray) -> np.ndarray:
    probability = TorchPredictor(model_path, precision="float32").predict(slices)
    assert probability.std() > 0.05
    return probability


# The mask of noise is noise: what shorter formats may differ by here says little about scans (see test_engines.py).
@pytest.mark.parametrize(("precision", "largest", "mean"), [("float32", 1e-4, 1e-5), (None, 0.25, 0.03)])
def test_openvino_answers_as_pytorch_does(
    model_path: Path, slices: np.ndarray, expected: np.ndarray, precision: str | None, largest: float, mean: float
) -> None:
    result = OpenVinoPredictor(model_path, precision=precision).predict(slices)
    assert result.dtype == np.float32
    assert result.shape == slices.shape
    difference = np.abs(result - expected)
    assert difference.max() < largest
    assert difference.mean() < mean


def test_a_network_without_its_penultimate_layer_and_with_one_scale_runs(tmp_path: Path, slices: np.ndarray) -> None:
    torch.manual_seed(1)
    path = write_network(tmp_path / "n.safetensors", HighRes2DNet(penultimate_channels=None).eval(), scales=(1,))
    result = OpenVinoPredictor(path, precision="float32").predict(slices)
    np.testing.assert_allclose(result, TorchPredictor(path, precision="float32").predict(slices), atol=1e-4)


def test_three_classes_are_told_apart(tmp_path: Path, slices: np.ndarray) -> None:
    torch.manual_seed(2)
    network = HighRes2DNet(classes=3).eval()
    weights = {name: value.numpy() for name, value in network.state_dict().items() if value.is_floating_point()}
    card = ModelCard(network.config, slice_shape=(48, 64), classes=("background", "lung", "airway"))
    save_model(tmp_path / "n.safetensors", weights, card)
    result = OpenVinoPredictor(tmp_path / "n.safetensors", precision="float32").predict(slices)
    expected = TorchPredictor(tmp_path / "n.safetensors", precision="float32").predict(slices)
    np.testing.assert_allclose(result, expected, atol=1e-4)


@pytest.mark.parametrize(("batch_size", "counts"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (8, [5])])
def test_progress_counts_up_and_the_result_does_not_depend_on_the_batch_size(
    model_path: Path, slices: np.ndarray, expected: np.ndarray, batch_size: int, counts: list[int]
) -> None:
    seen: list[int] = []
    result = OpenVinoPredictor(model_path, batch_size=batch_size, precision="float32").predict(slices, seen.append)
    assert seen == counts
    np.testing.assert_allclose(result, expected, atol=1e-4)


def test_what_the_progress_callback_raises_stops_the_run_and_leaves_the_predictor_usable(
    model_path: Path, slices: np.ndarray, expected: np.ndarray
) -> None:
    counts: list[int] = []

    def cancel(done: int) -> None:
        counts.append(done)
        if done >= 2:
            raise KeyboardInterrupt

    predictor = OpenVinoPredictor(model_path, precision="float32")
    many = np.concatenate([slices] * 20)
    with pytest.raises(KeyboardInterrupt):
        predictor.predict(many, cancel)
    assert counts == [1, 2]
    np.testing.assert_allclose(predictor.predict(slices), expected, atol=1e-4)


def test_a_scan_of_few_slices_is_computed_in_float32_unless_another_format_was_asked_for(
    model_path: Path, slices: np.ndarray, expected: np.ndarray
) -> None:
    chosen = OpenVinoPredictor(model_path)
    assert chosen.for_scan(60) is chosen
    of_few = chosen.for_scan(1)
    assert of_few.precision == "float32"
    assert chosen.for_scan(2) is of_few
    np.testing.assert_allclose(of_few.predict(slices), expected, atol=1e-4)
    asked_for = OpenVinoPredictor(model_path, precision="int8")
    assert asked_for.for_scan(1) is asked_for


@pytest.mark.parametrize(("threads", "lanes"), [(9, 4), (12, 6), (16, 8), (20, 6), (32, 8), (64, 8)])
def test_the_threads_of_many_cores_are_shared_by_few_lanes(threads: int, lanes: int) -> None:
    assert openvino_lanes.lanes_for(threads) == lanes


def test_there_are_no_more_lanes_than_memory_is_counted_on_for(
    model_path: Path, slices: np.ndarray, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    (free, *_) = OpenVinoPredictor(model_path, precision="float32")._lanes
    monkeypatch.setattr(openvino_lanes, "MOST_LANES", 1)
    predictor = OpenVinoPredictor(model_path, precision="float32")
    (lane,) = predictor._lanes
    of_all, of_one = (each.passes.coarse.get_property("INFERENCE_NUM_THREADS") for each in (free, lane))
    assert of_one == of_all
    np.testing.assert_allclose(predictor.predict(slices), expected, atol=1e-4)


def test_no_slices_give_no_result_and_no_progress(model_path: Path) -> None:
    counts: list[int] = []
    result = OpenVinoPredictor(model_path).predict(np.empty((0, 48, 64), np.float32), counts.append)
    assert result.shape == (0, 48, 64)
    assert counts == []


def test_weights_that_do_not_fit_are_a_model_error(model_path: Path, tmp_path: Path) -> None:
    card, weights = load_model(model_path)
    for name, change in {
        "missing": {key: value for key, value in weights.items() if key != "head.3.weight"},
        "more": weights | {"blocks.9.conv1.weight": np.zeros(3, np.float32)},
        "shape": weights | {"stem.0.weight": np.zeros((16, 1, 5, 5), np.float32)},
    }.items():
        save_model(tmp_path / f"{name}.safetensors", change, card)
        with pytest.raises(ModelError, match=rf"{name}\.safetensors"):
            OpenVinoPredictor(tmp_path / f"{name}.safetensors")


def test_graphics_that_are_not_there_are_a_device_error(model_path: Path) -> None:
    import openvino

    if any(name.startswith("GPU") for name in openvino.Core().available_devices):
        pytest.skip("this machine has Intel graphics")
    with pytest.raises(DeviceError, match="no Intel GPU"):
        OpenVinoPredictor(model_path, "gpu")


def test_a_device_that_fails_while_its_arithmetic_is_tried_is_told_in_a_sentence(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> str:
        raise RuntimeError("Exception from core.cpp:\nCheck failed: no memory")

    monkeypatch.setattr(openvino_predictor, "device_precision", fail)
    with pytest.raises(DeviceError, match="Check failed: no memory"):
        OpenVinoPredictor(model_path)
