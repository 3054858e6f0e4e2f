"""Measurements as a table node that is saved with the scene, in the panel, on the clipboard and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from LungSegResNetLib.figures.measurements import DENSITY_BANDS, PERCENTILES
from LungSegResNetLib.figures.tables import write_rows

from .segmentation_nodes import placeBeside

_COLUMNS = {str: vtk.vtkStringArray, int: vtk.vtkIntArray, float: vtk.vtkDoubleArray}


def quantities() -> list[tuple[str, str, int]]:
    """Title, key in a row and decimals of each row that is shown."""
    return [
        (_("Volume (ml)"), "volume_ml", 0),
        (_("Mean density (HU)"), "mean_hu", 0),
        (_("Density SD (HU)"), "sd_hu", 0),
        *((_("{p}th percentile (HU)").format(p=p), f"p{p}_hu", 0) for p in PERCENTILES),
        *((_("{band} (%)").format(band=band.title), f"{band.key}_percent", 1) for band in DENSITY_BANDS),
        (_("Mass (g)"), "mass_g", 0),
    ]


def rowToolTips() -> dict[str, str]:
    """What tissue a density band mostly is, by key."""
    return {f"{band.key}_percent": band.meaning for band in DENSITY_BANDS}


def fillTableNode(tableNode: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows, all with the same keys, into the node: a column for each key; without rows it is empty."""
    wasModifying = tableNode.StartModify()
    tableNode.RemoveAllColumns()
    keys = list(rows[0]) if rows else []
    for key in keys:
        values = [row[key] for row in rows]
        kind = next((kind for value in values for kind in _COLUMNS if isinstance(value, kind)), float)
        column = _COLUMNS[kind]()
        column.SetName(key)
        for value in values:
            column.InsertNextValue(float("nan") if value is None else value)
        tableNode.AddColumn(column)
    tableNode.SetUseColumnTitleAsColumnHeader(True)
    tableNode.EndModify(wasModifying)


def keepRows(tableNode: Any, volumeNode: Any, rows: Sequence[dict[str, Any]]) -> Any:
    """Write rows into the table node, made beside the volume if there is none; returns the node."""
    if tableNode is None:
        name = f"{volumeNode.GetName()} lung measurements"
        tableNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
        placeBeside(tableNode, volumeNode)
    fillTableNode(tableNode, rows)
    return tableNode


def rowsOf(tableNode: Any, key: str = "region") -> list[dict[str, Any]]:
    """The rows that `fillTableNode` wrote; empty for None or another table, which has no column ``key``."""
    table = tableNode.GetTable() if tableNode else None
    if table is None or table.GetColumnByName(key) is None:
        return []
    names = [table.GetColumnName(index) for index in range(table.GetNumberOfColumns())]
    rows = []
    for index in range(table.GetNumberOfRows()):
        row: dict[str, Any] = {}
        for name in names:
            value = table.GetColumnByName(name).GetValue(index)
            row[name] = None if value != value else value  # only nan differs from itself
        rows.append(row)
    return rows


def showRows(widget: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Quantities downwards, regions across, in a QTableWidget."""
    shown = [entry for entry in quantities() if rows and entry[1] in rows[0]]
    widget.setRowCount(len(shown))
    widget.setColumnCount(len(rows))
    widget.setHorizontalHeaderLabels([_(row["region"]) for row in rows])
    widget.setVerticalHeaderLabels([title for title, _key, _decimals in shown])
    toolTips = rowToolTips()
    for line, (title, key, decimals) in enumerate(shown):
        for column, row in enumerate(rows):
            item = qt.QTableWidgetItem(_text(row[key], decimals))
            item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
            item.setToolTip(toolTips.get(key, title))
            widget.setItem(line, column, item)


def copyRows(rows: Sequence[dict[str, Any]]) -> None:
    """Put the table on the clipboard as text with tabs, which spreadsheets take."""
    lines = ["\t".join(["", *(row["region"] for row in rows)])]
    for title, key, decimals in quantities():
        lines.append("\t".join([title, *(_text(row.get(key), decimals) for row in rows)]))
    slicer.app.clipboard().setText("\n".join(lines))


def exportRows(path: str, rows: Sequence[dict[str, Any]]) -> None:
    """Write CSV or JSON with units in the column names; the file dialog has asked before replacing a file."""
    write_rows(Path(path), rows, overwrite=True)


def _text(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"
