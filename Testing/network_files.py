"""Network files for tests: never trained, but with batch norms that have seen slices, so that they answer something."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from LungSegResNetLib.network.model_file import ModelCard, save_model
from LungSegResNetLib.network.network import HighRes2DNet


def seen_network(slice_shape: tuple[int, int] = (48, 64), seed: int = 0) -> HighRes2DNet:
    """Network in evaluation mode whose answer is neither 0 nor 1 everywhere."""
    torch.manual_seed(seed)
    network = HighRes2DNet().train()
    with torch.no_grad():
        for _ in range(20):
            network(torch.rand(2, 1, *slice_shape))
    return network.eval()


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
