"""Tables, the same way everywhere: rows written as CSV, JSON or aligned text, and read from a CSV of any program."""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TextIO

from .atomic import write_atomically
from .errors import InputError, UsageError

Cell = str | float | int | None

_TOLD_SEPARATOR = re.compile(r'"?sep=([^"\s]|\t)"?[,;\t]*\s*', re.I)


def column_separator(header: str, needed: Collection[str] = (), told: str = "") -> str:
    """What parts the columns of a CSV with this header: what gives all that are ``needed`` (in lower case), else what
    was ``told``, else what is found most often. Spreadsheets take semicolons where decimals have commas."""

    def fitness(mark: str) -> tuple[bool, bool, int]:
        return set(needed) <= set(_columns(header, mark)), mark == told, header.count(mark)

    return max(told + ",;\t", key=fitness)


def _to_header(file: TextIO, needed: Collection[str] = ()) -> tuple[int, str]:
    """Go on to the line that names the columns of a CSV; returns how many lines lie above, and what parts the columns.

    Lines without text are passed over, and a line ``sep=;``, in which Excel is told what parts the columns.
    """
    above, told, header, start = 0, "", "", file.tell()
    for line in iter(file.readline, ""):
        if match := _TOLD_SEPARATOR.fullmatch(line):
            told = match[1]
        elif line.strip(' \t\r\n,;"'):
            header = line
            break
        above += 1
    file.seek(start)
    for _ in range(above):
        file.readline()
    return above, column_separator(header, needed, told)


def write_rows(path: str | os.PathLike[str], rows: Sequence[Mapping[str, Cell]], overwrite: bool) -> None:
    """Write rows as ``.csv`` or ``.json`` by the path's ending; units belong into the keys.

    What does not exist (None, nan) is an empty cell in CSV and null in JSON.

    Raises
    ------
    UsageError : another ending.
    OutputError : the file exists and ``overwrite`` is false, or cannot be written.
    """
    path = Path(path)
    refuse_other_endings(path)
    with write_atomically(path, overwrite) as temporary:
        write_rows_into(temporary, rows)


def write_rows_into(temporary: Path, rows: Sequence[Mapping[str, Cell]]) -> None:
    """As `write_rows`, into the file that `write_atomically` gave."""
    plain = [{key: finite(value) for key, value in row.items()} for row in rows]
    if temporary.suffix.lower() == ".json":
        temporary.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    else:
        write_csv(temporary, list(dict.fromkeys(key for row in plain for key in row)), plain)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> None:
    """Write a CSV in UTF-8; what a row lacks is an empty cell.

    Where it has other letters than those of ASCII it begins with a byte order mark, without which Excel takes them for
    others; pandas, R's readr and `read_rows` pass over it.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    # Names of files need not be text everywhere.
    content = text.getvalue().encode(errors="backslashreplace")
    path.write_bytes(content if content.isascii() else codecs.BOM_UTF8 + content)


def read_rows(path: Path, needed: Sequence[str] = ()) -> list[dict[str, str]]:
    """Rows of a CSV by the names of its columns in lower case, also as a spreadsheet saved it.

    Commas, semicolons or tabs part the columns; cells without text are empty. Above the names may be
    lines without text, and a line ``sep=;``.

    Raises
    ------
    InputError : the file cannot be read, is not UTF-8 text, or lacks a column that is needed.
    """
    return [row for _, row in numbered_rows(path, needed)]


def numbered_rows(path: Path, needed: Sequence[str] = ()) -> list[tuple[int, dict[str, str]]]:
    """As `read_rows`, each row with the number of its line in the file, or of its last one."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            above, separator = _to_header(file, needed)
            table = csv.reader(file, delimiter=separator)
            columns = [column.strip().lower() for column in next(table, [])]
            if not set(needed) <= set(columns):
                raise InputError(f"The table {path} needs the columns {', '.join(needed[:-1])} and {needed[-1]}.")
            cells = ((above + table.line_num, [cell.strip() for cell in row[: len(columns)]]) for row in table)
            return [(line, dict(zip_longest(columns, row, fillvalue=""))) for line, row in cells if any(row)]
    except UnicodeDecodeError as error:
        raise InputError(f"The table {path} is not UTF-8 text; in a spreadsheet, save it as 'CSV UTF-8'.") from error
    except (OSError, csv.Error) as error:
        raise InputError(f"The table {path} cannot be read ({error}).") from error


def _columns(header: str, separator: str) -> list[str]:
    return [column.strip().lower() for column in next(csv.reader([header], delimiter=separator), [])]


def refuse_other_endings(*paths: Path) -> None:
    """Raise UsageError if a table cannot be written under one of the names."""
    for path in paths:
        if path.suffix.lower() not in (".csv", ".json"):
            raise UsageError(f"Tables are written as .csv or .json, not as '{path.suffix}' ({path.name}).")


def finite(value: Cell) -> Cell:
    """None for nan and infinity, which JSON does not know; other numbers to six decimal places."""
    if not isinstance(value, float):
        return value
    return round(value, 6) if math.isfinite(value) else None


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Text table: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for label, *values in rows:
        cells = [label.ljust(widths[0])] + [value.rjust(width) for value, width in zip(values, widths[1:], strict=True)]
        lines.append("  ".join(cells))
    return "\n".join(lines)
