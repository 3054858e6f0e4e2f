"""What was found of a data set: cases to be used, and what is left out of them and why."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from .cases import NO_PAIR, REFUSED, REPEATED, Case
from .pair_check import PairVerdict


@dataclass(frozen=True)
class LeftOutCase:
    """A case that is not used, and why; ``case`` is None where CT or mask is missing, whose ``group`` may be known."""

    name: str
    verdict: PairVerdict
    case: Case | None = None
    group: str = ""

    @classmethod
    def of(cls, name: str, status: str, reason: str, case: Case | None = None) -> LeftOutCase:
        """One that cannot be used, for a reason in one sentence."""
        return cls(name, PairVerdict(status, (reason,)), case)

    @property
    def reason(self) -> str:
        """Why, in words for a person."""
        return " ".join(self.verdict.reasons)

    @property
    def is_closed(self) -> bool:
        """Whether it could not be opened, so that nobody knows whether it is a case."""
        return self.case is None and self.verdict.status == REFUSED

    def line(self) -> str:
        """One line for a terminal."""
        return f"{self.name} is left out ({self.verdict.status}): {self.reason}"


@dataclass
class FoundCases:
    """Cases of a data set.

    Attributes
    ----------
    cases : those to be used.
    left_out : cases that are not to be used: a case list says so, or their name or CT is that of another case; and what
        looked like a case but is none: ``no pair``, or ``refused`` where it cannot be opened.
    """

    cases: list[Case] = field(default_factory=list)
    left_out: list[LeftOutCase] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many there are, of both."""
        return len(self.cases) + len(self.left_out)

    def add_problem(self, name: str, reason: str, status: str = NO_PAIR) -> None:
        """Note what looked like a case but is none, and why."""
        self.left_out.append(LeftOutCase.of(name, status, reason))


def without_repetitions(found: FoundCases) -> FoundCases:
    """Of the cases of one name only the first, and of one CT the first and those of the same patient; the others are
    left out, and so are those in whose folder the CT of another case lies, too."""
    owners: dict[Path, Case] = {}
    places = {case: Path(os.path.realpath(case.ct)) for case in found.cases}
    folders = [case for case in found.cases if os.path.isdir(case.ct)]
    within = {folder: case for case in folders for folder in places[case].parents}
    names: set[str] = set()
    kept, left_out = [], list(found.left_out)
    for case in found.cases:
        if case.name in names:
            reason = "Another case has the same name; give each its own."
            left_out.append(LeftOutCase.of(case.name, REPEATED, reason, case))
            continue
        names.add(case.name)
        if other := within.get(places[case]):
            reason = f"Its CT would be looked for in the folder of case {other.name}, too; give it a folder of its own."
            left_out.append(LeftOutCase.of(case.name, REPEATED, reason, case))
            continue
        owner = owners.setdefault(places[case], case)
        if owner.patient == case.patient:
            kept.append(case)
        else:
            reason = (
                f"Its CT is that of case {owner.name}, and a scan has one patient; leave one of the two out, or name "
                "the same patient for both in a case list."
            )
            left_out.append(LeftOutCase.of(case.name, REPEATED, reason, case))
    return FoundCases(kept, left_out)
