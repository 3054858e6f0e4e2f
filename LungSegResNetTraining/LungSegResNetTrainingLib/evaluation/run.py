"""Judges all cases of a data set, one at a time; goes on after failures and after interruptions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.errors import InputError, LungSegError, OutputError, OutputExistsError
from LungSegResNetLib.jobs.reporting import Reporter, WarningReporter
from LungSegResNetLib.network.engines import EngineSettings, LoadedEngine, load_engine
from LungSegResNetLib.network.model_file import ModelCard
from LungSegResNetLib.wording import counted

from ..data.case_files import mask_files_of
from ..data.case_search import FoundCases
from ..data.cases import VALIDATION, Case
from ..data.pair_check import REFUSED
from ..data.system_files import is_system_file
from ..training.seen_scans import NOTHING_SEEN, ScanMark, ScanRecord
from .case_result import CaseResult, FailedCase
from .finished_cases import case_key, folder_names, forget_result, load_result, save_result
from .judging import RefusedPairError, judge_case

ALL = "all"
CASES_FOLDER = "cases"
MARK = "evaluation.json"
_TOLD = "made with"  # in that file, beside what it is recognised by
CASES, SUMMARY = "cases.csv", "summary.csv"
REPORT, MARKDOWN, BOX_PLOTS = "report.html", "report.md", "box_plots.png"
REPORT_FILES = (CASES, SUMMARY, REPORT, MARKDOWN, BOX_PLOTS)


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


@dataclass
class Evaluation:
    """All that a report is made of; in a cross-validation there are several judges, one for each fold.

    ``failed`` could not be judged, ``left_out`` were not to be judged; ``kept`` counts results of an earlier run.
    """

    judges: Sequence[Judge]
    results: list[CaseResult] = field(default_factory=list)
    failed: list[FailedCase] = field(default_factory=list)
    left_out: list[FailedCase] = field(default_factory=list)
    kept: int = 0


OnCase = Callable[[int, int, CaseResult | FailedCase, bool], None]


def choose_cases(found: FoundCases, split: str | None, seen: ScanRecord = NOTHING_SEEN) -> list[Case]:
    """Cases of a split; ``all`` takes all.

    None takes the validation cases or, where the data set has none, all, without those of patients that the network
    was trained on; ``seen`` are its scans.

    Raises
    ------
    InputError : there is no such case.
    """
    cases = _of_split(found.cases, split)
    trained_on = cases_trained_on(found, split, seen)
    if cases and len(trained_on) == len(cases):
        which = "validation cases" if VALIDATION in {case.split for case in cases} else "patients of the data set"
        raise InputError(
            f"The network, or the one that its training began with, was trained on all {which}, or on cases of their "
            "names; give the cases.csv of its run folder, which names those held back, or scans of other patients, or "
            f"judge all cases with --split {ALL}."
        )
    if found.cases and not cases:
        splits = sorted({case.split for case in found.cases})
        raise InputError(
            f"The data set has no case in the split '{split}'; there are {', '.join(splits)}, and '{ALL}'."
        )
    return [case for case in cases if case not in trained_on]


def cases_trained_on(found: FoundCases, split: str | None, seen: ScanRecord) -> list[Case]:
    """The cases that `choose_cases` leaves out because the network was trained on their patients: none of a split that
    was asked for."""
    if split is not None:
        return []
    patients = trained_patients(found.cases, seen)
    return [case for case in _of_split(found.cases, split) if case.patient in patients]


def _of_split(cases: Sequence[Case], split: str | None) -> list[Case]:
    if split is None:
        split = VALIDATION if any(case.split == VALIDATION for case in cases) else ALL
    return [case for case in cases if split in (ALL, case.split)]


def trained_patients(cases: Sequence[Case], seen: ScanRecord) -> set[str]:
    """Patients of whom the network was trained on some case."""
    return {case.patient for case in cases if seen.holds_case(case)}


def cases_digest(cases: Sequence[Case]) -> str:
    """Digest of the cases' names, CTs, patients and masks, by which a data set is known when it has moved.

    Where masks were corrected it is another one: a report on the earlier ones is not to stand beside results on these.
    """
    entries = sorted((*dataclasses.astuple(ScanMark.of(case)), _mask_digest(case)) for case in cases)
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def _mask_digest(case: Case) -> str:
    """Digest of what the mask's files hold, whatever they are called; empty where they cannot be read."""
    try:
        return " ".join(sorted(map(file_digest, mask_files_of(case.mask))))
    except (OSError, InputError):
        return ""  # reading the case says why


def refuse_unreachable(cases: Sequence[Case]) -> None:
    """Raise InputError where not one CT is there, as on a disk that is not connected: nothing is to be replaced then.

    Without cases there is nothing to be missing.
    """
    if cases and not any(os.path.lexists(case.ct) for case in cases):
        raise InputError(
            f"None of {counted(len(cases), 'CT')} is there (the first is {cases[0].ct}); is a disk or a share not "
            "connected? Nothing was changed."
        )


def claim_folder(folder: Path, about: dict[str, str], overwrite: bool, cases: Sequence[Case]) -> None:
    """Make ``folder`` the place of the evaluation that ``about`` describes; going on with the same one is allowed.

    The report of another one, or of other cases of its data set, is removed, so that nobody takes its figures for those
    of this one, and so are results and pictures of cases that are not among ``cases``.

    Raises
    ------
    OutputExistsError : the folder holds another evaluation and ``overwrite`` is false.
    OutputError : the folder holds other files, or cannot be written.
    """
    earlier = _read_mark(folder)
    if earlier is None:
        _refuse_other_files(folder)
        earlier = {}
    elif (other := holds_another(folder, about)) or earlier.get("cases") != about.get("cases"):
        if other and not overwrite:
            raise OutputExistsError(folder, "holds another evaluation; choose another folder.")
        _remove_report(folder)
        earlier.pop(_TOLD, None)
        names = folder_names(cases)
        for path in (folder / CASES_FOLDER).glob("*"):
            if path.name not in names:
                forget_result(path)
    _write_mark(folder, about | {key: value for key, value in earlier.items() if key == _TOLD})


def tell_provenance(folder: Path, provenance: dict[str, str]) -> None:
    """Add what the report in a folder was made with to what the evaluation is recognised by.

    Raises
    ------
    OutputError : the file cannot be written.
    """
    _write_mark(folder, (_read_mark(folder) or {}) | {_TOLD: provenance})


def holds_another(folder: Path, about: dict[str, str]) -> bool:
    """Whether `claim_folder` needs ``overwrite``: the folder has an evaluation of another network, split or data set.

    A data set is known by its place and, where it has moved, by its cases; ``about`` need not tell both.
    """
    earlier = _read_mark(folder)
    if earlier is None:
        return False
    earlier.pop(_TOLD, None)
    data = {"data set", "cases"}
    others, told = (earlier.keys() | about.keys()) - data, data & about.keys()
    same = {key for key in others | told if earlier.get(key) == about.get(key)}
    return not others <= same or (bool(told) and not told & same)


def _read_mark(folder: Path) -> dict[str, Any] | None:
    """What the evaluation in a folder is about, and what its report was made with; None where there is none."""
    try:
        mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return mark if isinstance(mark, dict) else None


def _write_mark(folder: Path, mark: dict[str, Any]) -> None:
    with write_atomically(folder / MARK, overwrite=True) as temporary:
        temporary.write_text(json.dumps(mark, indent=2) + "\n", encoding="utf-8")


def _refuse_other_files(folder: Path) -> None:
    """Raise OutputError unless a folder is empty or is still to be made; a data set and a run have a cases.csv, too."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; choose a folder for the report.")
    try:
        is_used = folder.exists() and not all(map(is_system_file, folder.iterdir()))
    except OSError as error:
        raise OutputError(f"{folder} cannot be used ({error.strerror or error}); choose another folder.") from error
    if is_used:
        raise OutputError(f"{folder} holds files that are no evaluation; choose another folder.")


def _remove_report(folder: Path) -> None:
    try:
        for name in REPORT_FILES:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} holds a report that cannot be replaced ({error.strerror or error}).") from error


def evaluate(
    assigned: Sequence[tuple[Case, Judge]],
    folder: Path,
    *,
    with_baseline: bool = True,
    reporter: Reporter | None = None,
    on_case: OnCase = lambda number, count, outcome, kept: None,
) -> Evaluation:
    """Judge each case by the network beside it, and keep results and pictures in ``folder/cases``.

    What is there already from an earlier run is taken from there. A broken case is listed as failed and stops no other;
    it is tried again by the next run. ``on_case`` gets the number of the case (from 1), how many there are, what came
    of it and whether its result was kept from an earlier run.

    Raises
    ------
    OutputError : the results cannot be written.
    """
    reporter = reporter or WarningReporter()
    evaluation = Evaluation(list(dict.fromkeys(judge for _, judge in assigned)))
    names = folder_names([case for case, _ in assigned])
    for number, ((case, judge), name) in enumerate(zip(assigned, names, strict=True), start=1):
        reporter.stage(f"case {number} of {len(assigned)}: {case.name}")
        job = _Job(case, folder / CASES_FOLDER / name, judge, with_baseline)
        try:
            outcome, kept = job.outcome(reporter)
        finally:
            reporter.close()
        if isinstance(outcome, CaseResult):
            evaluation.results.append(outcome)
            evaluation.kept += kept
        else:
            evaluation.failed.append(outcome)
        on_case(number, len(assigned), outcome, kept)
    return evaluation


@dataclass(frozen=True)
class _Job:
    """One case to be judged in a folder of its own."""

    case: Case
    folder: Path
    judge: Judge
    with_baseline: bool

    def outcome(self, reporter: Reporter) -> tuple[CaseResult | FailedCase, bool]:
        """What came of the case, and whether an earlier run had it already."""
        try:
            judge = self.judge
            key = case_key(self.case, (judge.digest, judge.engine, f"baseline {self.with_baseline}"))
            result = load_result(self.case, self.folder, key)
            if result is not None:
                return dataclasses.replace(result, fold=judge.fold), True
            result = judge_case(
                self.case,
                self.folder,
                judge.loaded,
                with_baseline=self.with_baseline,
                on_progress=reporter.slices,
            )
            save_result(result, key)
            return dataclasses.replace(result, fold=judge.fold), False
        except OutputError:
            raise  # a full disk or a forbidden folder would fail every case
        except RefusedPairError as error:
            return FailedCase(self.case.name, str(error), self.case.group, REFUSED), False
        except LungSegError as error:
            reason = str(error)
        except MemoryError:
            reason = "There is not enough memory for this case."
        except Exception as error:
            # Readers of foreign files fail in ways nobody can list; the other cases are still worth judging.
            reason = f"The case could not be judged ({type(error).__name__}: {error})."
        return FailedCase(self.case.name, reason, self.case.group), False
