"""Which collections a network was made with, and under which licences: all of them, or a sentence says what lacks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.tables import read_rows
from LungSegResNetLib.wording import counted, some_of

from ..data.cases import Case
from ..data.dois import plain_doi
from ..data.scan_marks import ScanMark, ScanMarks, ScanSet
from ..training.training_record import (
    TEST_CASES,
    TRAINING_CASES,
    USES,
    VALIDATION_CASES,
    TrainingRecord,
    merged_sources,
)


def collection_names(path: Path) -> dict[str, str]:
    """Names of data collections by DOI, from a CSV with the columns ``doi, collection``; empty if there is none."""
    if not path.is_file():
        return {}
    return {plain_doi(row["doi"]): row["collection"] for row in read_rows(path, ("doi", "collection"))}


def data_sources(
    cases: Sequence[Case], record: TrainingRecord, names: dict[str, str], judged: Set[str], marks: ScanMarks
) -> tuple[list[dict[str, Any]], str]:
    """Collections by DOI with their name, licence and numbers of cases by what they were used for, and a sentence on
    scans of whose data nothing is known, empty where there are none.

    Judged cases that the network neither learnt from nor was validated on are for tests. A CT that is listed twice
    counts once. What a network that was published before says of scans that ``cases`` lack is kept.

    Raises
    ------
    InputError : ``cases`` lack scans of the last run, and the network was not published before.
    """
    seen, kept = record.seen_scans, record.validation_scans
    marked = [(case, marks.of(case, with_ct=seen.knows_cts or kept.knows_cts)) for case in cases]
    listed = ScanSet(frozenset(mark for _, mark in marked))
    if not record.data:
        _refuse_lacking(record, listed)
    by_source: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    told: set[str] = set()
    for case, mark in marked:
        scan = _scan(mark)
        use = TRAINING_CASES if seen.holds_scan(mark) else VALIDATION_CASES if kept.holds_scan(mark) else TEST_CASES
        if scan not in told and (use != TEST_CASES or case.name in judged):
            told.add(scan)
            by_source[plain_doi(case.doi), case.licence][use] += 1
    sources = [
        {"collection": names.get(doi, ""), "doi": doi, "licence": licence} | {use: numbers[use] for use in USES}
        for (doi, licence), numbers in sorted(by_source.items())
    ]
    lacking = ScanSet(frozenset(mark for mark in (seen | kept).marks if not listed.holds_scan(mark)))
    if lacking.marks:
        # Tests are those of another report.
        earlier = [{key: value for key, value in row.items() if key != TEST_CASES} for row in record.data]
        sources = sorted(merged_sources([*sources, *earlier]), key=lambda row: (row["doi"], row["licence"]))
    return sources, _unknown_text(record, by_source, len({_scan(mark) for mark in lacking.marks & seen.marks}))


def _scan(mark: ScanMark) -> str:
    return mark.ct or mark.name


def _refuse_lacking(record: TrainingRecord, listed: ScanSet) -> None:
    """Raise InputError where the list lacks a scan of the last run. A network that it began with may have had a case of
    the same name: one of both has to be there."""
    known = record.seen_scans | record.validation_scans
    lacking = []
    for name in (*record.training_cases, *record.validation_cases):
        named = [mark for mark in known.marks if mark.name == name] or [ScanMark(name)]
        if not any(listed.holds_scan(mark) for mark in named):
            lacking.append(name)
    if lacking:
        raise InputError(
            f"The data set lacks scans that the network was trained or validated on ({some_of(lacking)}), so the card "
            "could not state their origin and licence; give one list with these, as in the cases.csv of the run, and "
            "with the evaluated cases (split test)."
        )


def _unknown_text(record: TrainingRecord, listed: Mapping[tuple[str, str], Counter[str]], lacking: int) -> str:
    """How many scans are neither ``listed``, by source and use, nor among the data that the network's file names, of
    those that the network was trained on and the list lacks."""
    named = sum(
        max(0, row.get(TRAINING_CASES, 0) - listed[plain_doi(row["doi"]), row["licence"]][TRAINING_CASES])
        for row in record.sources
    )
    if lacking <= named:
        return ""
    return (
        f"Origin and licence of {counted(lacking - named, 'scan')} that the network was trained on are not stated: "
        "neither the list of cases nor the network's file names them."
    )
