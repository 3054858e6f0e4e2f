"""One command of ``lungsegresnet-train`` in a process of its own, and what a panel shows of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from LungSegResNetWidgets.background_command import BackgroundCommand
from LungSegResNetWidgets.command_controls import CommandControls


class TrainingCommand(BackgroundCommand):
    """Callbacks: ``onEvent(dict)``, at the end ``onDone()`` or ``onFailed(sentence)``; none of them after `cancel`.

    ``place`` is the folder that it writes into, for ``whyNotYet``.
    """

    worker = "LungSegResNetTrainingLib.command_line.worker"
    folder = Path(__file__).resolve().parents[1]
    keep = False

    def __init__(
        self,
        arguments: Sequence[str | Path],
        onEvent: Callable[[dict[str, Any]], None],
        onDone: Callable[[], None],
        onFailed: Callable[[str], None],
        place: str | Path = "",
    ) -> None:
        arguments = [*arguments, "--progress", "json"]
        super().__init__(arguments, onEvent, lambda output: onDone(), onFailed, place=place)


class TrainingControls(CommandControls):
    """Those of a `TrainingCommand`."""

    title = "LungSegResNet Training"
