"""What a run writes down while it trains: progress.csv, curves.png and event files for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

from LungSegResNetLib.errors import InputError, OutputError, OutputInUseError, unreadable

from .curves import draw_curves
from .progress import Progress, ProgressLog
from .run_files import CURVES, LOG

_ADD_TRAIN_EXTRA = "install it with: pip install 'lungsegresnet[train]'"


class RunRecords:
    """Records of a run in ``folder`` that goes on after ``step``; a context that closes its files.

    Curves need matplotlib and event files need tensorboard; ``on_warning`` is told what is left out without them.

    Raises
    ------
    InputError : the log of the run cannot be read, or is not as the run wrote it.
    OutputError : the log cannot be written.
    """

    def __init__(self, folder: Path, step: int, on_warning: Callable[[str], None]) -> None:
        self.log = _log_of(folder / LOG)
        self._folder, self._on_warning = folder, on_warning
        self._held: set[str] = set()
        with self._writing(), self.tolerating_held(LOG):
            self.log.cut_after(step)
        self._draws = find_spec("matplotlib") is not None
        if not self._draws:
            on_warning(f"{CURVES} is left out because matplotlib is missing; {_ADD_TRAIN_EXTRA}.")
        self._events: Any = None
        if find_spec("tensorboard") is None:
            on_warning(f"Event files are left out because tensorboard is missing; {_ADD_TRAIN_EXTRA}.")
        else:
            from torch.utils.tensorboard import SummaryWriter

            # What an interrupted run wrote beyond its checkpoint is hidden by purging.
            with self._writing():
                self._events = SummaryWriter(str(folder), purge_step=step + 1)

    def __enter__(self) -> RunRecords:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._events is not None:
            with self._writing() if error is None else suppress(OSError):
                self._events.close()

    def add(self, progress: Progress) -> None:
        """Write down a step; the curves are drawn anew after a validation and at the end.

        Raises
        ------
        OutputError : the folder cannot be written any more.
        """
        with self._writing():
            with self.tolerating_held(LOG):
                self.log.append(progress)
            if self._events is not None:
                self._events.add_scalar("training loss", progress.loss, progress.step)
                if progress.validation_dice is not None:
                    self._events.add_scalar("validation Dice", progress.validation_dice, progress.step)
                    self._events.flush()
        if self._draws and (progress.validation_dice is not None or progress.step == progress.steps):
            try:
                draw_curves(self._folder / CURVES, self.log.steps)
            except OutputError as error:  # a picture is no reason to end hours of training
                self._warn_once(CURVES, error)

    @contextmanager
    def tolerating_held(self, name: str) -> Iterator[None]:
        """Only warn, once, of the file ``name`` that another program holds, which is not for ever."""
        try:
            yield
        except OutputInUseError as error:
            self._warn_once(name, error)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"The run folder {self._folder} cannot be written ({error.strerror or error}); make room there and run "
                "the same command again to resume."
            ) from error

    def _warn_once(self, name: str, error: OutputError) -> None:
        if name not in self._held:
            self._held.add(name)
            in_use = f"{name} cannot be written; is it open in another program?"
            reason = in_use if isinstance(error, OutputInUseError) else str(error)
            self._on_warning(f"{reason} Training continues and tries again.")


def _log_of(path: Path) -> ProgressLog:
    try:
        return ProgressLog(path)
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        raise InputError(
            f"{path} cannot be used: {error}. Bring it back to what it was, or move it away to continue without it."
        ) from error
