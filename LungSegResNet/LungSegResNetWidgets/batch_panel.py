"""The part of the panel for a folder of scans: start, stop, continue, and look at each case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from LungSegResNetLib.choices import MASK_FORMATS
from LungSegResNetLib.jobs.case_status import ALREADY_DONE, DONE, FAILED, NO_CT, RUNNING
from LungSegResNetLib.jobs.event_names import CASE, PROGRESS, WARNING

from .advanced_panel import commandSettingsOf
from .background_command import BackgroundCommand, whyNotYet
from .batch_results import BatchCase, ReadResult, casesIn, readerOfResult, resultsFile, showResult
from .case_loading import CaseLoading, stopLoading
from .command_controls import CommandControls
from .kept_answers import KeptAnswers
from .shown_cases import removeOtherCases
from .status_line import StatusLine
from .table_widget import enable, showRow, showTable

_WITH_LUNGS = (DONE, ALREADY_DONE)
_FINISHED = (*_WITH_LUNGS, NO_CT)


class BatchPanel:
    """Drives the widgets of ``ui`` whose names begin with ``batch``.

    Parameters
    ----------
    parameters : gives the parameter node.
    ensurePackages : installs what a run needs, see `CommandControls`.
    disk : what is known of folders.
    isSegmenting : whether a run of the panel itself goes on, whose CT and lungs cannot be changed now.
    """

    def __init__(
        self,
        ui: Any,
        parameters: Callable[[], Any],
        ensurePackages: Callable[[], bool],
        disk: KeptAnswers,
        isSegmenting: Callable[[], bool],
    ) -> None:
        self._ui = ui
        self._parameters = parameters
        self._disk = disk
        self._isSegmenting = isSegmenting
        self._cases: dict[str, BatchCase] = {}
        self._lines: dict[str, int] = {}  # of the cases in the table
        self._finished = 0  # cases of the run that goes on
        self._warnings: dict[str, list[str]] = {}  # of this run, by case; those of none have an empty name
        self._chosen = ("", "", MASK_FORMATS[0])  # folders and format of the run that goes on
        self._folder = ""  # the results that are shown
        self._complete = ""  # those of the last run if it came to its end: only then no scan is left
        self._status = StatusLine(ui.batchStatusLabel)
        buttonsAndBar = (ui.batchStartButton, ui.batchBar, ui.batchStopButton)
        self._loading = CaseLoading(self._status)
        self._controls = CommandControls(*buttonsAndBar, self._status, ensurePackages, self._onRunChanged)
        ui.batchCollapsibleButton.connect("contentsCollapsed(bool)", lambda collapsed: self.update(self._parameters()))
        ui.batchInputButton.connect("clicked(bool)", self.onChooseInput)
        ui.batchOutputButton.connect("clicked(bool)", self.onChooseOutput)
        ui.batchStartButton.connect("clicked(bool)", self.onStart)
        ui.batchStopButton.connect("clicked(bool)", self.onStop)
        ui.batchTable.connect("itemSelectionChanged()", lambda: self.update(self._parameters()))
        ui.batchTable.connect("cellDoubleClicked(int,int)", self.onShowCase)
        ui.batchShowButton.connect("clicked(bool)", lambda checked: self.onShowCase(ui.batchTable.currentRow()))
        ui.batchResultsButton.connect("clicked(bool)", self.onOpenResults)

    @property
    def running(self) -> bool:
        """True while scans are being segmented."""
        return self._controls.running

    def update(self, parameters: Any) -> None:
        """Show the results in the chosen folder, and enable what can be done now; a closed box asks for no folder."""
        ui, running = self._ui, self.running
        if ui.batchCollapsibleButton.collapsed:
            return
        if not running and parameters.batchOutput != self._folder:
            self._folder = parameters.batchOutput
            self._status.forget()
            self._show({case.name: case for case in casesIn(self._folder)})
        reason = self._disk.ask(whyNoBatch, parameters.batchInput, parameters.batchOutput)
        enable(ui.batchStartButton, reason, _("Segment the CTs below the folder; what is done already is skipped."))
        ui.batchStartButton.text = self._whatStartDoes()
        for widget in (
            ui.batchInputLineEdit,
            ui.batchInputButton,
            ui.batchOutputLineEdit,
            ui.batchOutputButton,
            ui.batchFormatComboBox,
        ):
            widget.enabled = not running
        note = ""
        if parameters.roi:
            note = _('Whole scans are segmented: the ROI "{name}" is not used for a folder.')
            note = note.format(name=parameters.roi.GetName())
        self._status.update(reason, self._noteOfChosenCase(), note)
        self._updateButtons()

    def keepParameters(self, parameters: Any) -> None:
        """Put the folders of a run that goes on into the parameter node of another scene."""
        parameters.batchInput, parameters.batchOutput, parameters.batchFormat = self._chosen

    def stopShowing(self) -> None:
        """Another scene or module comes: no case that is being read takes its views."""
        self._loading.stop()

    def stopAndWait(self) -> None:
        """End the run when Slicer quits; what is done stays, and the next run goes on."""
        self.stopShowing()
        self._controls.stopAndWait()

    def onChooseInput(self, checked: bool = False) -> None:
        """Choose the folder of the scans."""
        if path := _chooseFolder(_("Folder with CT scans")):
            self._disk.forget()
            self._parameters().batchInput = path

    def onChooseOutput(self, checked: bool = False) -> None:
        """Choose the folder of the results."""
        if path := _chooseFolder(_("Folder for the results")):
            self._disk.forget()
            self._parameters().batchOutput = path

    def onStart(self, checked: bool = False) -> None:
        """Segment all scans in a process of its own."""
        self._controls.start(self._begin, _("Starting..."), self._onFailed)

    def _onRunChanged(self) -> None:
        self._disk.forget()
        self.update(self._parameters())

    def _begin(self) -> BackgroundCommand:
        parameters = self._parameters()
        chosen = (parameters.batchInput, parameters.batchOutput, parameters.batchFormat)
        if reason := whyNoBatch(*chosen[:2]) or whyNotYet(parameters.batchOutput):
            raise RuntimeError(reason)
        callbacks = (self._onEvent, self._onDone, self._onFailed)
        command = BackgroundCommand(self._arguments(parameters), *callbacks, place=parameters.batchOutput)
        command.start()
        self._chosen = chosen
        self._complete = ""
        self._warnings = {}
        self._show({})
        return command

    @staticmethod
    def _arguments(parameters: Any) -> list[str | Path]:
        # One case at a time: Slicer needs memory, too, and the bar moves within a case.
        arguments = ["segment-folder", Path(parameters.batchInput), Path(parameters.batchOutput)]
        arguments += ["--format", parameters.batchFormat, "--processes", "1", "--progress", "json"]
        settings = commandSettingsOf(parameters)
        return [*arguments, *settings.arguments(), *(["--one-segment"] if settings.isOneSegment else [])]

    def onStop(self, checked: bool = False) -> None:
        """Stop at once; the case that is under way is done again when the run goes on."""
        self._tellEnd(self._controls.stop, _("Stopped; what is done is kept and not done again."))

    def onShowCase(self, row: int, column: int = 0) -> None:
        """Load CT and lungs of a case into the scene, and show them."""
        stopLoading()
        case = list(self._cases.values())[row]
        if whyNot := self._whyNotShown(case):
            self._status.say(whyNot)
            return
        reader = readerOfResult(Path(self._folder), case.name)
        self._loading.start(case.name, reader, lambda result: self._showRead(case, result))

    def _showRead(self, case: BatchCase, result: ReadResult) -> str:
        if whyNot := self._whyNotShown(case):  # a run may have begun meanwhile
            return whyNot
        volumeNode, segmentationNode = showResult(result)
        parameters = self._parameters()
        parameters.inputVolume, parameters.outputSegmentation = volumeNode, segmentationNode
        removeOtherCases(volumeNode)  # only now, as the one before was chosen in the panel
        return _("{name} is in the scene.").format(name=case.name)

    def onOpenResults(self, checked: bool = False) -> None:
        """Open the table of all cases outside of Slicer."""
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(resultsFile(self._folder))))

    def _onEvent(self, event: dict[str, Any]) -> None:
        if event["event"] == CASE:
            warnings = self._warnings.get(event["case"], [])
            self._showCase(BatchCase(event["case"], event["status"], event["error"] or " ".join(warnings)))
            # A hundred steps a case, so that the bar moves within one, too.
            text = _("case {number} of {all}").format(number=event["number"], all=event["total"])
            self._controls.progress(100 * self._finished, 100 * event["total"], text)
            self._status.say(_("Segmenting {name}...").format(name=event["case"]))
            self.update(self._parameters())  # the chosen case may be this one
        elif event["event"] == WARNING:
            self._warnings.setdefault(event.get("case", ""), []).append(event["text"])
        elif event["event"] == PROGRESS:
            self._ui.batchBar.value = 100 * self._finished + 100 * event["done"] // event["total"]

    def _onDone(self, output: str) -> None:
        statuses = [case.status for case in self._cases.values()]
        text = _("{done} segmented, {skipped} skipped (done already), {failed} failed.")
        if NO_CT in statuses:
            text += " " + _("{others} without CT.")
        if FAILED in statuses:
            text += " " + _("Click a case to read why; Continue tries these again.")
        counts = {"done": DONE, "skipped": ALREADY_DONE, "failed": FAILED, "others": NO_CT}
        text = text.format(**{key: statuses.count(status) for key, status in counts.items()})
        self._complete = self._folder
        self._tellEnd(self._controls.done, text)

    def _whatStartDoes(self) -> str:
        if not self._cases:
            return _("Start")
        isAllDone = self._folder == self._complete and all(case.status in _FINISHED for case in self._cases.values())
        return _("Look for new scans") if isAllDone else _("Continue")

    def _onFailed(self, sentence: str) -> None:
        self._tellEnd(self._controls.failed, sentence)

    def _tellEnd(self, tell: Callable[..., None], sentence: str) -> None:
        """Show the cases of all runs, and the sentence with the warnings that are about none of them."""
        known = {case.name: case for case in casesIn(self._folder)}
        for name, case in self._cases.items():
            if case.status != RUNNING:
                known[name] = replace(case, notes=case.notes or known.get(name, case).notes)
        self._show(known)
        tell(sentence, *self._warnings.get("", []))

    def _show(self, cases: dict[str, BatchCase]) -> None:
        self._cases = cases
        self._lines = {name: line for line, name in enumerate(cases)}
        self._finished = 0
        headers = [_("Case"), _("Status"), _("Notes")]
        showTable(self._ui.batchTable, headers, [_texts(case) for case in cases.values()], headers[-1])

    def _showCase(self, case: BatchCase) -> None:
        """News of a case, without making the whole table anew, which takes long where there are many."""
        self._cases[case.name] = case
        self._finished += case.status != RUNNING
        showRow(self._ui.batchTable, self._lines.setdefault(case.name, len(self._lines)), _texts(case))

    def _chosenCase(self) -> BatchCase | None:
        row = self._ui.batchTable.currentRow()
        return list(self._cases.values())[row] if 0 <= row < len(self._cases) else None

    def _noteOfChosenCase(self) -> str:
        """Its notes, of which a narrow table shows a part only."""
        case = self._chosenCase()
        # The first row is the current one, too, when the table gets the keyboard, though nobody has chosen it.
        if case is None or not case.notes or not self._ui.batchTable.selectedItems():
            return ""
        return _("{name}: {reason}").format(name=case.name, reason=case.notes)

    def _updateButtons(self) -> None:
        ui = self._ui
        enable(ui.batchShowButton, self._whyNotShown(self._chosenCase()), _("Load CT and lungs of the chosen case."))
        noResults = "" if self._disk.ask(_hasResults, self._folder) else _("There are no results yet.")
        enable(ui.batchResultsButton, noResults, _("Open results.csv: volumes and densities of all cases."))

    def _whyNotShown(self, case: BatchCase | None) -> str:
        if case is None:
            return _("Choose a case in the table.")
        if case.status == NO_CT:
            return _("{name} is not a CT.").format(name=case.name)
        if case.status not in _WITH_LUNGS:
            return _("{name} has no lungs yet.").format(name=case.name)
        if self._isSegmenting():
            return _("Another CT is being segmented; look at this case when that is done.")
        return ""


def _texts(case: BatchCase) -> list[str]:
    statuses = {
        RUNNING: _("running"),
        DONE: _("done"),
        ALREADY_DONE: _("already done"),
        NO_CT: _("no CT"),
        FAILED: _("failed"),
    }
    return [case.name, statuses.get(case.status, case.status), case.notes]


def whyNoBatch(inputFolder: str, outputFolder: str) -> str:
    """A sentence that says what is missing for a run over a folder; empty if nothing is."""
    if not inputFolder:
        return _("Choose the folder with the scans.")
    if not Path(inputFolder).is_dir():
        return _("There is no folder {path}.").format(path=inputFolder)
    if not outputFolder:
        return _("Choose a folder for the results.")
    if Path(inputFolder).resolve().is_relative_to(Path(outputFolder).resolve()):
        return _("The scans lie in the folder for the results; choose another one for the results.")
    return ""


def _hasResults(folder: str) -> bool:
    return resultsFile(folder).is_file()


def _chooseFolder(title: str) -> str:
    return qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title)
