"""Small helpers for tables and buttons of the panel."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import qt

_MOST_ROWS = 7
_MEASURED_ROWS = 100  # that tell how wide a column has to be; a thousand are measured at each change otherwise
_LONGEST_NAME = 18  # characters; longer ones would push the other columns out of a narrow panel


def showTable(widget: Any, headers: Sequence[str], rows: Sequence[Sequence[str]], widest: str) -> None:
    """Fill a QTableWidget with texts; it is hidden while it is empty.

    The column ``widest`` takes what room is left. If it is not the first one, that has names, and long ones are
    shortened in their middle; the tool tip has the whole text of each cell.
    """
    widget.setColumnCount(len(headers))
    widget.setHorizontalHeaderLabels(list(headers))
    widget.setRowCount(0)  # the row that was chosen may be another one now, and replacing a thousand takes seconds
    widget.setRowCount(len(rows))
    for column, title in enumerate(headers):
        mode = qt.QHeaderView.Stretch if title == widest else qt.QHeaderView.ResizeToContents
        widget.horizontalHeader().setSectionResizeMode(column, mode)
    for line, row in enumerate(rows):
        _fillRow(widget, line, row)
    widget.horizontalHeader().setResizeContentsPrecision(_MEASURED_ROWS)
    widget.wordWrap = False  # the whole text is in the tool tip
    widget.verticalHeader().setDefaultSectionSize(_rowHeight(widget))
    _fitHeight(widget, len(rows))


def showRow(widget: Any, line: int, row: Sequence[str]) -> None:
    """Change a row of a table of `showTable`, or append it where ``line`` is the number of rows; others stay."""
    if line == widget.rowCount:
        widget.insertRow(line)
        _fitHeight(widget, line + 1)
    _fillRow(widget, line, row)


def _fillRow(widget: Any, line: int, row: Sequence[str]) -> None:
    hasNames = widget.horizontalHeader().sectionResizeMode(0) != qt.QHeaderView.Stretch
    for column, text in enumerate(row):
        item = qt.QTableWidgetItem(_shortened(text) if hasNames and column == 0 else text)
        item.setData(qt.Qt.AccessibleTextRole, text)
        item.setToolTip(wrapped(text))
        item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
        widget.setItem(line, column, item)


def _shortened(name: str) -> str:
    """Names of one folder often begin alike, and end differently."""
    half = _LONGEST_NAME // 2
    return name if len(name) <= _LONGEST_NAME else f"{name[: half - 2]}...{name[1 - half :]}"


def _fitHeight(widget: Any, count: int) -> None:
    widget.setVisible(count > 0)
    # The header is a row, too; no scroll bar lies below: names are short, and the widest column takes what is left.
    widget.setFixedHeight(_rowHeight(widget) * (min(count, _MOST_ROWS) + 1) + 2 * widget.frameWidth)


def _rowHeight(widget: Any) -> int:
    return widget.fontMetrics().height() + 6


def enable(button: Any, whyNot: str, toolTip: str) -> None:
    """A button that cannot be used says why."""
    button.enabled = not whyNot
    button.toolTip = wrapped(whyNot or toolTip)


def wrapped(toolTip: str) -> str:
    """A tool tip that Qt breaks into lines, which it does with rich text only."""
    lines = html.escape(toolTip, quote=False).replace("\n", "<br>")
    return f"<p>{lines}</p>" if lines else ""
