"""The part of the panel that starts a run, shows how far it is and stops it, and tells the news."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

from .advanced_panel import settingsOf
from .background_command import whyNotStarted
from .choice_titles import showTitles
from .dependencies import ensurePackages, whyNothingRuns
from .frames import FRAMES, browserOf
from .parent_transform import whyToHarden
from .readiness import whyNotReady
from .region import whyNoRegion
from .segmentation_nodes import hasLungs
from .segmentation_run import RunResult
from .status_line import StatusLine
from .table_widget import enable
from .worker_process import endKeptProcesses

_STATUS_MS = 10_000


class RunPanel:
    """Drives ``segmentButton``, ``progressBar``, ``cancelButton`` and ``statusLabel`` of ``ui``.

    Parameters
    ----------
    logic : the module's; starts runs and knows the parameter node.
    requirements : file with the packages that a run needs.
    onDone : gets the `RunResult` of a run.
    onChanged : is called when a run has begun or ended.

    Attributes
    ----------
    run : the run that goes on, or None.
    """

    def __init__(
        self,
        ui: Any,
        logic: Any,
        requirements: str,
        onDone: Callable[[RunResult], None],
        onChanged: Callable[[], None],
    ) -> None:
        self.run: Any = None
        self._ui = ui
        self._logic = logic
        self._requirements = requirements
        self._onDone = onDone
        self._onChanged = onChanged
        self._status = StatusLine(ui.statusLabel)
        ui.segmentButton.connect("clicked(bool)", self.onSegment)
        ui.cancelButton.connect("clicked(bool)", self.onCancel)

    @property
    def running(self) -> bool:
        """True while a run goes on."""
        return self.run is not None

    def update(self, parameters: Any) -> None:
        """Enable what can be done now; what cannot be done says why."""
        ui, running = self._ui, self.running
        volume = parameters.inputVolume
        isSequence, isAllFrames = browserOf(volume) is not None, doesAllFrames(parameters)
        for widget in (ui.framesLabel, ui.framesComboBox):
            widget.setVisible(isSequence)
        ui.outputsCollapsibleButton.setVisible(not isAllFrames)
        output = None if isAllFrames else parameters.outputSegmentation
        reason = whyNotReady(volume, output, parameters.modelFile)
        reason = reason or whyNoRegion(volume, parameters.roi)
        enable(ui.segmentButton, reason, _("Segment the right and the left lung in the CT."))
        for shown, widget in ((not running, ui.segmentButton), (running, ui.progressBar), (running, ui.cancelButton)):
            widget.setVisible(shown)
        for widget in (ui.inputsCollapsibleButton, ui.outputsCollapsibleButton, ui.advancedCollapsibleButton):
            widget.enabled = not running
        self._status.update(reason or _("Ready."), whyToHarden(volume))

    def showTitles(self) -> None:
        """Call the choices by their names in the user's language; the parameter node has been connected."""
        showTitles(self._ui.framesComboBox, {FRAMES[0]: _("current frame"), FRAMES[1]: _("all frames")})

    def say(self, *sentences: str) -> None:
        """Show the news."""
        self._status.say(*sentences)

    def forgetNews(self) -> None:
        """News of another CT are none."""
        if self.run is None:
            self._status.forget()

    def onSegment(self, checked: bool = False) -> None:
        """Start, after asking for whatever has to be asked."""
        try:
            if not ensurePackages(self._requirements, self._logic.getParameterNode().device):
                self.say(whyNothingRuns())
                return
            parameters = self._logic.getParameterNode()
            segmentation = None if doesAllFrames(parameters) else parameters.outputSegmentation
            if not _mayReplace(segmentation):
                return
            callbacks = (self._onRunEvent, self._onRunDone, self._onRunFailed)
            volume, settings = parameters.inputVolume, settingsOf(parameters)
            if doesAllFrames(parameters):
                self.run = self._logic.startAllFrames(volume, settings, *callbacks)
            else:
                self.run = self._logic.start(volume, segmentation, settings, *callbacks)
        except (RuntimeError, OSError) as error:
            self._onRunFailed(whyNotStarted(error))
            return
        self._ui.progressBar.setRange(0, 0)
        self._ui.progressBar.format = ""
        self.say(_("Starting..."))
        self._onChanged()
        self._ui.cancelButton.setFocus()  # the keyboard was on the button that is hidden now

    def onCancel(self, checked: bool = False) -> None:
        """Stop at once."""
        self.stop(_("Stopped; the scene is as it was."))

    def stop(self, sentence: str) -> None:
        """End the run, if there is one, and say why."""
        if self.run:
            self.run.cancel()
            self.run = None
            self.say(sentence)
        self._onChanged()

    def stopAndWait(self) -> None:
        """End the run when Slicer quits, and the process that waits for the next one."""
        if self.run:
            self.run.cancelAndWait()
            self.run = None
        endKeptProcesses()

    def _onRunEvent(self, event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            bar, number, count = self._ui.progressBar, event.get("frame", 1), event.get("frames", 1)
            bar.setRange(0, event["total"] * count)
            bar.value = event["total"] * (number - 1) + event["done"]
            bar.format = _("slice %v of %m")
            if count > 1:
                bar.format = _("frame {number} of {all}").format(number=number, all=count)
            left = event.get("seconds_left")
            if left is not None:
                bar.format += _(", about {seconds:.0f} s left").format(seconds=left)
            self.say(_("Segmenting..."))
        elif event["event"] == "stage":
            stages = {
                "load network": _("Loading the network..."),
                "read": _("Reading the CT..."),
                "segment": _("Segmenting..."),
                "write": _("Measuring..."),
            }
            self.say(stages.get(event["stage"], event["stage"]))

    def _onRunDone(self, result: RunResult) -> None:
        self.run = None
        self._onDone(result)
        self._tellElsewhere()

    def _onRunFailed(self, sentence: str) -> None:
        """Say what went wrong; the scene is as it was."""
        self.run = None
        logging.error(sentence)
        self.say(sentence, _("The scene is as it was."))
        self._tellElsewhere()
        self._onChanged()

    def _tellElsewhere(self) -> None:
        """The end of a run is news in other modules, too."""
        slicer.util.showStatusMessage(f"LungSegResNet: {self._status.news.splitlines()[0]}", _STATUS_MS)


def _mayReplace(segmentation: Any) -> bool:
    """Ask before lungs are replaced."""
    if segmentation is None or not hasLungs(segmentation):
        return True
    question = _(
        'The segmentation "{name}" already contains lungs, perhaps corrected by hand. Replace them? '
        "Undo brings them back; other segments are not changed."
    )
    return bool(slicer.util.confirmYesNoDisplay(question.format(name=segmentation.GetName())))


def doesAllFrames(parameters: Any) -> bool:
    """Whether a run is for all frames of a sequence, of which the CT shows one."""
    return parameters.frames == FRAMES[1] and browserOf(parameters.inputVolume) is not None
