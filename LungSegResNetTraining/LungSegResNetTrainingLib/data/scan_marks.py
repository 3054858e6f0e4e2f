"""What a scan is recognised by: its CT, its patient or the name of its case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from .cases import Case
from .ct_digests import CtDigests, short_digest


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

    def matches(self, other: ScanMark) -> bool:
        """Whether both are of one patient, or of one CT as far as `is_same_scan` can tell."""
        return self._has_patient_of(other) or self.is_same_scan(other)

    def is_same_scan(self, other: ScanMark) -> bool:
        """Whether both are of one CT; the names decide where a CT is not known.

        They also do where both are of one patient, or no patient is known: a CT that was compressed or converted since
        has another digest, and to leave out a stranger of the same name does less harm than to judge a network on what
        it was trained on.
        """
        return self._has_ct_of(other) or (self.name == other.name and self.patient == other.patient)

    def matches_strictly(self, other: ScanMark) -> bool:
        """As `matches`, but names decide only where a CT is not known."""
        return self._has_patient_of(other) or self._has_ct_of(other)

    def _has_patient_of(self, other: ScanMark) -> bool:
        return bool(self.patient) and self.patient == other.patient

    def _has_ct_of(self, other: ScanMark) -> bool:
        return self.ct == other.ct if self.ct and other.ct else self.name == other.name


class ScanMarks:
    """Makes the marks of cases for one command; the files of a CT are looked at once.

    To look at them again takes a while where a scan has hundreds of slices on a drive in a network.
    """

    def __init__(self, digests: CtDigests | None = None) -> None:
        self._digests = digests or CtDigests()
        self._cts: dict[Path, str] = {}

    def of(self, case: Case, with_ct: bool = True) -> ScanMark:
        """The mark of a case; with its CT, whose files are read for it unless their digest is known."""
        if with_ct and case.ct not in self._cts:
            self._cts[case.ct] = self._digests.of(case.ct)
        patient = short_digest(case.patient) if case.patient_is_named else ""
        return ScanMark(case.name, self._cts[case.ct] if with_ct else "", patient)


@dataclass(frozen=True)
class ScanSet:
    """Scans that a network's file speaks of, without order."""

    marks: frozenset[ScanMark] = frozenset()

    @classmethod
    def by_names(cls, names: Iterable[str]) -> ScanSet:
        """Scans of which nothing but the case's name is known."""
        return cls(frozenset(ScanMark(name) for name in names))

    @classmethod
    def from_json(cls, stored: Iterable[Sequence[str]]) -> ScanSet:
        """The scans as a network's file holds them."""
        return cls(frozenset(ScanMark(*entry) for entry in stored))

    def as_json(self) -> list[list[str]]:
        """A list of name, digest of the CT and digest of the patient for each scan."""
        return [list(astuple(mark)) for mark in sorted(self.marks)]

    def __or__(self, other: ScanSet) -> ScanSet:
        return ScanSet(self.marks | other.marks)

    def shared_with(self, other: ScanSet) -> ScanSet:
        """The scans that are surely of a CT or patient of ``other``, too."""
        return ScanSet(
            frozenset(mark for mark in self.marks if any(mark.matches_strictly(another) for another in other.marks))
        )

    def holds(self, scan: ScanMark) -> bool:
        """Whether one of the scans is of the same CT or patient."""
        return any(mark.matches(scan) for mark in self.marks)

    def holds_case(self, case: Case, marks: ScanMarks) -> bool:
        """Whether one of the scans is of the CT or patient of a case, whose files are read where that helps."""
        return self.holds(marks.of(case, with_ct=self.knows_cts))

    def holds_scan(self, scan: ScanMark) -> bool:
        """Whether one of the scans is of the same CT."""
        return any(mark.is_same_scan(scan) for mark in self.marks)

    @property
    def knows_cts(self) -> bool:
        """Whether it knows more than names, so that files are worth reading."""
        return any(mark.ct for mark in self.marks)

    @property
    def names(self) -> list[str]:
        """Names of the cases, sorted."""
        return sorted({mark.name for mark in self.marks})


NOTHING_SEEN = ScanSet()


def copied_scans(marked: Iterable[tuple[Case, ScanMark]]) -> list[tuple[Case, Case]]:
    """Of cases with their marks those that have the CT of an earlier case of another patient, each with that one."""
    owners: dict[str, Case] = {}
    copies = []
    for case, mark in marked:
        owner = owners.setdefault(mark.ct, case)
        if mark.ct and owner.patient != case.patient:
            copies.append((case, owner))
    return copies


def repeated_scans(marked: Iterable[tuple[Case, ScanMark]]) -> list[str]:
    """Sentences about copies of one CT that count as scans of several patients, among cases with their marks."""
    return [
        f"{copy.name} has the same CT as {owner.name}, though they count as two patients; leave one of them out, or "
        "name the same patient for both in a case list."
        for copy, owner in copied_scans(marked)
    ]
