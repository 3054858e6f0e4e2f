"""A folder of CTs: segment each, go on after failures and interruptions, keep one CSV."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from .folder_cases import FolderCase
from .folder_task import SUMMARY_ENDING, FolderTask, Row
from .reporting import Reporter
from .results_table import ResultsTable

FinishedCases = Generator[tuple[FolderTask, Row], None, None]

# Does the cases, wherever and in whatever order, reports which begins, and gives each with its row when it is done.
# Closing it stops the rest.
CaseRunner = Callable[[Sequence[FolderTask], Reporter], FinishedCases]


def run_folder(
    cases: Sequence[FolderCase],
    output: Path,
    run_cases: CaseRunner,
    reporter: Reporter,
    *,
    ending: str = ".seg.nrrd",
    smoothing_mm: float = 0.0,
    overwrite: bool = False,
) -> list[Row]:
    """Segment each case into ``output``; returns a row per case with ``case``, ``status`` and what was measured.

    ``status`` is ``done``, ``already done`` (by an earlier run) or ``failed`` with ``error``. Each case leaves its mask
    and a summary; ``results.csv`` is made from all summaries below ``output``, so that several runs can share it.

    Raises
    ------
    LungSegError : what would fail every case: no engine, a full disk, a cluster that does not answer.
    """
    run = uuid.uuid4().hex
    tasks = [
        FolderTask(
            run=run,
            name=case.name,
            number=number,
            total=len(cases),
            source=case.path,
            mask=output / f"{case.name}{ending}",
            summary=output / f"{case.name}{SUMMARY_ENDING}",
            smoothing_mm=smoothing_mm,
            overwrite=overwrite,
        )
        for number, case in enumerate(cases, 1)
    ]
    results = ResultsTable(output)
    results.complete()  # before any work, too: it shows that the folder can be written
    rows: dict[int, Row] = {}
    for task in tasks:
        if not overwrite and (row := task.finished()):
            rows[task.number] = {**row, "status": "already done"}
            reporter.case(task.event("already done"))
    todo = [task for task in tasks if task.number not in rows]
    try:
        if todo:
            with contextlib.closing(run_cases(todo, reporter)) as finished:
                for task, row in finished:
                    rows[task.number] = row
                    reporter.case(task.event(row["status"], row.get("error", "")))
                    results.refresh()
    finally:
        results.complete()
    return [rows[task.number] for task in tasks]
