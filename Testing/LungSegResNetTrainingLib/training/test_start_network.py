"""Networks that training can begin with."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from network_files import seen_network, write_network

from LungSegResNetLib.errors import ModelError
from LungSegResNetLib.network.model_file import load_model, save_model
from LungSegResNetTrainingLib.training.start_network import read_start_network


def test_a_network_of_another_hu_window_is_refused(tmp_path: Path) -> None:
    path = write_network(tmp_path / "start.safetensors", seen_network())
    assert read_start_network(str(path)).card == load_model(path)[0]
    card, weights = load_model(path)
    save_model(path, weights, dataclasses.replace(card, hu_window=(-1000.0, 400.0)))
    with pytest.raises(ModelError, match=r"HU window \(-1000.0, 400.0\), but training uses \(-1024.0, 600.0\)"):
        read_start_network(str(path))
