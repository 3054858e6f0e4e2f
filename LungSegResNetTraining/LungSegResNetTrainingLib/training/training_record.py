"""What a network's file says of its training: written by a run, joined for a mean, completed when it is published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from LungSegResNetLib.network.model_file import ModelCard

from ..data.dois import plain_doi
from ..data.scan_marks import NOTHING_SEEN, ScanSet

TRAINING_CASES, VALIDATION_CASES, TEST_CASES = "training_cases", "validation_cases", "test_cases"
USES = (TRAINING_CASES, VALIDATION_CASES, TEST_CASES)  # of the cases of a collection, see `TrainingRecord.data`


@dataclass(frozen=True)
class TrainingRecord:
    """The part ``training`` of a network's card; what a file does not say, as one of another program, is as below.

    Attributes
    ----------
    program : that wrote it, with its version.
    settings : `TrainingSettings` as JSON, perhaps of another version.
    training_cases, validation_cases : names of the cases of the last run.
    seen_scans, validation_scans : scans that the network was trained on, from its very beginning, and that were kept
        from it; of a file that names cases only, these.
    choosing_scans : by whose Dice ``patience`` chose a step of the network, or of one that it came from.
    start_network_cases : names of the cases of the network that the run began with.
    start_network_data : collections of data of that network, as in ``data``.
    patience : see `RunOptions`.
    steps_done : steps of the last run after which this network was taken.
    finished : whether that run had ended.
    mean_of : names of the networks whose mean it is.
    data : collections with their DOI, licence and numbers of cases by use, once it is published.
    others : entries that this version does not know.
    """

    program: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    training_cases: list[str] = field(default_factory=list)
    validation_cases: list[str] = field(default_factory=list)
    seen_scans: ScanSet = NOTHING_SEEN
    validation_scans: ScanSet = NOTHING_SEEN
    choosing_scans: ScanSet = NOTHING_SEEN
    start_network_cases: list[str] = field(default_factory=list)
    start_network_data: list[dict[str, Any]] = field(default_factory=list)
    patience: int | None = None
    steps_done: int | None = None
    finished: bool | None = None
    mean_of: list[str] = field(default_factory=list)
    data: list[dict[str, Any]] = field(default_factory=list)
    others: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, card: ModelCard) -> TrainingRecord:
        """The record in a network's card."""
        training = card.training
        names = {entry.name for entry in fields(cls)} - {"others"}
        known = {name: value for name, value in training.items() if name in names}
        known |= {
            "seen_scans": _scans(training, "seen_scans", "training_cases", "start_network_cases"),
            "validation_scans": _scans(training, "validation_scans", "validation_cases"),
            "choosing_scans": _scans(training, "choosing_scans"),
        }
        return cls(**known, others={name: value for name, value in training.items() if name not in names})

    @property
    def sources(self) -> list[dict[str, Any]]:
        """Collections of data that the network was made with, from its very beginning, as far as they are named."""
        return merged_sources((*self.start_network_data, *self.data))

    def as_json(self) -> dict[str, Any]:
        """Plain values for a network's card."""
        plain = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "others"}
        scans = {name: value.as_json() for name, value in plain.items() if isinstance(value, ScanSet)}
        return self.others | plain | scans


def merged_sources(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Collections of data, those of one DOI and licence in one row: of each use the largest number, because networks
    that come from one another were made with the same cases."""
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        doi, licence = plain_doi(row.get("doi", "")), row.get("licence", "")
        same = merged.setdefault((doi, licence), {"collection": "", "doi": doi, "licence": licence})
        same["collection"] = same["collection"] or row.get("collection", "")
        same.update({use: max(same.get(use, 0), row[use]) for use in USES if use in row})
    return list(merged.values())


def _scans(training: Mapping[str, Any], key: str, *names: str) -> ScanSet:
    """What a file says under ``key``; one that does not, as of another program, is asked for the names of its cases."""
    if key in training:
        return ScanSet.from_json(training[key])
    return ScanSet.by_names(name for one in names for name in training.get(one, ()))
