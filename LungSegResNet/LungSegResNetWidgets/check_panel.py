"""The part of the panel that lists the slices most likely wrong, and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from .measurement_table import fillTableNode, rowsOf
from .segmentation_nodes import placeBeside
from .slice_views import jumpToPoint
from .table_widget import showTable

_CT = "LungSegResNet.ct"  # role of the reference from a table to the CT that its slices are of


class CheckPanel:
    """Drives ``checkLabel`` and ``checkTable`` of ``ui``; a click on a slice moves all slice views there."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._volumeNode = vtk.vtkWeakReference()
        self._rows: list[dict[str, Any]] | None = None
        ui.checkTable.connect("cellClicked(int,int)", self.onShowSlice)

    def show(self, tableNode: Any, volumeNode: Any) -> None:
        """Show the list of a table node as of `keepSlices`; nothing for None, or if it is of another CT."""
        self._volumeNode.Set(volumeNode)
        isOfVolume = tableNode is not None and tableNode.GetNodeReference(_CT) is volumeNode
        rows = rowsOf(tableNode, "reason") if isOfVolume else []
        if rows == self._rows:
            return  # the row that was clicked last stays marked
        self._rows = rows
        headers = [_("Slice"), _("Position"), _("Why")]
        texts = [[str(row["slice"]), row["position"], row["reason"]] for row in rows]
        showTable(self._ui.checkTable, headers, texts, headers[-1])
        self._ui.checkLabel.text = (
            _("Most likely wrong first; click a slice to see it.")
            if rows
            else _("After a run, the slices that are most likely wrong are listed here.")
        )

    def onShowSlice(self, row: int, column: int = 0) -> None:
        """Move all slice views to the doubtful place of a slice."""
        chosen = (self._rows or [])[row]
        jumpToPoint(self._volumeNode.Get(), [chosen["r_mm"], chosen["a_mm"], chosen["s_mm"]])


def keepSlices(tableNode: Any, volumeNode: Any, slices: Sequence[dict[str, Any]]) -> Any:
    """Write ``slices_to_check`` of a run into the table node, made beside the CT if there is none; returns the node."""
    name = f"{volumeNode.GetName()} slices to check"
    if tableNode is None:
        tableNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
        placeBeside(tableNode, volumeNode)
    tableNode.SetName(name)
    tableNode.SetNodeReferenceID(_CT, volumeNode.GetID())
    rows = []
    for one in slices:
        x, y, z = one["point_lps_mm"]
        texts = {key: one[key] for key in ("slice", "position", "score", "reason")}
        rows.append({**texts, "r_mm": -x, "a_mm": -y, "s_mm": z})
    fillTableNode(tableNode, rows)
    return tableNode
