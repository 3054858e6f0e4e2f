"""The part of the panel that shows measurements, copies and exports them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from LungSegResNetLib.errors import LungSegError

from .ct_tables import MEASUREMENTS, shownRows
from .lung_segments import roiOfLungs
from .measurement_table import FiguresFirst, copyRows, exportRows, showRows
from .parent_transform import transformNote
from .table_widget import enable


class MeasurementPanel:
    """Drives ``measurementsLabel``, ``measurementsTable``, ``copyButton`` and ``exportButton`` of ``ui``.

    ``say`` shows a sentence.
    """

    def __init__(self, ui: Any, say: Callable[[str], None]) -> None:
        self._ui = ui
        self._say = say
        self._volumeNode, self._segmentationNode = vtk.vtkWeakReference(), vtk.vtkWeakReference()
        self._rows: list[dict[str, Any]] = []
        self._figuresFirst = FiguresFirst()
        self._figuresFirst.follow(ui.measurementsTable)
        ui.copyButton.connect("clicked(bool)", self.onCopy)
        ui.exportButton.connect("clicked(bool)", self.onExport)

    def show(self, volumeNode: Any, segmentationNode: Any, isMeasuring: bool) -> None:
        """Show the measurements of a CT and its lungs.

        Nothing is shown where they are of another frame than the shown one, or of lungs that are being measured anew.
        """
        self._rows, otherFrame = shownRows(MEASUREMENTS, volumeNode, segmentationNode)
        self._volumeNode.Set(volumeNode)
        self._segmentationNode.Set(segmentationNode)
        nothing = "" if self._rows else _("There are no measurements yet.")
        if otherFrame is not None:
            nothing = _("The measurements are of frame {number}; click Measure for the one that is shown.")
            nothing = nothing.format(number=otherFrame)
        if isMeasuring:
            self._rows, nothing = [], _("Measuring...")
        showRows(self._ui.measurementsTable, self._rows)
        self._ui.measurementsTable.setVisible(bool(self._rows))
        self._ui.measurementsLabel.text = nothing or "\n".join([_breakable(self._ct), *self._notes])
        enable(self._ui.copyButton, nothing, _("Copy the table as text for a spreadsheet."))
        enable(self._ui.exportButton, nothing, _("Save the table as a CSV or JSON file."))

    @property
    def _ct(self) -> str:
        """The name of the CT as it is now: it may have been renamed to hide who the patient is."""
        volumeNode = self._volumeNode.Get()
        return volumeNode.GetName() if volumeNode else ""

    @property
    def _notes(self) -> list[str]:
        """What whoever reads the measurements has to know of the transform of the CT now, and of the last run."""
        segmentationNode = self._segmentationNode.Get()
        roi = roiOfLungs(segmentationNode) if segmentationNode else ""
        restricted = _('The lungs were last segmented only inside the ROI "{name}".').format(name=roi) if roi else ""
        return [text for text in (transformNote(self._volumeNode.Get()), restricted) if text]

    def onCopy(self, checked: bool = False) -> None:
        """Put the table on the clipboard."""
        copyRows(self._ct, self._rows, " ".join(self._notes))
        self._say(_("The measurements are on the clipboard."))

    def onExport(self, checked: bool = False) -> None:
        """Ask for a file and write the table."""
        suggested = re.sub(r'[<>:"/\\|?*]', "_", self._ct) + ".csv"
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), _("Export measurements"), suggested, _("Tables (*.csv *.json)")
        )
        if path:
            self.export(path)

    def export(self, path: str) -> None:
        """Write the table to a file; the file dialog has asked before replacing one."""
        try:
            exportRows(path, self._ct, self._rows, " ".join(self._notes))
        except LungSegError as error:
            self._say(str(error))
            return
        self._say(_("The measurements were written to {path}.").format(path=path))


def _breakable(name: str) -> str:
    """A name without spaces, as files have it, which a label can put into lines, too: by spaces of no width."""
    return re.sub(r"(?<=[^\w\s]|_)(?=\w)", "\u200b", name)
