"""A folder run around its cases: what it leaves and what it tells when something ends it."""

from __future__ import annotations

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
