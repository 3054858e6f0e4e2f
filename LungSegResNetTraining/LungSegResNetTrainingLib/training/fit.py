"""The training loop: steps, validation, checkpoints that resume, and the finished network file."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import torch
from torch.utils.data import DataLoader

from LungSegResNetLib import __version__
from LungSegResNetLib.errors import DeviceError, InputError, ModelError, UsageError
from LungSegResNetLib.network.model_file import ModelCard, load_model, save_model

from ..data.data_set import CASE_LIST
from ..slices.slice_cache import CachedCase
from .best_validation import BestValidation
from .parallel import Processes
from .progress import Progress
from .run_cases import is_list_of_run
from .run_options import RunOptions
from .run_records import CURVES, LOG, RunRecords
from .sampling import StepBatches, TrainingSlices
from .seen_scans import ScanMark, ScanRecord
from .settings import TrainingSettings
from .start_network import StartNetwork
from .training_record import TrainingRecord
from .training_run import CHECKPOINT, TrainingRun
from .validation import validation_dice

NETWORK = "network.safetensors"


def fit(
    training: Sequence[CachedCase],
    validation: Sequence[CachedCase],
    settings: TrainingSettings,
    run_folder: Path,
    options: RunOptions,
    *,
    start: StartNetwork | None = None,
    processes: Processes | None = None,
    marks: Mapping[str, ScanMark] | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_warning: Callable[[str], None] = lambda text: None,
) -> Path:
    """Train, or go on where a checkpoint in ``run_folder`` stopped; returns the path of the finished network file.

    The folder gets ``checkpoint.pt`` (replaced atomically), ``progress.csv``, ``curves.png``, event files and
    ``network.safetensors``. What ``on_progress`` raises ends the run; it can be resumed.

    Parameters
    ----------
    marks : of the scans by the names of their cases, for the network's file; a case without one is known by its name.
    start, processes : see ``TrainingRun``. Only the first process writes and calls ``on_progress``.

    Raises
    ------
    InputError : no training or no validation slice with lung; the folder holds a run with other settings, or its log
        cannot be understood.
    UsageError : patience without validation cases, or fewer slices in a step than processes.
    ModelError : the checkpoint is damaged, or the loss is no longer a number.
    DeviceError : not even one slice fits into the memory, or a process that prepares slices was ended.
    OutputError : the folder cannot be written; of a checkpoint that another program holds, only the last one counts.
    """
    processes = processes or Processes()
    patience = options.patience
    refuse_impossible(training, validation, settings, patience, processes)
    run = TrainingRun(
        settings, run_folder, options.device,
        start=start, slices_at_once=options.slices_at_once, processes=processes, on_warning=on_warning,
    )  # fmt: skip
    loader = slice_loader(training, settings, run.step, options.workers, processes, pinned=run.device.type == "cuda")
    record = _record_of(settings, training, validation, patience, start, marks or {})
    if processes.first and run.step == 0:
        run.save_checkpoint()  # from now on the folder is known to hold a run
    with (
        _lost_workers_told(),
        RunRecords(run_folder, run.step, on_warning) if processes.first else nullcontext() as records,
    ):
        # A checkpoint of an earlier version does not say, and the log may be lost.
        best = run.best = run.best or BestValidation.of_log(records.log.rows() if records else [])
        begun = run.step
        if processes.from_first(best.is_stale(patience)):
            if processes.first:
                _finish(run, record, best, patience, on_warning, went_on=False)
            return run_folder / NETWORK
        clock = _Clock(run.step)
        saved = time.monotonic()
        for slices, target in loader:
            clock.slices_are_there()
            loss = run.train_step(slices, target)
            clock.step_is_done()
            finished = run.step == settings.steps
            validates = bool(validation) and (run.step % options.validate_every == 0 or finished)
            if records is not None:
                dice = validation_dice(run.averaged, validation, settings.scales, run.device) if validates else None
                progress = clock.progress(run.step, settings, loss, dice)
                records.add(progress)
                on_progress(progress)
                if best.improves(dice) and patience is not None:
                    _export(run, record, finished=False)
            stale = validates and processes.from_first(best.is_stale(patience))
            last = finished or stale
            if records is not None and (last or time.monotonic() - saved > options.checkpoint_every):
                with nullcontext() if last else records.tolerating_held(CHECKPOINT):
                    run.save_checkpoint()
                saved = time.monotonic()
            if stale:
                break
            clock.waits_for_slices()
    if processes.first:
        _finish(run, record, best, patience, on_warning, went_on=run.step > begun)
    return run_folder / NETWORK


def refuse_other_files(folder: Path) -> None:
    """Raise InputError where a folder that holds no run has files that a run would replace, or a case list that no run
    wrote."""
    if not (folder / CHECKPOINT).is_file():
        others = [name for name in (NETWORK, LOG, CURVES) if (folder / name).exists()]
        if (folder / CASE_LIST).is_file() and not is_list_of_run(folder / CASE_LIST):
            others.append(CASE_LIST)
        if others:
            raise InputError(
                f"{folder} has {' and '.join(others)} but no run that could go on; choose another folder or move them "
                "away."
            )


def slice_loader(
    cases: Sequence[CachedCase],
    settings: TrainingSettings,
    first_step: int,
    workers: int,
    processes: Processes,
    pinned: bool = False,
) -> DataLoader[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of the steps from ``first_step`` on, as far as they are this process' share.

    ``pinned`` keeps them in memory that a graphics card reads from while the processor goes on.
    """
    return DataLoader(
        TrainingSlices(cases, settings),
        batch_sampler=StepBatches(settings, first_step, processes),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=pinned,
        worker_init_fn=_prepare_worker,
    )


class _Clock:
    """Where the time of a run goes."""

    def __init__(self, first_step: int) -> None:
        self._first_step = first_step
        self._begun = self._mark = time.perf_counter()
        self._waited = self._step_seconds = 0.0

    def waits_for_slices(self) -> None:
        self._mark = time.perf_counter()

    def slices_are_there(self) -> None:
        now = time.perf_counter()
        self._waited += now - self._mark
        self._mark = now

    def step_is_done(self) -> None:
        self._step_seconds = time.perf_counter() - self._mark

    def progress(self, step: int, settings: TrainingSettings, loss: float, dice: float | None) -> Progress:
        elapsed = time.perf_counter() - self._begun
        return Progress(
            step,
            settings.steps,
            loss,
            settings.batch_size / self._step_seconds,
            dice,
            seconds_left=elapsed / (step - self._first_step) * (settings.steps - step),
            waiting_share=self._waited / elapsed,
        )


def refuse_impossible(
    training: Sequence[CachedCase],
    validation: Sequence[CachedCase],
    settings: TrainingSettings,
    patience: int | None,
    processes: Processes,
) -> None:
    """Raise InputError or UsageError, as ``fit`` does, where a run cannot even begin."""
    if not training:
        raise InputError("No case is for training; put some into the split train.")
    if not any(len(case.lung_slices) for case in training):
        raise InputError("No training case has a slice with lung.")
    if validation and not any(len(case.lung_slices) for case in validation):
        raise InputError("No validation case has a slice with lung.")
    if patience is not None and not validation:
        raise UsageError("Without validation cases there is no Dice to end a run early by; leave --patience out.")
    if settings.batch_size < processes.count:
        raise UsageError(
            f"{processes.count} processes cannot share {settings.batch_size} slices a step; "
            "raise --batch-size or start fewer processes."
        )


def _record_of(
    settings: TrainingSettings,
    training: Sequence[CachedCase],
    validation: Sequence[CachedCase],
    patience: int | None,
    start: StartNetwork | None,
    marks: Mapping[str, ScanMark],
) -> TrainingRecord:
    begun = start.record if start else TrainingRecord()
    validated = _recorded(validation, marks)
    return TrainingRecord(
        program=f"LungSegResNet {__version__}",
        settings=settings.as_json(),
        training_cases=[case.name for case in training],
        validation_cases=[case.name for case in validation],
        seen_scans=_recorded(training, marks) | begun.seen_scans,
        validation_scans=validated,
        choosing_scans=begun.choosing_scans if patience is None else begun.choosing_scans | validated,
        start_network_cases=begun.seen_scans.names,
        start_network_data=begun.sources,
        patience=patience,
    )


def _recorded(cases: Sequence[CachedCase], marks: Mapping[str, ScanMark]) -> ScanRecord:
    return ScanRecord(frozenset(marks.get(case.name, ScanMark(case.name)) for case in cases))


def _export(run: TrainingRun, record: TrainingRecord, *, finished: bool) -> None:
    """Write the averaged network with its card, which says whether it is that of a finished run."""
    weights = {
        name: value.float().cpu().numpy()
        for name, value in run.averaged.state_dict().items()
        if value.is_floating_point()
    }
    card = ModelCard(
        run.averaged.config,
        run.folder.resolve().name,
        slice_shape=run.settings.slice_shape,
        scales=run.settings.scales,
        training=replace(record, steps_done=run.step, finished=finished).as_json(),
    )
    save_model(run.folder / NETWORK, weights, card)


def _finish(
    run: TrainingRun,
    record: TrainingRecord,
    best: BestValidation,
    patience: int | None,
    on_warning: Callable[[str], None],
    *,
    went_on: bool,
) -> None:
    """Leave the last network or, with patience, that of the best validation, as the one of a finished run.

    A file that is this already is not written again, because others may know it by its digest; neither is that of a
    finished run where this one took no further step (``went_on``). Where the best one was deleted, or was before
    patience was asked for, the last one has to do.
    """
    path = run.folder / NETWORK
    try:
        card, weights = load_model(path)
    except ModelError:  # there is none, or it is damaged
        card, weights = None, {}
    step = run.step if card is None else TrainingRecord.of(card).steps_done
    is_another = patience is None and step != run.step
    if card is not None and is_another and not card.is_unfinished and not went_on:
        on_warning(
            f"The run was finished before, and {NETWORK} stays the network of step {step}, which --patience chose; for "
            f"that of the last step, {run.step}, move it away and run the same command again."
        )
    elif card is None or is_another:
        _export(run, record, finished=True)
    elif card.is_unfinished:
        ended = replace(TrainingRecord.of(card), finished=True)
        save_model(path, weights, replace(card, training=ended.as_json()))
    if patience is not None and step == run.step and not best.is_the_last:
        on_warning(f"The network of the best validation is not there; {NETWORK} is the last one, of step {run.step}.")


@contextmanager
def _lost_workers_told() -> Iterator[None]:
    """A process that prepares slices and dies ends the run with a sentence, whatever is done in that moment."""
    try:
        yield
    except (RuntimeError, ConnectionError) as error:
        # The pipe of a process that dies while slices are taken from it breaks before PyTorch knows.
        if isinstance(error, RuntimeError) and not str(error).startswith("DataLoader worker"):
            raise
        raise DeviceError(
            "A process that prepares slices was ended from outside, perhaps for want of memory (in a container, of "
            "shared memory); run the same command again to go on, with fewer --workers."
        ) from error


def _prepare_worker(_worker: int) -> None:
    torch.set_num_threads(1)
    # A request to end reaches all processes of a job at once; the run ends its workers itself when it is done.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.excepthook = _tell_unless_the_run_ended


def _tell_unless_the_run_ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Python's thread that hands slices over would tell with a traceback that the run has ended meanwhile."""
    if not issubclass(kind, (OSError, EOFError)):
        sys.__excepthook__(kind, error, trace)
