"""What the panel knows about the folder of a run: its files, and the choices it was begun with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import qt

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetTrainingLib.choices import FINE_TUNE, SHIPPED
from LungSegResNetTrainingLib.training.run_files import CHECKPOINT, NETWORK

_CHOICES = "panel.json"
# In Slicer's settings, which all Slicers of a user share: a key for each folder.
_UNFINISHED = "LungSegResNetTraining/unfinishedRuns"
# Little is lost by Stop; writing takes a fraction of a second.
_CHECKPOINT_SECONDS = 15
NO_START, FILE = "none", "file"  # what training begins with, beside SHIPPED


@dataclass(frozen=True)
class PanelChoices:
    """What the panel begins a run with, or goes on with it; 0: the preset's number; -1: what suits the device."""

    dataSet: str
    preset: str = FINE_TUNE
    startNetwork: str = SHIPPED
    startFile: str = ""
    steps: int = 0
    batchSize: int = 0
    validateEvery: int = 50
    device: str = "auto"
    includeDoubtful: bool = False
    workers: int = -1

    @classmethod
    def of(cls, parameters: Any) -> PanelChoices:
        """Those of the parameter node; the process works in another folder than Slicer, so paths are made whole."""
        choices = cls(**{field.name: getattr(parameters, field.name) for field in fields(cls)})
        paths = {name: getattr(choices, name) for name in ("dataSet", "startFile")}
        return replace(choices, **{name: str(Path(path).absolute()) for name, path in paths.items() if path})

    def arguments(self, folder: Path) -> list[str | Path]:
        """Of the command line."""
        texts: list[str | Path] = ["fit", self.dataSet, "--out", folder, "--cache", folder / "slices"]
        texts += ["--preset", self.preset, "--device", self.device, "--validate-every", str(self.validateEvery)]
        texts += ["--checkpoint-every", str(_CHECKPOINT_SECONDS)]
        if self.startNetwork != NO_START:
            texts += ["--start-network", self.startFile if self.startNetwork == FILE else SHIPPED]
        if self.includeDoubtful:
            texts.append("--include-doubtful")
        for option, value in (("--steps", self.steps), ("--batch-size", self.batchSize)):
            if value:
                texts += [option, str(value)]
        if self.workers >= 0:
            texts += ["--workers", str(self.workers)]
        return texts

    def save(self, folder: Path) -> None:
        """Keep them with the run; raises OutputError where the folder cannot be written."""
        with write_atomically(folder / _CHOICES, overwrite=True) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


CHOICES = tuple(field.name for field in fields(PanelChoices))
# Of the parameter node, what a run is known by: it outlives the scene, as the run does.
RUN_PARAMETERS = (*CHOICES, "runFolder")


def choicesOf(folder: str) -> PanelChoices | None:
    """What a run was begun with; None where the panel did not begin it."""
    try:
        values = json.loads((Path(folder) / _CHOICES).read_text(encoding="utf-8"))
        choices = PanelChoices(**values)
    except (OSError, ValueError, TypeError):
        return None
    hasTypes = all(type(getattr(choices, field.name)).__name__ == field.type for field in fields(choices))
    return choices if folder and hasTypes else None


def networkFile(folder: str) -> Path:
    """The network that the run ends with."""
    return Path(folder) / NETWORK


def isBegun(folder: str) -> bool:
    """Whether a run in this folder can be continued."""
    return bool(folder) and (Path(folder) / CHECKPOINT).is_file()


def hasNetwork(folder: str) -> bool:
    """Whether there is a network to be used: that of a finished run, or the best so far of one that goes on for it."""
    return bool(folder) and networkFile(folder).is_file()


def isFinished(folder: str) -> bool:
    """Whether the run in this folder has ended with its network."""
    return hasNetwork(folder) and stepsOfUnfinished(folder) is None


def stepsOfUnfinished(folder: str) -> int | None:
    """Steps after which the network of a run that has not finished was kept; None where it has, or says nothing."""
    try:
        from LungSegResNetLib.errors import ModelError
        from LungSegResNetLib.network.model_file import read_card
        from LungSegResNetTrainingLib.training.training_record import TrainingRecord
    except ImportError:  # the package that reads network files is installed with the first step of the panel
        return None
    try:
        card = read_card(networkFile(folder))
    except ModelError:  # who uses the file is told
        return None
    return (TrainingRecord.of(card).steps_done or 0) if card.is_unfinished else None


def keepUnfinished(folder: str) -> None:
    """Remember the folder of a run that may end with Slicer."""
    settings = qt.QSettings()
    settings.setValue(_keyOf(folder), str(Path(folder).absolute()))
    settings.sync()  # a crash leaves no time for it


def forgetUnfinished(folder: str) -> None:
    """The run in this folder has ended in another way; those of other Slicers stay remembered."""
    settings = qt.QSettings()
    settings.remove(_keyOf(folder))
    settings.sync()


def unfinishedRun() -> str:
    """Folder (absolute) of a run that ended with Slicer and can be continued; empty if there is none.

    Runs that have finished since then, or whose folder is gone, are forgotten.
    """
    settings = qt.QSettings()
    settings.beginGroup(_UNFINISHED)
    folders = [str(settings.value(key)) for key in settings.childKeys()]
    settings.endGroup()
    for folder in folders:
        if not Path(folder).is_dir() or isFinished(folder):
            forgetUnfinished(folder)
        elif isBegun(folder) and not _isTrainedIn(folder):
            return folder
    return ""


def _keyOf(folder: str) -> str:
    # The path itself may have characters that a key may not have.
    name = hashlib.sha1(str(Path(folder).absolute()).encode(errors="replace"), usedforsecurity=False).hexdigest()
    return f"{_UNFINISHED}/{name}"


def _isTrainedIn(folder: str) -> bool:
    """Whether another Slicer, or a terminal, trains in this folder; no where the package that tells is missing."""
    try:
        from LungSegResNetTrainingLib.training.run_lock import is_held
    except ImportError:
        return False
    return is_held(Path(folder))
