"""Step 1 of the panel: a data set, the verdict on each of its cases, and new cases from the scene."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
import vtk
from LungSegResNetWidgets.background_job import BackgroundJob
from LungSegResNetWidgets.case_loading import CaseLoading, stopLoading
from LungSegResNetWidgets.kept_answers import KeptAnswers
from LungSegResNetWidgets.lung_segments import roiOfLungs
from LungSegResNetWidgets.status_line import StatusLine
from LungSegResNetWidgets.table_widget import enable, showTable
from LungSegResNetWidgets.temporary_folder import makeTemporaryFolder
from slicer.i18n import tr as _

from LungSegResNetLib.jobs.event_names import PROGRESS, WARNING

from .case_nodes import ReadCase, readerOfCase, showCase, whyNoCase, whyNoFolder, writerOfCase
from .training_command import TrainingCommand, TrainingControls

if TYPE_CHECKING:
    from LungSegResNetTrainingLib.data.cases import ListedCase


class DataPanel:
    """Drives the widgets of step 1; ``parameters`` gives the parameter node, or None while there is none."""

    def __init__(
        self, ui: Any, parameters: Callable[[], Any], ensurePackages: Callable[[], bool], disk: KeptAnswers
    ) -> None:
        self._ui = ui
        self._parameters = parameters
        self._disk = disk
        self._rows: list[ListedCase] = []
        self._checked = ""  # the data set of the rows
        self._warnings: list[str] = []  # of the check
        self._status = StatusLine(ui.dataStatusLabel)
        buttonsAndBar = (ui.checkButton, ui.checkBar, ui.stopCheckButton)
        self._controls = TrainingControls(*buttonsAndBar, self._status, ensurePackages, self._onCheckChanged)
        self._dataSet = ""
        self._writing = BackgroundJob()
        self._written: tuple[Any, ...] = ()  # weak references to CT and lungs of a case that are still to be let go
        self._loading = CaseLoading(self._status)
        ui.dataSetFolderButton.connect("clicked(bool)", self.onChooseFolder)
        ui.dataSetListButton.connect("clicked(bool)", self.onChooseList)
        ui.checkButton.connect("clicked(bool)", self.onCheck)
        ui.stopCheckButton.connect("clicked(bool)", self.onStopCheck)
        ui.casesTable.connect("cellClicked(int,int)", self.onShowCase)
        ui.casesTable.connect("cellActivated(int,int)", self.onShowCase)
        ui.addCaseButton.connect("clicked(bool)", self.onAddCase)

    def update(self) -> None:
        """Enable what can be done now."""
        parameters, ui = self._parameters(), self._ui
        if parameters is None:
            return
        if parameters.dataSet != self._dataSet:
            self._dataSet = parameters.dataSet
            self._status.forget()
        if parameters.dataSet != self._checked:
            self._show([])
            if self._controls.running:  # its verdicts would be those of other cases
                self._controls.stop(_("Another data set was chosen, so the check was stopped."))
                return  # which has called this again
        reason = self._disk.ask(whyNoDataSet, parameters.dataSet)
        enable(ui.checkButton, reason, _("Check that CTs and masks belong together."))
        self._status.update(reason)
        reason = self._disk.ask(whyNoFolder, parameters.dataSet)
        reason = reason or whyNoCase(parameters.caseVolume, parameters.caseSegmentation)
        if self._writing.running:
            reason = _("A case is being written; wait until it is there.")
        enable(ui.addCaseButton, reason, _("Write CT and lungs as files into the folder of the data set."))

    def letGoOfWritten(self) -> None:
        """CT and lungs that have become a case are chosen no more; while another module is open, that has to wait."""
        parameters = self._parameters()
        if parameters is None or not self._written:
            return
        written = tuple(reference.Get() for reference in self._written)
        self._written = ()
        if (parameters.caseVolume, parameters.caseSegmentation) == written:
            parameters.caseVolume = parameters.caseSegmentation = None

    def stopShowing(self) -> None:
        """Another scene or module comes: no case that is being read takes its views."""
        self._loading.stop()

    def stopAndWait(self) -> None:
        """End the check when Slicer quits; a case that is being written is written to its end."""
        self.stopShowing()
        self._writing.stop()
        self._controls.stopAndWait()

    def onChooseFolder(self, checked: bool = False) -> None:
        """Choose a folder of cases."""
        path = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Folder with CTs and masks"))
        if path:
            self._disk.forget()
            self._parameters().dataSet = path

    def onChooseList(self, checked: bool = False) -> None:
        """Choose a CSV file of cases."""
        path = qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), _("List of cases"), "", _("Lists (*.csv)"))
        if path:
            self._disk.forget()
            self._parameters().dataSet = path

    def onCheck(self, checked: bool = False) -> None:
        """Read and judge all cases in a process of its own."""
        self._controls.start(self._begin, _("Checking..."), self._controls.failed)

    def _begin(self) -> TrainingCommand:
        dataSet = self._parameters().dataSet
        if reason := whyNoDataSet(dataSet):
            raise RuntimeError(reason)
        folder = makeTemporaryFolder()
        table = Path(folder.name) / "check.csv"

        def onDone() -> None:
            from LungSegResNetTrainingLib.data.cases import OK, read_case_list

            with folder:
                rows = read_case_list(table)
            self._checked = dataSet
            self._show(rows)
            fine = sum(row.status == OK for row in rows)
            text = _("{fine} of {all} cases can be trained on. Click a case to see it.")
            self._controls.done(text.format(fine=fine, all=len(rows)), *self._warnings)

        arguments = ["check", Path(dataSet), "--table", table]
        command = TrainingCommand(arguments, self._onEvent, onDone, self._controls.failed)
        command.start()
        self._warnings = []
        self._show([])
        self._checked = dataSet
        return command

    def _onCheckChanged(self) -> None:
        self._disk.forget()
        self.update()

    def onStopCheck(self, checked: bool = False) -> None:
        """End the check; nothing was changed by it."""
        self._controls.stop(_("The check was stopped."))

    def onShowCase(self, row: int, column: int = 0) -> None:
        """Load CT and mask of the case, and show them."""
        stopLoading()
        entry = self._rows[row]
        case = entry.case
        gone = [str(path) for path in (case.ct, case.mask) if not path.exists()] if case else []
        if case is None or gone:
            reason = _("{path} is not there; bring it back, or click Check.").format(path=", ".join(gone))
            self._status.say(_("{name}: {reason}").format(name=entry.name, reason=reason if gone else entry.reasons))
            return

        def show(read: ReadCase) -> str:
            showCase(read)
            shown = _("{name} is shown.").format(name=case.name)
            return " ".join(text for text in (shown, entry.reasons) if text)

        self._loading.start(case.name, readerOfCase(case), show)

    def onAddCase(self, checked: bool = False) -> None:
        """Write the chosen volume and segmentation as a case, in a thread while the window goes on."""
        from LungSegResNetLib.errors import LungSegError

        parameters = self._parameters()
        if self._writing.running or not _mayAdd(parameters.caseSegmentation):
            return
        chosen = (parameters.dataSet, parameters.caseVolume, parameters.caseSegmentation)
        name = self._ui.caseNameLineEdit.text
        try:
            write = writerOfCase(*chosen[1:], chosen[0], name)
        except LungSegError as error:
            self._status.say(str(error))
            return
        self._writing.start(write, lambda written: self._onWritten(written, name, *chosen))
        self._status.say(_("Writing {ct} into the data set...").format(ct=chosen[1].GetName()))
        self.update()

    def _onWritten(self, written: Future[str], typed: str, dataSet: str, volume: Any, segmentation: Any) -> None:
        from LungSegResNetLib.errors import LungSegError, sentence_of

        parameters, ui = self._parameters(), self._ui
        try:
            name = written.result()
        except Exception as error:
            if not isinstance(error, LungSegError):
                logging.exception("The case could not be written.")
            self._status.say(sentence_of(error, _("The case could not be written")))
        else:
            text = _("{name} is a case of the data set now; click Check to have it checked.")
            if parameters and parameters.dataSet != dataSet:
                text = _("{name} was written into {folder}.")
            self._status.say(text.format(name=name, folder=dataSet))
            # What was written is not the next one.
            if ui.caseNameLineEdit.text == typed:
                ui.caseNameLineEdit.text = ""
            self._written = (vtk.vtkWeakReference(), vtk.vtkWeakReference())
            for reference, node in zip(self._written, (volume, segmentation), strict=True):
                reference.Set(node)
            self.letGoOfWritten()
        self.update()

    def _onEvent(self, event: dict[str, Any]) -> None:
        if event["event"] == PROGRESS:
            self._controls.progress(event["done"], event["total"], _("case %v of %m"))
        elif event["event"] == WARNING:
            self._warnings.append(event["text"])

    def _show(self, rows: list[ListedCase]) -> None:
        self._rows = rows
        self._checked = self._checked if rows else ""
        headers = [_("Case"), _("Verdict"), _("R / L (ml)"), _("Reason")]
        cells = [[row.name, row.status, _volumesOf(row), row.reasons] for row in rows]
        showTable(self._ui.casesTable, headers, cells, headers[-1])


def _volumesOf(row: ListedCase) -> str:
    """Of the right and the left lung; in one column, which leaves the reason more room."""
    volumes = (row.further["right_ml"], row.further["left_ml"])
    return " / ".join(volumes) if all(volumes) else ""


def _mayAdd(segmentation: Any) -> bool:
    """Ask before lungs become a reference that may end at a ROI."""
    roi = roiOfLungs(segmentation)
    if not roi:
        return True
    question = _(
        'The lungs in "{name}" were last segmented only inside the ROI "{roi}". Are they complete now? A network would '
        "learn from incomplete ones to stop there."
    )
    return bool(slicer.util.confirmYesNoDisplay(question.format(name=segmentation.GetName(), roi=roi)))


def whyNoDataSet(path: str) -> str:
    """A sentence where there is no data set; empty if there is one."""
    if not path:
        return _("Choose a data set first: a folder with CTs and masks, or a list in CSV.")
    if not Path(path).exists():
        return _("There is no data set at {path}.").format(path=path)
    return ""
