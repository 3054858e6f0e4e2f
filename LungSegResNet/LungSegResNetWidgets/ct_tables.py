"""Tables in the scene that belong to a CT and its lungs: found by references, so that none is shown with others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from .frames import frameNumber
from .lung_segments import CT_ROLE, digestOfLungs
from .node_names import freeName
from .table_node import fillTableNode, rowsOf
from .volume_nodes import placeBeside

MEASUREMENTS, SLICES_TO_CHECK = "measurements", "slices to check"
_KIND, _FRAME, _DIGEST = "LungSegResNet.table", "LungSegResNet.frame", "LungSegResNet.digest"  # attributes
_NOT_YET = "not measured yet"  # in place of a digest
_LUNGS = "LungSegResNet.lungs"  # role of the reference to the segmentation, beside CT_ROLE


def findTable(kind: str, volumeNode: Any, segmentationNode: Any) -> Any:
    """The table of this kind that belongs to the CT and the segmentation; None if there is none, or one is None."""
    if volumeNode is None or segmentationNode is None:  # as the references of a table whose lungs were removed are
        return None
    for node in slicer.util.getNodesByClass("vtkMRMLTableNode"):
        isOfBoth = node.GetNodeReference(CT_ROLE) is volumeNode and node.GetNodeReference(_LUNGS) is segmentationNode
        if isOfBoth and node.GetAttribute(_KIND) == kind:
            return node
    return None


def tablesOf(volumeNode: Any) -> list[Any]:
    """All tables that belong to a CT and any of its lungs."""
    return [node for node in _tables() if node.GetNodeReference(CT_ROLE) is volumeNode]


def removeTablesOf(node: Any) -> None:
    """Remove the tables of a CT or of lungs that are about to be removed: no panel would ever show or renew them.

    They go a moment later, since whoever removes a whole folder goes through its items one after another. While a scene
    is closed or loaded, nothing is done.
    """
    scene = slicer.mrmlScene
    if scene.IsClosing() or scene.IsImporting():
        return
    tables = [table for table in _tables() if node in (table.GetNodeReference(role) for role in (CT_ROLE, _LUNGS))]
    if tables:
        qt.QTimer.singleShot(0, lambda: _removeFromScene(tables))


def keepTable(kind: str, rows: Sequence[dict[str, Any]], volumeNode: Any, segmentationNode: Any) -> Any:
    """Write rows into the table of this kind, made beside the CT if there is none; returns the node.

    Measurements remember lungs and CT as they are now, for `isOutdated`.
    """
    tableNode = _tableFor(kind, volumeNode, segmentationNode)
    if kind == MEASUREMENTS:
        tableNode.SetAttribute(_DIGEST, digestOfLungs(volumeNode, segmentationNode))
    fillTableNode(tableNode, rows)
    return tableNode


def expectMeasurements(volumeNode: Any, segmentationNode: Any) -> None:
    """Measurements will be kept; if that comes to nothing, as when the scene is saved before, they are outdated."""
    tableNode = findTable(MEASUREMENTS, volumeNode, segmentationNode)
    if tableNode is not None and _frameOf(tableNode) == frameNumber(volumeNode):
        return  # these are outdated by themselves, unless nothing has changed
    tableNode = _tableFor(MEASUREMENTS, volumeNode, segmentationNode)
    tableNode.SetAttribute(_DIGEST, _NOT_YET)
    fillTableNode(tableNode, [])


def hasMeasurementsOfOtherFrame(volumeNode: Any, segmentationNode: Any) -> bool:
    """Whether the table has figures, and they are of another frame of the CT than that which is shown."""
    tableNode = findTable(MEASUREMENTS, volumeNode, segmentationNode)
    if tableNode is None or _frameOf(tableNode) == frameNumber(volumeNode):
        return False
    return bool(rowsOf(tableNode))


def removeTable(kind: str, volumeNode: Any, segmentationNode: Any) -> None:
    """Remove the table of this kind from the scene, if there is one."""
    if tableNode := findTable(kind, volumeNode, segmentationNode):
        slicer.mrmlScene.RemoveNode(tableNode)


def isOutdated(volumeNode: Any, segmentationNode: Any) -> bool:
    """Whether lungs or CT were changed after they were measured, in this frame of the CT; False if they never were."""
    tableNode = findTable(MEASUREMENTS, volumeNode, segmentationNode)
    if tableNode is None or _frameOf(tableNode) != frameNumber(volumeNode):
        return False
    return tableNode.GetAttribute(_DIGEST) not in (None, digestOfLungs(volumeNode, segmentationNode))


def shownRows(kind: str, volumeNode: Any, segmentationNode: Any) -> tuple[list[dict[str, Any]], int | None]:
    """Rows of the table of this kind, and None; no rows, and the number of their frame, while another one is shown."""
    tableNode = findTable(kind, volumeNode, segmentationNode)
    if tableNode is None:
        return [], None
    number = _frameOf(tableNode)
    return (rowsOf(tableNode), None) if number == frameNumber(volumeNode) else ([], number)


def _tables() -> list[Any]:
    return [node for node in slicer.util.getNodesByClass("vtkMRMLTableNode") if node.GetAttribute(_KIND)]


def _removeFromScene(tables: Sequence[Any]) -> None:
    for table in tables:
        if table.GetScene() is not None:  # else it has gone with its folder, or with the scene
            slicer.mrmlScene.RemoveNode(table)


def _tableFor(kind: str, volumeNode: Any, segmentationNode: Any) -> Any:
    """The table of this kind, for the frame that is shown."""
    tableNode = findTable(kind, volumeNode, segmentationNode)
    if tableNode is None:
        title = {MEASUREMENTS: _("{ct} lung measurements"), SLICES_TO_CHECK: _("{ct} slices to check")}[kind]
        name = freeName(title.format(ct=volumeNode.GetName()))
        tableNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
        tableNode.SetAttribute(_KIND, kind)
        tableNode.SetNodeReferenceID(CT_ROLE, volumeNode.GetID())
        tableNode.SetNodeReferenceID(_LUNGS, segmentationNode.GetID())
        tableNode.SetLocked(True)  # the panel shows it, and its columns are not to be edited away
        placeBeside(tableNode, volumeNode)
    tableNode.SetAttribute(_FRAME, str(frameNumber(volumeNode)))
    return tableNode


def _frameOf(tableNode: Any) -> int:
    return int(tableNode.GetAttribute(_FRAME) or 0)
