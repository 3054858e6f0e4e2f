"""The module LungSegResNet Training of 3D Slicer: check a data set, train a network on it, judge the network."""

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import qt
import slicer
import vtk
from LungSegResNetTrainingWidgets.case_nodes import newAmong, readerOfCase, showCase, writeCase
from LungSegResNetTrainingWidgets.data_panel import DataPanel
from LungSegResNetTrainingWidgets.evaluate_panel import EvaluatePanel
from LungSegResNetTrainingWidgets.run_folder import FILE, NO_START, RUN_PARAMETERS
from LungSegResNetTrainingWidgets.train_panel import TrainPanel
from LungSegResNetWidgets.connected_parameters import ParameterNodeConnection
from LungSegResNetWidgets.ct_of_lungs import followCt, forgetRemoved, lungsOf
from LungSegResNetWidgets.dependencies import ensurePackages
from LungSegResNetWidgets.kept_answers import KeptAnswers
from LungSegResNetWidgets.kept_choices import KeptChoices
from LungSegResNetWidgets.known_choices import withKnownChoices
from LungSegResNetWidgets.node_choice import takeChoicesOf
from LungSegResNetWidgets.readiness import scans, shownScans
from LungSegResNetWidgets.reloading import forgetPackages
from LungSegResNetWidgets.worker_process import endKeptProcesses
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
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

from LungSegResNetLib.choices import TORCH_DEVICES
from LungSegResNetTrainingLib.choices import FINE_TUNE, PRESETS, SHIPPED

_GUIDE = "https://github.com/LungSegResNet/SlicerLungSegResNet/blob/main/docs/training.md"

#
# LungSegResNetTraining
#


class LungSegResNetTraining(ScriptedLoadableModule):
    """What Slicer's module list shows."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("LungSegResNet Training")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["LungSegResNet", "Segmentations", "Plots"]
        self.parent.contributors = ["LungSegResNet contributors"]
        self.parent.helpText = _(
            "Trains the lung segmentation network on your own CTs and masks, on this computer. <b>Check</b> the cases, "
            "<b>Start training</b>, then <b>Evaluate</b> and <b>Use this network</b>. For research; not a "
            "medical device, not for diagnosis."
        )
        self.parent.helpText += " " + _('More in the <a href="{url}">guide</a>.').format(url=_GUIDE)
        self.parent.acknowledgementText = _(
            "Method: F. Gholamiankhah et al., Automated lung segmentation from CT images of normal and COVID-19 "
            "pneumonia patients, arXiv 2104.02042, 2021. Its network follows HighRes3DNet (W. Li et al., IPMI 2017) in "
            "two dimensions. Please cite both."
        )


#
# LungSegResNetTrainingParameterNode
#


@parameterNodeWrapper
class LungSegResNetTrainingParameterNode:
    """What the user chose; saved with the scene.

    caseVolume, caseSegmentation - CT and lungs of a case to be added.
    dataSet - Folder, or CSV file, with the cases.
    runFolder - Where the run is kept.
    preset - Settings of the run.
    startNetwork, startFile - What training begins with.
    steps, batchSize - Of the run; 0: as the preset has them.
    validateEvery - Steps between validations.
    device - Where the network is trained and judged.
    includeDoubtful - Whether cases that the check doubts are trained on, too.
    workers - Processes that prepare slices; 0: that which trains; -1: what suits the device.
    """

    caseVolume: vtkMRMLScalarVolumeNode
    caseSegmentation: vtkMRMLSegmentationNode
    dataSet: str = ""
    runFolder: str = ""
    preset: Annotated[str, Choice(list(PRESETS))] = FINE_TUNE
    startNetwork: Annotated[str, Choice([SHIPPED, FILE, NO_START])] = SHIPPED
    startFile: str = ""
    steps: Annotated[int, WithinRange(0, 1000000)] = 0
    batchSize: Annotated[int, WithinRange(0, 256)] = 0
    validateEvery: Annotated[int, WithinRange(1, 10000)] = 50
    device: Annotated[str, Choice(list(TORCH_DEVICES))] = TORCH_DEVICES[0]
    includeDoubtful: bool = False
    workers: Annotated[int, WithinRange(-1, 16)] = -1


#
# LungSegResNetTrainingWidget
#


class CloseQuestion(qt.QObject):
    """Asks before the main window closes; ``mayClose`` tells whether it may."""

    def __init__(self, mayClose) -> None:
        super().__init__()
        self._mayClose = mayClose

    def eventFilter(self, watched, event) -> bool:
        """Called by Qt for each event of the main window; on macOS it may be told to close once more when it has."""
        if event.type() == qt.QEvent.Close and watched.visible and not self._mayClose():
            event.ignore()
            return True
        return False


class LungSegResNetTrainingWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: three steps, each with a process of its own."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._keptChoices = KeptChoices(RUN_PARAMETERS)
        self._disk = KeptAnswers()
        self._isUpdating = False
        self._caseVolume = vtk.vtkWeakReference()  # the CT that was chosen at the last update

    def setup(self) -> None:
        """Called when the user opens the module for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/LungSegResNetTraining.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = LungSegResNetTrainingLogic()
        parameters = self.parameters
        shared = (self.ui, parameters, self.ensurePackages, self._disk)
        self.dataPanel = DataPanel(*shared)
        self.trainPanel = TrainPanel(*shared, self.onTrainingChanged)
        self.evaluatePanel = EvaluatePanel(*shared, lambda: self.trainPanel.running)
        self._connection = ParameterNodeConnection(self, self.trainPanel.showTitles, self.updateGui)

        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeAboutToBeRemovedEvent, self.onNodeAboutToBeRemoved)
        self._closeQuestion = CloseQuestion(self.mayClose)
        if slicer.util.mainWindow():  # there is none with --no-main-window
            slicer.util.mainWindow().installEventFilter(self._closeQuestion)
        takeChoicesOf([self.ui.caseVolumeSelector, self.ui.caseSegmentationSelector], parameters)
        slicer.app.connect("aboutToQuit()", self.onQuit)
        self.initializeParameterNode()
        self.trainPanel.offerUnfinished()

    def cleanup(self) -> None:
        """Called when the application closes and the panel is destroyed."""
        self.onQuit()
        slicer.app.disconnect("aboutToQuit()", self.onQuit)
        if slicer.util.mainWindow():
            slicer.util.mainWindow().removeEventFilter(self._closeQuestion)
        self._connection.disconnect()
        self.removeObservers()

    def onReload(self) -> None:
        """Called by the developer's button: read all files of the module again, not only this one."""
        forgetPackages("LungSegResNetTrainingWidgets", "LungSegResNetTrainingLib")
        ScriptedLoadableModuleWidget.onReload(self)

    def enter(self) -> None:
        """Called each time the user opens this module: a case is made of the CT that was corrected meanwhile."""
        self._disk.forget()
        if shown := newAmong(shownScans()):
            self.logic.getParameterNode().caseVolume = shown
        self.initializeParameterNode()

    def exit(self) -> None:
        """Called each time the user opens another module; what runs goes on."""
        self.dataPanel.stopShowing()
        self.evaluatePanel.stopShowing()
        self._connection.disconnect()

    def onSceneStartClose(self, caller, event) -> None:
        """The scene is about to be closed: files and runs are not part of it."""
        self.dataPanel.stopShowing()
        self.evaluatePanel.stopShowing()
        self._keptChoices.keep(self.logic.getParameterNode())
        self._connection.disconnect()

    def onSceneEndClose(self, caller, event) -> None:
        """The scene is empty now."""
        self._keptChoices.bringBack(self.logic.getParameterNode())
        self.trainPanel.onSceneClosed()
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneStartImport(self, caller, event) -> None:
        """A scene is being loaded: selectors are emptied and filled again, and the choices must not follow."""
        self._connection.disconnect()

    def onSceneEndImport(self, caller, event) -> None:
        """A scene was loaded, perhaps with our parameters."""
        if self.trainPanel.running:
            self.trainPanel.keepParameters(self.logic.getParameterNode())
        if self.parent.isEntered:
            self.initializeParameterNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAboutToBeRemoved(self, caller, event, node) -> None:
        """What is removed is chosen no more, also while another module is open."""
        fields = ("caseVolume", "caseSegmentation")
        forgetRemoved(lambda: self._connection.node or self.logic.getParameterNode(), node, *fields)

    def mayClose(self) -> bool:
        """Ask before a training run is ended by quitting."""
        question = _(
            "A training run is still going. Quit and stop it? This panel will offer to resume it from its last "
            "checkpoint the next time."
        )
        return not self.trainPanel.running or bool(slicer.util.confirmYesNoDisplay(question))

    def onQuit(self) -> None:
        """Slicer ends: so do its processes."""
        self.dataPanel.stopAndWait()
        self.trainPanel.stopAndWait()
        self.evaluatePanel.stopAndWait()
        endKeptProcesses()

    def parameters(self) -> LungSegResNetTrainingParameterNode | None:
        """The parameters that are shown; None while there is none, as while the scene closes."""
        return self._connection.node

    def ensurePackages(self) -> bool:
        """Install what is missing, after asking; RuntimeError with a sentence if it does not succeed."""
        isReady = ensurePackages(self.resourcePath("training_requirements.txt"), "torch")
        if self._connection.node is None:
            raise RuntimeError(_("Another module was opened meanwhile, so nothing was started; click again."))
        return isReady

    def initializeParameterNode(self) -> None:
        """Make sure that there is a parameter node; a CT in the scene and its lungs are chosen for a new case."""
        parameterNode = self.logic.getParameterNode()
        if not parameterNode.caseVolume:
            parameterNode.caseVolume = newAmong(scans())
        if not parameterNode.caseSegmentation:
            parameterNode.caseSegmentation = lungsOf(parameterNode.caseVolume)
        self._connection.connect(parameterNode)

    def onTrainingChanged(self) -> None:
        """A run has begun or ended, or could not be started."""
        self._disk.forget()
        self.updateGui()

    def updateGui(self, caller=None, event=None) -> None:
        """Enable what can be done now; what cannot be done says why."""
        # A begun run brings its own choices, which change the parameters again.
        if self._isUpdating:
            return
        self._isUpdating = True
        try:
            self.dataPanel.letGoOfWritten()
            self._followCaseVolume()
            for panel in (self.trainPanel, self.dataPanel, self.evaluatePanel):  # a begun run names its data set
                panel.update()
        finally:
            self._isUpdating = False

    def _followCaseVolume(self) -> None:
        """With another CT its lungs are chosen; lungs that come with a loaded scene stay."""
        parameters = self.parameters()
        if parameters is None:
            return
        before, volume = self._caseVolume.Get(), parameters.caseVolume
        self._caseVolume.Set(volume)
        if volume is not before and (before or not parameters.caseSegmentation):
            followCt(parameters, "caseVolume", "caseSegmentation")


#
# LungSegResNetTrainingLogic
#


class LungSegResNetTrainingLogic(ScriptedLoadableModuleLogic):
    """The parameters of the panel; what it does is done by ``lungsegresnet-train``, for scripts too."""

    def getParameterNode(self) -> LungSegResNetTrainingParameterNode:
        """The parameters of this scene."""
        return withKnownChoices(LungSegResNetTrainingParameterNode(super().getParameterNode()))


#
# LungSegResNetTrainingTest
#


class LungSegResNetTrainingTest(ScriptedLoadableModuleTest):
    """Runs in Slicer ("Reload and Test") on a thorax that is drawn here, so that nothing has to be downloaded."""

    def setUp(self):
        """An empty scene, and the packages that read cases; in testing mode they are installed without asking."""
        slicer.mrmlScene.Clear()
        requirements = Path(slicer.modules.lungsegresnet.path).with_name("Resources") / "requirements.txt"
        self.assertTrue(ensurePackages(str(requirements), "auto", "cpu"))

    def runTest(self):
        """Run all tests."""
        self.setUp()
        self.test_a_case_is_written_and_read_again()

    def test_a_case_is_written_and_read_again(self):
        """A corrected segmentation becomes a case that comes back with the same voxels."""
        from LungSegResNetWidgets.drawn_thorax import makeThorax
        from LungSegResNetWidgets.lung_measurement import ctAndLungs
        from LungSegResNetWidgets.lung_segments import placeWithVolume, writeLungs

        from LungSegResNetTrainingLib.data.data_set import list_data_set

        volumeNode, drawn = makeThorax()
        segmentationNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lungs")
        placeWithVolume(segmentationNode, volumeNode)
        writeLungs(segmentationNode, volumeNode, drawn)
        with tempfile.TemporaryDirectory() as folder:
            writeCase(volumeNode, segmentationNode, folder, "thorax")
            (case,) = list_data_set(Path(folder)).cases
            shown = showCase(readerOfCase(case)())
        ct, labels = ctAndLungs(volumeNode, segmentationNode)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(shown), ct.hu)
        again = slicer.mrmlScene.GetNodesByName("thorax reference").GetItemAsObject(0)
        np.testing.assert_array_equal(ctAndLungs(shown, again)[1], labels)
        self.delayDisplay("A case was written and read again")
