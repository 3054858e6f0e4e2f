"""The module LungSegResNet of 3D Slicer: segment the lungs of a chest CT, correct them, measure them."""

import logging
import time
from typing import Annotated

import qt
import slicer
import vtk
from LungSegResNetWidgets import measurement_table, segmentation_nodes
from LungSegResNetWidgets.dependencies import ensurePackages
from LungSegResNetWidgets.measurement_panel import MeasurementPanel
from LungSegResNetWidgets.readiness import modelToolTip, whyNotReady
from LungSegResNetWidgets.sample_data import registerSampleData
from LungSegResNetWidgets.segmentation_run import RunResult, RunSettings, SegmentationRun
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLTableNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

#
# LungSegResNet
#


class LungSegResNet(ScriptedLoadableModule):
    """What Slicer's module list shows."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("LungSegResNet")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["Segmentations", "SegmentEditor"]
        self.parent.contributors = ["LungSegResNet contributors"]
        self.parent.helpText = _(
            "Segments the right and the left lung in a chest CT with a residual network, on this computer. Choose the "
            "CT, click <b>Segment lungs</b>, check the result, correct it with <b>Edit</b>, and read the measurements. "
            "Not a medical device."
        )
        self.parent.acknowledgementText = _(
            "The network follows HighRes3DNet (W. Li et al., IPMI 2017) in two dimensions; measurements follow "
            "published density bands."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


#
# LungSegResNetParameterNode
#


@parameterNodeWrapper
class LungSegResNetParameterNode:
    """What the user chose; saved with the scene.

    inputVolume - The CT.
    outputSegmentation - Gets the lungs; none: a new one is made.
    measurements - Table with the last measurements.
    modelFile - Network file; empty: the shipped one.
    engine - What runs the network.
    device - Where the network runs.
    batchSize - Slices per pass; 0: what suits the device.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    outputSegmentation: vtkMRMLSegmentationNode
    measurements: vtkMRMLTableNode
    modelFile: str = ""
    engine: Annotated[str, Choice(["auto", "torch", "openvino"])] = "auto"
    device: Annotated[str, Choice(["auto", "cuda", "mps", "cpu"])] = "auto"
    batchSize: Annotated[int, WithinRange(0, 128)] = 0


#
# LungSegResNetWidget
#


class LungSegResNetWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None
        self._run = None
        self._undo = None
        self._told = ""  # the last news, shown until another CT is chosen
        self._observed = {}
        self._isOutdated = False  # segments were changed after they were measured

    def setup(self) -> None:
        """Called when the user opens the module for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/LungSegResNet.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = LungSegResNetLogic()

        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodeAdded)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)
        self.ui.segmentButton.connect("clicked(bool)", self.onSegment)
        self.ui.cancelButton.connect("clicked(bool)", self.onCancel)
        self.ui.editButton.connect("clicked(bool)", self.onEdit)
        self.ui.undoButton.connect("clicked(bool)", self.onUndo)
        self.ui.modelButton.connect("clicked(bool)", self.onChooseModel)
        self.ui.measureButton.connect("clicked(bool)", self.onMeasure)
        self.measurementPanel = MeasurementPanel(self.ui, self._say)
        slicer.app.connect("aboutToQuit()", self.onQuit)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """Called when the application closes and the panel is destroyed."""
        self.onQuit()
        slicer.app.disconnect("aboutToQuit()", self.onQuit)
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self) -> None:
        """Called each time the user opens this module."""
        self.initializeParameterNode()
        if self._isOutdated and self._parameterNode.measurements:
            self._measure()
            self._say(_("The segments were changed, so they were measured again."))
            self.updateGui()

    def exit(self) -> None:
        """Called each time the user opens another module; a run goes on."""
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event) -> None:
        """The scene is about to be closed: a run ends without a result."""
        self._stop(_("The scene was closed, so the run was stopped."))
        self._undo = None
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event) -> None:
        """The scene is empty now."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndImport(self, caller, event) -> None:
        """A scene was loaded, perhaps with our parameters."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onNodeAdded(self, caller, event) -> None:
        """The first CT that is loaded is chosen."""
        if self._parameterNode and not self._parameterNode.inputVolume:
            self._parameterNode.inputVolume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")

    def onNodeRemoved(self, caller, event) -> None:
        """The CT of a run may be gone."""
        if self._run and self._run.volumeNode.GetScene() is None:
            self._stop(_("The CT was removed from the scene, so the run was stopped."))
        self.updateGui()

    def onQuit(self) -> None:
        """Slicer ends: so does a run."""
        if self._run:
            self._run.cancelAndWait()
            self._run = None

    def initializeParameterNode(self) -> None:
        """Make sure that there is a parameter node with a CT in it if the scene has one."""
        parameterNode = self.logic.getParameterNode()
        if not parameterNode.inputVolume:
            parameterNode.inputVolume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
        self.setParameterNode(parameterNode)

    def setParameterNode(self, parameterNode: LungSegResNetParameterNode | None) -> None:
        """Show and observe a parameter node."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.updateGui)
        self._parameterNode = parameterNode
        if parameterNode:
            self._parameterNodeGuiTag = parameterNode.connectGui(self.ui)
            self.addObserver(parameterNode, vtk.vtkCommand.ModifiedEvent, self.updateGui)
            self.updateGui()

    def updateGui(self, caller=None, event=None) -> None:
        """Enable what can be done now; what cannot be done says why."""
        parameters = self._parameterNode
        if not parameters:
            return
        self._observeNodes()
        ui = self.ui
        running = self._run is not None
        segmentation = parameters.outputSegmentation
        reason = whyNotReady(parameters.inputVolume, segmentation, parameters.modelFile)
        self._enable(ui.segmentButton, reason, _("Find the right and the left lung in the CT."))
        for shown, widget in ((not running, ui.segmentButton), (running, ui.progressBar), (running, ui.cancelButton)):
            widget.setVisible(shown)
        for widget in (ui.inputsCollapsibleButton, ui.advancedCollapsibleButton):
            widget.enabled = not running
        ui.statusLabel.text = self._told or reason or _("Ready.")
        ui.modelLineEdit.toolTip = modelToolTip(parameters.modelFile)
        ui.show3DButton.setSegmentationNode(segmentation)
        hasLungs = bool(segmentation) and segmentation_nodes.hasLungs(segmentation)
        noLungs = "" if hasLungs else _("There are no lungs yet; click Segment lungs first.")
        self._enable(ui.editButton, noLungs, _("Correct the lungs in the module Segment Editor."))
        noUndo = "" if self._undo else _("There is nothing to undo.")
        self._enable(ui.undoButton, noUndo, _("Bring the lungs back as they were before the last run."))
        noCt = "" if parameters.inputVolume else _("Choose a CT volume first.")
        self._enable(ui.measureButton, noLungs or noCt, _("Measure the lungs again, as after corrections."))
        self.measurementPanel.show(parameters.measurements)

    def _observeNodes(self) -> None:
        """Voxels may come after a volume was chosen; segments may be edited."""
        volume, segmentation = self._parameterNode.inputVolume, self._parameterNode.outputSegmentation
        if self._observe(volume, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent, self.updateGui) and not self._run:
            self._told = ""
        segments = segmentation.GetSegmentation() if segmentation else None
        if self._observe(segments, slicer.vtkSegmentation.SourceRepresentationModified, self.onSegmentsModified):
            self._isOutdated = False

    def _observe(self, node, event, callback) -> bool:
        """Observe this object with the callback instead of the one before; True if it is another one."""
        before = self._observed.get(callback.__name__)
        if node is before:
            return False
        if before:
            self.removeObserver(before, event, callback)
        if node:
            self.addObserver(node, event, callback)
        self._observed[callback.__name__] = node
        return True

    def onSegmentsModified(self, caller, event) -> None:
        """The table may no longer fit the segments; it is renewed when the user comes back from an editor."""
        self._isOutdated = True

    @staticmethod
    def _enable(button, whyNot: str, toolTip: str) -> None:
        button.enabled = not whyNot
        button.toolTip = whyNot or toolTip

    def _say(self, *sentences: str) -> None:
        self._told = "\n".join(sentences)
        self.ui.statusLabel.text = self._told

    # Running

    def onSegment(self, checked: bool = False) -> None:
        """Start, after asking for whatever has to be asked."""
        parameters = self._parameterNode
        segmentation = parameters.outputSegmentation
        if segmentation and segmentation_nodes.hasLungs(segmentation):
            question = _(
                'The segmentation "{name}" has lungs already, perhaps corrected by hand. Replace them? '
                "Undo brings them back; other segments are not touched."
            )
            if not slicer.util.confirmYesNoDisplay(question.format(name=segmentation.GetName())):
                return
        try:
            if not ensurePackages(self.resourcePath("requirements.txt"), parameters.device):
                self._say(_("Nothing was installed, so nothing was done."))
                return
            self._run = self.logic.start(
                parameters.inputVolume,
                segmentation,
                RunSettings(parameters.modelFile, parameters.engine, parameters.device, parameters.batchSize),
                self.onRunEvent,
                self.onRunDone,
                self.onRunFailed,
            )
        except RuntimeError as error:
            self.onRunFailed(str(error))
            return
        self.ui.progressBar.setRange(0, 0)
        self.ui.progressBar.format = ""
        self._say(_("Starting..."))
        self.updateGui()

    def onRunEvent(self, event: dict) -> None:
        """Show what the computation tells."""
        if event["event"] == "progress":
            bar = self.ui.progressBar
            bar.setRange(0, event["total"])
            bar.value = event["done"]
            bar.format = _("slice %v of %m")
            left = event.get("seconds_left")
            if left is not None:
                bar.format += _(", about {seconds:.0f} s left").format(seconds=left)
            self._say(_("Segmenting..."))
        elif event["event"] == "stage":
            stages = {
                "load network": _("Loading the network..."),
                "read": _("Reading the CT..."),
                "segment": _("Segmenting..."),
                "write": _("Measuring..."),
            }
            self._say(stages.get(event["stage"], event["stage"]))

    def onRunDone(self, result: RunResult) -> None:
        """Show the lungs and their measurements."""
        volumeNode, self._run = self._run.volumeNode, None
        self._undo = result
        parameters = self.logic.getParameterNode()
        parameters.outputSegmentation = result.segmentationNode
        parameters.measurements = self.logic.keepMeasurements(
            parameters.measurements, volumeNode, result.summary["measurements"]
        )
        seconds = result.summary["seconds"]["total"]
        done = _("Done: {slices} slices in {seconds:.0f} s.").format(slices=result.summary["slices"], seconds=seconds)
        self.ui.usedLabel.text = _("Last run: {engine}.").format(engine=result.summary["why"])
        self._say(done, *result.summary["warnings"], *self.logic.transformNotes(volumeNode))
        self.updateGui()
        self._isOutdated = False

    def onRunFailed(self, sentence: str) -> None:
        """Say what went wrong; the scene is as it was."""
        self._run = None
        logging.error(sentence)
        self._say(sentence)
        self.updateGui()

    def onCancel(self, checked: bool = False) -> None:
        """Stop at once."""
        self._stop(_("Stopped; the scene is as it was."))

    def _stop(self, sentence: str) -> None:
        if self._run:
            self._run.cancel()
            self._run = None
            self._say(sentence)
        self.updateGui()

    # Afterwards

    def onEdit(self, checked: bool = False) -> None:
        """Open Segment Editor with the lungs and the CT."""
        parameters = self._parameterNode
        segmentation, volume = parameters.outputSegmentation, parameters.inputVolume
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
        editor.setSegmentationNode(segmentation)
        editor.setSourceVolumeNode(volume)

    def onUndo(self, checked: bool = False) -> None:
        """Bring back the lungs that the last run replaced."""
        result, self._undo = self._undo, None
        if result.segmentationNode.GetScene() is not None:
            segmentation_nodes.restoreLungs(result.segmentationNode, result.before)
            self._say(_("The lungs are as they were before the last run."))
            self._measure()
        self.updateGui()

    def onChooseModel(self, checked: bool = False) -> None:
        """Choose a network file."""
        path = qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), _("Network"), "", _("Networks (*.safetensors)"))
        if path:
            self._parameterNode.modelFile = path

    def onMeasure(self, checked: bool = False) -> None:
        """Measure the segments as they are now."""
        with slicer.util.tryWithErrorDisplay(_("The lungs could not be measured."), waitCursor=True):
            self._measure()
        self._say(_("The measurements are those of the segments as they are now."))
        self.updateGui()

    def _measure(self) -> None:
        """Bring the table up to date with the segments; without lungs there is none."""
        parameters = self._parameterNode
        volume, segmentation = parameters.inputVolume, parameters.outputSegmentation
        if volume and segmentation and segmentation_nodes.hasLungs(segmentation):
            rows = segmentation_nodes.measure(volume, segmentation)
            parameters.measurements = self.logic.keepMeasurements(parameters.measurements, volume, rows)
        else:
            parameters.measurements = None
        self._isOutdated = False


#
# LungSegResNetLogic
#


class LungSegResNetLogic(ScriptedLoadableModuleLogic):
    """What the panel does, for scripts too.

    Example
    -------
    >>> segmentation, summary = LungSegResNetLogic().process(volumeNode)
    """

    def getParameterNode(self) -> LungSegResNetParameterNode:
        """The parameters of this scene."""
        return LungSegResNetParameterNode(super().getParameterNode())

    def start(self, volumeNode, segmentationNode, settings, onEvent, onDone, onFailed) -> SegmentationRun:
        """Start a run in the background; see `SegmentationRun`. Raises RuntimeError with a sentence."""
        reason = whyNotReady(volumeNode, segmentationNode, settings.modelFile)
        if reason:
            raise RuntimeError(reason)
        run = SegmentationRun(volumeNode, segmentationNode, settings, onEvent, onDone, onFailed)
        run.start()
        return run

    def process(
        self,
        volumeNode: vtkMRMLScalarVolumeNode,
        segmentationNode: vtkMRMLSegmentationNode | None = None,
        settings: RunSettings | None = None,
    ) -> RunResult:
        """Segment and wait for the result; lungs that are in ``segmentationNode`` are replaced.

        Raises
        ------
        RuntimeError : with a sentence when it did not succeed.
        """
        results, problems = [], []
        self.start(
            volumeNode, segmentationNode, settings or RunSettings(), lambda event: None, results.append, problems.append
        )
        while not results and not problems:
            slicer.app.processEvents()
            time.sleep(0.02)
        if problems:
            raise RuntimeError(problems[0])
        return results[0]

    def keepMeasurements(self, tableNode, volumeNode, rows):
        """Write rows into the table node, made if there is none, and put it beside the CT."""
        if tableNode is None:
            name = f"{volumeNode.GetName()} lung measurements"
            tableNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
            segmentation_nodes.placeBeside(tableNode, volumeNode)
        measurement_table.fillTableNode(tableNode, rows)
        return tableNode

    def transformNotes(self, volumeNode) -> list[str]:
        """What the user should know about volumes under a parent transform."""
        transform = volumeNode.GetParentTransformNode()
        if transform is None:
            return []
        text = _('The lungs are under the transform "{name}" of the CT; measurements are of the scan without it.')
        return [text.format(name=transform.GetName())]


#
# LungSegResNetTest
#


class LungSegResNetTest(ScriptedLoadableModuleTest):
    """Runs in Slicer ("Reload and Test") on a thorax that is drawn here, so that nothing has to be downloaded."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Run all tests."""
        for name in ("test_lungs_of_a_drawn_thorax", "test_a_volume_without_lungs_is_an_error"):
            self.setUp()
            getattr(self, name)()

    def test_lungs_of_a_drawn_thorax(self):
        """Right and left lung come out where they were drawn, and are measured."""
        volumeNode, drawn = self.makeThorax()
        result = LungSegResNetLogic().process(volumeNode)
        for lung, name in enumerate(("right_lung", "left_lung"), 1):
            found = slicer.util.arrayFromSegmentBinaryLabelmap(result.segmentationNode, name, volumeNode) > 0
            overlap = 2 * (found & (drawn == lung)).sum() / (found.sum() + (drawn == lung).sum())
            self.assertGreater(overlap, 0.8)
        self.assertEqual(
            [row["region"] for row in result.summary["measurements"]], ["right lung", "left lung", "lungs"]
        )
        self.delayDisplay("The lungs of a drawn thorax were found")

    def test_a_volume_without_lungs_is_an_error(self):
        """The problem is told in a sentence, and nothing is added to the scene."""
        volumeNode, _drawn = self.makeThorax(lungs=False)
        with self.assertRaises(RuntimeError):
            LungSegResNetLogic().process(volumeNode)
        self.assertIsNone(slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode"))
        self.delayDisplay("A volume without lungs was refused")

    @staticmethod
    def makeThorax(lungs: bool = True):
        """A coarse thorax of ellipses as volume node, and its label array (1 right, 2 left)."""
        import numpy as np

        z, y, x = np.meshgrid(
            np.arange(-10, 10) * 10.0, np.arange(-75, 75) * 2.0, np.arange(-100, 100) * 2.0, indexing="ij"
        )
        hu = np.where((x / 175) ** 2 + (y / 115) ** 2 < 1, 45, -1000).astype(np.int16)
        labels = np.zeros(hu.shape, np.uint8)
        for lung, side in ((1, 1), (2, -1)):
            # Array columns run to the patient's right here (RAS).
            inside = ((x - side * 75) / 55) ** 2 + (y / 80) ** 2 + (z / 95) ** 2 < 1
            labels[inside] = lung
        if lungs:
            hu[labels > 0] = -850
        volumeNode = slicer.util.addVolumeFromArray(hu, name="Thorax")
        volumeNode.SetSpacing(2.0, 2.0, 10.0)
        return volumeNode, labels
