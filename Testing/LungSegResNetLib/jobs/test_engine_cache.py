"""A network is loaded once for any number of scans, and again when it or the settings are others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from LungSegResNetLib.errors import ModelError
from LungSegResNetLib.jobs.engine_cache import cached_engine
from LungSegResNetLib.network.engines import EngineSettings
from LungSegResNetLib.network.model_file import default_model_path, load_model, save_model


def write_named_network(path: Path, name: str) -> Path:
    """The shipped network for small slices, under another name."""
    card, weights = load_model(default_model_path())
    save_model(path, weights, replace(card, name=name, slice_shape=(48, 64)))
    return path


def test_an_engine_is_kept_while_settings_and_content_of_the_file_are_the_same(tmp_path: Path) -> None:
    path = write_named_network(tmp_path / "network.safetensors", "first")
    first = cached_engine(EngineSettings("openvino", model=path))
    path.touch()
    assert cached_engine(EngineSettings("openvino", model=path)) is first

    write_named_network(path, "second")
    second = cached_engine(EngineSettings("openvino", model=path))
    assert second.predictor.card.name == "second"
    assert cached_engine(EngineSettings("openvino", model=path, precision="float32")) is not second


def test_a_file_that_is_gone_is_an_error_though_its_network_was_loaded(tmp_path: Path) -> None:
    path = write_named_network(tmp_path / "network.safetensors", "gone")
    cached_engine(EngineSettings("openvino", model=path))
    path.unlink()
    with pytest.raises(ModelError, match="no network file"):
        cached_engine(EngineSettings("openvino", model=path))
