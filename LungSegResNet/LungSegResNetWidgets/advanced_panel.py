"""The part of the panel with the choices that most users leave as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from .choice_titles import deviceTitles, showTitles
from .kept_answers import KeptAnswers
from .readiness import modelToolTip, whatRuns
from .region import Region, fitNewRoi, touches, whyNoRegion
from .segmentation_run import RunSettings
from .table_widget import wrapped

SEGMENTS = ("right and left", "one (lungs)")


class AdvancedPanel:
    """Drives the widgets of ``ui`` that are not only bound to the parameter node, which ``parameters`` gives."""

    def __init__(self, ui: Any, parameters: Callable[[], Any], disk: KeptAnswers) -> None:
        self._ui = ui
        self._parameters = parameters
        self._disk = disk
        self._lastRun = ""
        self._volume = vtk.vtkWeakReference()  # the CT that the ROI is known to be meant for
        ui.modelButton.connect("clicked(bool)", self.onChooseModel)

    def update(self, parameters: Any) -> None:
        """Tell what the network is and what an automatic choice means here; give a new ROI its place."""
        self._ui.usedLabel.text = self._lastRun or whatRuns(parameters.engine, parameters.device)
        self._ui.modelLineEdit.toolTip = wrapped(self._disk.ask(modelToolTip, parameters.modelFile))
        if parameters.inputVolume and parameters.inputVolume.GetImageData():
            self._leaveRoi(parameters)
            if parameters.roi:
                fitNewRoi(parameters.roi, parameters.inputVolume)

    def _leaveRoi(self, parameters: Any) -> None:
        """A ROI of the CT before is not kept for one that lies elsewhere."""
        volume, roi = parameters.inputVolume, parameters.roi
        if volume is self._volume.Get():
            return
        self._volume.Set(volume)
        if roi and any(roi.GetSize()) and not touches(roi, volume):
            parameters.roi = None

    def showTitles(self) -> None:
        """Call the choices by their names in the user's language; the parameter node has been connected."""
        ui = self._ui
        showTitles(
            ui.segmentsComboBox,
            {SEGMENTS[0]: _("right lung and left lung"), SEGMENTS[1]: _("both lungs as one segment")},
        )
        showTitles(ui.engineComboBox, {"auto": _("automatic"), "torch": "PyTorch", "openvino": "OpenVINO"})
        showTitles(ui.deviceComboBox, deviceTitles())

    def showEngine(self, why: str) -> None:
        """Tell what the last run took."""
        self._lastRun = _("Last run: {engine}.").format(engine=why)

    def onChooseModel(self, checked: bool = False) -> None:
        """Choose a network file."""
        path = qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), _("Network"), "", _("Networks (*.safetensors)"))
        if path:
            self._disk.forget()
            self._parameters().modelFile = path


def commandSettingsOf(parameters: Any) -> RunSettings:
    """What the parameter node says about any scan."""
    return RunSettings(
        modelFile=parameters.modelFile,
        engine=parameters.engine,
        device=parameters.device,
        batchSize=parameters.batchSize,
        smoothingMm=parameters.smoothingMm,
        isOneSegment=parameters.segments == SEGMENTS[1],
    )


def settingsOf(parameters: Any) -> RunSettings:
    """What the parameter node says about a run.

    Raises
    ------
    RuntimeError : the run cannot be restricted to the ROI; a sentence.
    """
    volume, roi = parameters.inputVolume, parameters.roi
    if reason := whyNoRegion(volume, roi):
        raise RuntimeError(reason)
    region = Region.of(roi, volume) if roi and volume else None
    return replace(commandSettingsOf(parameters), region=region)
