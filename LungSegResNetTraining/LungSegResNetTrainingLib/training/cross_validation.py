"""Trains a network for each fold of the patients, one after the other, each in a folder of its own that resumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..data.splits import split_by_fold, split_in_words
from .parallel import Processes
from .reporting import TrainingReporter
from .run_cases import TrainingCases
from .run_files import NETWORK
from .run_options import RunOptions
from .settings import TrainingSettings
from .start_network import StartNetwork
from .training_job import refuse_seen_fold, train

HELD_NOBODY_BACK = "Training held nobody back; cross-validate (fit --folds) and publish with --folds-of."


def fold_folder(runs: Path, fold: int) -> Path:
    """Folder of the run whose network has not seen fold ``fold`` (from 1 on)."""
    return runs / f"fold-{fold}"


def fold_network(runs: Path, fold: int) -> Path:
    """Network file of that run."""
    return fold_folder(runs, fold) / NETWORK


def train_folds(
    cases: TrainingCases,
    plans: Sequence[tuple[TrainingSettings, StartNetwork | None]],
    runs: Path,
    options: RunOptions,
    processes: Processes,
    reporter: TrainingReporter,
) -> list[Path]:
    """Train, or go on with, one run for each of ``plans``; returns their network files.

    Parameters
    ----------
    cases : not divided yet; as many folds as plans divide them.
    plans : settings and start network of each fold.
    runs : gets the run folders ``fold-1``, ``fold-2`` and so on. A finished one is not trained again.

    Raises
    ------
    UsageError : there is no division into so many folds.
    InputError : there are fewer patients with lung than folds, a start network has seen a scan of its fold, or a folder
        holds another run. Otherwise as ``train``.
    """
    folds = range(1, len(plans) + 1)
    share = 1 / len(plans)
    divided = [
        cases.divided(split_by_fold(cases.cases, len(plans), fold, cases.with_lung), share, settings.seed)
        for fold, (settings, _) in zip(folds, plans, strict=True)
    ]
    for fold, part, (_, start) in zip(folds, divided, plans, strict=True):
        refuse_seen_fold(part, fold, start)
    networks = []
    for fold, part, (settings, start) in zip(folds, divided, plans, strict=True):
        reporter.stage(f"fold {fold} of {len(plans)}: {split_in_words(part.cases)}")
        networks.append(train(part, settings, fold_folder(runs, fold), options, processes, reporter, start))
    return networks
