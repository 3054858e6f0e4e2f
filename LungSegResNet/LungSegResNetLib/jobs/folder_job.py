"""A folder of CTs: segment each, go on after failures and interruptions, keep one CSV."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from ..errors import OutputError
from ..network.model_file import network_digest
from .case_status import ALREADY_DONE, DONE, FAILED
from .earlier_result import made_from
from .folder_cases import FolderCase
from .folder_task import FolderTask
from .mask_options import MaskOptions
from .reporting import Reporter
from .results_table import ResultsTable
from .summary_file import SUMMARY_ENDING, Row

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
    ending: str,
    model: str | os.PathLike[str] | None,
    options: MaskOptions,
) -> list[Row]:
    """Segment each case into ``output``; returns a row per case with ``case``, ``status`` and what was measured.

    ``status`` is ``done``, ``already done`` (by an earlier run), or with ``error`` ``no CT`` (a DICOM folder of
    something else) or ``failed``. Each case leaves a summary, and its mask if it has one; ``results.csv`` is made from
    all summaries below ``output``, so that several runs can share it.
    Results of other scans, of the network file ``model`` (None is the shipped one) or of other settings are kept, and
    their cases fail.

    Raises
    ------
    OutputExistsError : ``results.csv`` is somebody else's.
    LungSegError : what would fail every case: no engine, a full disk, a cluster that does not answer.
    """
    results = ResultsTable(output)
    results.refuse_other(options.overwrite)
    network, run = network_digest(model), uuid.uuid4().hex
    tasks = [
        FolderTask(
            run=run,
            name=case.name,
            number=number,
            total=len(cases),
            source=case.path,
            mask=output / f"{case.name}{ending}",
            summary=output / f"{case.name}{SUMMARY_ENDING}",
            made_from=made_from(case.scan, case.files, network, options),
            options=options,
            warnings=case.warnings,
        )
        for number, case in enumerate(cases, 1)
    ]
    results.begin()  # before any work: it shows that the folder can be written
    rows: dict[int, Row] = {}

    def finish(task: FolderTask, row: Row, status: str) -> None:
        rows[task.number] = {**row, "status": status}
        reporter.case(task.event(status, row.get("error", "")))
        if "status" not in task.read_summary():  # it could not be written
            results.add(row)

    for task, case in zip(tasks, cases, strict=True):
        if case.problem:
            finish(task, task.write_failed(case.problem), FAILED)
        elif row := task.settled():
            finish(task, row, ALREADY_DONE if row["status"] == DONE else row["status"])
    # What a process ended with is done last, so that it costs no other case if this one ends as well.
    todo = sorted((task for task in tasks if task.number not in rows), key=FolderTask.starts)
    try:
        if todo:
            with contextlib.closing(run_cases(todo, reporter)) as finished:
                for task, row in finished:
                    finish(task, row, row["status"])
                    results.refresh()
    except BaseException:
        with contextlib.suppress(OutputError):  # what ended the run is what the user has to know
            results.complete(reporter.warning)
        raise
    results.complete(reporter.warning)
    return [rows[task.number] for task in tasks]
