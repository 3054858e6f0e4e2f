"""The mean of networks that were fine-tuned from one another: as good as each at what it does best, or nearly so.

Averaging weights along or between fine-tuning runs: Wortsman et al. 2022, "Model soups", ICML.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import reduce
from operator import or_
from pathlib import Path

import numpy as np

from LungSegResNetLib.atomic import refuse_existing
from LungSegResNetLib.errors import InputError, ModelError, UsageError
from LungSegResNetLib.network.architecture import whole_config
from LungSegResNetLib.network.model_file import ModelCard, save_model

from ..data.scan_marks import ScanSet
from .own_pass import with_own_weights
from .start_network import StartNetwork, read_start_network
from .training_record import merged_sources

# What has to be the same for the mean to be a network of the same kind. Training may have changed the passes.
_KIND = ("config", "architecture", "slice_shape", "hu_window", "classes")


def write_mean(networks: Sequence[str], target: Path, *, overwrite: bool = False) -> ModelCard:
    """Write the network whose weights are the mean of those given, files or ``shipped``; returns its card.

    It has the passes of the last network, and those that have weights of their own in any; of a network in which such a
    pass has none, the weights that its passes share count. It says of itself what the last one does, and names all of
    them; one that is given twice counts twice. Cases are validation cases if every network kept them for that, and none
    was trained on them. Scans that chose a step of any network have chosen the mean.

    Raises
    ------
    UsageError : less than two networks.
    ModelError : a file cannot be read or is of a run that has not finished, or the networks are not of one kind.
    InputError : a network was trained on a case that another one keeps for validation.
    OutputError : the target is there already and may not be replaced, or cannot be written.
    """
    if len(networks) < 2:
        raise UsageError("A mean needs two networks or more.")
    refuse_existing(target, overwrite=overwrite)
    loaded = _with_the_same_passes([read_start_network(name) for name in networks])
    last = loaded[-1]
    for other in loaded:
        if other.card.is_unfinished:
            raise ModelError(f"The training of {other.fingerprint} has not finished; resume it first.")
        differing = [name for name in _KIND if getattr(other.card, name) != getattr(last.card, name)]
        if differing or {n: w.shape for n, w in other.weights.items()} != {n: w.shape for n, w in last.weights.items()}:
            raise ModelError(
                f"{other.fingerprint} and {last.fingerprint} differ in {', '.join(differing) or 'their weights'}; "
                "only networks of one kind have a mean."
            )
    records = [other.record for other in loaded]
    seen = reduce(or_, (record.seen_scans for record in records))
    validated = [record.validation_scans for record in records]
    if leaked := reduce(or_, validated).shared_with(seen).names:
        raise InputError(
            f"The case {leaked[0]} was trained on by one network and is kept for validation by another; "
            "their mean could not be evaluated on it."
        )
    kept = reduce(ScanSet.shared_with, reversed(validated))
    record = dataclasses.replace(
        records[-1],
        mean_of=[other.fingerprint for other in loaded],
        start_network_cases=seen.names,
        start_network_data=merged_sources(row for record in records for row in record.sources),
        validation_cases=kept.names,
        seen_scans=seen,
        validation_scans=kept,
        choosing_scans=reduce(or_, (record.choosing_scans for record in records)),
    )
    weights = {
        name: np.stack([other.weights[name] for other in loaded]).mean(axis=0, dtype=np.float64).astype(np.float32)
        for name in last.weights
    }
    card = dataclasses.replace(
        last.card, name=target.stem, version="0", description="", limits=(), training=record.as_json(), figures={}
    )
    save_model(target, weights, card)
    return card


def _with_the_same_passes(networks: Sequence[StartNetwork]) -> list[StartNetwork]:
    """Networks that compute the same, with weights of their own for all passes that have some in any of them."""
    own = sorted({scale for one in networks for scale in whole_config(one.card.config)["own_scales"]})
    result = []
    for one in networks:
        config, weights = with_own_weights(one.card.config, one.weights, own)
        scales = tuple(dict.fromkeys((*one.card.scales, *own)))
        card = dataclasses.replace(one.card, config=config, scales=scales)
        result.append(dataclasses.replace(one, card=card, weights=weights))
    return result
