from __future__ import annotations

import json
import pickle
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

from LungSegResNetLib.errors import ModelError
from LungSegResNetLib.network.model_file import (
    FORMAT,
    ModelCard,
    card_to_json,
    default_model_path,
    load_model,
    read_card,
    save_model,
)
from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetLib.network.torch_predictor import build_network

CONFIG = {"in_channels": 1, "classes": 2, "penultimate_channels": 80}
WEIGHTS = {"stem.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}


def _weights(**config: Any) -> dict[str, np.ndarray]:
    state = HighRes2DNet(**config).state_dict()
    return {name: value.numpy() for name, value in state.items() if value.is_floating_point()}


def _write_with(path: Path, **changes: Any) -> Path:
    """Network file whose card has some values that ``ModelCard`` would not have."""
    card = asdict(ModelCard(CONFIG)) | changes
    save_file(WEIGHTS, path, {"format": FORMAT, "lungsegresnet": json.dumps(card)})
    return path


def test_a_network_comes_back_with_the_same_weights_and_card(tmp_path: Path) -> None:
    card = ModelCard(
        CONFIG,
        name="test",
        version="3",
        licence="Apache-2.0",
        description="Läuft überall.",
        limits=("small children", "one reader"),
        hu_window=(-1000.0, 400.0),
        scales=(1, 2),
        training={"cases": ["a", "b"], "settings": {"steps": 5}},
        figures={"Dice": 0.98},
    )
    weights = _weights()
    path = tmp_path / "network.safetensors"
    save_model(path, weights, card)
    card_read, weights_read = load_model(path)
    assert card_read == card
    assert read_card(path) == card
    assert weights_read.keys() == weights.keys()
    assert all(np.array_equal(weights_read[name], weights[name]) for name in weights)

    network = build_network(card_read, weights_read, path.name)
    assert not network.training
    assert torch.equal(network.state_dict()["stem.0.weight"], torch.from_numpy(weights["stem.0.weight"]))


def test_the_same_network_is_the_same_bytes_however_often_it_is_written(tmp_path: Path) -> None:
    path, written = tmp_path / "network.safetensors", set[bytes]()
    for _ in range(12):
        save_model(path, WEIGHTS, ModelCard(CONFIG, description="Läuft überall."))
        written.add(path.read_bytes())
    assert len(written) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no network file at"):
        load_model(tmp_path / "nothing.safetensors")


def test_a_pytorch_checkpoint_is_refused_as_a_pickle(tmp_path: Path) -> None:
    for name, zipped in (("zip.pt", True), ("legacy.safetensors", False)):
        torch.save({"weights": torch.zeros(3)}, tmp_path / name, _use_new_zipfile_serialization=zipped)
        with pytest.raises(ModelError, match=f"{name} is a pickle file"):
            load_model(tmp_path / name)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_raw_pickle_is_refused_and_never_run(tmp_path: Path, protocol: int) -> None:
    path, trace = tmp_path / "network.safetensors", tmp_path / "trace"

    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (trace,)

    path.write_bytes(pickle.dumps(Harmful(), protocol))
    with pytest.raises(ModelError, match="is a pickle file"):
        load_model(path)
    assert not trace.exists()


@pytest.mark.parametrize("start", [b"\x80\x02", b"\x80\x05"])
def test_a_network_whose_header_length_looks_like_a_pickle_is_still_opened(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "network.safetensors"
    wanted = int.from_bytes(start, "little") + 0x10000
    length = 0
    for _ in range(3):  # the length of the header grows with the description
        save_model(path, WEIGHTS, ModelCard(CONFIG, description="x" * length))
        length += wanted - int.from_bytes(path.read_bytes()[:8], "little")
    assert path.read_bytes()[:2] == start
    assert load_model(path)[1].keys() == WEIGHTS.keys()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.99])
def test_a_truncated_file_is_called_damaged(tmp_path: Path, share: float) -> None:
    path = tmp_path / "network.safetensors"
    save_model(path, _weights(), ModelCard(CONFIG))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match="damaged or not in safetensors format"):
        load_model(path)


@pytest.mark.parametrize("damage", [bytes(4096), b"\x5a" * 4096, b"\x01"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_weights_that_changed_in_a_file_of_full_length_are_noticed(tmp_path: Path, share: float, damage: bytes) -> None:
    path = tmp_path / "network.safetensors"
    save_model(path, _weights(), ModelCard(CONFIG))
    content = bytearray(path.read_bytes())
    place = int(share * len(content))
    length = min(len(damage), len(content) - place)
    content[place : place + length] = damage[:length]
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"network\.safetensors is damaged: its weights are not those that were saved"):
        load_model(path)


def test_a_file_without_a_digest_is_opened_as_of_another_program(tmp_path: Path) -> None:
    card, weights = ModelCard(CONFIG), _weights()
    save_file(weights, tmp_path / "network.safetensors", {"format": FORMAT, "lungsegresnet": card_to_json(card)})
    assert load_model(tmp_path / "network.safetensors")[0] == card


@pytest.mark.parametrize(
    ("name", "value"),
    [("stem.0.weight", np.nan), ("stem.0.weight", np.inf), ("stem.1.running_var", -0.5)],
)
@pytest.mark.parametrize("has_digest", [True, False])
def test_weights_that_no_network_can_have_are_refused(
    tmp_path: Path, name: str, value: float, has_digest: bool
) -> None:
    path, card, weights = tmp_path / "network.safetensors", ModelCard(CONFIG), _weights()
    weights[name] = weights[name].copy()
    weights[name].flat[1] = value
    if has_digest:
        save_model(path, weights, card)
    else:
        save_file(weights, path, {"format": FORMAT, "lungsegresnet": card_to_json(card)})
    with pytest.raises(ModelError, match=rf"weights that no network can have \({re.escape(name)}\)"):
        load_model(path)


def test_the_shipped_network_knows_its_weights() -> None:
    with safe_open(default_model_path(), framework="numpy") as file:
        assert len(file.metadata()["weights_sha256"]) == 64
    load_model(default_model_path())


def test_weights_of_a_type_that_numpy_lacks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    card = json.dumps(asdict(ModelCard(CONFIG)))
    save_torch_file({"a": torch.zeros(2, dtype=torch.bfloat16)}, path, {"format": FORMAT, "lungsegresnet": card})
    with pytest.raises(ModelError, match="not a readable network file"):
        load_model(path)


def test_a_safetensors_file_without_our_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    for metadata in (None, {"format": "pt"}):
        save_file(WEIGHTS, path, metadata)
        with pytest.raises(ModelError, match="its metadata are missing"):
            read_card(path)


def test_another_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "later.safetensors"
    card = json.dumps(asdict(ModelCard(CONFIG)))
    save_file(WEIGHTS, path, {"format": "LungSegResNet network 9", "lungsegresnet": card})
    with pytest.raises(ModelError, match=r"has the format 'LungSegResNet network 9', but this version reads"):
        read_card(path)


def test_another_architecture_is_named(tmp_path: Path) -> None:
    path = _write_with(tmp_path / "unet.safetensors", architecture="UNet")
    with pytest.raises(ModelError, match=r"unet\.safetensors holds a 'UNet' network"):
        read_card(path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scales": []}, "the scales none; they"),
        ({"scales": [0]}, "the scales 0; they"),
        ({"scales": [5]}, "the scales 5; they"),
        ({"scales": [1, 1.5]}, "the scales 1, 1.5; they"),
        ({"slice_shape": [216]}, "slices of 216; rows"),
        ({"slice_shape": [210, 296]}, "slices of 210, 296; rows"),
        ({"slice_shape": [-216, 296]}, "slices of -216, 296; rows"),
        ({"hu_window": [600.0, -1024.0]}, "the HU window 600.0, -1024.0; it"),
        ({"hu_window": [0.0, float("nan")]}, "the HU window 0.0, nan; it"),
        ({"hu_window": [float("-inf"), 600.0]}, "the HU window -inf, 600.0; it"),
        ({"hu_window": [-1024.0, 600.0, 0.0]}, "the HU window -1024.0, 600.0, 0.0; it"),
        ({"classes": ["lung"]}, "the classes lung; the config"),
        ({"classes": ["background", "right lung", "left lung"]}, "the classes background, right lung, left lung; the"),
        ({"classes": ["lung", "background"]}, "the classes lung, background; the config"),
        (
            {"config": CONFIG | {"classes": 3}, "classes": ["background", "right lung", "left lung"]},
            "the classes background, right lung, left lung; the config",
        ),
        ({"config": {"in_channels": 1, "classes": 1}, "classes": ["lung"]}, "the classes lung; the config"),
        ({"config": {"in_channels": 3}}, "3 input channels; there"),
        ({"config": []}, "the config []; it"),
        (
            {"config": {"own_scales": [2]}},
            "weights of their own for the passes [2]; they have to be some of the scales 1",
        ),
        ({"config": {"own_scales": [2.0]}, "scales": [1, 2]}, "weights of their own for the passes [2.0]; they"),
        ({"config": {"own_scales": 2}, "scales": [1, 2]}, "weights of their own for the passes 2; they"),
    ],
    ids=str,
)
def test_values_that_cannot_be_run_are_named(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    path = _write_with(tmp_path / "odd.safetensors", **changes)
    with pytest.raises(ModelError, match=rf"odd\.safetensors ask for {re.escape(told)}"):
        read_card(path)


@pytest.mark.parametrize("changes", [{"scales": 1}, {"hu_window": ["a", "b"]}, {"unknown": 1}], ids=str)
def test_metadata_that_mean_nothing_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = _write_with(tmp_path / "odd.safetensors", **changes)
    with pytest.raises(ModelError, match="cannot be understood"):
        read_card(path)


@pytest.mark.parametrize("text", ["", "{", "5", "[]", "{}", '{"config": {}}'])
def test_metadata_that_are_no_card_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.safetensors"
    save_file(WEIGHTS, path, {"format": FORMAT, "lungsegresnet": text})
    with pytest.raises(ModelError, match="cannot be understood"):
        read_card(path)


def test_weights_that_do_not_fit_are_one_sentence() -> None:
    weights = _weights()
    lacking = {name: value for name, value in weights.items() if name != "head.3.weight"}
    for wrong in (lacking, weights | {"more": np.zeros(1, np.float32)}, _weights(classes=3), {}):
        with pytest.raises(ModelError, match=r"The weights in n\.safetensors do not fit") as caught:
            build_network(ModelCard(CONFIG), wrong, "n.safetensors")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("config", [{"depth": 3}, {"classes": "two"}, {"classes": -1}, {"classes": 10**12}], ids=str)
def test_a_config_that_makes_no_network_is_one_sentence(config: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"The weights in n\.safetensors do not fit"):
        build_network(ModelCard(config), _weights(), "n.safetensors")
