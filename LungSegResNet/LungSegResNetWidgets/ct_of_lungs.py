"""Which segmentation goes with which CT, so that lungs of one patient are not mixed with the CT of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from .lung_segments import CT_ROLE, hasLungs
from .volume_nodes import ijkToRas

_CHOSEN_KINDS = ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLMarkupsROINode")


def followCt(parameters: Any, ct: str, lungs: str) -> None:
    """Another CT was chosen in the field ``ct``: choose its ``lungs``, or none where it has none yet.

    A segmentation that is chosen and tells of no CT that is in the scene stays.
    """
    segmentation, volume = getattr(parameters, lungs), getattr(parameters, ct)
    cts = _ctsOf(segmentation)
    if segmentation is None or (cts and volume not in cts):
        setattr(parameters, lungs, lungsOf(volume))


def forgetRemoved(getParameters: Callable[[], Any], node: Any, ct: str, lungs: str, *others: str) -> None:
    """A node is about to be removed: fields that hold it become empty, and where it is the ``ct``, so do its ``lungs``.

    The selectors, which hear of it later, would take its neighbour, and the lungs be left to the next CT. While a scene
    is closed or loaded, the parameters are left alone.
    """
    scene = slicer.mrmlScene
    if scene.IsClosing() or scene.IsImporting() or not any(node.IsA(kind) for kind in _CHOSEN_KINDS):
        return
    parameters = getParameters()
    if getattr(parameters, ct) is node and node in _ctsOf(getattr(parameters, lungs)):
        setattr(parameters, lungs, None)
    for name in (ct, lungs, *others):
        if getattr(parameters, name) is node:
            setattr(parameters, name, None)


def lungsOf(volumeNode: Any) -> Any:
    """The segmentation with the lungs of this CT, the last one if there are several; None if there is none."""
    for node in reversed(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")):
        if volumeNode in _ctsOf(node)[:1] and not node.GetHideFromEditors() and hasLungs(node):
            return node
    return None


def whyNotTogether(volumeNode: Any, segmentationNode: Any) -> str:
    """A sentence if the segmentation has the lungs of another CT that is in the scene; else empty.

    Not refused are CTs on the same voxels, as those of two kernels are; segmentations that tell of no CT, or of one
    that is not in the scene any more; and segmentations without lungs, as a nodule may be drawn on another CT.
    """
    cts = _ctsOf(segmentationNode)
    if volumeNode is None or not cts or any(ct is volumeNode or _onSameVoxels(ct, volumeNode) for ct in cts):
        return ""
    if not hasLungs(segmentationNode):
        return ""
    text = _('The segmentation "{lungs}" has the lungs of the CT "{ct}"; choose that CT, or another segmentation.')
    return text.format(lungs=segmentationNode.GetName(), ct=cts[0].GetName())


def _ctsOf(segmentationNode: Any) -> list[Any]:
    """CTs in the scene that the segmentation tells of: that of its lungs, then that on whose voxels it is edited."""
    if segmentationNode is None:
        return []
    roles = (CT_ROLE, segmentationNode.GetReferenceImageGeometryReferenceRole())
    nodes = [segmentationNode.GetNodeReference(role) for role in roles]
    return [node for node in nodes if node is not None]


def _onSameVoxels(one: Any, other: Any) -> bool:
    """Whether two volumes have as many voxels at the same places."""
    images = [node.GetImageData() for node in (one, other)]
    if None in images or images[0].GetDimensions() != images[1].GetDimensions():
        return False
    transforms = [node.GetParentTransformNode() for node in (one, other)]
    return transforms[0] is transforms[1] and np.allclose(ijkToRas(one), ijkToRas(other))
