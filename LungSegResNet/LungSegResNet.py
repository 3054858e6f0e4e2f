"""The module LungSegResNet of 3D Slicer: segment the lungs of a chest CT, correct them, measure them."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import qt
import slicer
import vtk
from LungSegResNetWidgets.advanced_panel import SEGMENTS, AdvancedPanel
from LungSegResNetWidgets.batch_panel import BatchPanel
from LungSegResNetWidgets.connected_parameters import ParameterNodeConnection
from LungSegResNetWidgets.ct_of_lungs import followCt, forgetRemoved
from LungSegResNetWidgets.ct_tables import removeTablesOf
from LungSegResNetWidgets.dependencies import ensurePackages
from LungSegResNetWidgets.drawn_thorax import makeThorax
from LungSegResNetWidgets.frames import FRAMES
from LungSegResNetWidgets.kept_answers import KeptAnswers
from LungSegResNetWidgets.kept_choices import KeptChoices
from LungSegResNetWidgets.known_choices import withKnownChoices
from LungSegResNetWidgets.lung_measurement import measure
from LungSegResNetWidgets.lung_segments import roiOfLungs
from LungSegResNetWidgets.lung_surfaces import makeDueSurfaces
from LungSegResNetWidgets.node_choice import takeChoicesOf
from LungSegResNetWidgets.readiness import firstScan, shownScans, whyNoNetwork, whyNotReady
from LungSegResNetWidgets.reloading import forgetPackages
from LungSegResNetWidgets.result_panel import ResultPanel
from LungSegResNetWidgets.run_panel import RunPanel
from LungSegResNetWidgets.sample_data import registerSampleData
from LungSegResNetWidgets.segmentation_run import RunResult, RunSettings, SegmentationRun, ctWasRemoved
from LungSegResNetWidgets.sequence_run import SequenceRun
from LungSegResNetWidgets.slice_views import showVolume
from LungSegResNetWidgets.watched_node import WatchedNode
from LungSegResNetWidgets.worker_process import endKeptProcesses
from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
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

from LungSegResNetLib.choices import ENGINES, MASK_FORMATS, MOST_SMOOTHING_MM, TORCH_DEVICES

_GUIDE = "https://github.com/LungSegResNet/SlicerLungSegResNet/blob/main/docs/slicer.md"

#
# LungSegResNet
#


class LungSegResNet(ScriptedLoadableModule):
    """What Slicer's module list shows."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("LungSegResNet")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["Segmentations", "SegmentEditor", "Sequences"]
        self.parent.contributors = ["LungSegResNet contributors"]
        self.parent.helpText = _(
            "Segments the right and the left lung in a chest CT with a residual network, on this computer. Choose the "
            "CT, click <b>Segment lungs</b>, check the result, correct it with <b>Edit...</b>, and read the "
            "measurements. Lung that is as dense as soft tissue is often found in part only. For research; not a "
            "medical device, not for diagnosis."
        )
        self.parent.helpText += " " + _('More in the <a href="{url}">guide</a>.').format(url=_GUIDE)
        self.parent.acknowledgementText = _(
            "Method: F. Gholamiankhah et al., Automated lung segmentation from CT images of normal and COVID-19 "
            "pneumonia patients, arXiv 2104.02042, 2021. Its network follows HighRes3DNet (W. Li et al., IPMI 2017) in "
            "two dimensions. Please cite both."
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
    frames - Of a sequence: the one that is shown, or all.
    modelFile - Network file; empty: the shipped one.
    engine - What runs the network.
    device - Where the network runs.
    batchSize - Slices per pass; 0: what suits the device.
    segments - A segment for each lung, or one for both.
    smoothingMm - Kernel that smooths the borders, in mm; 0: none.
    roi - Lungs are replaced inside of this box only; none: everywhere.
    batchInput, batchOutput, batchFormat - Folder of scans, folder for their lungs, and files of what kind.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    outputSegmentation: vtkMRMLSegmentationNode
    frames: Annotated[str, Choice(list(FRAMES))] = FRAMES[0]
    modelFile: str = ""
    engine: Annotated[str, Choice(list(ENGINES))] = ENGINES[0]
    device: Annotated[str, Choice(list(TORCH_DEVICES))] = TORCH_DEVICES[0]
    batchSize: Annotated[int, WithinRange(0, 128)] = 0
    segments: Annotated[str, Choice(list(SEGMENTS))] = SEGMENTS[0]
    smoothingMm: Annotated[float, WithinRange(0.0, MOST_SMOOTHING_MM)] = 0.0
    roi: vtkMRMLMarkupsROINode
    batchInput: str = ""
    batchOutput: str = ""
    batchFormat: Annotated[str, Choice(list(MASK_FORMATS))] = MASK_FORMATS[0]


_OUTLIVE_THE_SCENE = (
    "modelFile",
    "engine",
    "device",
    "batchSize",
    "segments",
    "smoothingMm",
    "batchInput",
    "batchOutput",
    "batchFormat",
)

# What the panel shows, or says why it does not, depends on nodes of these kinds.
_SHOWN_KINDS = (
    "vtkMRMLScalarVolumeNode",
    "vtkMRMLSegmentationNode",
    "vtkMRMLSequenceBrowserNode",
    "vtkMRMLSequenceNode",
    "vtkMRMLTableNode",
    "vtkMRMLTransformNode",
)

#
# LungSegResNetWidget
#


class LungSegResNetWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: connects its parts with the scene and the parameter node."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._connection = ParameterNodeConnection(self, self.showTitles, self.updateGui)
        self._keptChoices = KeptChoices(_OUTLIVE_THE_SCENE)
        self._disk = KeptAnswers()
        imageModified = slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent  # voxels may come after a volume was chosen
        # That it has another name or geometry, or a script changed its voxels, is told by this event alone.
        modified = {vtk.vtkCommand.ModifiedEvent: self.updateGuiLater}
        moved = {slicer.vtkMRMLTransformableNode.TransformModifiedEvent: self.updateGuiLater}
        self._volume = WatchedNode({imageModified: self.onImageModified, **modified, **moved})
        self._segmentation = WatchedNode(moved)
        self._isUpdateDue = False
        self._newsAreOf = vtk.vtkWeakReference(), vtk.vtkWeakReference()  # CT and lungs
        self._seen = vtk.vtkWeakReference()  # the CT of the slice views when the choice was last left to the user

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
        self.addObserver(scene, scene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodeAdded)
        self.addObserver(scene, scene.NodeAboutToBeRemovedEvent, self.onNodeAboutToBeRemoved)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)
        callbacks = (self.onRunDone, self.onRunChanged)
        self.runPanel = RunPanel(self.ui, self.logic, self.ensurePackages, self._disk, *callbacks)
        news = (self.runPanel.say, lambda: self.runPanel.told)
        self.resultPanel = ResultPanel(self.ui, self.logic, *news, self.updateGui)
        parameters, isSegmenting = self.logic.getParameterNode, lambda: self.runPanel.running
        self.batchPanel = BatchPanel(self.ui, parameters, self.ensurePackages, self._disk, isSegmenting)
        self.advancedPanel = AdvancedPanel(self.ui, self.logic.getParameterNode, self._disk)
        selectors = [self.ui.inputSelector, self.ui.outputSelector, self.ui.roiSelector]
        takeChoicesOf(selectors, lambda: self._connection.node)
        slicer.app.connect("aboutToQuit()", self.onQuit)
        self.initializeParameterNode()
        self._seeViews()

    def cleanup(self) -> None:
        """Called when the application closes and the panel is destroyed."""
        self.onQuit()
        slicer.app.disconnect("aboutToQuit()", self.onQuit)
        self._connection.disconnect()
        self._watch(None, None)
        self.removeObservers()

    def onReload(self) -> None:
        """Called by the developer's button: read all files of the module again, not only this one."""
        forgetPackages("LungSegResNetWidgets", "LungSegResNetLib")
        ScriptedLoadableModuleWidget.onReload(self)

    def enter(self) -> None:
        """Called each time the user opens this module."""
        self._disk.forget()
        self._followViews()
        self.initializeParameterNode()
        self.resultPanel.renew()

    def exit(self) -> None:
        """Called each time the user opens another module; a run goes on."""
        self.batchPanel.stopShowing()
        self._seeViews()
        self._connection.disconnect()

    def onSceneStartClose(self, caller, event) -> None:
        """The scene is about to be closed: a run ends without a result."""
        self._keptChoices.keep(self.logic.getParameterNode())
        self._connection.disconnect()
        self._watch(None, None)
        self._forgetNewsOfOthers(None, None)
        self.runPanel.stop(_("The scene was closed, so the run was stopped."))
        self.resultPanel.forgetUndo()
        self.batchPanel.stopShowing()

    def onSceneEndClose(self, caller, event) -> None:
        """The scene is empty now; the next one is segmented with the same network and settings."""
        self._keptChoices.bringBack(self.logic.getParameterNode())
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneStartImport(self, caller, event) -> None:
        """A scene is being loaded: its nodes come one by one, and selectors are emptied and filled again."""
        self._connection.disconnect()
        self._watch(None, None)

    def onSceneEndImport(self, caller, event) -> None:
        """A scene was loaded, perhaps with our parameters."""
        if self.batchPanel.running:
            self.batchPanel.keepParameters(self.logic.getParameterNode())
        self._seeViews()
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onNodeAdded(self, caller, event) -> None:
        """The first CT that is loaded is chosen."""
        parameters = self._connection.node
        if parameters and not parameters.inputVolume:
            parameters.inputVolume = firstScan()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAboutToBeRemoved(self, caller, event, node) -> None:
        """What is removed is chosen no more, also while another module is open, and has no tables."""
        if any(node.IsA(kind) for kind in ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode")):
            removeTablesOf(node)
        fields = ("inputVolume", "outputSegmentation", "roi")
        forgetRemoved(lambda: self._connection.node or self.logic.getParameterNode(), node, *fields)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeRemoved(self, caller, event, node) -> None:
        """The CT of a run may be gone, and so may be what is shown; other modules remove nodes all the time."""
        run = self.runPanel.run
        if run and run.volumeNode.GetScene() is None:
            parameters = self.logic.getParameterNode()
            self._forgetNewsOfOthers(parameters.inputVolume, parameters.outputSegmentation)
            self.runPanel.stop(ctWasRemoved())
        self.resultPanel.forgetRemoved()
        if any(node.IsA(kind) for kind in _SHOWN_KINDS):
            self.updateGui()

    def onQuit(self) -> None:
        """Slicer ends: so do its processes."""
        self.runPanel.stopAndWait()
        self.batchPanel.stopAndWait()
        self.resultPanel.stopMeasuring()
        endKeptProcesses()

    def ensurePackages(self) -> bool:
        """Install what a run lacks, after asking; RuntimeError with a sentence if it does not succeed."""
        parameters = self.logic.getParameterNode()
        return ensurePackages(self.resourcePath("requirements.txt"), parameters.engine, parameters.device)

    def initializeParameterNode(self) -> None:
        """Make sure that there is a parameter node with a CT in it if the scene has one."""
        parameterNode = self.logic.getParameterNode()
        if not parameterNode.inputVolume:
            parameterNode.inputVolume = firstScan()
        self._connection.connect(parameterNode)

    def _seeViews(self) -> None:
        """What the slice views show now is no reason to choose another CT."""
        self._seen.Set(next(iter(shownScans()), None))

    def _followViews(self) -> None:
        """Choose the CT that the slice views show, where they have come to show another one in other modules."""
        shown, parameters = shownScans(), self.logic.getParameterNode()
        isNew = bool(shown) and shown[0] is not self._seen.Get() and parameters.inputVolume not in shown
        if isNew and not self.runPanel.running:
            parameters.inputVolume = shown[0]

    def showTitles(self) -> None:
        """Call the choices by their names in the user's language; the parameter node has been connected."""
        self.runPanel.showTitles()
        self.advancedPanel.showTitles()

    def updateGui(self, caller=None, event=None) -> None:
        """Each part enables what can be done now."""
        parameters = self._connection.node
        if not parameters:
            return
        before = self._volume.node
        self._watch(parameters.inputVolume, parameters.outputSegmentation)
        self._forgetNewsOfOthers(parameters.inputVolume, parameters.outputSegmentation)
        if before and before is not parameters.inputVolume:
            followCt(parameters, "inputVolume", "outputSegmentation")
        self.advancedPanel.update(parameters)
        self.runPanel.update(parameters)
        self.resultPanel.update(parameters)
        self.batchPanel.update(parameters)

    def updateGuiLater(self, caller=None, event=None) -> None:
        """CT or transform were changed, or another transform chosen: while it is moved, this is called at each step."""
        if not self._isUpdateDue:
            self._isUpdateDue = True
            qt.QTimer.singleShot(0, self._updateNow)

    def _updateNow(self) -> None:
        self._isUpdateDue = False
        self.updateGui()

    def _watch(self, volume, segmentation) -> None:
        """Follow the changes of CT and lungs."""
        self._volume.watch(volume)
        self._segmentation.watch(segmentation)

    def _forgetNewsOfOthers(self, *nodes) -> None:
        """News of another CT or other lungs than these, or none, are none; those to come are of these."""
        if any(node is not known.Get() for node, known in zip(nodes, self._newsAreOf, strict=True)):
            self.runPanel.forgetNews()
        for node, known in zip(nodes, self._newsAreOf, strict=True):
            known.Set(node)

    def onImageModified(self, caller, event) -> None:
        """The voxels of the CT have come, or were changed."""
        self.resultPanel.askAgain()

    def onRunChanged(self) -> None:
        """A run has begun or ended, or could not be started, perhaps because of a file that is gone."""
        self._disk.forget()
        self.updateGui()

    def onRunDone(self, result: RunResult) -> list[str]:
        """Show the lungs and their measurements; returns how it went, in sentences."""
        self.resultPanel.take(result)
        self._forgetNewsOfOthers(result.volumeNode, result.segmentationNode)
        if self.parent.isEntered:  # other modules keep their views
            showVolume(result.volumeNode)
        self._seeViews()
        summary = result.summary
        done = _("Done: {slices} slices in {seconds:.0f} s. Look at every slice, first at those listed below.")
        if not summary["slices_to_check"]:
            done = _("Done: {slices} slices in {seconds:.0f} s. Look at every slice.")
        if "frames" in summary:
            done = _("Done: {frames} frames in {seconds:.0f} s. Measurements are of the frame that is shown.")
        done = result.problem or done.format(**{**summary, "seconds": summary["seconds"]["total"]})
        if roi := roiOfLungs(result.segmentationNode):
            done += " " + _('Lungs are new only inside the ROI "{name}".').format(name=roi)
        if self.logic.getParameterNode().modelFile:
            done += " " + _("Network: {name} {version}.").format(**summary["model"])
        self.advancedPanel.showEngine(summary["why"])
        return [done, *summary["warnings"]]


#
# LungSegResNetLogic
#


class LungSegResNetLogic(ScriptedLoadableModuleLogic):
    """What the panel does, for scripts too.

    Example
    -------
    >>> result = LungSegResNetLogic().process(volumeNode)
    >>> result.segmentationNode, result.summary["measurements"]
    """

    def getParameterNode(self) -> LungSegResNetParameterNode:
        """The parameters of this scene."""
        return withKnownChoices(LungSegResNetParameterNode(super().getParameterNode()))

    def start(self, volumeNode, segmentationNode, settings, onEvent, onDone, onFailed) -> SegmentationRun:
        """Start a run in the background; see `SegmentationRun`. Raises RuntimeError with a sentence."""
        reason = whyNotReady(volumeNode, segmentationNode) or whyNoNetwork(settings.modelFile)
        if reason:
            raise RuntimeError(reason)
        run = SegmentationRun(volumeNode, segmentationNode, settings, onEvent, onDone, onFailed)
        run.start()
        return run

    def startAllFrames(self, volumeNode, settings, onEvent, onDone, onFailed) -> SequenceRun:
        """Start a run over the frames of a sequence; see `SequenceRun`. Raises RuntimeError with a sentence."""
        reason = whyNotReady(volumeNode, None) or whyNoNetwork(settings.modelFile)
        if reason:
            raise RuntimeError(reason)
        run = SequenceRun(volumeNode, settings, onEvent, onDone, onFailed)
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
        makeDueSurfaces()
        result = results[0]
        if not result.summary["measurements"]:
            rows = measure(result.volumeNode, result.segmentationNode)
            result = replace(result, summary={**result.summary, "measurements": rows})
        return result


#
# LungSegResNetTest
#


class LungSegResNetTest(ScriptedLoadableModuleTest):
    """Runs in Slicer ("Reload and Test") on a thorax that is drawn here, so that nothing has to be downloaded."""

    def setUp(self):
        """An empty scene, and the packages of a run; in testing mode Slicer installs them without asking."""
        slicer.mrmlScene.Clear()
        requirements = Path(__file__).with_name("Resources") / "requirements.txt"
        self.assertTrue(ensurePackages(str(requirements), "auto", "cpu"))

    def runTest(self):
        """Run all tests."""
        for name in ("test_lungs_of_a_drawn_thorax", "test_a_volume_without_lungs_is_an_error"):
            self.setUp()
            getattr(self, name)()

    def test_lungs_of_a_drawn_thorax(self):
        """Right and left lung come out where they were drawn, and are measured."""
        volumeNode, drawn = makeThorax()
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
        volumeNode, _drawn = makeThorax(lungs=False)
        with self.assertRaises(RuntimeError):
            LungSegResNetLogic().process(volumeNode)
        self.assertIsNone(slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode"))
        self.delayDisplay("A volume without lungs was refused")
