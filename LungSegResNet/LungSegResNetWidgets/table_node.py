"""Rows, each a dictionary with the same keys, in a table node of the scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import vtk

_COLUMNS = {str: vtk.vtkStringArray, int: vtk.vtkIntArray, float: vtk.vtkDoubleArray}


def fillTableNode(tableNode: Any, rows: Sequence[dict[str, Any]]) -> None:
    """A column for each key, which all rows have; without rows the table is empty."""
    wasModifying = tableNode.StartModify()
    tableNode.RemoveAllColumns()
    for key in rows[0] if rows else []:
        values = [row[key] for row in rows]
        kind = next((kind for value in values for kind in _COLUMNS if isinstance(value, kind)), float)
        column = _COLUMNS[kind]()
        column.SetName(key)
        for value in values:
            column.InsertNextValue(float("nan") if value is None else value)
        tableNode.AddColumn(column)
    tableNode.SetUseColumnTitleAsColumnHeader(True)
    tableNode.EndModify(wasModifying)


def rowsOf(tableNode: Any) -> list[dict[str, Any]]:
    """The rows of a table as of `fillTableNode`; empty for None."""
    table = tableNode.GetTable() if tableNode else None
    names = [table.GetColumnName(index) for index in range(table.GetNumberOfColumns())] if table else []
    rows = []
    for index in range(table.GetNumberOfRows() if names else 0):
        row: dict[str, Any] = {}
        for name in names:
            value = table.GetColumnByName(name).GetValue(index)
            row[name] = None if value != value else value  # only nan differs from itself
        rows.append(row)
    return rows
