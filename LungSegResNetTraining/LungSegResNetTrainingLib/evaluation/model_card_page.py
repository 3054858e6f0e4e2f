"""The model card as a page: what a network is, its figures, data and limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np

from LungSegResNetLib.figures.metric_definitions import DICE
from LungSegResNetLib.network.architecture import whole_config
from LungSegResNetLib.network.model_file import ModelCard
from LungSegResNetLib.wording import counted

from ..data.cases import TEST, VALIDATION
from ..training.settings import optimiser_text
from ..training.training_record import TEST_CASES, USES, TrainingRecord
from .baseline_comparison import BEGUN_BY_NETWORK_NOTE, BEGUN_NOTE
from .bootstrap import FOLDS_NOTE, SKEWED_NOTE
from .case_result import LUNGS, NETWORK, REGIONS, THRESHOLDING, kind_of
from .findings import MeanDice
from .report_tables import TextTable

FIGURES = ("dice", "surface_dice_2mm", "hd95_mm", "mean_surface_distance_mm")
_DOUBTFUL_REFERENCE = (
    "A *doubtful reference* is one that the list of cases marks as uncertain, or that the check of pairs doubts; one "
    "that the check speaks against and the list calls right is *accepted*."
)


@dataclass(frozen=True)
class CardTexts:
    """What a page says that neither the card nor the rows tell.

    Attributes
    ----------
    missing : sentences on the cases that are in no figure; empty where there are none.
    notes : sentences about the figures; the first ones say which networks had not seen which cases.
    section : Markdown with its own heading; empty for none.
    folds : of a cross-validation that the figures are of; None where they are of the network itself.
    unknown_data : sentence on scans whose origin and licence are not stated; empty where there are none.
    """

    missing: str
    notes: Sequence[str]
    section: str
    folds: int | None = None
    unknown_data: str = ""


def model_card_page(card: ModelCard, rows: Sequence[dict[str, str]], texts: CardTexts) -> str:
    """The page as Markdown; what a user of the network has to know comes first, how it was made last.

    Parameters
    ----------
    card : with its data and limits.
    rows : of the judged cases with lung, from the ``cases.csv`` of a report.
    """
    record = TrainingRecord.of(card)
    low, high = card.hu_window
    begun = BEGUN_NOTE if _has_thresholding(rows) else BEGUN_BY_NETWORK_NOTE
    lines = [
        f"# {card.name} {card.version}",
        "",
        card.description,
        "",
        f"Licence of the weights: {card.licence}.",
        f"Architecture: {card.architecture}, the article's residual network (NiftyNet's HighRes3DNet in 2D).",
        f"Input: slices of {card.slice_shape[0]} x {card.slice_shape[1]} pixels, HU {low:.0f} to {high:.0f} as 0..1.",
        f"The logits of passes at {_sizes(card.scales)} of that size are averaged.{_of_own_weights(card)}",
        "",
        "## Known failures and limits",
        "",
        *(f"- {text}" for text in card.limits),
        "",
        f"## Figures {_of_what(rows, texts.folds)}",
        "",
        " ".join([*texts.notes, _DOUBTFUL_REFERENCE, begun]),
        "",
        _figure_table(rows).markdown(),
        "",
        " ".join([*_mean_dice(rows), *([FOLDS_NOTE] if texts.folds else [])]),
        "",
        *_doubts(rows),
        *([texts.missing, ""] if texts.missing else []),
        "## Data",
        "",
        _data_table(record.data).markdown(),
        "",
        *_data_of_start_network(record),
        *([texts.unknown_data, ""] if texts.unknown_data else []),
        *([texts.section, ""] if texts.section else []),
        "## Settings of the last training",
        "",
        *(f"- {key}: {value}" for key, value in _settings(record).items()),
        "",
    ]
    return "\n".join(lines)


def _settings(record: TrainingRecord) -> dict[str, Any]:
    """Settings by name, the optimiser in words."""
    words = optimiser_text(record.settings)
    return record.settings | ({"optimiser": words} if words else {})


def _sizes(scales: Sequence[int]) -> str:
    return ", ".join(f"1/{scale}" for scale in scales)


def _of_own_weights(card: ModelCard) -> str:
    own = whole_config(card.config)["own_scales"]
    return f" Those at {_sizes(own)} have weights of their own." if own else ""


def _of_what(rows: Sequence[dict[str, str]], folds: int | None) -> str:
    """What the report judged, by the splits of its cases, such as ``on the validation cases``."""
    if folds:
        return f"of a cross-validation with {folds} folds"
    splits = {row["split"] for row in rows}
    if splits <= {VALIDATION, TEST}:
        return f"on the {' and '.join(sorted(splits, reverse=True))} cases"
    return "on the judged cases"  # a data set without splits


def _data_table(sources: Sequence[dict[str, Any]]) -> TextTable:
    uses = [use for use in USES if use != TEST_CASES or any(row.get(use) for row in sources)]
    about = ("collection", "doi", "licence")
    rows = [[*(row[key] or "not stated" for key in about), *(str(row.get(use, 0)) for use in uses)] for row in sources]
    return TextTable(["collection", "DOI", "licence", *(use.replace("_", " ") for use in uses)], rows)


def _data_of_start_network(record: TrainingRecord) -> list[str]:
    """Sources that are in the weights, too, and whose licences may ask to be named; nothing where there are none."""
    sources = record.start_network_data
    own = {(row["doi"], row["licence"]) for row in record.data}
    if all((row["doi"], row["licence"]) in own for row in sources):
        return []
    return ["The network that training began with was made with these data:", "", _data_table(sources).markdown(), ""]


def _figure_table(rows: Sequence[dict[str, str]]) -> TextTable:
    """A row a case, then means; Dice of the network and, where the report has it, of plain thresholding, surface
    figures of the network.

    A mean that not all of its cases have a value for says how many do.
    """
    value: dict[tuple[str, str, str], dict[str, str]] = {(r["case"], r["method"], r["region"]): r for r in rows}
    mark_of = {row["case"]: _mark(row) for row in rows}
    fold_of = {row["case"]: row["fold"] for row in rows}
    in_folds, beside_thresholding = any(fold_of.values()), _has_thresholding(rows)

    def cells(names: Sequence[str]) -> list[str]:
        def average(method: str, region: str, key: str, digits: int = 3) -> str:
            texts = [value[n, method, region][key] for n in names if (n, method, region) in value]
            numbers = [float(text) for text in texts if text not in ("", "nan")]
            fewer = f" (n = {len(numbers)})" if len(numbers) < len(names) else ""
            return f"{mean(numbers):.{digits}f}{fewer}" if numbers else "-"

        shown = [average(NETWORK, region, "dice") for region in REGIONS]
        shown += [average(NETWORK, LUNGS, key, 2) for key in FIGURES[2:]]
        return [*shown, average(THRESHOLDING, LUNGS, "dice")] if beside_thresholding else shown

    table = []
    for kind, chosen in by_kind(rows).items():
        names = list(dict.fromkeys(row["case"] for row in chosen))
        for name in names:
            fold = [fold_of[name]] if in_folds else []
            table.append([f"{name}{mark_of[name]}", *fold, *cells([name])])
        fold = [""] if in_folds else []
        table.append([f"**mean of {_counts(kind, chosen)}**", *fold, *cells(names)])
    figures = ["Dice", "right", "left", "HD95 (mm)", "mean surface distance (mm)"]
    figures += ["thresholding: Dice"] if beside_thresholding else []
    return TextTable(["case", *(["fold"] if in_folds else []), *figures], table)


def _has_thresholding(rows: Sequence[dict[str, str]]) -> bool:
    """Whether the report compares with plain thresholding."""
    return any(row["method"] == THRESHOLDING for row in rows)


def _mark(row: dict[str, str]) -> str:
    if row["doubtful"]:
        return " (doubtful reference)"
    return " (accepted reference)" if row["accepted"] else ""


def _doubts(rows: Sequence[dict[str, str]]) -> list[str]:
    """Why references are doubtful or were accepted, as lines of the page; nothing where none is."""
    reasons = {row["case"]: " ".join(f"{row['doubtful']} {row['accepted']}".split()) for row in rows if _mark(row)}
    return [*(f"- {name}: {reason}" for name, reason in reasons.items()), ""] if reasons else []


def _mean_dice(rows: Sequence[dict[str, str]]) -> list[str]:
    """The mean Dice of the network, both lungs, with its interval, in a sentence for each kind of cases, and in another
    one without those whose reference is doubtful; where there are intervals, how far they can be trusted."""
    judged = []
    for kind, chosen in by_kind(rows).items():
        lungs = [row for row in chosen if (row["method"], row["region"]) == (NETWORK, LUNGS)]
        judged.append(("The mean Dice of", kind, lungs))
        certain = [row for row in lungs if not row["doubtful"]]
        if 0 < len(certain) < len(lungs):
            judged.append(("Without doubtful references that of", kind, certain))
    means = [_dice_of(some) for *_, some in judged]
    told = [
        f"{start} {_counts(kind, some)} is {DICE.text(dice.mean)} ({dice.confidence_text})."
        for (start, kind, some), dice in zip(judged, means, strict=True)
    ]
    return [*told, *([SKEWED_NOTE] if any(dice.interval for dice in means) else [])]


def _dice_of(rows: Sequence[dict[str, str]]) -> MeanDice:
    """Of a row for each case."""
    return MeanDice.of(np.array([[float(row["dice"])] for row in rows]), [row["patient"] for row in rows])


def _counts(kind: str, rows: Sequence[dict[str, str]]) -> str:
    """Such as ``7 volumes of 6 patients``."""
    cases, patients = len({row["case"] for row in rows}), len({row["patient"] for row in rows})
    return f"{counted(cases, kind.removesuffix('s'))} of {counted(patients, 'patient')}"


def by_kind(rows: Sequence[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    """Rows of volumes and of single slices."""
    kinds: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        kinds.setdefault(kind_of(int(row["slices"])), []).append(row)
    return kinds
