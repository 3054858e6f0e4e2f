"""The network that fine-tuning begins with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.errors import ModelError
from LungSegResNetLib.network.architecture import HU_WINDOW, whole_config
from LungSegResNetLib.network.model_file import ModelCard, default_model_path, load_model

from ..choices import SHIPPED
from .settings import TrainingSettings, digest_in
from .training_record import TrainingRecord


@dataclass(frozen=True)
class StartNetwork:
    """Weights to begin with, what their file says, and a name for the pair of them.

    There are no ``weights`` for a run that goes on: its checkpoint has what they have become.
    """

    card: ModelCard
    weights: dict[str, np.ndarray]
    fingerprint: str

    @cached_property
    def record(self) -> TrainingRecord:
        """What its file says of its training."""
        return TrainingRecord.of(self.card)

    def apply_to(self, settings: TrainingSettings) -> TrainingSettings:
        """The settings of a run that starts here: slices as this network is used to, and its name.

        Joint training of all gives the network the passes of the settings, besides those that have weights of their
        own, and training one pass gives it that one.
        """
        scales = self.card.scales
        if settings.own_pass:
            scales = (*scales, settings.own_pass)
        elif settings.joint:
            scales = (*settings.scales, *whole_config(self.card.config)["own_scales"])
        scales = tuple(dict.fromkeys(scales))
        return replace(settings, slice_shape=self.card.slice_shape, scales=scales, start=self.fingerprint)


def network_path(name: str) -> Path:
    """The file that a user means by ``name``: a path, or ``shipped`` for the shipped network."""
    return default_model_path() if name == SHIPPED else Path(name)


def read_start_network(name: str) -> StartNetwork:
    """Read a network file, named as in `network_path`.

    Raises
    ------
    ModelError : the file cannot be read, or asks for a HU window that training does not use.
    """
    path = network_path(name)
    card, weights = load_model(path)
    if card.hu_window != HU_WINDOW:
        raise ModelError(
            f"{path.name} was trained with the HU window {card.hu_window}, but training uses {HU_WINDOW}; "
            "choose another network."
        )
    digest = file_digest(path)[:12]
    return StartNetwork(card, weights, f"{card.name} ({path.name}, sha256 {digest})")


def start_of_run(name: str, kept: StartNetwork | None, on_warning: Callable[[str], None]) -> StartNetwork:
    """The network that a run begins or began with.

    Parameters
    ----------
    name : what a user says it is (see `network_path`).
    kept : what the run's checkpoint tells of it, which counts where a run goes on: the file may have been moved or,
        as the shipped network with each version, replaced. None where there is no such checkpoint.
    on_warning : is told when the file is missing or another one.

    Raises
    ------
    ModelError : as ``read_start_network``, where there is no checkpoint to go on from.
    """
    try:
        given = read_start_network(name)
    except ModelError as error:
        if kept is None:
            raise
        on_warning(f"{error} The run continues from its checkpoint without it.")
        return kept
    if kept is None:
        return given
    if digest_in(given.fingerprint) != digest_in(kept.fingerprint):
        on_warning(
            f"The run began with {kept.fingerprint} and continues from its checkpoint; {given.fingerprint} is not used."
        )
    return kept
