"""Step 2 of the panel: a run that is started, stopped and continued, and its curves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from LungSegResNetWidgets.background_command import whyNotYet
from LungSegResNetWidgets.choice_titles import deviceTitles, showTitles
from LungSegResNetWidgets.kept_answers import KeptAnswers
from LungSegResNetWidgets.status_line import StatusLine
from LungSegResNetWidgets.table_widget import enable
from slicer.i18n import tr as _

from LungSegResNetLib.jobs.event_names import STAGE, WARNING
from LungSegResNetTrainingLib.choices import FINE_TUNE, PAPER, RECOMMENDED, SHIPPED
from LungSegResNetTrainingLib.training.progress import LoggedStep, ProgressLog
from LungSegResNetTrainingLib.training.run_files import LOG
from LungSegResNetTrainingLib.training.stage_names import READING_CASES, TRAINING

from .data_panel import whyNoDataSet
from .run_folder import (
    CHOICES,
    FILE,
    NO_START,
    RUN_PARAMETERS,
    PanelChoices,
    choicesOf,
    forgetUnfinished,
    isBegun,
    isFinished,
    keepUnfinished,
    networkFile,
    unfinishedRun,
)
from .training_command import TrainingCommand, TrainingControls
from .training_curves import TrainingCurves


class TrainPanel:
    """Drives the widgets of step 2; ``onChanged`` is called when a run has begun or ended."""

    def __init__(
        self,
        ui: Any,
        parameters: Callable[[], Any],
        ensurePackages: Callable[[], bool],
        disk: KeptAnswers,
        onChanged: Callable[[], None],
    ) -> None:
        self._ui = ui
        self._parameters = parameters
        self._disk = disk
        self._folder = ""
        self._status = StatusLine(ui.trainStatusLabel)
        buttonsAndBar = (ui.startButton, ui.trainBar, ui.stopButton)
        self._controls = TrainingControls(*buttonsAndBar, self._status, ensurePackages, onChanged)
        self._running: dict[str, Any] = {}
        self.curves = TrainingCurves()
        self._hasShownCurves = False
        ui.runFolderButton.connect("clicked(bool)", self.onChooseFolder)
        # Not bound to the parameter: half a path may be that of another run, whose choices would be taken over.
        ui.runFolderLineEdit.connect("editingFinished()", self.onFolderTyped)
        ui.startFileButton.connect("clicked(bool)", self.onChooseStartFile)
        ui.startButton.connect("clicked(bool)", self.onStart)
        ui.stopButton.connect("clicked(bool)", self.onStop)
        ui.curvesButton.connect("clicked(bool)", self.onShowCurves)

    @property
    def running(self) -> bool:
        """True while a run goes on."""
        return self._controls.running

    def update(self) -> None:
        """Enable what can be done now."""
        parameters, ui, running = self._parameters(), self._ui, self.running
        if parameters is None:
            return
        if parameters.runFolder != self._folder and not running:
            self._folder = parameters.runFolder
            self._status.forget()
            self._takeOver(parameters)
        if not ui.runFolderLineEdit.modified:  # else somebody is typing
            ui.runFolderLineEdit.text = parameters.runFolder
        begun = self._disk.ask(isBegun, self._folder)
        finished = begun and self._disk.ask(isFinished, self._folder)
        ui.startButton.text = _("Continue") if begun and not finished else _("Start training")
        done = _("The run in this folder is finished; choose another folder for a new run.") if finished else ""
        reason = done or self._whyNot(parameters)
        enable(ui.startButton, reason, _("Train in the background; other modules can be used."))
        self._status.update(reason)
        for widget in (ui.trainOptions, ui.dataSetLineEdit, ui.dataSetFolderButton, ui.dataSetListButton):
            widget.enabled = not running
        for widget in (ui.startFileLabel, ui.startFileLineEdit, ui.startFileButton):
            widget.setVisible(parameters.startNetwork == FILE)
        enable(ui.curvesButton, "" if self.curves.steps else _("There are no curves yet."), _("Show loss and Dice."))

    def showTitles(self) -> None:
        """Call the choices by their names in the user's language; the parameter node has been connected."""
        ui = self._ui
        presets = {FINE_TUNE: _("fine-tune"), RECOMMENDED: _("recommended"), PAPER: _("paper")}
        showTitles(ui.presetComboBox, presets)
        titles = {SHIPPED: _("shipped network"), FILE: _("own network file"), NO_START: _("nothing (random weights)")}
        showTitles(ui.startNetworkComboBox, titles)
        showTitles(ui.deviceComboBox, deviceTitles())

    def keepParameters(self, parameters: Any) -> None:
        """Put the choices of a run that goes on into the parameter node of another scene."""
        for name, value in self._running.items():
            setattr(parameters, name, value)

    def offerUnfinished(self) -> None:
        """Tell of the run that ended with Slicer, or with its crash, and choose it unless the scene has another one."""
        parameters, folder = self._parameters(), unfinishedRun()
        if not folder:
            return
        if parameters.runFolder and str(Path(parameters.runFolder).absolute()) != folder:
            text = _("The run in {path} was interrupted when Slicer closed; to resume it, choose its folder.")
        else:
            parameters.runFolder = folder
            text = _("The run in {path} was interrupted when Slicer closed; click Continue to resume.")
        self._status.say(text.format(path=folder))

    def stopAndWait(self) -> None:
        """End the run when Slicer quits; it is offered to be gone on with next time."""
        self._controls.stopAndWait()

    def onChooseFolder(self, checked: bool = False) -> None:
        """Choose the folder of a run, new or begun."""
        path = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Folder of the run"))
        if path:
            self._disk.forget()
            self._parameters().runFolder = path

    def onFolderTyped(self) -> None:
        """The folder of a run was typed, and is complete."""
        self._ui.runFolderLineEdit.modified = False
        if parameters := self._parameters():
            parameters.runFolder = self._ui.runFolderLineEdit.text

    def onChooseStartFile(self, checked: bool = False) -> None:
        """Choose the network to begin with."""
        path = qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), _("Network"), "", _("Networks (*.safetensors)"))
        if path:
            self._disk.forget()
            self._parameters().startFile = path

    def onStart(self, checked: bool = False) -> None:
        """Begin or go on."""
        if self._ui.runFolderLineEdit.modified:  # on macOS a click takes no focus from what is being typed
            self.onFolderTyped()
        self._controls.start(self._begin, _("Starting..."), self._onFailed)

    def _begin(self) -> TrainingCommand:
        from LungSegResNetLib.errors import LungSegError

        parameters = self._parameters()
        folder = parameters.runFolder
        self._disk.forget()
        if reason := self._whyNot(parameters) or whyNotYet(folder):
            raise RuntimeError(reason)
        choices = PanelChoices.of(parameters)
        command = TrainingCommand(choices.arguments(Path(folder)), self._onEvent, self._onDone, self._onFailed, folder)
        try:
            if not isBegun(folder):
                choices.save(Path(folder))
        except LungSegError as error:
            raise RuntimeError(str(error)) from error
        command.start()
        keepUnfinished(folder)  # from now on, because Slicer may crash
        self._running = {name: getattr(parameters, name) for name in RUN_PARAMETERS}
        self.curves.restart(_stepsOf(folder))
        self._hasShownCurves = False
        self._ui.logText.plainText = ""
        return command

    def onStop(self, checked: bool = False) -> None:
        """End the process; the run can be gone on with."""
        forgetUnfinished(self._folder)
        text = _("The run was stopped; click Continue to resume.")
        if not isBegun(self._folder):
            text = _("The run was stopped before its first checkpoint; Start training starts it again.")
        self._controls.stop(text)
        self._log(text)

    def onShowCurves(self, checked: bool = False) -> None:
        """Show the plot view."""
        self.curves.show()

    def onSceneClosed(self) -> None:
        """The scene is empty now; the curves come back if a run goes on."""
        self._hasShownCurves = False

    def _onEvent(self, event: dict[str, Any]) -> None:
        if event["event"] == STAGE:
            stages = {
                READING_CASES: _("Reading and checking the cases..."),
                TRAINING: _("Preparing the first step..."),
            }
            self._status.say(stages.get(event["stage"], event["stage"]))
        elif event["event"] == WARNING:
            self._log(event["text"])
        elif "step" in event:
            self._onStep(event)
        else:
            self._controls.progress(event["done"], event["total"], _("case %v of %m"))

    def _onStep(self, event: dict[str, Any]) -> None:
        dice = event["validation_dice"]
        self.curves.add(LoggedStep(event["step"], event["loss"], event["slices_per_second"], dice))
        isEntered = self._parameters() is not None
        if isEntered and not self._hasShownCurves:  # the layout is left alone while another module is used
            self._hasShownCurves = True
            self.curves.show()
        text = _("%v of %m, {time} left").format(time=_duration(event["seconds_left"]))
        self._controls.progress(event["step"], event["steps"], text)
        self._status.say(_("Training, loss {loss:.3f}.").format(loss=event["loss"]))
        if dice is not None:
            text = _("Step {step}: loss {loss:.4f}, validation Dice {dice:.4f}")
            self._log(text.format(step=event["step"], loss=event["loss"], dice=dice))
        if not self._ui.curvesButton.enabled:
            self.update()

    def _onDone(self) -> None:
        forgetUnfinished(self._folder)
        text = _("Done: the network is in {path}.").format(path=networkFile(self._folder))
        self._controls.done(text)
        self._log(text)

    def _onFailed(self, sentence: str) -> None:
        if self.running:  # else nothing was started, and what is remembered is an earlier run
            forgetUnfinished(self._folder)
            if not Path(self._folder).is_dir():
                text = _("The folder of the run, {path}, is gone, so the run has ended; bring it back, or start again.")
                sentence = text.format(path=self._folder)
        self._controls.failed(sentence)
        self._log(sentence)

    def _takeOver(self, parameters: Any) -> None:
        """A run that was begun earlier, perhaps before Slicer was started: with its choices and curves."""
        choices = choicesOf(self._folder)
        self.curves.restart(_stepsOf(self._folder))
        if choices is None:
            return
        before = {name: getattr(parameters, name) for name in CHOICES}
        try:
            for name in CHOICES:
                setattr(parameters, name, getattr(choices, name))
        except ValueError:
            for name, value in before.items():
                setattr(parameters, name, value)
            self._status.say(_("The run in this folder was begun with choices that this version does not know."))

    def _whyNot(self, parameters: Any) -> str:
        if reason := self._disk.ask(whyNoDataSet, parameters.dataSet):
            return reason
        if not parameters.runFolder:
            return _("Choose a folder for the run.")
        # A run that goes on has in its checkpoint what it needs of the file.
        begun = self._disk.ask(isBegun, parameters.runFolder)
        if parameters.startNetwork == FILE and not begun and not self._disk.ask(_isFile, parameters.startFile):
            return _("Choose the network file to begin with.")
        if parameters.startNetwork == NO_START and parameters.preset == FINE_TUNE:
            return _("The preset fine-tune needs a network to begin with; choose one, or another preset.")
        return ""

    def _log(self, text: str) -> None:
        self._ui.logText.appendPlainText(text)


def _isFile(path: str) -> bool:
    return Path(path).is_file()


def _stepsOf(folder: str) -> list[LoggedStep]:
    try:
        return ProgressLog(Path(folder) / LOG).steps if folder else []
    except (OSError, ValueError):
        return []


def _duration(seconds: float) -> str:
    if seconds < 90:
        return _("{n:.0f} s").format(n=seconds)
    minutes = seconds / 60
    return _("{n:.0f} min").format(n=minutes) if minutes < 90 else _("{n:.1f} h").format(n=minutes / 60)
