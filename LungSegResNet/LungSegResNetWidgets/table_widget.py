"""Small helpers for tables and buttons of the panel."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import qt

_MOST_ROWS = 7


def showTable(widget: Any, headers: Sequence[str], rows: Sequence[Sequence[str]], widest: str) -> None:
    """Fill a QTableWidget with texts; it is hidden while it is empty; the column ``widest`` takes what room is left."""
    widget.setVisible(bool(rows))
    widget.setColumnCount(len(headers))
    widget.setHorizontalHeaderLabels(list(headers))
    widget.setRowCount(len(rows))
    for line, row in enumerate(rows):
        for column, text in enumerate(row):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(wrapped(text))
            item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
            widget.setItem(line, column, item)
    for column, title in enumerate(headers):
        mode = qt.QHeaderView.Stretch if title == widest else qt.QHeaderView.ResizeToContents
        widget.horizontalHeader().setSectionResizeMode(column, mode)
    widget.wordWrap = False  # the whole text is in the tool tip
    height = widget.fontMetrics().height() + 6
    widget.verticalHeader().setDefaultSectionSize(height)
    widget.setFixedHeight(height * (min(len(rows), _MOST_ROWS) + 2))  # the header and a scroll bar are rows, too


def enable(button: Any, whyNot: str, toolTip: str) -> None:
    """A button that cannot be used says why."""
    button.enabled = not whyNot
    button.toolTip = wrapped(whyNot or toolTip)


def wrapped(toolTip: str) -> str:
    """A tool tip that Qt breaks into lines, which it does with rich text only."""
    lines = html.escape(toolTip, quote=False).replace("\n", "<br>")
    return f"<p>{lines}</p>" if lines else ""
