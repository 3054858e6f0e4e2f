"""Step 1 of the panel: a data set, the verdict on each of its cases, and new cases from the scene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from LungSegResNetWidgets.background_command import whyNotStarted
from LungSegResNetWidgets.dependencies import whyNothingRuns
from LungSegResNetWidgets.status_line import StatusLine
from LungSegResNetWidgets.table_widget import enable, showTable
from LungSegResNetWidgets.temporary_folder import makeTemporaryFolder
from slicer.i18n import tr as _

from .case_nodes import showCase, whyNoCase, writeCase
from .training_command import TrainingCommand

if TYPE_CHECKING:
    from LungSegResNetTrainingLib.data.cases import ListedCase


class DataPanel:
    """Drives the widgets of step 1; ``parameters`` gives the parameter node, or None while there is none."""

    def __init__(self, ui: Any, parameters: Callable[[], Any], ensurePackages: Callable[[], bool]) -> None:
        self._ui = ui
        self._parameters = parameters
        self._ensurePackages = ensurePackages
        self._command: TrainingCommand | None = None
        self._rows: list[ListedCase] = []
        self._checked = ""  # the data set of the rows
        self._status = StatusLine(ui.dataStatusLabel)
        self._dataSet = ""
        ui.dataSetFolderButton.connect("clicked(bool)", self.onChooseFolder)
        ui.dataSetListButton.connect("clicked(bool)", self.onChooseList)
        ui.checkButton.connect("clicked(bool)", self.onCheck)
        ui.stopCheckButton.connect("clicked(bool)", self.onStopCheck)
        ui.casesTable.connect("cellClicked(int,int)", self.onShowCase)
        ui.casesTable.connect("cellActivated(int,int)", self.onShowCase)
        ui.addCaseButton.connect("clicked(bool)", self.onAddCase)

    def update(self) -> None:
        """Enable what can be done now."""
        parameters, ui, running = self._parameters(), self._ui, self._command is not None
        if parameters is None:
            return
        if parameters.dataSet != self._dataSet:
            self._dataSet = parameters.dataSet
            self._status.forget()
        if parameters.dataSet != self._checked:
            if running:  # its verdicts would be those of other cases
                self._cancel()
                running = False
                self._status.say(_("Another data set was chosen, so the check was stopped."))
            self._show([])
        reason = whyNoDataSet(parameters.dataSet)
        enable(ui.checkButton, reason, _("Look whether CTs and masks belong together."))
        self._status.update(reason or _("Ready."))
        for shown, widget in ((not running, ui.checkButton), (running, ui.checkBar), (running, ui.stopCheckButton)):
            widget.setVisible(shown)
        reason = whyNoCase(parameters.caseVolume, parameters.caseSegmentation, parameters.dataSet)
        enable(ui.addCaseButton, reason, _("Write CT and lungs as files into the folder of the data set."))

    def stop(self) -> None:
        """End the check when Slicer quits."""
        if self._command:
            self._command.cancelAndWait()
            self._command = None

    def onChooseFolder(self, checked: bool = False) -> None:
        """Choose a folder of cases."""
        path = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Folder with CTs and masks"))
        if path:
            self._parameters().dataSet = path

    def onChooseList(self, checked: bool = False) -> None:
        """Choose a CSV file of cases."""
        path = qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), _("List of cases"), "", _("Lists (*.csv)"))
        if path:
            self._parameters().dataSet = path

    def onCheck(self, checked: bool = False) -> None:
        """Read and judge all cases in a process of its own."""
        try:
            if not self._ensurePackages():
                self._status.say(whyNothingRuns())
                return
            dataSet = self._parameters().dataSet
            if reason := whyNoDataSet(dataSet):
                raise RuntimeError(reason)
            self._start(dataSet)
        except (RuntimeError, OSError) as error:
            self._onFailed(whyNotStarted(error))

    def _start(self, dataSet: str) -> None:
        folder = makeTemporaryFolder()
        table = Path(folder.name) / "check.csv"

        def onDone() -> None:
            from LungSegResNetTrainingLib.data.cases import OK, read_case_list

            with folder:
                rows = read_case_list(table)
            self._command = None
            self._checked = dataSet
            self._show(rows)
            fine = sum(row.status == OK for row in rows)
            self._status.say(
                _("{fine} of {all} cases can be trained on. Click a case to see it.").format(fine=fine, all=len(rows))
            )
            self.update()

        command = TrainingCommand(["check", Path(dataSet), "--table", table], self._onEvent, onDone, self._onFailed)
        command.start()
        self._command = command
        self._show([])
        self._checked = dataSet
        self._ui.checkBar.setRange(0, 0)
        self._status.say(_("Checking..."))
        self.update()

    def onStopCheck(self, checked: bool = False) -> None:
        """End the check; nothing was changed by it."""
        self._cancel()
        self._status.say(_("The check was stopped."))
        self.update()

    def _cancel(self) -> None:
        if self._command:
            self._command.cancel()
        self._command = None

    def onShowCase(self, row: int, column: int = 0) -> None:
        """Load CT and mask of the case, and show them."""
        from LungSegResNetLib.errors import LungSegError

        entry = self._rows[row]
        case = entry.case
        if case is None or not case.ct.exists() or not case.mask.exists():
            self._status.say(_("{name}: {reason}").format(name=entry.name, reason=entry.reasons))
            return
        slicer.app.setOverrideCursor(qt.Qt.WaitCursor)
        try:
            showCase(case)
        except LungSegError as error:
            self._status.say(str(error))
        else:
            self._status.say(_("{name} is shown.").format(name=case.name))
        finally:
            slicer.app.restoreOverrideCursor()

    def onAddCase(self, checked: bool = False) -> None:
        """Write the chosen volume and segmentation as a case."""
        from LungSegResNetLib.errors import LungSegError

        parameters = self._parameters()
        slicer.app.setOverrideCursor(qt.Qt.WaitCursor)
        try:
            name = writeCase(
                parameters.caseVolume, parameters.caseSegmentation, parameters.dataSet, self._ui.caseNameLineEdit.text
            )
        except LungSegError as error:
            self._status.say(str(error))
            return
        finally:
            slicer.app.restoreOverrideCursor()
        self._ui.caseNameLineEdit.text = ""  # which is no name for the next one
        self._status.say(_("{name} is a case of the data set now; click Check to have it judged.").format(name=name))

    def _onEvent(self, event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            self._ui.checkBar.setRange(0, event["total"])
            self._ui.checkBar.value = event["done"]

    def _onFailed(self, sentence: str) -> None:
        self._command = None
        self._status.say(sentence)
        self.update()

    def _show(self, rows: list[ListedCase]) -> None:
        self._rows = rows
        self._checked = self._checked if rows else ""
        headers = [_("Case"), _("Verdict"), _("Right (ml)"), _("Left (ml)"), _("Reason")]
        cells = [[row.name, row.status, row.further["right_ml"], row.further["left_ml"], row.reasons] for row in rows]
        showTable(self._ui.casesTable, headers, cells, headers[-1])


def whyNoDataSet(path: str) -> str:
    """A sentence where there is no data set; empty if there is one."""
    if not path:
        return _("Choose a data set first: a folder with CTs and masks, or a list in CSV.")
    if not Path(path).exists():
        return _("There is no data set at {path}.").format(path=path)
    return ""
