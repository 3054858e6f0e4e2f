"""Tables in the scene that belong to a CT: found by references, so that none is shown with another patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer
from slicer.i18n import tr as _

from .frames import frameNumber
from .segmentation_nodes import digestOfLungs, placeBeside
from .table_node import fillTableNode, rowsOf

MEASUREMENTS, SLICES_TO_CHECK = "measurements", "slices to check"
_KIND, _FRAME, _DIGEST = "LungSegResNet.table", "LungSegResNet.frame", "LungSegResNet.digest"  # attributes
_CT, _LUNGS = "LungSegResNet.ct", "LungSegResNet.lungs"  # roles of references


def findTable(kind: str, volumeNode: Any, segmentationNode: Any = None) -> Any:
    """The table of this kind that belongs to the CT, and to the segmentation if it is of one; else None."""
    for node in slicer.util.getNodesByClass("vtkMRMLTableNode"):
        isOfBoth = node.GetNodeReference(_CT) is volumeNode and node.GetNodeReference(_LUNGS) is segmentationNode
        if volumeNode is not None and isOfBoth and node.GetAttribute(_KIND) == kind:
            return node
    return None


def keepTable(kind: str, rows: Sequence[dict[str, Any]], volumeNode: Any, segmentationNode: Any = None) -> Any:
    """Write rows into the table of this kind, made beside the CT if there is none; returns the node.

    A table of a segmentation remembers the lungs as they are now, for `isOutdated`.
    """
    tableNode = findTable(kind, volumeNode, segmentationNode)
    if tableNode is None:
        title = {MEASUREMENTS: _("{ct} lung measurements"), SLICES_TO_CHECK: _("{ct} slices to check")}[kind]
        name = slicer.mrmlScene.GenerateUniqueName(title.format(ct=volumeNode.GetName()))
        tableNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
        tableNode.SetAttribute(_KIND, kind)
        tableNode.SetNodeReferenceID(_CT, volumeNode.GetID())
        if segmentationNode is not None:
            tableNode.SetNodeReferenceID(_LUNGS, segmentationNode.GetID())
        placeBeside(tableNode, volumeNode)
    tableNode.SetAttribute(_FRAME, str(frameNumber(volumeNode)))
    if segmentationNode is not None:
        tableNode.SetAttribute(_DIGEST, digestOfLungs(volumeNode, segmentationNode))
    fillTableNode(tableNode, rows)
    return tableNode


def removeTable(kind: str, volumeNode: Any, segmentationNode: Any = None) -> None:
    """Remove the table of this kind from the scene, if there is one."""
    if tableNode := findTable(kind, volumeNode, segmentationNode):
        slicer.mrmlScene.RemoveNode(tableNode)


def isOutdated(volumeNode: Any, segmentationNode: Any) -> bool:
    """Whether the lungs were changed after they were measured, in this frame of the CT; False if they never were."""
    tableNode = findTable(MEASUREMENTS, volumeNode, segmentationNode) if segmentationNode else None
    if tableNode is None or _frameOf(tableNode) != frameNumber(volumeNode):
        return False
    return tableNode.GetAttribute(_DIGEST) not in (None, digestOfLungs(volumeNode, segmentationNode))


def shownRows(kind: str, volumeNode: Any, segmentationNode: Any = None) -> tuple[list[dict[str, Any]], int | None]:
    """Rows of the table of this kind, and None; no rows, and the number of their frame, while another one is shown."""
    tableNode = findTable(kind, volumeNode, segmentationNode)
    if tableNode is None:
        return [], None
    number = _frameOf(tableNode)
    return (rowsOf(tableNode), None) if number == frameNumber(volumeNode) else ([], number)


def _frameOf(tableNode: Any) -> int:
    return int(tableNode.GetAttribute(_FRAME) or 0)
