"""The part of the panel for lungs that are there: look, correct, take back, measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from .background_measurement import BackgroundMeasurement
from .check_panel import CheckPanel, keepSlices
from .ct_of_lungs import whyNotTogether
from .ct_tables import (
    MEASUREMENTS,
    SLICES_TO_CHECK,
    expectMeasurements,
    hasMeasurementsOfOtherFrame,
    isOutdated,
    keepTable,
    removeTable,
)
from .frames import frameNumber
from .lung_segments import hasLungs, restoreLungs, saveLungs, whyNotRestored
from .measurement_panel import MeasurementPanel
from .parent_transform import whyToHarden
from .segmentation_run import RunResult
from .table_widget import enable
from .volume_nodes import stateOf


@dataclass(frozen=True)
class _Undo:
    """What the button does for one segmentation: ``result.before`` comes back; after an Undo, what that took away."""

    result: RunResult
    isUndone: bool = False


class ResultPanel:
    """Drives ``show3DButton``, ``editButton``, ``undoButton``, ``measureButton``, slices to check and measurements.

    Parameters
    ----------
    logic : the module's; knows the parameter node.
    say : shows a sentence.
    told : how often a sentence was shown.
    onChanged : is called when lungs or measurements are others than before.
    """

    def __init__(
        self, ui: Any, logic: Any, say: Callable[..., None], told: Callable[[], int], onChanged: Callable[[], None]
    ) -> None:
        self._ui = ui
        self._logic = logic
        self._say = say
        self._told = told
        self._onChanged = onChanged
        # By the ID of the segmentation node, so that a run on another one takes no Undo away that was promised. Of each
        # segmentation that a run wrote into, one state of its lung segments is kept until the node leaves the scene:
        # a byte per voxel around each lung, some 40 MB for thin slices, or nothing where there were no lungs before.
        self._undos: dict[str, _Undo] = {}
        # The pair that is shown, and its frame and state; weak references, so that nothing that was closed stays in
        # memory.
        self._volume, self._segmentation = vtk.vtkWeakReference(), vtk.vtkWeakReference()
        self._shown: tuple[Any, ...] = ()
        self._measuring = BackgroundMeasurement(self._onMeasured, self._onDropped)
        self._newsWhenMeasured, self._toldBefore = "", 0
        self._measurementPanel = MeasurementPanel(ui, say)
        self._checkPanel = CheckPanel(ui)
        ui.editButton.connect("clicked(bool)", self.onEdit)
        ui.undoButton.connect("clicked(bool)", self.onUndo)
        ui.measureButton.connect("clicked(bool)", self.onMeasure)

    def update(self, parameters: Any) -> None:
        """Enable what can be done now; what cannot be done says why."""
        ui, volume, segmentation = self._ui, parameters.inputVolume, parameters.outputSegmentation
        shown = (frameNumber(volume), *stateOf(volume))
        if (volume, segmentation, shown) != (self._volume.Get(), self._segmentation.Get(), self._shown):
            self._volume.Set(volume)
            self._segmentation.Set(segmentation)
            self._shown = shown
            self.renew()
        ui.show3DButton.setSegmentationNode(segmentation)
        noLungs = "" if segmentation and hasLungs(segmentation) else _("No lungs have been segmented yet.")
        noLungs = noLungs or whyNotTogether(volume, segmentation)
        correct = _("Correct the lungs in the module Segment Editor.")
        enable(ui.editButton, noLungs, "\n".join(text for text in (correct, whyToHarden(volume)) if text))
        undo, whatUndoDoes = self._undos.get(segmentation.GetID()) if segmentation else None, ""
        noUndo = "" if undo else _("There is nothing to undo.")
        if undo:
            noUndo = whyNotRestored(undo.result.volumeNode, undo.result.before)
            whatUndoDoes = _('Bring back "{name}" as it was before the last run.')
            if undo.isUndone:
                whatUndoDoes = _('Bring back the lungs in "{name}" that Undo took away, with corrections.')
            whatUndoDoes = whatUndoDoes.format(name=segmentation.GetName())
        ui.undoButton.text = _("Redo") if undo and undo.isUndone else _("Undo")
        enable(ui.undoButton, noUndo, whatUndoDoes)
        noCt = "" if volume else _("Choose a CT volume first.")
        enable(
            ui.measureButton, noLungs or noCt, _("Measure the segments as they are now, for example after corrections.")
        )
        self._measurementPanel.show(volume, segmentation, self._measuring.isAbout(volume, segmentation))
        self._checkPanel.show(volume, segmentation)

    def take(self, result: RunResult) -> None:
        """Make the result of a run the one that is shown and can be undone."""
        self._measuring.stop()
        if result.before is not None:
            self._undos[result.segmentationNode.GetID()] = _Undo(result)
        parameters = self._logic.getParameterNode()
        parameters.inputVolume = result.volumeNode  # a scene that was added meanwhile may have brought another one
        parameters.outputSegmentation = result.segmentationNode
        if rows := result.summary["measurements"]:
            keepTable(MEASUREMENTS, rows, result.volumeNode, result.segmentationNode)
        else:
            self._measure(result.volumeNode, result.segmentationNode)
        keepSlices(result.volumeNode, result.segmentationNode, result.summary["slices_to_check"])

    def stopMeasuring(self) -> None:
        """Slicer quits."""
        self._measuring.stop()

    def forgetUndo(self) -> None:
        """The scene is about to be closed."""
        self._undos.clear()

    def forgetRemoved(self) -> None:
        """A node was removed from the scene: lungs that are gone cannot be undone, and a CT does not stay in memory."""
        for nodeId, undo in list(self._undos.items()):
            result = undo.result
            if result.segmentationNode.GetScene() is None:
                del self._undos[nodeId]
            elif result.volumeNode and result.volumeNode.GetScene() is None:
                self._undos[nodeId] = replace(undo, result=replace(result, volumeNode=None))

    def askAgain(self) -> None:
        """CT or lungs were changed: the next update looks whether their measurements are outdated."""
        self._shown = ()
        self._onChanged()

    def renew(self) -> None:
        """Measure again if lungs or CT were changed after they were measured, as in Segment Editor."""
        parameters = self._logic.getParameterNode()
        volume, segmentation = parameters.inputVolume, parameters.outputSegmentation
        # If they change while they are measured, that is found at its end.
        if self._measuring.isAbout(volume, segmentation) or not isOutdated(volume, segmentation):
            return
        if volume.GetImageData() or not hasLungs(segmentation):
            news = _("The CT or the segments had changed, so the measurements were updated.")
            self._measure(volume, segmentation, news)
        self._onChanged()

    def _onMeasured(self, volume: Any, segmentation: Any, rows: list[dict[str, Any]] | None) -> None:
        if rows is None:
            if self._isChosen(volume, segmentation):
                self._say(_("The lungs could not be measured."))
            removeTable(MEASUREMENTS, volume, segmentation)
        else:
            keepTable(MEASUREMENTS, rows, volume, segmentation)
            self._tellLate(volume, segmentation, self._newsWhenMeasured)
        self._onChanged()

    def _onDropped(self, volume: Any, segmentation: Any, isOtherFrame: bool) -> None:
        if not isOtherFrame:
            expectMeasurements(volume, segmentation)  # so that they are measured once more
        elif self._newsWhenMeasured:
            text = _("The frame was left before its lungs were measured; go back to it and click Measure.")
            self._tellLate(volume, segmentation, text)
        self.askAgain()

    def _isChosen(self, volume: Any, segmentation: Any) -> bool:
        parameters = self._logic.getParameterNode()
        return (parameters.inputVolume, parameters.outputSegmentation) == (volume, segmentation)

    def _tellLate(self, volume: Any, segmentation: Any, news: str) -> None:
        """Tell what became of a measurement, unless that is of what is chosen no more, or there are newer news."""
        if news and self._isChosen(volume, segmentation) and self._told() == self._toldBefore:
            self._say(news)

    def onEdit(self, checked: bool = False) -> None:
        """Open Segment Editor with the lungs and the CT."""
        parameters = self._logic.getParameterNode()
        segmentation, volume = parameters.outputSegmentation, parameters.inputVolume
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
        editor.setSegmentationNode(segmentation)
        editor.setSourceVolumeNode(volume)

    def onUndo(self, checked: bool = False) -> None:
        """Bring back the lungs that the last run replaced, or, after that, those of now, as corrected."""
        parameters = self._logic.getParameterNode()
        volume, segmentation = parameters.inputVolume, parameters.outputSegmentation
        undo = self._undos[segmentation.GetID()]
        result, isUndone = undo.result, not undo.isUndone
        result.frame.show()
        saved = saveLungs(segmentation, result.volumeNode)
        self._undos[segmentation.GetID()] = _Undo(replace(result, before=saved), isUndone)
        restoreLungs(segmentation, result.before, result.volumeNode)
        text = _('"{name}" is as it was before the run; Redo brings its lungs back.')
        if not isUndone:
            text = _('The lungs that Undo took away are back in "{name}".')
        self._say(text.format(name=segmentation.GetName()))
        if result.volumeNode:
            if isUndone:
                removeTable(SLICES_TO_CHECK, result.volumeNode, segmentation)
            else:
                keepSlices(result.volumeNode, segmentation, result.summary["slices_to_check"])
            expectMeasurements(result.volumeNode, segmentation)
        # Where the CT of another kernel is chosen, that of the run is measured when it is chosen again.
        if volume and (volume is result.volumeNode or isOutdated(volume, segmentation)):
            self._measure(volume, segmentation)
        self._onChanged()

    def onMeasure(self, checked: bool = False) -> None:
        """Measure the segments as they are now."""
        parameters = self._logic.getParameterNode()
        self._measure(parameters.inputVolume, parameters.outputSegmentation, _("The measurements were updated."))
        self._onChanged()

    def _measure(self, volume: Any, segmentation: Any, news: str = "") -> None:
        """Bring the table up to date with the segments, and then tell ``news``; there is none without lungs.

        They are measured in a thread; until that is done, the table is outdated, or has the figures of another frame.
        """
        self._measuring.stop()
        if not volume.GetScene() or not hasLungs(segmentation):
            removeTable(MEASUREMENTS, volume, segmentation)
            if news:
                self._say(news)
            return
        if not hasMeasurementsOfOtherFrame(volume, segmentation):
            expectMeasurements(volume, segmentation)
        self._newsWhenMeasured, self._toldBefore = news, self._told()
        self._measuring.start(volume, segmentation)
