"""The part of the panel for lungs that are there: look, correct, take back, measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from . import segmentation_nodes
from .check_panel import CheckPanel, keepSlices
from .measurement_panel import MeasurementPanel
from .measurement_table import keepRows
from .segmentation_run import RunResult
from .table_widget import enable


class ResultPanel(VTKObservationMixin):
    """Drives ``show3DButton``, ``editButton``, ``undoButton``, ``measureButton``, slices to check and measurements.

    Parameters
    ----------
    logic : the module's; knows the parameter node.
    say : shows a sentence.
    onChanged : is called when lungs or measurements are others than before.
    """

    def __init__(self, ui: Any, logic: Any, say: Callable[..., None], onChanged: Callable[[], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._ui = ui
        self._logic = logic
        self._say = say
        self._onChanged = onChanged
        self._undo: RunResult | None = None
        self._segmentationNode: Any = None
        self._segments: Any = None
        self._isOutdated = False  # segments were changed after they were measured
        self._measurementPanel = MeasurementPanel(ui, say)
        self._checkPanel = CheckPanel(ui)
        ui.editButton.connect("clicked(bool)", self.onEdit)
        ui.undoButton.connect("clicked(bool)", self.onUndo)
        ui.measureButton.connect("clicked(bool)", self.onMeasure)

    def update(self, parameters: Any) -> None:
        """Enable what can be done now; what cannot be done says why."""
        ui, segmentation = self._ui, parameters.outputSegmentation
        self._observe(segmentation)
        ui.show3DButton.setSegmentationNode(segmentation)
        hasLungs = bool(segmentation) and segmentation_nodes.hasLungs(segmentation)
        noLungs = "" if hasLungs else _("There are no lungs yet; click Segment lungs first.")
        enable(ui.editButton, noLungs, _("Correct the lungs in the module Segment Editor."))
        noUndo = "" if self._undo else _("There is nothing to undo.")
        whatUndoDoes = _("Bring the lungs back as they were before the last run; a second click takes that back.")
        enable(ui.undoButton, noUndo, whatUndoDoes)
        noCt = "" if parameters.inputVolume else _("Choose a CT volume first.")
        enable(ui.measureButton, noLungs or noCt, _("Measure the lungs again, as after corrections."))
        self._measurementPanel.show(parameters.measurements)
        self._checkPanel.show(parameters.slicesToCheck, parameters.inputVolume)

    def take(self, volumeNode: Any, result: RunResult) -> None:
        """Make the result of a run the one that is shown and can be undone."""
        self._undo = result if result.before is not None else None
        parameters = self._logic.getParameterNode()
        parameters.outputSegmentation = result.segmentationNode
        self._observe(result.segmentationNode)
        parameters.measurements = keepRows(parameters.measurements, volumeNode, result.summary["measurements"])
        parameters.slicesToCheck = keepSlices(parameters.slicesToCheck, volumeNode, result.summary["slices_to_check"])
        self._isOutdated = False

    def forgetUndo(self) -> None:
        """The scene is about to be closed."""
        self._undo = None

    def renew(self) -> None:
        """Measure again if the segments were changed, as in Segment Editor."""
        if self._isOutdated and self._logic.getParameterNode().measurements:
            self._measure()
            self._say(_("The segments were changed, so they were measured again."))
            self._onChanged()

    def onEdit(self, checked: bool = False) -> None:
        """Open Segment Editor with the lungs and the CT."""
        parameters = self._logic.getParameterNode()
        segmentation, volume = parameters.outputSegmentation, parameters.inputVolume
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
        editor.setSegmentationNode(segmentation)
        editor.setSourceVolumeNode(volume)

    def onUndo(self, checked: bool = False) -> None:
        """Bring back the lungs that the last run replaced; the next click brings back those of now, as corrected."""
        result, self._undo = self._undo, None
        if result.segmentationNode.GetScene() is not None:
            result.frame.show()
            self._undo = replace(result, before=segmentation_nodes.saveLungs(result.segmentationNode))
            segmentation_nodes.restoreLungs(result.segmentationNode, result.before)
            self._say(_("The lungs are as they were before; Undo once more brings back those that were here now."))
            self._measure()
            if slicesToCheck := self._logic.getParameterNode().slicesToCheck:
                slicer.mrmlScene.RemoveNode(slicesToCheck)
        self._onChanged()

    def onMeasure(self, checked: bool = False) -> None:
        """Measure the segments as they are now."""
        with slicer.util.tryWithErrorDisplay(_("The lungs could not be measured."), waitCursor=True):
            self._measure()
        self._say(_("The measurements are those of the segments as they are now."))
        self._onChanged()

    def _measure(self) -> None:
        """Bring the table up to date with the segments; without lungs there is none."""
        parameters = self._logic.getParameterNode()
        volume, segmentation = parameters.inputVolume, parameters.outputSegmentation
        if volume and segmentation and segmentation_nodes.hasLungs(segmentation):
            rows = segmentation_nodes.measure(volume, segmentation)
            parameters.measurements = keepRows(parameters.measurements, volume, rows)
        else:
            parameters.measurements = None
        self._isOutdated = False

    def _observe(self, segmentationNode: Any) -> None:
        """Watch the segments of this node, which may be edited, and none else."""
        segments = segmentationNode.GetSegmentation() if segmentationNode else None
        if segments is self._segments:
            return
        kind = slicer.vtkSegmentation
        for event in (kind.SourceRepresentationModified, kind.SegmentModified, kind.SegmentRemoved):
            if self._segments:
                self.removeObserver(self._segments, event, self._onSegmentsModified)
            if segments:
                self.addObserver(segments, event, self._onSegmentsModified)
        self._isOutdated = segmentationNode is self._segmentationNode  # it got all of its segments anew
        self._segmentationNode, self._segments = segmentationNode, segments

    def _onSegmentsModified(self, caller: Any, event: Any) -> None:
        """The table may no longer fit; it is renewed when the user comes back from an editor."""
        self._isOutdated = True
