"""Lungs as segments of a segmentation node: found, written, saved and brought back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from LungSegResNetLib.boxes import bounding_box
from LungSegResNetLib.files.segment_names import lung_of_terminology
from LungSegResNetLib.labels import BOTH_LUNGS, LUNG_SEGMENTS, LungSegment

from .labelmaps import (
    BINARY_LABELMAP,
    cropped,
    emptyLabelmap,
    isOnVoxels,
    labelmapFrom,
    labelmapOf,
    moveLabelmap,
    nearestVoxel,
)
from .lung_surfaces import renewSurfaces
from .volume_nodes import ijkToRas, placeBeside
from .voxel_box import VoxelBox, within

CT_ROLE = "LungSegResNet.ct"  # of the reference from a node to the CT whose lungs it has
_ROI = "LungSegResNet.roi"  # attribute
_STEP = 997  # of the voxels that are looked at first; a prime, so that they are not all in the same columns
# What a display node keeps of a segment, which goes with the segment.
_DISPLAY = (
    "Visibility",
    "Visibility3D",
    "Visibility2DFill",
    "Visibility2DOutline",
    "Opacity3D",
    "Opacity2DFill",
    "Opacity2DOutline",
)
_ALL_LUNGS = (*LUNG_SEGMENTS, BOTH_LUNGS)


@dataclass(frozen=True)
class SavedSegment:
    """A lung segment as it was before a run; ``labelmap`` None: there was no such segment.

    ``segment`` has its name, colour and tags, and ``display`` how it is shown: values by the names in `_DISPLAY`.
    """

    lung: LungSegment
    segmentId: str
    segment: Any
    labelmap: Any
    display: dict[str, Any]


@dataclass(frozen=True)
class SavedLungs:
    """The lung segments of a node as they were before a run; ``roi`` as of `roiOfLungs`.

    ``size`` is that of the CT in voxels, and ``place`` as of `_placeOf`.
    """

    segments: list[SavedSegment]
    roi: str
    size: tuple[int, ...]
    place: np.ndarray | None


def findLung(segmentationNode: Any, lung: LungSegment) -> str:
    """ID of the segment of a lung; empty if there is none. One with its very name comes first."""
    segmentation = segmentationNode.GetSegmentation()
    found = [one for one in segmentation.GetSegmentIDs() if _lungOf(segmentation.GetSegment(one)) is lung]
    return min(found, key=lambda one: segmentation.GetSegment(one).GetName().strip().lower() != lung.name, default="")


def idsOfLungs(segmentationNode: Any) -> set[str]:
    """IDs of all segments of lungs, and an empty one where any is missing."""
    return {findLung(segmentationNode, lung) for lung in _ALL_LUNGS}


def hasLungs(segmentationNode: Any) -> bool:
    """True if the node has a lung segment, of one lung or both, that is not empty."""
    return hasSides(segmentationNode) or _hasVoxels(segmentationNode, BOTH_LUNGS)


def hasSides(segmentationNode: Any) -> bool:
    """True if the node has a segment of the right or the left lung that is not empty."""
    return any(_hasVoxels(segmentationNode, lung) for lung in LUNG_SEGMENTS)


def boxOfLung(segmentationNode: Any, lung: LungSegment, volumeNode: Any) -> VoxelBox | None:
    """Voxels of the volume in the segment of a lung; None where there are none, or there is no such segment."""
    segmentId = findLung(segmentationNode, lung)
    return boxOfSegment(segmentationNode, segmentId, volumeNode) if segmentId else None


def boxOfSegment(segmentationNode: Any, segmentId: str, volumeNode: Any) -> VoxelBox | None:
    """Voxels of the volume in a segment; None where there are none.

    Where the segment lies on voxels of the volume, as nearly always, only the box around it is looked at.
    """
    labelmap = labelmapOf(segmentationNode, segmentId)
    if labelmap is None:
        return None
    isTogether = segmentationNode.GetParentTransformNode() is volumeNode.GetParentTransformNode()
    if not isTogether or not isOnVoxels(volumeNode, labelmap):
        voxels = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode) > 0
        box = bounding_box(voxels)
        return None if box is None else VoxelBox(box, voxels[box])
    first, inside = cropped(labelmap)
    start = nearestVoxel(volumeNode, labelmap, first)[::-1]
    # What was painted outside of the volume is no voxel of it.
    size = slicer.util.arrayFromVolume(volumeNode).shape
    ends = zip(start, inside.shape, size, strict=True)
    box = tuple(slice(max(low, 0), min(low + length, end)) for low, length, end in ends)
    if any(side.start >= side.stop for side in box):
        return None
    around = tuple(slice(low, low + length) for low, length in zip(start, inside.shape, strict=True))
    return VoxelBox(box, inside[within(around, box)])


def digestOfLungs(volumeNode: Any, segmentationNode: Any) -> str:
    """Is another one after lungs were changed or moved on the CT, or the CT was changed in the boxes around them.

    It is the same one after they were saved and loaded. Of the values of the CT only the sum is taken, which is quick
    and another one after they were rescaled.
    """
    digest = hashlib.sha256()
    for lung in _ALL_LUNGS:
        segmentId = findLung(segmentationNode, lung)
        labelmap = labelmapOf(segmentationNode, segmentId) if segmentId else None
        if labelmap is not None:
            first, inside = cropped(labelmap)
            start = nearestVoxel(volumeNode, labelmap, first)
            total = _sumOf(volumeNode, start[::-1], inside.shape)
            digest.update(f"{lung.name} {inside.shape} {start} {total}".encode())
            digest.update(np.packbits(inside).tobytes())
    return digest.hexdigest()


def writeLungs(
    segmentationNode: Any,
    volumeNode: Any,
    labels: np.ndarray,
    isOneSegment: bool = False,
    region: VoxelBox | None = None,
) -> None:
    """Replace the lungs of the node by those of ``labels``, on the voxels of the volume.

    Lung segments that are there keep ID, name, colour and tags and get new content; those of the other kind (one
    segment, or two) go. All other segments stay as they are, also where they overlap the lungs.

    Parameters
    ----------
    labels : uint8 (k, j, i) with the shape of the volume's array; 1 right lung, 2 left lung.
    isOneSegment : write one segment "lungs" in place of "right lung" and "left lung".
    region : lungs are replaced in these voxels, and stay as they are elsewhere; None: everywhere.
    """
    box = region.box if region is not None else tuple(slice(0, size) for size in labels.shape)
    for lung in _ALL_LUNGS:
        segmentId = findLung(segmentationNode, lung)
        isWanted = (lung is BOTH_LUNGS) == isOneSegment
        if not isWanted and not segmentId:
            continue
        new = labels[box]
        inside = np.zeros(new.shape, bool)
        if isWanted:
            inside = new > 0 if isOneSegment else new == lung.label
        voxels = VoxelBox(box, inside)
        if region is not None:
            there = boxOfLung(segmentationNode, lung, volumeNode) or VoxelBox(box, np.zeros(new.shape, bool))
            voxels = there.replaced(region, inside)
        if isWanted or voxels.inside.any():
            segmentId = segmentId or _addSegment(segmentationNode, lung)
            _replace(segmentationNode, segmentId, labelmapFrom(volumeNode, voxels))
        else:
            segmentationNode.GetSegmentation().RemoveSegment(segmentId)
    renewSurfaces(segmentationNode)


def placeWithVolume(segmentationNode: Any, volumeNode: Any) -> None:
    """Give the node the volume's geometry, parent transform and place in the subject hierarchy, and note its CT.

    Segments besides the lungs keep the geometry in which they are edited.
    """
    segmentationNode.CreateDefaultDisplayNodes()
    segmentationNode.SetNodeReferenceID(CT_ROLE, volumeNode.GetID())
    # Before the geometry, which is that of the volume in the space of the node.
    segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    if _hasLungsOnly(segmentationNode):
        segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    placeBeside(segmentationNode, volumeNode)


def roiOfLungs(segmentationNode: Any) -> str:
    """Name of the ROI that the run which wrote the lungs was restricted to; empty if it was to none."""
    return segmentationNode.GetAttribute(_ROI) or ""


def noteRoi(segmentationNode: Any, name: str) -> None:
    """Remember for `roiOfLungs` what the run was restricted to; empty: to nothing."""
    segmentationNode.SetAttribute(_ROI, name or None)


def saveLungs(segmentationNode: Any, volumeNode: Any) -> SavedLungs:
    """Copies of the lung segments on a CT, or on one that is gone (None), for `restoreLungs`."""
    saved = []
    for lung in _ALL_LUNGS:
        segmentId = findLung(segmentationNode, lung)
        segment, labelmap, display = slicer.vtkSegment(), None, {}
        if segmentId:
            segment.DeepCopyMetadata(segmentationNode.GetSegmentation().GetSegment(segmentId))
            labelmap = labelmapOf(segmentationNode, segmentId) or emptyLabelmap()
            display = _displayOf(segmentationNode, segmentId)
        saved.append(SavedSegment(lung, segmentId, segment, labelmap, display))
    size = volumeNode.GetImageData().GetDimensions() if volumeNode else ()
    return SavedLungs(saved, roiOfLungs(segmentationNode), size, _placeOf(volumeNode, segmentationNode))


def whyNotRestored(volumeNode: Any, saved: SavedLungs) -> str:
    """A sentence if lungs that were saved have lost their place on the CT; empty if they have not."""
    image = volumeNode.GetImageData() if volumeNode else None
    if volumeNode is None or (image is not None and image.GetDimensions() == saved.size):
        return ""
    return _("The CT has other voxels than before the run, so the lungs of before do not fit it any more.")


def restoreLungs(segmentationNode: Any, saved: SavedLungs, volumeNode: Any) -> None:
    """Bring the lung segments back as they were; other segments are left alone.

    They lie on the voxels of the CT on which they lay, also where a transform was hardened since. Where the CT is None,
    they lie where they lay in the node.
    """
    noteRoi(segmentationNode, saved.roi)
    now, then = _placeOf(volumeNode, segmentationNode), saved.place
    move = np.eye(4) if now is None or then is None else now @ np.linalg.inv(then)
    for entry in saved.segments:
        segmentId = findLung(segmentationNode, entry.lung)
        if entry.labelmap is None:
            if segmentId:
                segmentationNode.GetSegmentation().RemoveSegment(segmentId)
            continue
        if not segmentId:
            segmentId = _addAs(segmentationNode, entry.segment, entry.segmentId)
            for name, value in entry.display.items():
                getattr(segmentationNode.GetDisplayNode(), f"SetSegment{name}")(segmentId, value)
        # Or it would be older than the last state that Segment Editor kept for its own Undo, which would keep that one.
        entry.labelmap.Modified()
        moveLabelmap(entry.labelmap, move)
        _replace(segmentationNode, segmentId, entry.labelmap)
    renewSurfaces(segmentationNode)


def _lungOf(segment: Any) -> LungSegment | None:
    """The lung that a segment is; None for all others.

    The words of its name count, also in another order ("Lung, right"), and where it has no name of its own, as
    "Segment_1", its terminology. Who renames a lung to something else, such as "tumour" or "old right lung", wants to
    keep it; its ID and terminology stay as they were, so they mean nothing then.
    """
    name = segment.GetName()
    words = sorted(re.findall(r"[^\W_]+", name.lower()))
    for lung in _ALL_LUNGS:
        if words == sorted(lung.name.split()):
            return lung
    told = lung_of_terminology(name, segment.GetTerminology())
    return next((lung for lung in LUNG_SEGMENTS if told and told.label == lung.label), None)


def _placeOf(volumeNode: Any, segmentationNode: Any) -> np.ndarray | None:
    """4 x 4; from voxels (i, j, k) of the CT to coordinates of the node (RAS, mm, without its parent transforms).

    None where there is no CT, or the two are under different transforms, of which one is not linear.
    """
    if volumeNode is None:
        return None
    between, transforms = vtk.vtkMatrix4x4(), [node.GetParentTransformNode() for node in (volumeNode, segmentationNode)]
    isLinear = slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(*transforms, between)
    return slicer.util.arrayFromVTKMatrix(between) @ ijkToRas(volumeNode) if isLinear else None


def _sumOf(volumeNode: Any, start: Sequence[int], shape: Sequence[int]) -> float:
    """The sum of the values in a box (k, j, i) of the volume, as far as it lies in it."""
    if volumeNode.GetImageData() is None:
        return 0.0
    box = tuple(slice(max(0, low), max(0, low + size)) for low, size in zip(start, shape, strict=True))
    return float(slicer.util.arrayFromVolume(volumeNode)[box].sum(dtype=np.float64))


def _displayOf(segmentationNode: Any, segmentId: str) -> dict[str, Any]:
    node = segmentationNode.GetDisplayNode()
    return {name: getattr(node, f"GetSegment{name}")(segmentId) for name in _DISPLAY} if node else {}


def _hasLungsOnly(segmentationNode: Any) -> bool:
    return idsOfLungs(segmentationNode).issuperset(segmentationNode.GetSegmentation().GetSegmentIDs())


def _hasVoxels(segmentationNode: Any, lung: LungSegment) -> bool:
    """Asked at every change of the panel, so nothing is copied, and few voxels of a lung tell already."""
    segmentId = findLung(segmentationNode, lung)
    labelmap = segmentationNode.GetBinaryLabelmapInternalRepresentation(segmentId) if segmentId else None
    if labelmap is None or labelmap.IsEmpty() or labelmap.GetPointData().GetScalars() is None:
        return False
    voxels = vtk_to_numpy(labelmap.GetPointData().GetScalars())
    label = segmentationNode.GetSegmentation().GetSegment(segmentId).GetLabelValue()
    return bool((voxels[::_STEP] == label).any() or (voxels == label).any())


def _addSegment(segmentationNode: Any, lung: LungSegment) -> str:
    segment = slicer.vtkSegment()
    segment.SetName(lung.name)
    segment.SetColor(*lung.color)
    segment.SetTag(segment.GetTerminologyEntryTagName(), lung.terminology)
    return _addAs(segmentationNode, segment, lung.segment_id)


def _addAs(segmentationNode: Any, segment: Any, segmentId: str) -> str:
    """Add a segment with this ID or, where a lung that the user renamed has it, another one; returns the ID."""
    segmentation = segmentationNode.GetSegmentation()
    freeId = segmentation.GenerateUniqueSegmentID(segmentId)
    segmentation.AddSegment(segment, freeId)
    return freeId


def _replace(segmentationNode: Any, segmentId: str, labelmap: Any) -> None:
    """New content for one segment, in a layer of its own, so that no other segment shares its voxels."""
    segmentation = segmentationNode.GetSegmentation()
    segmentation.SeparateSegmentLabelmap(segmentId)
    segment = segmentation.GetSegment(segmentId)
    segment.SetLabelValue(1)
    segment.AddRepresentation(BINARY_LABELMAP, labelmap)
    segmentation.Modified()
