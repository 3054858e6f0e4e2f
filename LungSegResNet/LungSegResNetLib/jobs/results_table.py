"""``results.csv`` of a folder run, made from the summaries of all cases, so that several runs can share it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..atomic import write_atomically
from ..errors import OutputError, OutputExistsError, OutputInUseError
from ..tables import column_separator, write_csv
from .case_status import STARTED
from .summary_file import SUMMARY_ENDING, Row, read_summary

RESULTS = "results.csv"
_FIRST_COLUMNS = ("case", "status", "error", "input")
_LONGEST_LINE = 1 << 16
_SHARE_OF_TIME = 0.02


class ResultsTable:
    """Keeps ``results.csv`` in the output folder up to date: a row a case, volumes and densities with units.

    A summary is read once, and writing takes no more than a fiftieth of the time, so that the cost for each case stays
    the same however many there are.
    """

    def __init__(self, output: Path) -> None:
        self.path = output / RESULTS
        self._output = output
        self._rows: dict[str, tuple[tuple[int, int], dict[str, Any] | None]] = {}
        self._added: dict[str, dict[str, Any]] = {}
        self._next = 0.0

    def refuse_other(self, overwrite: bool) -> None:
        """Raise OutputExistsError if the file there is another table, OutputError if it cannot be read."""
        try:
            with self.path.open(encoding="utf-8-sig", errors="replace") as file:
                header = file.readline(_LONGEST_LINE).strip()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise OutputError(f"{self.path} cannot be read ({error.strerror}).") from error
        columns = header.replace('"', "").split(column_separator(header))
        ours = tuple(columns[: len(_FIRST_COLUMNS)]) == _FIRST_COLUMNS
        if header and not ours and not overwrite:  # without a header: a table of no case
            raise OutputExistsError(self.path)

    def add(self, row: Row) -> None:
        """A case whose summary cannot be written."""
        if flat := _flat_row(row):
            self._added[row["case"]] = flat

    def refresh(self) -> None:
        """Write the table, unless it was written a short while ago.

        Where it cannot be written, as while a spreadsheet has it open, the next refresh or `complete` does it.
        """
        started = time.monotonic()
        if started < self._next:
            return
        self._read()
        with contextlib.suppress(OutputError):
            self._write()
        now = time.monotonic()
        self._next = now + (now - started) / _SHARE_OF_TIME

    def begin(self) -> None:
        """Write the table with all summaries that are there, unless a spreadsheet has it open.

        Raises
        ------
        OutputError : nothing can be written into the folder.
        """
        self._read()
        with contextlib.suppress(OutputInUseError):
            self._write()

    def complete(self, warn: Callable[[str], None]) -> None:
        """Write the table with all summaries that are there.

        Once more if some were added meanwhile: of several runs that end at the same time the last one to write has them
        all. Not more often than that, since others that go on may add some all the time.

        Parameters
        ----------
        warn : gets a sentence if the table cannot be replaced, as while a spreadsheet has it open.

        Raises
        ------
        OutputError : nothing can be written into the folder.
        """
        try:
            self._read()
            self._write()
            if self._read():
                self._write()
        except OutputInUseError as error:
            warn(f"The table lacks the last results: {error}")

    def _read(self) -> bool:
        """Read new and changed summaries; whether there were any, or some are gone."""
        found = {}
        for folder, _, names in os.walk(self._output):
            for name in names:
                if name.endswith(SUMMARY_ENDING):
                    path = os.path.join(folder, name)  # noqa: PTH118 - ten thousands of Path objects take seconds
                    with contextlib.suppress(OSError):  # another run may take it away meanwhile
                        status = os.stat(path)  # noqa: PTH116
                        found[path] = (status.st_mtime_ns, status.st_size)
        changed = [path for path, state in found.items() if path not in self._rows or self._rows[path][0] != state]
        gone = [path for path in self._rows if path not in found]
        for path in gone:
            del self._rows[path]
        for path in changed:
            self._rows[path] = (found[path], _flat_row(read_summary(Path(path))))
        return bool(changed or gone)

    def _write(self) -> None:
        rows = [row for _, (_, row) in sorted(self._rows.items()) if row]
        rows += self._added.values()
        columns = list(dict.fromkeys((*_FIRST_COLUMNS, *(key for row in rows for key in row))))
        with write_atomically(self.path, overwrite=True) as temporary:
            write_csv(temporary, columns, rows)


def _flat_row(row: Row) -> dict[str, Any] | None:
    """The table's row of a summary; None for a case that has only been started, and for something else."""
    try:
        if row["status"] == STARTED:
            return None
        first = (row["case"], row["status"], row.get("error", ""), row["input"])
        flat: dict[str, Any] = dict(zip(_FIRST_COLUMNS, first, strict=True))
        flat |= {"slices": row.get("slices", ""), "warnings": " ".join(row.get("warnings", []))}
        for lung in row.get("measurements", []):
            flat |= {f"{lung['region']} {key}": value for key, value in lung.items() if key != "region"}
    except (TypeError, KeyError):
        return None
    return flat
