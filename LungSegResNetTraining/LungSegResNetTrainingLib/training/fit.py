"""The training loop: steps, validation and checkpoints that resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from LungSegResNetLib.errors import InputError, UsageError

from ..data.cases import CASE_LIST
from ..data.scan_marks import ScanMark
from ..slices.slice_cache import CachedCase
from .network_export import export_network, finish_network, record_of
from .parallel import Processes
from .progress import Clock, Progress
from .run_cases import is_list_of_run
from .run_files import CHECKPOINT, CURVES, LOG, NETWORK
from .run_options import RunOptions
from .run_records import RunRecords
from .settings import TrainingSettings
from .slice_loading import explain_lost_workers, slice_loader
from .start_network import StartNetwork
from .training_run import TrainingRun
from .validation import validation_dice


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
    DeviceError : not even one slice fits into the memory, a process that prepares slices was ended, or this PyTorch is
        too old for the optimiser.
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
    record = record_of(settings, training, validation, patience, start, marks or {})
    if processes.first and run.step == 0:
        run.save_checkpoint()  # from now on the folder is known to hold a run
    with (
        explain_lost_workers(),
        RunRecords(run_folder, run.step, on_warning) if processes.first else nullcontext() as records,
    ):
        best, begun = run.best, run.step
        if processes.from_first(best.is_stale(patience)):
            if processes.first:
                finish_network(run, record, best, patience, on_warning, went_on=False)
            return run_folder / NETWORK
        clock = Clock(run.step, settings.steps, settings.batch_size)
        saved = time.monotonic()
        for slices, target in loader:
            clock.slices_are_there()
            loss = run.train_step(slices, target)
            clock.step_is_done()
            finished = run.step == settings.steps
            validates = bool(validation) and (run.step % options.validate_every == 0 or finished)
            if records is not None:
                dice = None
                if validates:
                    dice = validation_dice(run.averaged, validation, settings.scales, run.device, run.precision)
                progress = clock.progress(run.step, loss, dice)
                records.add(progress)
                on_progress(progress)
                if best.improves(dice) and patience is not None:
                    export_network(run, record, finished=False)
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
        finish_network(run, record, best, patience, on_warning, went_on=run.step > begun)
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
                f"{folder} has {' and '.join(others)} but no run that could be resumed; choose another folder or move "
                "them away."
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
        raise UsageError("Without validation cases there is no Dice to end a run early by; omit --patience.")
    if settings.batch_size < processes.count:
        raise UsageError(
            f"{processes.count} processes cannot share {settings.batch_size} slices a step; "
            "raise --batch-size or start fewer processes."
        )
