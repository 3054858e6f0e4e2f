"""The table of a folder run, which several runs share."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from LungSegResNetLib.errors import OutputError, OutputExistsError
from LungSegResNetLib.jobs.results_table import RESULTS, ResultsTable


def write(output: Path, case: str, status: str = "done", **more: Any) -> Path:
    path = output / f"{case}.summary.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"case": case, "status": status, "input": f"{case}.nii.gz", **more}))
    return path


def rows(output: Path) -> dict[str, dict[str, str]]:
    return {row["case"]: row for row in csv.DictReader((output / RESULTS).open())}


def test_the_table_has_the_cases_of_all_runs_and_none_that_was_only_begun(tmp_path: Path) -> None:
    table = ResultsTable(tmp_path)
    write(tmp_path, "a", measurements=[{"region": "lungs", "volume_ml": 4000.0}])
    write(tmp_path, "ward/b", "failed", error="No lung was found.")
    write(tmp_path, "c", "started")
    table.complete(pytest.fail)
    assert list(rows(tmp_path)) == ["a", "ward/b"]
    assert rows(tmp_path)["a"]["lungs volume_ml"] == "4000.0"
    assert rows(tmp_path)["ward/b"]["error"] == "No lung was found."


def test_a_case_that_changed_or_went_away_is_so_in_the_table_too(tmp_path: Path) -> None:
    table = ResultsTable(tmp_path)
    write(tmp_path, "a", "failed", error="The disk was away.")
    gone = write(tmp_path, "b")
    table.complete(pytest.fail)
    write(tmp_path, "a")
    gone.unlink()
    table.complete(pytest.fail)
    assert {case: row["status"] for case, row in rows(tmp_path).items()} == {"a": "done"}


def test_the_table_is_not_written_for_every_case_but_is_complete_in_the_end(tmp_path: Path) -> None:
    table = ResultsTable(tmp_path)
    for number in range(300):
        write(tmp_path, f"{number:03}")
    table.refresh()
    write(tmp_path, "300")
    table.refresh()
    assert len(rows(tmp_path)) == 300
    table.complete(pytest.fail)
    assert len(rows(tmp_path)) == 301


def test_a_run_that_ends_while_another_writes_has_the_cases_of_both(tmp_path: Path) -> None:
    class Slow(ResultsTable):
        """Another run adds a case and writes the table between this one's reading and writing."""

        other_is_done = False

        def _write(self) -> None:
            if not self.other_is_done:
                self.other_is_done = True
                write(tmp_path, "other")
                ResultsTable(tmp_path).complete(pytest.fail)
            super()._write()

    write(tmp_path, "mine")
    Slow(tmp_path).complete(pytest.fail)
    assert set(rows(tmp_path)) == {"mine", "other"}


def test_a_run_ends_while_others_add_cases_all_the_time(tmp_path: Path) -> None:
    class Busy(ResultsTable):
        """Another run adds a case whenever the table is written."""

        written = 0

        def _write(self) -> None:
            super()._write()
            self.written += 1
            assert self.written < 10
            write(tmp_path, f"other {self.written}")

    write(tmp_path, "mine")
    table = Busy(tmp_path)
    table.begin()
    table.complete(pytest.fail)
    assert "mine" in rows(tmp_path)


def test_a_table_that_is_open_elsewhere_is_written_by_the_next_run_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where it cannot be replaced then; this machine need not be one."""
    write(tmp_path, "a")
    ResultsTable(tmp_path).begin()
    write(tmp_path, "b")

    def refuse(path: Path, to: Path) -> Path:
        raise PermissionError(13, "used by another process")

    warnings: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        table = ResultsTable(tmp_path)
        table.begin()
        table.refresh()
        table.complete(warnings.append)
    (warning,) = warnings
    assert f"{tmp_path / RESULTS} cannot be replaced" in warning
    assert list(rows(tmp_path)) == ["a"]
    ResultsTable(tmp_path).begin()
    assert list(rows(tmp_path)) == ["a", "b"]


def test_a_table_that_cannot_be_written_at_all_is_an_error(tmp_path: Path) -> None:
    """Here, since a folder has its name."""
    table = ResultsTable(tmp_path)
    write(tmp_path, "a")
    (tmp_path / RESULTS).mkdir()
    table.refresh()
    with pytest.raises(OutputError, match=RESULTS):
        table.begin()
    with pytest.raises(OutputError, match=RESULTS):
        table.complete(pytest.fail)
    (tmp_path / RESULTS).rmdir()
    table.complete(pytest.fail)
    assert list(rows(tmp_path)) == ["a"]


def test_summaries_of_something_else_and_names_that_are_no_text_do_not_disturb(tmp_path: Path) -> None:
    write(tmp_path, "a", error="M\udcfcller.nii.gz cannot be read.")
    (tmp_path / "other.summary.json").write_text('{"foo": 1}')
    (tmp_path / "list.summary.json").write_text("[1, 2]")
    ResultsTable(tmp_path).complete(pytest.fail)
    assert rows(tmp_path)["a"]["error"] == r"M\udcfcller.nii.gz cannot be read."
    assert list(rows(tmp_path)) == ["a"]


@pytest.mark.parametrize("content", ["patient,fev1\n1,2.5\n", "case status error input\n", "x" * 200_000])
def test_another_table_of_this_name_is_not_taken_for_one_of_ours(tmp_path: Path, content: str) -> None:
    (tmp_path / RESULTS).write_text(content)
    with pytest.raises(OutputExistsError, match=RESULTS):
        ResultsTable(tmp_path).refuse_other(overwrite=False)
    ResultsTable(tmp_path).refuse_other(overwrite=True)


def test_our_own_table_may_be_written_again_even_with_no_case_in_it(tmp_path: Path) -> None:
    ResultsTable(tmp_path / "nowhere").refuse_other(overwrite=False)
    for begin in (lambda: None, lambda: write(tmp_path, "a"), lambda: (tmp_path / RESULTS).write_text("\r\n")):
        begin()
        ResultsTable(tmp_path).refuse_other(overwrite=False)
        ResultsTable(tmp_path).complete(pytest.fail)
    assert (tmp_path / RESULTS).read_text().startswith("case,status,error,input,")


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_table_that_a_spreadsheet_stored_with_another_separator_is_ours(
    tmp_path: Path, separator: str, quote: str
) -> None:
    write(tmp_path, "a")
    names = ("case", "status", "error", "input", "slices")
    (tmp_path / RESULTS).write_text(separator.join(f"{quote}{name}{quote}" for name in names) + "\n")
    table = ResultsTable(tmp_path)
    table.refuse_other(overwrite=False)
    table.begin()
    assert list(rows(tmp_path)) == ["a"]


def test_a_case_whose_summary_cannot_be_written_is_in_the_table_too(tmp_path: Path) -> None:
    table = ResultsTable(tmp_path)
    write(tmp_path, "a")
    table.add({"case": "b", "status": "failed", "input": "b.nii.gz", "error": "Its name is too long."})
    table.complete(pytest.fail)
    assert {case: row["status"] for case, row in rows(tmp_path).items()} == {"a": "done", "b": "failed"}
