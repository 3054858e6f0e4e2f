"""``lungsegresnet-train fit DATASET --out RUN``."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "train a network, or go on with an interrupted run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument("dataset", type=Path, help="CSV with the columns case, ct, mask and, where known, split, patient")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run; run again to go on")
    parser.add_argument("--preset", choices=("recommended", "paper"), default="recommended")
    parser.add_argument("--steps", type=int, help="optimiser steps (default: the preset's)")
    parser.add_argument("--batch-size", type=int, help="slices per step (default: the preset's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=("auto", "cuda", "mps", "cpu"), default="auto")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare slices (default: 1)")
    parser.add_argument("--cache", type=Path, default=Path(".cache/slices"), help="folder for prepared slices")
    parser.add_argument("--validate-every", type=int, default=100, metavar="STEPS")


def run(options: argparse.Namespace) -> int:
    """Train; prints a line every ten steps and at each validation."""
    import dataclasses

    from LungSegResNetLib.devices import choose_device

    from ..cases import TRAIN, VALIDATION, read_cases
    from ..fit import fit
    from ..progress import Progress
    from ..settings import PRESETS
    from ..slice_cache import cache_case

    changes = {name: getattr(options, name) for name in ("steps", "batch_size") if getattr(options, name)}
    settings = dataclasses.replace(PRESETS[options.preset], seed=options.seed, **changes)
    cases = read_cases(options.dataset)
    device = choose_device(options.device).device
    cached = {case.name: cache_case(case, options.cache) for case in cases}

    def show(progress: Progress) -> None:
        if progress.step % 10 == 0 or progress.validation_dice is not None:
            dice = "" if progress.validation_dice is None else f"  validation Dice {progress.validation_dice:.4f}"
            print(
                f"step {progress.step}/{progress.steps}  loss {progress.loss:.4f}"
                f"  {progress.slices_per_second:.1f} slices/s{dice}",
                flush=True,
            )

    path = fit(
        [cached[case.name] for case in cases if case.split == TRAIN],
        [cached[case.name] for case in cases if case.split == VALIDATION],
        settings,
        options.out,
        device=device,
        workers=options.workers,
        validate_every=options.validate_every,
        on_progress=show,
    )
    print(f"The network is in {path}")
    return 0
