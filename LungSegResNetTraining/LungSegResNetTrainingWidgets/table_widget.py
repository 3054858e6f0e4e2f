"""Small helpers for tables and buttons of the panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt


def showTable(widget: Any, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Fill a QTableWidget with texts; it is hidden while it is empty, and the last column takes what room is left."""
    widget.setVisible(bool(rows))
    widget.setColumnCount(len(headers))
    widget.setHorizontalHeaderLabels(list(headers))
    widget.setRowCount(len(rows))
    for line, row in enumerate(rows):
        for column, text in enumerate(row):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(text)
            item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
            widget.setItem(line, column, item)
    widget.resizeColumnsToContents()
    widget.horizontalHeader().setStretchLastSection(True)


def enable(button: Any, whyNot: str, toolTip: str) -> None:
    """A button that cannot be used says why."""
    button.enabled = not whyNot
    button.toolTip = whyNot or toolTip
