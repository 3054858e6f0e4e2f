"""The mean of networks that were fine-tuned from one another: as good as each at what it does best, or nearly so.

Averaging weights along or between fine-tuning runs: Wortsman et al. 2022, "Model soups", ICML.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from LungSegResNetLib.atomic import refuse_existing
from LungSegResNetLib.errors import InputError, ModelError, UsageError
from LungSegResNetLib.network.model_file import ModelCard, load_model, save_model

from .start_network import seen_cases

# What has to be the same for the mean to be a network of the same kind.
_KIND = ("config", "architecture", "slice_shape", "hu_window", "scales", "classes")


def write_mean(networks: Sequence[Path], target: Path, *, overwrite: bool = False) -> ModelCard:
    """Write the network whose weights are the mean of those given; returns its card.

    It says of itself what the last network does, and names all of them. Cases are validation cases if every network
    kept them for that, and none was trained on them.

    Raises
    ------
    UsageError : less than two networks.
    ModelError : a file cannot be read, or the networks are not of one kind.
    InputError : a network was trained on a case that another one keeps for validation.
    OutputError : the target is there already and may not be replaced, or cannot be written.
    """
    if len(networks) < 2:
        raise UsageError("A mean needs two networks or more.")
    refuse_existing(target, overwrite=overwrite)
    loaded = [load_model(path) for path in networks]
    card = loaded[-1][0]
    for path, (other, weights) in zip(networks, loaded, strict=True):
        differing = [name for name in _KIND if getattr(other, name) != getattr(card, name)]
        if differing or {n: w.shape for n, w in weights.items()} != {n: w.shape for n, w in loaded[-1][1].items()}:
            raise ModelError(
                f"{path.name} and {networks[-1].name} differ in {', '.join(differing) or 'their weights'}; "
                "only networks of one kind have a mean."
            )
    seen = set().union(*(seen_cases(other) for other, _ in loaded))
    validated = [set(other.training.get("validation_cases", ())) for other, _ in loaded]
    if leaked := sorted(seen & set().union(*validated)):
        raise InputError(
            f"The case {leaked[0]} was trained on by one network and is kept for validation by another; "
            "their mean could not be judged on it."
        )
    training = {
        **card.training,
        "mean_of": [_named(path, other) for path, (other, _) in zip(networks, loaded, strict=True)],
        "start_network_cases": sorted(seen),
        "validation_cases": sorted(set.intersection(*validated)),
    }
    weights = {
        name: np.stack([weights[name] for _, weights in loaded]).mean(axis=0, dtype=np.float64).astype(np.float32)
        for name in loaded[-1][1]
    }
    card = dataclasses.replace(card, name=target.stem, version="0", description="", training=training, figures={})
    save_model(target, weights, card)
    return card


def _named(path: Path, card: ModelCard) -> str:
    return f"{card.name} {card.version} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:12]})"
