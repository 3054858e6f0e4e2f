"""The part of the panel that starts a run, shows how far it is and stops it, and tells the news."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

from LungSegResNetLib.jobs.event_names import LOAD_NETWORK, PROGRESS, READ, SEGMENT, STAGE, WRITE

from .advanced_panel import settingsOf
from .choice_titles import showTitles
from .command_controls import CommandControls, RunningCommand
from .frames import FRAMES, browserOf
from .kept_answers import KeptAnswers
from .lung_segments import hasLungs
from .parent_transform import whyToHarden
from .readiness import whyNoNetwork, whyNotReady
from .region import whyNoRegion
from .segmentation_run import RunResult
from .status_line import StatusLine
from .table_widget import enable


class RunPanel:
    """Drives ``segmentButton``, ``progressBar``, ``cancelButton`` and ``statusLabel`` of ``ui``.

    Parameters
    ----------
    logic : the module's; starts runs and knows the parameter node.
    ensurePackages : installs what a run needs, see `CommandControls`.
    disk : what is known of files.
    onDone : gets the `RunResult` of a run, and returns the sentences to be told of it.
    onChanged : is called when a run has begun or ended.
    """

    def __init__(
        self,
        ui: Any,
        logic: Any,
        ensurePackages: Callable[[], bool],
        disk: KeptAnswers,
        onDone: Callable[[RunResult], list[str]],
        onChanged: Callable[[], None],
    ) -> None:
        self._ui = ui
        self._logic = logic
        self._disk = disk
        self._onDone = onDone
        self._status = StatusLine(ui.statusLabel)
        buttonsAndBar = (ui.segmentButton, ui.progressBar, ui.cancelButton)
        self._controls = CommandControls(*buttonsAndBar, self._status, ensurePackages, onChanged)
        ui.segmentButton.connect("clicked(bool)", self.onSegment)
        ui.cancelButton.connect("clicked(bool)", self.onCancel)

    @property
    def running(self) -> bool:
        """True while a run goes on."""
        return self._controls.running

    @property
    def run(self) -> Any:
        """The run that goes on, or None."""
        return self._controls.command

    def update(self, parameters: Any) -> None:
        """Enable what can be done now; what cannot be done says why."""
        ui, running = self._ui, self.running
        volume = parameters.inputVolume
        isSequence, isAllFrames = browserOf(volume) is not None, doesAllFrames(parameters)
        for widget in (ui.framesLabel, ui.framesComboBox):
            widget.setVisible(isSequence)
        ui.outputsCollapsibleButton.setVisible(not isAllFrames)
        output = None if isAllFrames else parameters.outputSegmentation
        reason = whyNotReady(volume, output) or self._disk.ask(whyNoNetwork, parameters.modelFile)
        reason = reason or whyNoRegion(volume, parameters.roi)
        enable(ui.segmentButton, reason, _("Segment the right and the left lung in the CT."))
        for widget in (ui.inputsCollapsibleButton, ui.outputsCollapsibleButton, ui.advancedCollapsibleButton):
            widget.enabled = not running
        restricted = ""
        if parameters.roi:
            restricted = _('Only inside the ROI "{name}" (Advanced).').format(name=parameters.roi.GetName())
        self._status.update(reason, restricted, whyToHarden(volume))

    def showTitles(self) -> None:
        """Call the choices by their names in the user's language; the parameter node has been connected."""
        showTitles(self._ui.framesComboBox, {FRAMES[0]: _("current frame"), FRAMES[1]: _("all frames")})

    def say(self, *sentences: str) -> None:
        """Show the news."""
        self._status.say(*sentences)

    @property
    def told(self) -> int:
        """How often news were told, for whoever has late ones: newer ones stay."""
        return self._status.told

    def forgetNews(self) -> None:
        """News of another CT or segmentation are none."""
        if not self.running:
            self._status.forget()

    def onSegment(self, checked: bool = False) -> None:
        """Start, after asking for whatever has to be asked."""
        self._controls.start(self._begin, _("Starting..."), self._onRunFailed)

    def _begin(self) -> RunningCommand | None:
        parameters = self._logic.getParameterNode()
        segmentation = None if doesAllFrames(parameters) else parameters.outputSegmentation
        if not _mayReplace(segmentation):
            return None
        callbacks = (self._onRunEvent, self._onRunDone, self._onRunFailed)
        volume, settings = parameters.inputVolume, settingsOf(parameters)
        if doesAllFrames(parameters):
            return self._logic.startAllFrames(volume, settings, *callbacks)
        return self._logic.start(volume, segmentation, settings, *callbacks)

    def onCancel(self, checked: bool = False) -> None:
        """Stop at once."""
        self.stop(_("Cancelled; the scene is unchanged."))

    def stop(self, sentence: str) -> None:
        """End the run, if there is one, and say why."""
        self._controls.stop(sentence)

    def stopAndWait(self) -> None:
        """End the run when Slicer quits."""
        self._controls.stopAndWait()

    def _onRunEvent(self, event: dict[str, Any]) -> None:
        if event["event"] == PROGRESS:
            number, count, total = event.get("frame", 1), event.get("frames", 1), event["total"]
            text = _("slice %v of %m")
            if count > 1:
                text = _("frame {number} of {all}").format(number=number, all=count)
            left = event.get("seconds_left")
            if left is not None:
                text += _(", about {seconds:.0f} s left").format(seconds=left)
            self._controls.progress(total * (number - 1) + event["done"], total * count, text)
            self.say(_("Segmenting..."))
        elif event["event"] == STAGE:
            stages = {
                LOAD_NETWORK: _("Loading the network..."),
                READ: _("Reading the CT..."),
                SEGMENT: _("Segmenting..."),
                WRITE: _("Measuring..."),
            }
            self.say(stages.get(event["stage"], event["stage"]))

    def _onRunDone(self, result: RunResult) -> None:
        sentences = self._onDone(result)
        tell = self._controls.failed if result.problem else self._controls.done
        tell(*sentences)

    def _onRunFailed(self, sentence: str) -> None:
        self._controls.failed(sentence, _("The scene is unchanged."))


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
