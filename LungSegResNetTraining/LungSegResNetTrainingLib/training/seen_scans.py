"""Which scans a network was trained on and which were kept from it, recognised by the CT itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.errors import InputError, OutputError
from LungSegResNetLib.files.dicom_image import may_be_dicom
from LungSegResNetLib.network.model_file import ModelCard

from ..data.case_files import files_of
from ..data.cases import Case
from ..data.dicom_kinds import CT, kind_of_file

_DIGITS = 16  # hexadecimal: 64 bits, so that no two scans of this world meet by chance


@dataclass(frozen=True, order=True)
class ScanMark:
    """What a scan is recognised by.

    Attributes
    ----------
    name : of the case.
    ct : digest of the CT's files; empty where they could not be read, or a network does not say.
    patient : digest of the patient's name, so that a network that is handed on does not spell it; a short one, such as
        a hospital's number, can be found by trying all. Empty where nobody was named.
    """

    name: str
    ct: str = ""
    patient: str = ""

    @classmethod
    def of(cls, case: Case, with_ct: bool = True) -> ScanMark:
        """The mark of a case; with its CT, whose files are read for it."""
        patient = _short_digest(case.patient) if case.patient_is_named else ""
        return cls(case.name, _digest_of_ct(case.ct) if with_ct else "", patient)

    def is_of(self, other: ScanMark) -> bool:
        """Whether both are of one patient, or of one CT as far as `is_scan` can tell."""
        return self._has_patient_of(other) or self.is_scan(other)

    def is_scan(self, other: ScanMark) -> bool:
        """Whether both are of one CT; the names decide where a CT is not known.

        They also do where no patient is: a CT that was compressed or converted since has another digest, and to leave
        out a stranger of the same name does less harm than to judge a network on what it was trained on.
        """
        return self._has_ct_of(other) or (self.name == other.name and not self.patient and not other.patient)

    def is_surely_of(self, other: ScanMark) -> bool:
        """As `is_of`, but names decide only where a CT is not known."""
        return self._has_patient_of(other) or self._has_ct_of(other)

    def _has_patient_of(self, other: ScanMark) -> bool:
        return bool(self.patient) and self.patient == other.patient

    def _has_ct_of(self, other: ScanMark) -> bool:
        return self.ct == other.ct if self.ct and other.ct else self.name == other.name


@dataclass(frozen=True)
class ScanRecord:
    """Scans that a network's file speaks of, without order."""

    marks: frozenset[ScanMark] = frozenset()

    @classmethod
    def by_names(cls, names: Iterable[str]) -> ScanRecord:
        """Scans of which nothing but the case's name is known."""
        return cls(frozenset(ScanMark(name) for name in names))

    @classmethod
    def from_json(cls, stored: Iterable[Sequence[str]]) -> ScanRecord:
        """A record as a network's file holds it."""
        return cls(frozenset(ScanMark(*entry) for entry in stored))

    def as_json(self) -> list[list[str]]:
        """A list of name, digest of the CT and digest of the patient for each scan."""
        return [list(astuple(mark)) for mark in sorted(self.marks)]

    def __or__(self, other: ScanRecord) -> ScanRecord:
        return ScanRecord(self.marks | other.marks)

    def shared_with(self, other: ScanRecord) -> ScanRecord:
        """The scans that are surely of a CT or patient of ``other``, too."""
        return ScanRecord(
            frozenset(mark for mark in self.marks if any(mark.is_surely_of(another) for another in other.marks))
        )

    def holds(self, scan: ScanMark) -> bool:
        """Whether one of the scans is of the same CT or patient."""
        return any(mark.is_of(scan) for mark in self.marks)

    def holds_case(self, case: Case) -> bool:
        """Whether one of the scans is of the CT or patient of a case, whose files are read where that helps."""
        return self.holds(ScanMark.of(case, with_ct=self.knows_cts))

    def holds_scan(self, scan: ScanMark) -> bool:
        """Whether one of the scans is of the same CT."""
        return any(mark.is_scan(scan) for mark in self.marks)

    @property
    def knows_cts(self) -> bool:
        """Whether it knows more than names, so that files are worth reading."""
        return any(mark.ct for mark in self.marks)

    @property
    def names(self) -> list[str]:
        """Names of the cases, sorted."""
        return sorted({mark.name for mark in self.marks})


_known_digests: dict[str, str] = {}  # of CTs by place, size and time of their files

NOTHING_SEEN = ScanRecord()


@contextmanager
def stored_digests(path: Path) -> Iterator[None]:
    """A block in which CTs are not read whose digests the file ``path`` has; it gets those that were read."""
    stored: Any = None
    with suppress(OSError, ValueError):
        stored = json.loads(path.read_text(encoding="utf-8"))
    stored = stored if isinstance(stored, dict) else {}
    _known_digests.update({key: digest for key, digest in stored.items() if isinstance(digest, str)})
    yield
    if not _known_digests.keys() <= stored.keys():
        # A cache that may only be read serves, too.
        with suppress(OutputError), write_atomically(path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(stored | _known_digests), encoding="utf-8")


def seen_scans(card: ModelCard) -> ScanRecord:
    """Scans that a network was trained on, those of the network it began with included."""
    return _record(card, "seen_scans", "training_cases", "start_network_cases")


def validation_scans(card: ModelCard) -> ScanRecord:
    """Scans that were kept from a network to validate it."""
    return _record(card, "validation_scans", "validation_cases")


def copied_scans(cases: Sequence[Case]) -> list[tuple[Case, Case]]:
    """Cases that have the CT of an earlier case of another patient, each with that one."""
    owners: dict[str, Case] = {}
    copies = []
    for case in cases:
        ct = ScanMark.of(case).ct
        owner = owners.setdefault(ct, case)
        if ct and owner.patient != case.patient:
            copies.append((case, owner))
    return copies


def repeated_scans(cases: Sequence[Case]) -> list[str]:
    """Sentences about copies of one CT that count as scans of several patients."""
    return [
        f"{copy.name} has the same CT as {owner.name}, though they count as two patients; leave one of them out, or "
        "they may be on both sides."
        for copy, owner in copied_scans(cases)
    ]


def _record(card: ModelCard, key: str, *names: str) -> ScanRecord:
    """What a file says under ``key``; one that does not, as of another program, is asked for the names of its cases."""
    about: dict[str, Any] = card.training
    if key in about:
        return ScanRecord.from_json(about[key])
    return ScanRecord.by_names(name for one in names for name in about.get(one, ()))


def _digest_of_ct(ct: Path) -> str:
    """Digest of what a CT's files hold, whatever they are called; of a DICOM folder only the slices count."""
    try:
        files = files_of(ct)
        states = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        key = _short_digest(repr(states))
        # Asked for again and again: all slices of an archive are more than are remembered file by file.
        if key not in _known_digests:
            digests = sorted(file_digest(path) for path in files if not ct.is_dir() or _is_slice(path))
            _known_digests[key] = _short_digest("".join(digests)) if digests else ""
    except (OSError, InputError):
        return ""  # reading the case says why
    return _known_digests[key]


def _is_slice(path: Path) -> bool:
    return may_be_dicom(path) and kind_of_file(path) in (CT, None)


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
