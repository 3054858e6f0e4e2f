"""Names of cases in a network that is handed on, and numbers instead, because names may tell who a patient is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.tables import write_csv

from ..data.ct_digests import short_digest
from ..data.scan_marks import ScanSet
from ..training.training_record import TrainingRecord


def key_path(report: Path, target: Path) -> Path:
    """The file in the folder of a report that says which number of a published network is which case."""
    return report / f"{target.stem}-case_numbers.csv"


def told_names(record: TrainingRecord, judged: Iterable[str]) -> str:
    """Which names of cases the network and its card hold, and how to avoid it, in sentences.

    ``judged`` are those that the card names.
    """
    begun = set(record.start_network_cases)
    own = sorted((_names(record) | set(judged)) - begun)
    further = f"; of the network that its training began with: {', '.join(sorted(begun))}" if begun else ""
    return (
        f"Network and card hold the names of these cases: {', '.join(own)}{further}. Where they tell who a patient is, "
        "give --numbered before you hand them on."
    )


@dataclass(frozen=True)
class CaseNumbers:
    """What stands for the name of a case; a name that is not among ``numbers`` stays.

    That is one of a scan of which no digest of the CT is known: without its name nobody could recognise it.
    """

    numbers: dict[str, str]
    kept: tuple[str, ...] = ()

    @classmethod
    def of(cls, record: TrainingRecord, judged: Iterable[str], prefix: str) -> CaseNumbers:
        """Numbers for all names that a record holds and for those of judged cases, with the name of the network before
        them: those of two networks are not to be taken for one another. Their order says nothing of the names."""
        kept = {mark.name for one in _scan_sets(record) for mark in one.marks if not mark.ct}
        names = sorted((_names(record) | set(judged)) - kept, key=short_digest)
        digits = len(str(len(names)))
        return cls({name: f"{prefix}-{n:0{digits}d}" for n, name in enumerate(names, start=1)}, tuple(sorted(kept)))

    def in_record(self, record: TrainingRecord) -> TrainingRecord:
        """A record with numbers; digests of CTs and patients stay, by which scans are recognised."""

        def numbered(scans: ScanSet) -> ScanSet:
            return ScanSet(frozenset(dataclasses.replace(mark, name=self._of(mark.name)) for mark in scans.marks))

        return dataclasses.replace(
            record,
            training_cases=list(map(self._of, record.training_cases)),
            validation_cases=list(map(self._of, record.validation_cases)),
            start_network_cases=list(map(self._of, record.start_network_cases)),
            seen_scans=numbered(record.seen_scans),
            validation_scans=numbered(record.validation_scans),
            choosing_scans=numbered(record.choosing_scans),
        )

    def in_rows(self, rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
        """Rows of a table of cases with numbers."""
        return [row | {"case": self._of(row["case"])} for row in rows]

    def write(self, path: Path) -> None:
        """Write which number is which case, which is not to be handed on. Raises OutputError where it cannot."""
        rows = ({"number": number, "case": name} for name, number in self.numbers.items())
        with write_atomically(path, overwrite=True) as temporary:
            write_csv(temporary, ("number", "case"), rows)

    def explanation(self, path: Path) -> str:
        """What to know about the numbers, whose key is at ``path``, in sentences."""
        text = f"{len(self.numbers)} names of cases are numbers; {path} says which, and is not to be handed on."
        if self.kept:
            text += f" Without a digest of their CT these stay: {', '.join(self.kept)}."
        return f"{text} Digests of CTs and patients stay: who tries all short numbers of patients finds them."

    def _of(self, name: str) -> str:
        return self.numbers.get(name, name)


def _scan_sets(record: TrainingRecord) -> tuple[ScanSet, ...]:
    return record.seen_scans, record.validation_scans, record.choosing_scans


def _names(record: TrainingRecord) -> set[str]:
    listed = {*record.training_cases, *record.validation_cases, *record.start_network_cases}
    return listed.union(*(one.names for one in _scan_sets(record)))
