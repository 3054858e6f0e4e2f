"""What the panel knows about the folder of a run: its files, and the choices it was begun with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import qt

from LungSegResNetLib.atomic import write_atomically

_CHOICES = "panel.json"
_UNFINISHED = "LungSegResNetTraining/unfinishedRun"  # in Slicer's settings
# Little is lost by Stop; writing takes a fraction of a second.
_CHECKPOINT_SECONDS = 15
NO_START, SHIPPED, FILE = "none", "shipped", "file"


@dataclass(frozen=True)
class RunChoices:
    """What a run needs to begin or to go on; 0 is the preset's number."""

    dataSet: str
    preset: str = "fine-tune"
    startNetwork: str = SHIPPED
    startFile: str = ""
    steps: int = 0
    batchSize: int = 0
    validateEvery: int = 50
    device: str = "auto"

    def arguments(self, folder: Path) -> list[str]:
        """Of the command line."""
        texts = ["fit", self.dataSet, "--out", str(folder), "--cache", str(folder / "slices")]
        texts += ["--preset", self.preset, "--device", self.device, "--validate-every", str(self.validateEvery)]
        texts += ["--checkpoint-every", str(_CHECKPOINT_SECONDS)]
        if self.startNetwork != NO_START:
            texts += ["--start-network", self.startFile if self.startNetwork == FILE else SHIPPED]
        for option, value in (("--steps", self.steps), ("--batch-size", self.batchSize)):
            if value:
                texts += [option, str(value)]
        return texts

    def save(self, folder: Path) -> None:
        """Keep them with the run; raises OutputError where the folder cannot be written."""
        with write_atomically(folder / _CHOICES, overwrite=True) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def choicesOf(folder: str) -> RunChoices | None:
    """What a run was begun with; None where the panel did not begin it."""
    try:
        values = json.loads((Path(folder) / _CHOICES).read_text(encoding="utf-8"))
        choices = RunChoices(**values)
    except (OSError, ValueError, TypeError):
        return None
    hasTypes = all(type(getattr(choices, field.name)).__name__ == field.type for field in fields(choices))
    return choices if folder and hasTypes else None


def networkFile(folder: str) -> Path:
    """The network that the run ends with."""
    return Path(folder) / "network.safetensors"


def isBegun(folder: str) -> bool:
    """Whether a run in this folder can be gone on with."""
    return bool(folder) and (Path(folder) / "checkpoint.pt").is_file()


def keepUnfinished(folder: str) -> None:
    """Remember the folder of a run that ends with Slicer; empty: there is none."""
    qt.QSettings().setValue(_UNFINISHED, folder)


def unfinishedRun() -> str:
    """Folder of the run that ended with Slicer and can be gone on with; empty if there is none."""
    folder = str(qt.QSettings().value(_UNFINISHED) or "")
    return folder if isBegun(folder) and not networkFile(folder).is_file() else ""
