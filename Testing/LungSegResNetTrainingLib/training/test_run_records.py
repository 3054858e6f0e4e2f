"""What a run writes down; other programs may hold its files open."""

from __future__ import annotations

from pathlib import Path

import pytest

from LungSegResNetTrainingLib.training.progress import Progress
from LungSegResNetTrainingLib.training.run_records import CURVES, RunRecords


def test_lines_wait_while_another_program_holds_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spreadsheet on Windows refuses others its file; here opening it fails in the same way."""
    warnings: list[str] = []
    real_open = Path.open

    def refused(self: Path, mode: str = "r", *arguments, **options):
        if self.name == "progress.csv" and "a" in mode:
            raise PermissionError(13, "Permission denied", str(self))
        return real_open(self, mode, *arguments, **options)

    with RunRecords(tmp_path, 0, warnings.append) as records:
        warnings.clear()
        records.add(Progress(1, 4, 0.5, 2.0))
        with monkeypatch.context() as held:
            held.setattr(Path, "open", refused)
            records.add(Progress(2, 4, 0.4, 2.0))
            records.add(Progress(3, 4, 0.3, 2.0))
        assert [row[0] for row in records.log.rows()] == [1]
        records.add(Progress(4, 4, 0.2, 2.0, 0.9))
        assert records.log.rows() == [(1, 0.5, None), (2, 0.4, None), (3, 0.3, None), (4, 0.2, 0.9)]
    assert len(warnings) == 1
    assert warnings[0].startswith("progress.csv cannot be written; is it open in another program?")


def test_a_picture_that_cannot_be_replaced_is_a_warning(tmp_path: Path) -> None:
    warnings: list[str] = []
    (tmp_path / CURVES).mkdir()
    (tmp_path / CURVES / "something").touch()
    with RunRecords(tmp_path, 0, warnings.append) as records:
        warnings.clear()
        for step in (1, 2):
            records.add(Progress(step, 2, 0.5, 2.0, 0.8))
        assert len(records.log.rows()) == 2
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{CURVES} cannot be written")
