"""Step 3 of the panel: the network of the run judged on the cases that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from LungSegResNetWidgets.background_command import whyNotYet
from LungSegResNetWidgets.case_loading import CaseLoading, stopLoading
from LungSegResNetWidgets.kept_answers import KeptAnswers
from LungSegResNetWidgets.status_line import StatusLine
from LungSegResNetWidgets.table_node import fillTableNode
from LungSegResNetWidgets.table_widget import enable, showTable
from slicer.i18n import tr as _

from LungSegResNetLib.errors import InputError, LungSegError
from LungSegResNetLib.jobs.event_names import PROGRESS, STAGE, WARNING
from LungSegResNetTrainingLib.data.cases import CASE_LIST
from LungSegResNetTrainingLib.evaluation.report_files import REPORT, SUMMARY

from .case_nodes import ReadCase, jumpToSlice, readerOfCase, showCase
from .evaluation_results import ListedSlice, Table1Row, table1Rows, worstSlices
from .run_folder import hasNetwork, networkFile, stepsOfUnfinished
from .training_command import TrainingCommand, TrainingControls

_TABLE = "LungSegResNetTraining.table1"


class EvaluatePanel:
    """Drives the widgets of step 3."""

    def __init__(
        self,
        ui: Any,
        parameters: Callable[[], Any],
        ensurePackages: Callable[[], bool],
        disk: KeptAnswers,
        isTraining: Callable[[], bool],
    ) -> None:
        self._ui = ui
        self._parameters = parameters
        self._disk = disk
        self._isTraining = isTraining
        self._folder = ""
        self._status = StatusLine(ui.evaluateStatusLabel)
        self._loading = CaseLoading(self._status)
        buttonsAndBar = (ui.evaluateButton, ui.evaluateBar, ui.stopEvaluateButton)
        self._controls = TrainingControls(*buttonsAndBar, self._status, ensurePackages, self._onEvaluationChanged)
        self._slices: list[ListedSlice] = []
        self._hasRows = False  # of Table 1
        self._warnings: list[str] = []  # of the evaluation
        self._unkept: list[Table1Row] = []  # Table 1 that has no table node yet
        ui.evaluateButton.connect("clicked(bool)", self.onEvaluate)
        ui.stopEvaluateButton.connect("clicked(bool)", self.onStop)
        ui.reportButton.connect("clicked(bool)", self.onOpenReport)
        ui.worstTable.connect("cellClicked(int,int)", self.onShowSlice)
        ui.worstTable.connect("cellActivated(int,int)", self.onShowSlice)
        ui.useNetworkButton.connect("clicked(bool)", self.onUseNetwork)

    def update(self) -> None:
        """Enable what can be done now."""
        parameters, ui = self._parameters(), self._ui
        if parameters is None:
            return
        if self._unkept:
            self._keep(self._unkept)
            self._unkept = []
        folder = parameters.runFolder
        noNetwork = self._disk.ask(_whyNoNetwork, folder)
        isOther, isGone = folder != self._folder, self._hasRows and not self._disk.ask(_hasTable1, folder)
        if (isOther or isGone) and not self._controls.running:
            self._folder = folder
            if isOther or noNetwork:
                self._status.forget()
            self._showResults()
        busy = _("Training is still running; wait until it has ended.") if self._isTraining() else ""
        enable(ui.evaluateButton, noNetwork or busy, _("Evaluate the network on the held-out cases of the run."))
        self._status.update(noNetwork or busy, self._disk.ask(_noteOnNetwork, folder))
        enable(ui.useNetworkButton, noNetwork, _("Let the module LungSegResNet segment with this network."))
        noReport = "" if self._disk.ask(_hasReport, folder) else _("There is no evaluation yet.")
        enable(ui.reportButton, noReport, _("Open tables, plots and pictures in the web browser."))

    def stopShowing(self) -> None:
        """Another scene or module comes: no case that is being read takes its views."""
        self._loading.stop()

    def stopAndWait(self) -> None:
        """End the evaluation when Slicer quits; it goes on where it was next time."""
        self.stopShowing()
        self._controls.stopAndWait()

    def onEvaluate(self, checked: bool = False) -> None:
        """Judge the network in a process of its own."""
        self._controls.start(self._begin, _("Loading the network..."), self._controls.failed)

    def _onEvaluationChanged(self) -> None:
        self._disk.forget()
        self.update()

    def _begin(self) -> TrainingCommand | None:
        folder = self._parameters().runFolder
        network, report = networkFile(folder), _report(folder)
        if reason := _whyNoNetwork(folder) or whyNotYet(report):
            raise RuntimeError(reason)
        arguments = ["evaluate", network, _caseList(folder), "--out", report]
        arguments += ["--device", self._parameters().device]
        if _isOfSomethingElse(report, network, _caseList(folder)):
            question = _(
                "{path} has an evaluation of an earlier network or other cases, or one from before the run was moved. "
                "Replace it?"
            )
            if not slicer.util.confirmYesNoDisplay(question.format(path=report)):
                return None
            arguments.append("--overwrite")
        command = TrainingCommand(arguments, self._onEvent, self._onDone, self._controls.failed, report)
        command.start()
        self._warnings = []
        return command

    def onStop(self, checked: bool = False) -> None:
        """End the process; cases that were judged are kept."""
        self._controls.stop(_("The evaluation was stopped; finished cases are kept."))

    def onOpenReport(self, checked: bool = False) -> None:
        """Open the report in the web browser."""
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(_report(self._parameters().runFolder) / REPORT)))

    def onShowSlice(self, row: int, column: int = 0) -> None:
        """Show the case and go to the slice."""
        stopLoading()
        chosen = self._slices[row]
        reader = readerOfCase(chosen.case)
        noPackages = _("Click Evaluate to install the Python packages that cases are read with.")

        def read() -> ReadCase:
            try:
                return reader()
            except ImportError as error:
                raise InputError(noPackages) from error

        def show(case: ReadCase) -> str:
            jumpToSlice(showCase(case), chosen.worst.index)
            return f"{chosen.case.name}, {chosen.worst.position}: {chosen.worst.reason}"

        self._loading.start(chosen.case.name, read, show)

    def onUseNetwork(self, checked: bool = False) -> None:
        """Make the network of the run that of the module LungSegResNet."""
        from LungSegResNet import LungSegResNetLogic

        slicer.modules.lungsegresnet.widgetRepresentation()  # its panel keeps what was chosen when the scene closes
        network = str(networkFile(self._parameters().runFolder).absolute())
        LungSegResNetLogic().getParameterNode().modelFile = network
        self._status.say(_("The module LungSegResNet segments with {path} now.").format(path=network))

    def _onEvent(self, event: dict[str, Any]) -> None:
        if event["event"] == STAGE:
            self._status.say(_("Judging {what}...").format(what=event["stage"]))
        elif event["event"] == PROGRESS:
            self._controls.progress(event["done"], event["total"], _("slice %v of %m"))
        elif event["event"] == WARNING:
            self._warnings.append(event["text"])

    def _onDone(self) -> None:
        # Kept when the module is open: another module may have closed the scene, and the next one be of a patient.
        self._unkept = self._showResults()
        self._controls.done(_("Done. Click a slice to see it."), *self._warnings)

    def _showResults(self) -> list[Table1Row]:
        report = _report(self._folder)
        rows, self._slices = [], []
        try:
            rows = table1Rows(report) if self._folder else []
            self._slices = worstSlices(report, _caseList(self._folder)) if rows else []
        except LungSegError as error:
            self._status.say(str(error))
        self._hasRows = bool(rows)
        groups = len({row.group for row in rows}) > 1
        headers = [_("Metric"), _("Mean"), _("SD"), _("Min"), _("Max"), *([_("Group")] if groups else [])]
        texts = [[row.title, *row.texts(), row.group][: len(headers)] for row in rows]
        showTable(self._ui.table1, headers, texts, headers[0])
        count = max((row.cases for row in rows), default=0)
        self._ui.table1Label.text = _(
            "Agreement with the masks, both lungs together (held-out cases: {count}):"
        ).format(count=count)
        lines = [[one.case.name, one.worst.position, f"{one.worst.dice:.4f}", one.worst.reason] for one in self._slices]
        headers = [_("Case"), _("Slice"), _("Dice"), _("Why")]
        showTable(self._ui.worstTable, headers, lines, headers[-1])
        for label, shown in ((self._ui.table1Label, rows), (self._ui.worstLabel, lines)):
            label.setVisible(bool(shown))
        return rows

    def _keep(self, rows: list[Table1Row]) -> None:
        """Write Table 1 into its table node, made if there is none for this run."""
        nodes = slicer.util.getNodesByClass("vtkMRMLTableNode")
        node = next((node for node in nodes if node.GetAttribute(_TABLE) == self._folder), None)
        if node is None:
            name = _("Table 1 {run}").format(run=Path(self._folder).name)
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
            node.SetAttribute(_TABLE, self._folder)
        fillTableNode(node, [row.cells() for row in rows])


def _whyNoNetwork(folder: str) -> str:
    if not folder:
        return _("Choose the folder of a run in step 2 first.")
    return "" if hasNetwork(folder) else _("This run has no network yet; finish the training first.")


def _noteOnNetwork(folder: str) -> str:
    """A sentence where the network is not that of a finished run; empty if it is, or there is none."""
    steps = stepsOfUnfinished(folder) if hasNetwork(folder) else None
    if steps is None:
        return ""
    text = _("The training of this network has not finished: it is the best so far, of step {step}, and may change.")
    return text.format(step=steps)


def _report(folder: str) -> Path:
    return Path(folder) / "report"


def _hasTable1(folder: str) -> bool:
    return (_report(folder) / SUMMARY).is_file()


def _hasReport(folder: str) -> bool:
    return bool(folder) and (_report(folder) / REPORT).is_file()


def _caseList(folder: str) -> Path:
    return Path(folder) / CASE_LIST


def _isOfSomethingElse(report: Path, network: Path, caseList: Path) -> bool:
    """Whether the folder has an evaluation that the command would replace only if that is allowed."""
    from LungSegResNetLib.digests import file_digest
    from LungSegResNetTrainingLib.evaluation.report_folder import EvaluationId, holds_another

    # Without the digest of the cases, for which all CTs are read.
    return holds_another(report, EvaluationId(file_digest(network), str(caseList.resolve())))
