"""The part of the panel that shows measurements, copies and exports them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from LungSegResNetLib.errors import LungSegError

from .measurement_table import copyRows, exportRows, rowsOf, showRows


class MeasurementPanel:
    """Drives ``measurementsTable``, ``copyButton`` and ``exportButton`` of ``ui``; ``say`` shows a sentence."""

    def __init__(self, ui: Any, say: Callable[[str], None]) -> None:
        self._ui = ui
        self._say = say
        self._rows: list[dict[str, Any]] = []
        ui.measurementsTable.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        ui.copyButton.connect("clicked(bool)", self.onCopy)
        ui.exportButton.connect("clicked(bool)", self.onExport)

    def show(self, tableNode: Any) -> None:
        """Show the measurements of a table node; nothing for None."""
        self._rows = rowsOf(tableNode)
        showRows(self._ui.measurementsTable, self._rows)
        self._ui.measurementsTable.setVisible(bool(self._rows))
        nothing = "" if self._rows else _("There are no measurements yet.")
        for button, toolTip in (
            (self._ui.copyButton, _("Copy the table as text for a spreadsheet.")),
            (self._ui.exportButton, _("Save the table as a CSV or JSON file.")),
        ):
            button.enabled = not nothing
            button.toolTip = nothing or toolTip

    def onCopy(self, checked: bool = False) -> None:
        """Put the table on the clipboard."""
        copyRows(self._rows)
        self._say(_("The measurements are on the clipboard."))

    def onExport(self, checked: bool = False) -> None:
        """Ask for a file and write the table."""
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), _("Export measurements"), "lungs.csv", _("Tables (*.csv *.json)")
        )
        if path:
            self.export(path)

    def export(self, path: str) -> None:
        """Write the table to a file; the file dialog has asked before replacing one."""
        try:
            exportRows(path, self._rows)
        except LungSegError as error:
            self._say(str(error))
            return
        self._say(_("The measurements were written to {path}.").format(path=path))
