"""Cases that are looked at one after another: each is loaded once and shown alone, and leaves the scene after the next.

Cases come from files, so that nothing is lost with those that leave; one that a person made something of stays.
"""

from __future__ import annotations

import uuid
from typing import Any

import slicer

from LungSegResNetLib.ct_volume import CTVolume

from .ct_tables import tablesOf
from .labelmaps import BINARY_LABELMAP
from .lung_segments import placeWithVolume, writeLungs
from .node_names import freeName
from .volume_nodes import addVolume

# Of the CT: attributes and the role of a reference.
_FILES, _AS_LOADED, _LUNGS = "LungSegResNet.caseFiles", "LungSegResNet.caseAsLoaded", "LungSegResNet.caseLungs"
_SESSION = uuid.uuid4().hex  # times of changes are of this process; what comes with a saved scene has others


def addCase(files: str, ct: CTVolume, labels: Any, name: str, lungsName: str, isOneSegment: bool = False) -> Any:
    """Add CT and lungs of a case to the scene; returns the volume node.

    Parameters
    ----------
    files : text that is another one for another case, and after one of its files was changed; see `caseInScene`.
    labels : uint8 (k, j, i) with the shape of ``ct.hu``; 1 right lung, 2 left lung.
    isOneSegment : whether they become one segment, and any label is lung.
    """
    volumeNode = addVolume(ct, freeName(name))
    lungs = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", freeName(lungsName))
    placeWithVolume(lungs, volumeNode)
    writeLungs(lungs, volumeNode, labels, isOneSegment)
    volumeNode.SetAttribute(_FILES, files)
    volumeNode.SetNodeReferenceID(_LUNGS, lungs.GetID())
    volumeNode.SetAttribute(_AS_LOADED, _stateOf(volumeNode))
    return volumeNode


def caseInScene(files: str) -> Any:
    """The CT of the case that was added with this text; None if it is not in the scene, or its lungs are not."""
    return next((node for node in _cases() if files and node.GetAttribute(_FILES) == files), None)


def filesInScene() -> frozenset[str]:
    """The texts of all cases in the scene."""
    return frozenset(node.GetAttribute(_FILES) for node in _cases())


def lungsOfCase(volumeNode: Any) -> Any:
    """The segmentation of a case."""
    return volumeNode.GetNodeReference(_LUNGS)


def showAlone(volumeNode: Any) -> None:
    """Show the CT of a case in the slice views, and no other lungs of a case than its own."""
    for node in _cases():
        lungsOfCase(node).SetDisplayVisibility(node is volumeNode)
    slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)


def removeOtherCases(volumeNode: Any) -> None:
    """Remove cases that were shown before, with their tables; none that was changed, is shown still or is used by
    another node."""
    for node in _cases():
        isAsLoaded, tables = node.GetAttribute(_AS_LOADED) == _stateOf(node), tablesOf(node)
        if node is not volumeNode and isAsLoaded and not _isUsed(*tables, lungsOfCase(node), node):
            for table in tables:
                slicer.mrmlScene.RemoveNode(table)
            for part in (lungsOfCase(node), node):
                _removeWithDisplay(part)


def _cases() -> list[Any]:
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [node for node in nodes if node.GetAttribute(_FILES) and lungsOfCase(node) is not None]


def _stateOf(volumeNode: Any) -> str:
    """Is another text after voxels, segments, names or transforms were changed; surfaces and colours do not count."""
    lungs = lungsOfCase(volumeNode)
    state: list[Any] = [_SESSION, volumeNode.GetImageData().GetMTime()]
    for node in (volumeNode, lungs):
        state += [node.GetName(), node.GetTransformNodeID()]
    segmentation = lungs.GetSegmentation()
    for segmentId in segmentation.GetSegmentIDs():
        labelmap = segmentation.GetSegmentRepresentation(segmentId, BINARY_LABELMAP)
        state += [segmentId, segmentation.GetSegment(segmentId).GetName(), labelmap.GetMTime() if labelmap else 0]
    return repr(state)


def _isUsed(*nodes: Any) -> bool:
    """Whether another node of the scene refers to one of these, as panels, views, tables and Segment Editor do."""
    scene, ids = slicer.mrmlScene, [node.GetID() for node in nodes]
    others = (node for node in slicer.util.getNodesByClass("vtkMRMLNode") if node not in nodes)
    return any(scene.IsNodeReferencingNodeID(other, nodeId) for other in others for nodeId in ids)


def _removeWithDisplay(node: Any) -> None:
    for index in reversed(range(node.GetNumberOfDisplayNodes())):
        slicer.mrmlScene.RemoveNode(node.GetNthDisplayNode(index))
    slicer.mrmlScene.RemoveNode(node)
