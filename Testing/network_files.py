"""Network files for tests: the shipped one in small, and ones that were never trained but answer something."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import torch

from LungSegResNetLib.network.architecture import SLICE_SHAPE, whole_config
from LungSegResNetLib.network.model_file import ModelCard, default_model_path, load_model, save_model
from LungSegResNetLib.network.network import HighRes2DNet


def seen_network(slice_shape: tuple[int, int] = (48, 64), seed: int = 0) -> HighRes2DNet:
    """Network in evaluation mode whose answer is neither 0 nor 1 everywhere."""
    torch.manual_seed(seed)
    network = HighRes2DNet().train()
    with torch.no_grad():
        for _ in range(20):
            network(torch.rand(2, 1, *slice_shape))
    return network.eval()


def write_quick_network(path: str | os.PathLike[str]) -> Path:
    """The shipped network at half the size of its slices, in one pass: finds the phantom's lungs in little time."""
    return write_shipped(path, (1,), (112, 152))


def write_shipped(
    path: str | os.PathLike[str], scales: tuple[int, ...], slice_shape: tuple[int, int] = SLICE_SHAPE
) -> Path:
    """The shipped network with these passes alone."""
    card, weights = load_model(default_model_path())
    own = [scale for scale in whole_config(card.config)["own_scales"] if scale in scales]
    config = {name: value for name, value in card.config.items() if name != "own_scales"}
    begins = tuple(f"own.{scale}." for scale in own)
    kept = {name: value for name, value in weights.items() if not name.startswith("own.") or name.startswith(begins)}
    config |= {"own_scales": own} if own else {}
    save_model(path, kept, replace(card, config=config, slice_shape=slice_shape, scales=scales))
    return Path(path)


def write_network(
    path: str | os.PathLike[str],
    network: HighRes2DNet,
    slice_shape: tuple[int, int] = (48, 64),
    scales: tuple[int, ...] = (1, 2),
) -> Path:
    """Write a network file and return its path."""
    weights = {name: value.numpy() for name, value in network.state_dict().items() if value.is_floating_point()}
    save_model(path, weights, ModelCard(network.config, slice_shape=slice_shape, scales=scales))
    return Path(path)
