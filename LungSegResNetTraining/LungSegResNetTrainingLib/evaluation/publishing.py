"""Turn the network of a finished run into one that can be shipped: with its data, figures, licence and model card."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.network.model_file import ModelCard, load_model, save_model
from LungSegResNetLib.tables import read_rows
from LungSegResNetLib.wording import some_of

from ..data.cases import Case
from ..data.scan_marks import ScanMarks
from ..training.cross_validation import HELD_NOBODY_BACK
from ..training.training_record import TrainingRecord
from .case_numbers import CaseNumbers, key_path, told_names
from .case_result import FAILED, LUNGS, METHODS, NETWORK, TRAINED_ON
from .cross_validated import folds_of_same_training, judges_text
from .data_sources import collection_names, data_sources
from .left_out import doubted_text, is_doubt
from .model_card_page import FIGURES, CardTexts, by_kind, model_card_page
from .report_files import CASES
from .report_folder import evaluation_in
from .summary_text import chosen_by_judged, unnamed_text

INTENDED_USE = (
    "Draft lung masks in chest CT, for research, to be looked at and corrected by a person. "
    "It is not a medical device and not for diagnostic use."
)
MODEL_CARD = "MODEL_CARD.md"
_HOW_TO_STATE = (
    "fill in the columns doi and licence of the list of cases, and name the collections in a collections.csv beside "
    "the network (columns doi, collection; a row without a doi names the data that have none)"
)
_REPORT_COLUMNS = (
    *("case", "status", "patient", "group", "split", "doubtful", "accepted", "slices", "fold"),
    *("method", "region", "reference_ml", *FIGURES, "cause"),
)


@dataclass(frozen=True)
class Publication:
    """What a network is published as, apart from what its file and its report say.

    Attributes
    ----------
    name, version : of the network, as users see them.
    licence : of the weights.
    limits : text file with a known failure or a limit of the data in each line.
    section : Markdown file with a heading of the second level that goes into ``MODEL_CARD.md``.
    numbered : cases have numbers in both files instead of their names; ``<target>-case_numbers.csv`` in the folder of
        the report says which is which.
    folds_of : folder of the cross-validation that the report is of, where the network was trained on all its patients.
    """

    name: str
    version: str
    licence: str
    limits: Path
    section: Path | None = None
    numbered: bool = False
    folds_of: Path | None = None


def publish(
    network: Path,
    cases: Sequence[Case],
    report: Path,
    target: Path,
    publication: Publication,
    tell: Callable[[str], None] = lambda text: None,
) -> ModelCard:
    """Write ``target`` (.safetensors) and ``MODEL_CARD.md`` beside it; returns the card.

    Parameters
    ----------
    network : ``network.safetensors`` of a run.
    cases : the data set it was trained and evaluated on; see `data_sources` for scans that it may lack.
    report : folder written by ``evaluate``; its ``cases.csv`` is where all figures come from.
    target : ``collections.csv`` (columns ``doi, collection``) in its folder names the collections in the card, a row
        without a DOI the data that have none.
    tell : is called with what to know before the files are handed on.

    Raises
    ------
    InputError : the training of the network has not finished; the report has no figures, is of another network or
        judges cases that the network was trained on, or is of a cross-validation whose networks were trained otherwise
        (see `folds_of_same_training`); ``cases`` lack scans of the run; or the limits, the section or the names of the
        collections cannot be read.
    ModelError : the network, or one of a cross-validation, cannot be read.
    """
    card, weights = load_model(network)
    if card.is_unfinished:
        raise InputError(f"The training of {network.name} has not finished; resume it, and evaluate it then.")
    section = _read_text(publication.section).strip() if publication.section else ""
    limits = [line.strip() for line in _read_text(publication.limits).splitlines() if line.strip()]
    rows, unjudged, trained_on = _read_rows(report / CASES)
    judges, judged = _judges_of(report), {row["case"] for row in rows}
    listed = _listed(judged, cases)
    record, marks, folds = TrainingRecord.of(card), ScanMarks(), None
    if publication.folds_of:
        folds = folds_of_same_training(network.name, record, publication.folds_of, judges, listed, marks)
        notes = [judges_text(folds, sum(not record.seen_scans.holds_case(case, marks) for case in listed))]
    else:
        _refuse_report_of_another(network, report, judges)
        _refuse_cases_trained_on(record, listed, marks)
        notes = ["The network was not trained on them."]
    names = collection_names(target.with_name("collections.csv"))
    sources, unknown = data_sources(cases, record, names, judged, marks)
    if missing := _unjudged_text((*rows, *trained_on), unjudged):
        tell(missing)
    if doubts := {row["case"] for row in rows if row["doubtful"] or row["accepted"]}:
        tell(f"The card has your words on the references of {some_of(sorted(doubts))}: see that they name nobody.")
    choosing = [record.choosing_scans.holds_case(case, marks) for case in listed]
    notes += [*chosen_by_judged(sum(choosing)), *unnamed_text(listed)]
    record = dataclasses.replace(record, data=sources)
    if unstated := [key for key in ("collection", "licence") if not all(source[key] for source in record.data)]:
        tell(f"The card does not state the {' and '.join(unstated)} of all data; {_HOW_TO_STATE}.")
    if unknown:
        tell(f"{unknown} Give a list that has them, too, if you can.")
    named = [row["case"] for row in (*rows, *unjudged)]
    if publication.numbered:
        prefix = f"{publication.name}-{publication.version}"
        numbers, key = CaseNumbers.of(record, named, prefix), key_path(report, target)
        numbers.write(key)
        tell(numbers.explanation(key))
        record, rows = numbers.in_record(record), numbers.in_rows(rows)
        missing = _unjudged_text((*rows, *trained_on), numbers.in_rows(unjudged))
    else:
        tell(told_names(record, named))
    card = dataclasses.replace(
        card,
        name=publication.name,
        version=publication.version,
        licence=publication.licence,
        description=f"Lung segmentation in axial chest CT slices. {INTENDED_USE}",
        limits=tuple(limits),
        training=record.as_json(),
        figures=_figures(rows, "cross-validation, " if folds else ""),
    )
    save_model(target, weights, card)
    page = model_card_page(card, rows, CardTexts(missing, notes, section, folds, unknown))
    with write_atomically(target.with_name(MODEL_CARD), overwrite=True) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return card


def _judges_of(report: Path) -> str:
    """Digests of the networks whose evaluation is in the folder ``report``. Raises InputError where there is none."""
    evaluation = evaluation_in(report)
    if evaluation is None:
        raise InputError(f"{report} is not the report of an evaluation; run lungsegresnet-train evaluate first.")
    return evaluation.network


def _refuse_report_of_another(network: Path, report: Path, judges: str) -> None:
    """Raise InputError unless the report is about this very network file, and no other."""
    if judges == file_digest(network):
        return
    advice = "evaluate this network, and it alone"
    if " " in judges:
        advice += ", or give the folder of that cross-validation to --folds-of"
    raise InputError(f"The report in {report} is not about {network.name}; {advice}.")


def _listed(judged: Set[str], cases: Sequence[Case]) -> list[Case]:
    """The judged cases of the data set. Raises InputError where it lacks one."""
    listed = [case for case in cases if case.name in judged]
    if unknown := judged - {case.name for case in listed}:
        raise InputError(
            f"The report evaluates cases that the data set does not have ({some_of(sorted(unknown))}), so nobody can "
            "tell whether the network was trained on them; give the data set that was evaluated."
        )
    return listed


def _refuse_cases_trained_on(record: TrainingRecord, judged: Sequence[Case], marks: ScanMarks) -> None:
    """Raise InputError where a judged case has a CT or a patient that the network was trained on."""
    trained_on = [case.name for case in judged if record.seen_scans.holds_case(case, marks)]
    if trained_on and not record.validation_scans.marks:
        raise InputError(f"The network was trained on cases of the report ({some_of(trained_on)}). {HELD_NOBODY_BACK}")
    if trained_on:
        raise InputError(
            f"The report evaluates cases whose scan or patient the network was trained on ({some_of(trained_on)}); "
            "evaluate it on others, or name the patients in the data set where only the names of cases are the same."
        )


def _read_rows(path: Path) -> tuple[list[dict[str, str]], list[dict[str, str]], list[dict[str, str]]]:
    """Rows of judged cases with lung, of cases that could not be evaluated or whose pair is doubtful or refused, and of
    those that are left out only because the network was trained on them."""
    try:
        found = read_rows(path, _REPORT_COLUMNS)
        judged = [row for row in found if row["method"] in METHODS]
        rows = [row for row in judged if float(row["reference_ml"]) > 0]  # else Dice is the share of nothing
    except (InputError, ValueError) as error:
        raise InputError(f"{path} is not a table of an evaluation; run lungsegresnet-train evaluate first.") from error
    if not rows:
        raise InputError(f"{path} holds no evaluated case with lung.")
    unjudged = [row for row in found if row["status"] == FAILED or is_doubt(row["cause"])]
    return rows, unjudged, [row for row in found if row["cause"] == TRAINED_ON]


def _unjudged_text(fine: Sequence[dict[str, str]], unjudged: Sequence[dict[str, str]]) -> str:
    """Which cases are in no figure, by name and by group; empty where there are none. For ``fine`` see
    `doubted_text`."""
    if not unjudged:
        return ""
    names = []
    for row in unjudged:
        cause = row["cause"]
        why = f"{cause} reference" if is_doubt(cause) else "could not be evaluated"
        names.append(f"{row['case']} ({', '.join(filter(None, (row['group'], why)))})")
    group_of = {row["case"]: row["group"] for row in fine}
    doubted = [row["group"] for row in unjudged if is_doubt(row["cause"])]
    return " ".join(
        filter(None, [f"Not evaluated: {', '.join(names)}.", doubted_text(list(group_of.values()), doubted)])
    )


def _figures(rows: Sequence[dict[str, str]], before: str) -> dict[str, float]:
    """Mean and worst Dice of volumes and of single slices, and mean surface distances (mm), named with ``before``.

    A mean that not all of its cases have a value for, as where nothing was found, says how many do.
    """
    figures: dict[str, float] = {}
    for kind, chosen in by_kind(rows).items():
        lungs = [row for row in chosen if row["method"] == NETWORK and row["region"] == LUNGS]
        for key in FIGURES:
            values = [float(row[key]) for row in lungs if row[key] not in ("", "nan")]
            fewer = f" (n = {len(values)})" if len(values) < len(lungs) else ""
            if values:
                figures[f"{before}{kind}: mean {key}{fewer}"] = round(mean(values), 4)
        figures[f"{before}{kind}: worst dice"] = round(min(float(row["dice"]) for row in lungs), 4)
    return figures


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text.") from error
