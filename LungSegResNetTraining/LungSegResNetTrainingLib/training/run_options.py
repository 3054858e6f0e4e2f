"""How a run goes on a machine, apart from the settings that make the network what it is."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import dataclass

from LungSegResNetLib.cores import cores
from LungSegResNetLib.errors import UsageError

_MOST_WORKERS, _MOST_SPAWNED_WORKERS = 16, 4


@dataclass(frozen=True)
class RunOptions:
    """What may differ each time that a run is gone on with.

    Attributes
    ----------
    device : ``cpu``, ``cuda`` or ``mps``.
    workers : processes that prepare slices; 0 prepares them in the one that trains.
    validate_every : steps between two validations.
    checkpoint_every : seconds between two checkpoints.
    patience : end the run after so many validations without a better Dice, and keep the network of the best one;
        without it the run takes all its steps and keeps the last network.
    slices_at_once : see ``TrainingRun``.

    Raises
    ------
    UsageError : a number that has no meaning.
    """

    device: str = "cpu"
    workers: int = 1
    validate_every: int = 100
    checkpoint_every: float = 180.0
    patience: int | None = None
    slices_at_once: int | None = None

    def __post_init__(self) -> None:
        for name, least in (
            ("workers", 0),
            ("validate_every", 1),
            ("patience", 1),
            ("slices_at_once", 1),
            ("checkpoint_every", 0),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"--{name.replace('_', '-')} has to be {least} or more, not {value:g}.")


def default_workers(device: str) -> int:
    """Processes that prepare slices: half of the cores where the processor trains, too, else all but one.

    Training processes side by side on a machine share them. Where a new process begins from nothing, as on Windows and
    macOS, each needs some hundred megabytes, so there are few.
    """
    count = cores() // 2 if device == "cpu" else cores() - 1
    most = _MOST_WORKERS if multiprocessing.get_start_method() == "fork" else _MOST_SPAWNED_WORKERS
    return max(1, min(most, count // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
