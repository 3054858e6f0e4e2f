"""One run from a volume node to lung segments: export, compute in another process, import."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired

import numpy as np
import slicer
from slicer.i18n import tr as _

from LungSegResNetLib.jobs.summary_file import CaseSummary

from .background_command import BackgroundCommand
from .frames import ShownFrame
from .lung_segments import SavedLungs, noteRoi, placeWithVolume, restoreLungs, saveLungs, writeLungs
from .node_names import freeName
from .region import Region
from .temporary_folder import makeTemporaryFolder
from .volume_nodes import stateOf
from .voxel_box import VoxelBox
from .worker_process import nameForWorker


@dataclass(frozen=True)
class RunSettings:
    """What the user chose.

    Attributes
    ----------
    modelFile : network; empty: the shipped one.
    batchSize : slices per pass; 0: what suits the device.
    smoothingMm : kernel that smooths the borders, in mm; 0: none.
    isOneSegment : one segment "lungs" in place of a right and a left one.
    region : lungs are replaced inside of it only; None: everywhere.
    """

    modelFile: str = ""
    engine: str = "auto"
    device: str = "auto"
    batchSize: int = 0
    smoothingMm: float = 0.0
    isOneSegment: bool = False
    region: Region | None = None

    @property
    def roi(self) -> str:
        """Name of the ROI that the run is restricted to; empty if it is to none."""
        return self.region.name if self.region else ""

    def arguments(self) -> list[str]:
        """Options of the command line."""
        options = ["--engine", self.engine, "--device", self.device]
        if self.modelFile:
            options += ["--model", str(Path(self.modelFile).absolute())]  # the process works in another folder
        if self.batchSize:
            options += ["--batch-size", str(self.batchSize)]
        if self.smoothingMm:
            options += ["--smoothing", f"{self.smoothingMm:g}"]
        if self.region:
            options += self.region.arguments()
        return options


class RunSummary(CaseSummary):
    """What the command line tells with ``--json``, and of how many frames of a sequence, if it is of one."""

    frames: NotRequired[int]


@dataclass(frozen=True)
class RunResult:
    """What a run left behind.

    Attributes
    ----------
    volumeNode : the CT; None once it was removed from the scene.
    segmentationNode : the node that holds the lungs.
    summary : as `RunSummary`; measurements and slices to check are those of the shown frame. There are no measurements
        after a run that was restricted to a region.
    before : lung segments as they were, for undo; None where a run cannot be undone.
    frame : the frame of the volume that was segmented.
    problem : what ended a run over frames before its last one, in sentences; empty where all are done.
    """

    volumeNode: Any
    segmentationNode: Any
    summary: RunSummary
    before: SavedLungs | None
    frame: ShownFrame
    problem: str = ""


def ctWasRemoved() -> str:
    """The sentence for a run whose CT is not in the scene any more."""
    return _("The CT was removed from the scene, so the run was stopped.")


class SegmentationRun:
    """Segments the lungs of ``volumeNode`` into ``segmentationNode`` (None: a new one).

    Callbacks are called in the main thread: ``onEvent(dict)`` for progress, and at the end either ``onDone(RunResult)``
    or ``onFailed(sentence)``; neither after `cancel`. Nothing in the scene changes before the run has succeeded.

    Raises
    ------
    RuntimeError : there is no place for temporary files; a sentence for the user.
    """

    def __init__(
        self,
        volumeNode: Any,
        segmentationNode: Any,
        settings: RunSettings,
        onEvent: Callable[[dict[str, Any]], None],
        onDone: Callable[[RunResult], None],
        onFailed: Callable[[str], None],
    ) -> None:
        self.volumeNode = volumeNode
        self._segmentationNode = segmentationNode
        self._settings = settings
        self._frame = ShownFrame(volumeNode)
        self._exported: tuple[Any, ...] = ()  # `stateOf` the volume as it is segmented
        self._onDone = onDone
        self._onFailed = onFailed
        self._folder = makeTemporaryFolder()
        # Plain names, and below the working directory of the process: SimpleITK in a Python on Windows opens no others.
        self._ctFile = Path(self._folder.name) / "ct.nrrd"
        self._maskFile = Path(self._folder.name) / "lungs.nrrd"
        self._ctName, maskName = (nameForWorker(path) for path in (self._ctFile, self._maskFile))
        arguments = ["segment", self._ctName, maskName, "--json", "--progress", "json"]
        self._command = BackgroundCommand(
            [*arguments, *settings.arguments()], onEvent, self._finish, self._fail, self._folder.cleanup
        )

    def start(self) -> None:
        """Export the volume and start the process.

        Raises
        ------
        RuntimeError : the volume cannot be written, or Slicer's Python is missing; a sentence for the user.
        """
        storage = slicer.vtkMRMLNRRDStorageNode()
        storage.SetFileName(str(self._ctFile))
        storage.SetUseCompression(False)
        try:
            if not storage.WriteData(self.volumeNode):
                raise RuntimeError(_("The CT could not be written to the temporary folder; the disk is probably full."))
            self._exported = stateOf(self.volumeNode)
            self._command.start()
        except RuntimeError:
            self._folder.cleanup()
            raise

    def cancel(self) -> None:
        """Stop; the scene stays as it is."""
        self._command.cancel()

    def cancelAndWait(self) -> None:
        """`cancel` when Slicer quits."""
        self._command.cancelAndWait()

    def _fail(self, sentence: str) -> None:
        self._onFailed(self._withVolumeName(sentence))

    def _withVolumeName(self, sentence: str) -> str:
        """The volume as the user calls it in place of its temporary file."""
        name = self.volumeNode.GetName() or "CT"
        return sentence.replace(self._ctName, name).replace(self._ctFile.name, name)

    def _finish(self, output: str) -> None:
        summary = json.loads(output)
        summary["warnings"] = [self._withVolumeName(text) for text in summary["warnings"]]
        try:
            result = self._import(summary)
        except RuntimeError as error:
            self._onFailed(str(error))
            return
        self._onDone(result)

    def _import(self, summary: RunSummary) -> RunResult:
        import SimpleITK as sitk  # not before it is needed, as Slicer's own modules do

        labels = sitk.GetArrayFromImage(sitk.ReadImage(str(self._maskFile)))
        settings = self._settings
        self._frame.show()
        if self._isChanged():
            text = _('The CT "{name}" was changed while it was segmented; segment it again.')
            raise RuntimeError(text.format(name=self.volumeNode.GetName()))
        region = settings.region.voxelsOf(self.volumeNode) if settings.region else None
        if region is not None and not labels[region.box].any(where=region.inside):
            text = _('There is no lung inside the ROI "{name}"; nothing was changed.')
            raise RuntimeError(text.format(name=settings.roi))
        return self._take(labels, region, summary)

    def _isChanged(self) -> bool:
        """Whether voxels or geometry of the CT are others than those that were segmented."""
        import SimpleITK as sitk

        now = stateOf(self.volumeNode)
        if now == self._exported or now[1:] != self._exported[1:]:
            return now != self._exported
        # Written anew, perhaps with the same values, as where other frames were shown meanwhile.
        voxels = sitk.GetArrayFromImage(sitk.ReadImage(str(self._ctFile)))
        return not np.array_equal(slicer.util.arrayFromVolume(self.volumeNode), voxels, equal_nan=True)

    def _take(self, labels: np.ndarray, region: VoxelBox | None, summary: RunSummary) -> RunResult:
        """Write the lungs into the segmentation node."""
        if self.volumeNode.GetScene() is None:
            raise RuntimeError(ctWasRemoved())
        settings, node = self._settings, self._segmentationNode
        isNew = node is None or node.GetScene() is None
        if isNew:
            name = freeName(_("{ct} lungs").format(ct=self.volumeNode.GetName()))
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        before = saveLungs(node, self.volumeNode)
        try:
            placeWithVolume(node, self.volumeNode)
            writeLungs(node, self.volumeNode, labels, settings.isOneSegment, region)
            noteRoi(node, settings.roi)
        except Exception:
            if isNew:
                slicer.mrmlScene.RemoveNode(node)
            else:
                restoreLungs(node, before, self.volumeNode)
            raise
        return RunResult(self.volumeNode, node, self._withRowsOfNow(summary), before, self._frame)

    def _withRowsOfNow(self, summary: RunSummary) -> RunSummary:
        """The summary with measurements of the segments that are written.

        None after a run that was restricted to a region: those of the process are of the whole scan, and to measure
        what there is now takes too long for the window.
        """
        rows = [] if self._settings.region else summary["measurements"]
        return {**summary, "measurements": rows[-1:] if self._settings.isOneSegment else rows}
