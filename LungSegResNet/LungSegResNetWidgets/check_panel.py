"""The part of the panel that lists the slices most likely wrong, and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import vtk
from slicer.i18n import tr as _

from LungSegResNetLib.jobs.summary_file import SliceToCheck

from .ct_tables import SLICES_TO_CHECK, findTable, keepTable, shownRows
from .slice_views import jumpToPoint, showVolume
from .table_widget import showTable


class CheckPanel:
    """Drives ``checkLabel`` and ``checkTable`` of ``ui``; a click on a slice shows it in all slice views."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._volumeNode = vtk.vtkWeakReference()
        self._rows: list[dict[str, Any]] | None = None
        ui.checkTable.connect("cellClicked(int,int)", self.onShowSlice)
        ui.checkTable.connect("cellActivated(int,int)", self.onShowSlice)  # by the Enter key

    def show(self, volumeNode: Any, segmentationNode: Any) -> None:
        """Show the list of the run that found these lungs; nothing where it is of another frame than the shown one."""
        self._volumeNode.Set(volumeNode)
        rows, otherFrame = shownRows(SLICES_TO_CHECK, volumeNode, segmentationNode)
        hint = _("After a run, the slices that are most likely wrong are listed here.")
        if rows:
            hint = _("Most likely wrong first; click a slice to see it.")
        elif findTable(SLICES_TO_CHECK, volumeNode, segmentationNode) and otherFrame is None:
            hint = _("In no slice does the most doubtful place lie inside the ROI; look at all slices.")
        elif otherFrame is not None:
            hint = _("The slices that are most likely wrong were listed for frame {number}; show it to see them.")
        self._ui.checkLabel.text = hint.format(number=otherFrame)
        if rows == self._rows:
            return  # the row that was clicked last stays marked
        self._rows = rows
        headers = [_("Slice"), _("Position"), _("Why")]
        texts = [[str(row["slice"]), row["position"], row["reason"]] for row in rows]
        showTable(self._ui.checkTable, headers, texts, headers[-1])

    def onShowSlice(self, row: int, column: int = 0) -> None:
        """Show the doubtful place of a slice in all slice views."""
        chosen, volume = (self._rows or [])[row], self._volumeNode.Get()
        showVolume(volume)
        jumpToPoint(volume, [chosen["r_mm"], chosen["a_mm"], chosen["s_mm"]])


def keepSlices(volumeNode: Any, segmentationNode: Any, slices: Sequence[SliceToCheck]) -> None:
    """Write ``slices_to_check`` of a run into the table of the CT and its lungs."""
    rows = []
    for one in slices:
        x, y, z = one["point_lps_mm"]
        texts = {key: one[key] for key in ("slice", "position", "score", "reason")}
        rows.append({**texts, "r_mm": -x, "a_mm": -y, "s_mm": z})
    keepTable(SLICES_TO_CHECK, rows, volumeNode, segmentationNode)
