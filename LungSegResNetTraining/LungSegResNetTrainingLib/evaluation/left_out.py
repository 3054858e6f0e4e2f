"""Cases that are not judged though they were asked for, and what that makes of the figures of the others."""

from __future__ import annotations

from collections.abc import Sequence

from LungSegResNetLib.wording import counted

from ..data.cases import DOUBTFUL, REFUSED, VALIDATION
from ..data.found_cases import FoundCases, LeftOutCase
from ..data.scan_marks import ScanMarks, ScanSet
from .aggregation import NO_GROUP, grouped
from .case_choice import ALL, cases_trained_on, trained_patients
from .case_result import TRAINED_ON, UnjudgedCase

_TRAINED_ON_REASON = (
    "The network was trained on its scan or patient, or on one of this name; --split {split} evaluates it."
)


def left_out_cases(found: FoundCases, split: str | None, seen: ScanSet, marks: ScanMarks) -> list[UnjudgedCase]:
    """Of the cases that a split asks for (see `cases_to_judge`), those that are not judged for a reason that was known.

    A doubtful or refused pair has the split that its list names, as that of a run does, which drew one for it as well.
    A CT or mask without the other may be of any split; what cannot be opened is none of these cases.

    Parameters
    ----------
    seen : scans that the network was trained on; cases are looked for among them by their ``marks``.
    """
    validates = any(case.split == VALIDATION for case in found.cases)

    def is_asked_for(item: LeftOutCase) -> bool:
        case = item.case
        if case is None or split == ALL:
            return not item.is_closed
        return case.split == split if split else case.split == VALIDATION or not validates

    items = [item for item in found.left_out if is_asked_for(item)]
    with_case = [item.case for item in items if item.case]
    trained = trained_patients(with_case, seen, marks) if split is None else set()
    left_out = []
    for item in items:
        is_known = is_doubt(item.verdict.status) and item.case is not None and item.case.patient in trained
        left_out.append(UnjudgedCase.of(item, TRAINED_ON if is_known else None))
    reason = _TRAINED_ON_REASON.format(split=ALL)
    return left_out + [
        UnjudgedCase(case.name, reason, case.group, TRAINED_ON) for case in cases_trained_on(found, split, seen, marks)
    ]


def is_doubt(cause: str) -> bool:
    """Whether a case was not judged because the check or the case list doubts or refuses its pair."""
    return cause in (DOUBTFUL, REFUSED)


def doubted_text(fine: Sequence[str], doubted: Sequence[str]) -> str:
    """What figures leave out because of a doubtful or refused pair, in sentences; empty where there is nothing.

    Parameters
    ----------
    fine : groups of the cases that have figures, or lack them only because the network was trained on them: without
        these, doubtful cases of a whole data set would count against the few that were held back.
    doubted : groups of the cases that have none for this reason.
    """
    if not doubted:
        return ""
    entries = [(group, False) for group in fine] + [(group, True) for group in doubted]
    groups, counts = grouped(entries, lambda entry: entry[0]), []
    for title, members in groups.items():
        if missing := sum(is_doubted for _, is_doubted in members):
            which = counted(len(members), "case" if title == NO_GROUP else f"{title} case")
            without = " without a group" if title == NO_GROUP and len(groups) > 1 else ""
            counts.append(f"{missing} of {which}{without}")
    return (
        "Excluded from all figures because the pair of scan and reference is doubtful or was refused: "
        f"{', '.join(counts)}. True pairs with dense disease may be among these, and then the figures describe less "
        "diseased lungs."
    )
