"""Judges cases, one at a time; goes on after failures and after interruptions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.errors import OutputError, sentence_of
from LungSegResNetLib.jobs.reporting import Reporter, WarningReporter
from LungSegResNetLib.network.engines import EngineSettings, LoadedEngine, load_engine
from LungSegResNetLib.network.model_file import ModelCard

from ..data.cases import REFUSED, Case
from ..training.training_record import TrainingRecord
from .case_result import CaseResult, UnjudgedCase
from .finished_cases import case_key, folder_names, load_result, save_result
from .judging import RefusedPairError, judge_case
from .report_files import CASES_FOLDER


@dataclass(frozen=True)
class Judge:
    """A network that judges cases.

    Attributes
    ----------
    loaded, engine : what runs it, also in words.
    digest : SHA-256 of its file.
    fold : its number (from 1 on) in a cross-validation.
    """

    loaded: LoadedEngine
    engine: str
    digest: str
    fold: int | None = None

    @classmethod
    def load(cls, model: Path, device: str, fold: int | None = None) -> Judge:
        """Read a network file for a device (``auto``, ``cpu``, ...). Raises as ``load_engine`` does."""
        loaded = load_engine(EngineSettings(device=device, model=model))
        about = f"{loaded.predictor.engine} on {loaded.device}, {loaded.predictor.precision}"
        return cls(loaded, about, file_digest(model), fold)

    @property
    def card(self) -> ModelCard:
        """What the network's file says."""
        return self.loaded.predictor.card

    @cached_property
    def record(self) -> TrainingRecord:
        """What it says of its training."""
        return TrainingRecord.of(self.card)


@dataclass
class Evaluation:
    """All that a report is made of; in a cross-validation there are several judges, one for each fold.

    ``failed`` could not be evaluated, ``left_out`` were not to be judged; ``kept`` counts results of an earlier run.
    """

    judges: Sequence[Judge]
    results: list[CaseResult] = field(default_factory=list)
    failed: list[UnjudgedCase] = field(default_factory=list)
    left_out: list[UnjudgedCase] = field(default_factory=list)
    kept: int = 0


OnOutcome = Callable[[int, int, CaseResult | UnjudgedCase, bool], None]


def evaluate(
    assigned: Sequence[tuple[Case, Judge]],
    folder: Path,
    *,
    with_baseline: bool = True,
    reporter: Reporter | None = None,
    on_outcome: OnOutcome = lambda number, count, outcome, kept: None,
) -> Evaluation:
    """Judge each case by the network beside it, and keep results and pictures in ``folder/cases``.

    What is there already from an earlier run is taken from there. A broken case is listed as failed and stops no other;
    it is tried again by the next run. ``on_outcome`` gets the number of the case (from 1), how many there are, what
    came of it and whether its result was kept from an earlier run.

    Raises
    ------
    OutputError : the results cannot be written.
    """
    reporter = reporter or WarningReporter()
    evaluation = Evaluation(list(dict.fromkeys(judge for _, judge in assigned)))
    names = folder_names([case for case, _ in assigned])
    for number, ((case, judge), name) in enumerate(zip(assigned, names, strict=True), start=1):
        reporter.stage(f"case {number} of {len(assigned)}: {case.name}")
        try:
            outcome, kept = _outcome(case, folder / CASES_FOLDER / name, judge, with_baseline, reporter)
        finally:
            reporter.close()
        if isinstance(outcome, CaseResult):
            evaluation.results.append(outcome)
            evaluation.kept += kept
        else:
            evaluation.failed.append(outcome)
        on_outcome(number, len(assigned), outcome, kept)
    return evaluation


def _outcome(
    case: Case, folder: Path, judge: Judge, with_baseline: bool, reporter: Reporter
) -> tuple[CaseResult | UnjudgedCase, bool]:
    """What came of a case, which has a folder of its own, and whether an earlier run had it already."""
    try:
        key = case_key(case, (judge.digest, judge.engine, f"baseline {with_baseline}"))
        result = load_result(case, folder, key)
        if result is not None:
            return dataclasses.replace(result, fold=judge.fold), True
        result = judge_case(case, folder, judge.loaded, with_baseline=with_baseline, on_progress=reporter.progress)
        save_result(result, key)
        return dataclasses.replace(result, fold=judge.fold), False
    except OutputError:
        raise  # a full disk or a forbidden folder would fail every case
    except RefusedPairError as error:
        return UnjudgedCase(case.name, str(error), case.group, REFUSED), False
    except Exception as error:  # the other cases are still worth judging
        reason = sentence_of(error, "The case could not be evaluated")
        return UnjudgedCase(case.name, reason, case.group), False
