"""A folder run around its cases: what it leaves and what it tells when something ends it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from LungSegResNetLib.errors import DeviceError
from LungSegResNetLib.jobs.folder_cases import FolderCase
from LungSegResNetLib.jobs.folder_job import FinishedCases, run_folder
from LungSegResNetLib.jobs.folder_task import FolderTask
from LungSegResNetLib.jobs.mask_options import MaskOptions
from LungSegResNetLib.jobs.reporting import NullReporter, Reporter
from LungSegResNetLib.jobs.results_table import RESULTS

CASES = [FolderCase(name, Path(f"/{name}.nii"), f"{name}.nii", "digest") for name in "ab"]


class Record(NullReporter):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str, case: str = "") -> None:
        self.warnings.append(text)


def test_a_table_that_is_opened_in_a_spreadsheet_meanwhile_fails_neither_the_run_nor_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where it cannot be replaced then; this machine need not be one."""
    replace = Path.replace

    def refuse_the_table(path: Path, to: Path) -> Path:
        if to.name == RESULTS:
            raise PermissionError(13, "used by another process")
        return replace(path, to)

    def do_all(tasks: Sequence[FolderTask], reporter: Reporter) -> FinishedCases:
        monkeypatch.setattr(Path, "replace", refuse_the_table)
        for task in tasks:
            task.mask.touch()
            row = task.failed("") | {"status": "done", "outputs": [str(task.mask)], "made_from": task.made_from}
            task.write_summary(row)
            yield task, row

    for status in ("done", "already done"):
        reporter = Record()
        rows = run_folder(CASES, tmp_path, do_all, reporter, ending=".seg.nrrd", model=None, options=MaskOptions())
        assert [row["status"] for row in rows] == [status, status]
        (warning,) = reporter.warnings
        assert "close it and run again" in warning


def test_what_ended_the_run_is_told_even_if_the_table_cannot_be_written_then(tmp_path: Path) -> None:
    def end(tasks: Sequence[FolderTask], reporter: Reporter) -> FinishedCases:
        (tmp_path / RESULTS).unlink()
        (tmp_path / RESULTS).mkdir()
        raise DeviceError("The cluster does not answer.")
        yield

    with pytest.raises(DeviceError, match="does not answer"):
        run_folder(CASES, tmp_path, end, NullReporter(), ending=".seg.nrrd", model=None, options=MaskOptions())


@pytest.mark.parametrize("end", [KeyboardInterrupt, DeviceError("The cluster does not answer.")])
def test_a_run_that_ends_before_its_time_leaves_a_table_of_what_was_done(
    tmp_path: Path, end: type[BaseException] | BaseException
) -> None:
    def end_after_two(tasks: Sequence[FolderTask], reporter: Reporter) -> FinishedCases:
        for task in tasks[:2]:  # the first is in the table at once, the second lies within the same moment
            row = task.failed("") | {"status": "done"}
            task.write_summary(row)
            yield task, row
        raise end

    cases = [*CASES, FolderCase("c", Path("/c.nii"), "c.nii", "digest")]
    with pytest.raises(type(end) if isinstance(end, BaseException) else end):
        run_folder(
            cases, tmp_path, end_after_two, NullReporter(), ending=".seg.nrrd", model=None, options=MaskOptions()
        )
    assert [row["case"] for row in csv.DictReader((tmp_path / RESULTS).open())] == ["a", "b"]


def test_the_table_grows_while_a_run_goes_on(tmp_path: Path) -> None:
    tables = []

    def look_after_each(tasks: Sequence[FolderTask], reporter: Reporter) -> FinishedCases:
        for task in tasks:
            row = task.failed("") | {"status": "done"}
            task.write_summary(row)
            yield task, row
            tables.append([row["case"] for row in csv.DictReader((tmp_path / RESULTS).open())])

    run_folder(CASES, tmp_path, look_after_each, NullReporter(), ending=".seg.nrrd", model=None, options=MaskOptions())
    assert tables[0] == ["a"]
