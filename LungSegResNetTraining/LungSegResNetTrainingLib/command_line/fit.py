"""``lungsegresnet-train fit DATASET --out RUN``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from LungSegResNetLib.choices import TORCH_DEVICES
from LungSegResNetLib.command_line.values import given_path

from ..choices import FINE_TUNE, OPTIMISERS, PRESETS, RECOMMENDED
from ..training.run_options import RunOptions

if TYPE_CHECKING:
    from ..training.parallel import Processes
    from ..training.reporting import TrainingReporter
    from ..training.settings import TrainingSettings
    from ..training.start_network import StartNetwork

SUMMARY = "train a network, or resume an interrupted run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument(
        "dataset",
        type=given_path,
        help="folder with CTs and masks, or CSV with the columns case, ct, mask and, if known, split, patient, group",
    )
    parser.add_argument(
        "--out", type=given_path, required=True, metavar="RUN", help="folder of the run; run again to resume"
    )
    parser.add_argument(
        "--cache",
        type=given_path,
        default=Path(".cache/slices"),
        help="folder for prepared slices of your scans, in files named after the cases; may be deleted when training "
        "has ended (default: .cache/slices in the current folder)",
    )
    parser.add_argument(
        "--progress", choices=("lines", "json", "none"), default="lines", help="json: on standard error"
    )

    cases = parser.add_argument_group("cases")
    cases.add_argument("--include-doubtful", action="store_true", help="train on pairs that the check doubts, too")
    cases.add_argument(
        "--validation-share",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="patients for validation where the data set names no split (default: 0.05, at least one; 0: none)",
    )
    cases.add_argument(
        "--folds",
        type=int,
        help="cross-validate: divide all patients (but those of the split test) into so many folds and train a "
        "network without each of them, in RUN/fold-1, RUN/fold-2, ...",
    )
    cases.add_argument("--fold", type=int, help="train only the network that fold N (from 1 on) validates, in RUN")

    training = parser.add_argument_group("training")
    training.add_argument(
        "--preset",
        choices=PRESETS,
        help="default: recommended, or fine-tune (fewer steps, lower rate) with --start-network",
    )
    training.add_argument(
        "--start-network",
        metavar="FILE",
        help="begin with this network, or 'shipped', instead of random weights; with --folds also the folder of "
        "another cross-validation, of which each fold continues from its own network",
    )
    training.add_argument(
        "--pass",
        dest="own_pass",
        type=int,
        metavar="N",
        help="of the start network, train the pass at 1/N of the size alone, with weights of its own (1,600 steps of "
        "32 slices, peak learning rate 0.006); the others stay as they are. A pass that the network lacks is added",
    )
    training.add_argument(
        "--with-others",
        action="store_true",
        help="with --pass: let it learn from the mean of all passes, as in use, what the others lack, instead of from "
        "itself alone (500 steps of 16 slices, peak learning rate 0.001)",
    )
    training.add_argument("--steps", type=int, help="optimiser steps (default: the preset's)")
    training.add_argument("--batch-size", type=int, help="slices per step (default: the preset's)")
    training.add_argument("--learning-rate", type=float, help="default: the preset's")
    training.add_argument("--optimiser", choices=OPTIMISERS, help="default: the preset's")
    training.add_argument(
        "--slice-shape", type=int, nargs=2, metavar=("ROWS", "COLUMNS"), help="of the network (default: 216 296)"
    )
    training.add_argument(
        "--seed", type=int, default=0, help="of the split, the order of slices and the augmentation (default: 0)"
    )
    training.add_argument(
        "--validate-every",
        type=int,
        default=RunOptions.validate_every,
        metavar="STEPS",
        help="steps between two validations (default: %(default)s)",
    )
    training.add_argument(
        "--checkpoint-every",
        type=float,
        default=RunOptions.checkpoint_every,
        metavar="SECONDS",
        help="what an interrupted run loses at most (default: %(default)g)",
    )
    training.add_argument(
        "--patience",
        type=int,
        metavar="N",
        help="end after N validations without a better Dice, and keep the best network instead of the last",
    )

    machine = parser.add_argument_group("machine (several GPUs or machines: start with torchrun)")
    machine.add_argument(
        "--device",
        choices=TORCH_DEVICES,
        default="auto",
        help="where to train (default: auto, a GPU if there is one)",
    )
    machine.add_argument(
        "--workers",
        type=int,
        help="processes that prepare slices (default: half the cores, with a GPU all but one; at most 16)",
    )
    machine.add_argument(
        "--slices-at-once", type=int, metavar="N", help="slices in memory together, when a whole step needs too much"
    )
    machine.add_argument(
        "--measure-speed",
        action="store_true",
        help="measure loading and training each alone, beside the peak of the CPU, instead of training",
    )


def run(options: argparse.Namespace) -> int:
    """Train, telling of each stage, step and validation; or measure the speed."""
    from LungSegResNetLib.errors import UsageError
    from LungSegResNetLib.network.devices import choose_device

    from ..command_text import quoted
    from ..data.cases import VALIDATION
    from ..data.splits import split_in_words
    from ..training.cross_validation import HELD_NOBODY_BACK, train_folds
    from ..training.parallel import joined_processes
    from ..training.reporting import NullTrainingReporter, make_training_reporter
    from ..training.run_options import default_workers
    from ..training.training_job import CaseChoice, choose_cases, refuse_seen_fold, train
    from ..training.weight_updates import refuse_old_pytorch

    case_choice = CaseChoice(
        options.dataset,
        options.cache,
        options.include_doubtful,
        options.validation_share,
        options.folds,
        options.fold,
    )
    if options.dataset.is_dir() and options.out.resolve() == options.dataset.resolve():
        raise UsageError(f"{options.out} is the data set itself; choose another folder for the run.")
    choice = choose_device(options.device)
    device = choice.device
    run_options = RunOptions(
        device,
        default_workers(device) if options.workers is None else options.workers,
        options.validate_every,
        options.checkpoint_every,
        options.patience,
        options.slices_at_once,
    )
    with joined_processes(device) as processes:
        reporter = make_training_reporter(options.progress) if processes.first else NullTrainingReporter()
        if processes.first:
            print(f"Device: {device} ({choice.reason})", flush=True)
        plans = [(_settings(options, start), start) for start in _start_networks(options, processes, reporter)]
        settings, start = plans[0]
        refuse_old_pytorch(settings)
        cases = choose_cases(case_choice, settings, processes, reporter)
        if options.measure_speed:
            from ..training.speed import measure_speed

            cached = [one.cached for one in cases.prepared]
            print(measure_speed(cached, settings, device, run_options.workers, start).text())
            return 0
        if len(plans) > 1:
            train_folds(cases, plans, options.out, run_options, processes, reporter)
            if processes.first:
                print(f"The networks are in {options.out}; evaluate each case with the one that has not seen it:")
                places = f"{quoted(options.out)} {quoted(options.dataset)}"
                print(f"lungsegresnet-train evaluate {places} --folds {len(plans)} --out REPORT")
            return 0
        if processes.first:
            print(split_in_words(cases.cases), flush=True)
        if options.fold:
            refuse_seen_fold(cases, options.fold, start)
        path = train(cases, settings, options.out, run_options, processes, reporter, start)
        if processes.first:
            print(f"The network is in {path}")
            if not cases.of_split(VALIDATION):
                print(HELD_NOBODY_BACK)
    return 0


def _start_networks(
    options: argparse.Namespace, processes: Processes, reporter: TrainingReporter
) -> list[StartNetwork | None]:
    """The start network of the run, or of each run of a cross-validation."""
    from ..training.cross_validation import fold_folder, fold_network
    from ..training.start_network import start_of_run
    from ..training.training_run import kept_start

    folds = [options.fold] if options.fold or not options.folds else range(1, options.folds + 1)
    if options.start_network is None:
        return [None for _ in folds]
    runs = [options.out] if len(folds) == 1 else [fold_folder(options.out, fold) for fold in folds]
    # The first process alone may have the folders of the runs.
    kept = processes.from_first([kept_start(run) for run in runs] if processes.first else None)
    names = [options.start_network for _ in folds]
    if options.folds and Path(options.start_network).is_dir():
        names = [str(fold_network(Path(options.start_network), fold)) for fold in folds]
    return [start_of_run(name, one, reporter.warning) for name, one in zip(names, kept, strict=True)]


def _settings(options: argparse.Namespace, start: StartNetwork | None) -> TrainingSettings:
    import dataclasses

    from LungSegResNetLib.errors import UsageError

    from ..training.settings import ONE_PASS, ONE_PASS_WITH_OTHERS, SETTINGS_OF_PRESETS

    preset = options.preset or (FINE_TUNE if start else RECOMMENDED)
    if preset == FINE_TUNE and start is None:
        raise UsageError("The preset fine-tune needs a network to begin with: give --start-network FILE or shipped.")
    changes = {
        name: getattr(options, name)
        for name in ("steps", "batch_size", "learning_rate", "optimiser")
        if getattr(options, name) is not None
    }
    settings = SETTINGS_OF_PRESETS[preset]
    if options.own_pass is not None:
        if preset != FINE_TUNE or start is None:
            raise UsageError("--pass is for a network to begin with, without another preset: give --start-network.")
        rows, columns = start.card.slice_shape
        if options.own_pass < 2 or rows % options.own_pass or columns % options.own_pass:
            raise UsageError(f"--pass has to be a number above 1 that divides {rows} and {columns}, as 2, 4 or 8.")
        one_pass = ONE_PASS_WITH_OTHERS if options.with_others else ONE_PASS
        settings = dataclasses.replace(one_pass, own_pass=options.own_pass)
    elif options.with_others:
        raise UsageError("--with-others says how one pass learns: give --pass N.")
    settings = dataclasses.replace(settings, seed=options.seed, **changes)
    if start is not None:
        if options.slice_shape:
            raise UsageError("--slice-shape cannot be changed with --start-network, whose own shape is used.")
        return start.apply_to(settings)
    if options.slice_shape:
        settings = dataclasses.replace(settings, slice_shape=tuple(options.slice_shape))
    return settings
