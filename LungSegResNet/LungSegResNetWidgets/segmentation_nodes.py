"""Lungs in MRML: from a label array to segments of a segmentation node, back, and undone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from LungSegResNetLib.ct_volume import CTVolume, Geometry
from LungSegResNetLib.figures.measurements import measure_lungs, measurements_as_json
from LungSegResNetLib.files.left_out_segments import LeftOutSegments, numbered
from LungSegResNetLib.labels import BOTH_LUNGS, LUNG_SEGMENTS, LungSegment
from LungSegResNetLib.lungs.regions import bounding_box

BINARY_LABELMAP = "Binary labelmap"
CLOSED_SURFACE = "Closed surface"
CT = "LungSegResNet.ct"  # role of the reference from a segmentation to the CT whose lungs it has
_STEP = 997  # of the voxels that are looked at first; a prime, so that they are not all in the same columns
_ALL_LUNGS = (*LUNG_SEGMENTS, BOTH_LUNGS)


@dataclass(frozen=True)
class SavedSegment:
    """A lung segment as it was before a run; ``labelmap`` None: there was no such segment.

    ``segment`` has its name, colour and tags.
    """

    lung: LungSegment
    segmentId: str
    segment: Any
    labelmap: Any


def findLung(segmentationNode: Any, lung: LungSegment) -> str:
    """ID of the segment for a lung: by our ID, else by its name; empty if there is none."""
    segmentation = segmentationNode.GetSegmentation()
    segmentId = lung.segment_id
    if segmentation.GetSegment(segmentId):
        return segmentId
    for index in range(segmentation.GetNumberOfSegments()):
        candidate = segmentation.GetNthSegmentID(index)
        if segmentation.GetSegment(candidate).GetName().strip().lower() == lung.name:
            return candidate
    return ""


def hasLungs(segmentationNode: Any) -> bool:
    """True if the node has a lung segment, of one lung or both, that is not empty."""
    return hasSides(segmentationNode) or _hasVoxels(segmentationNode, BOTH_LUNGS)


def hasSides(segmentationNode: Any) -> bool:
    """True if the node has a segment of the right or the left lung that is not empty."""
    return any(_hasVoxels(segmentationNode, lung) for lung in LUNG_SEGMENTS)


def digestOfLungs(volumeNode: Any, segmentationNode: Any) -> str:
    """Is another one after lungs were changed or moved on the CT, and the same one after they were saved and loaded."""
    digest = hashlib.sha256()
    for lung in _ALL_LUNGS:
        segmentId = findLung(segmentationNode, lung)
        labelmap = _labelmapOf(segmentationNode, segmentId) if segmentId else None
        if labelmap is not None:
            first, inside = _cropped(labelmap)
            digest.update(f"{lung.name} {inside.shape} {_nearestVoxel(volumeNode, labelmap, first)}".encode())
            digest.update(np.packbits(inside).tobytes())
    return digest.hexdigest()


def writeLungs(
    segmentationNode: Any,
    volumeNode: Any,
    labels: np.ndarray,
    isOneSegment: bool = False,
    region: np.ndarray | None = None,
) -> None:
    """Replace the lungs of the node by those of ``labels``, on the voxels of the volume.

    Lung segments that are there keep ID, name, colour and tags and get new content; those of the other kind (one
    segment, or two) go. All other segments stay as they are, also where they overlap the lungs.

    Parameters
    ----------
    labels : uint8 (k, j, i) with the shape of the volume's array; 1 right lung, 2 left lung.
    isOneSegment : write one segment "lungs" in place of "right lung" and "left lung".
    region : bool, shape of ``labels``; lungs are replaced where it is true, and stay as they are elsewhere.
    """
    for lung in _ALL_LUNGS:
        segmentId = findLung(segmentationNode, lung)
        isWanted = (lung is BOTH_LUNGS) == isOneSegment
        if not isWanted and not segmentId:
            continue
        inside = np.zeros(labels.shape, bool)
        if isWanted:
            inside = labels > 0 if isOneSegment else labels == lung.label
        if region is not None:
            inside = np.where(region, inside, _voxels(segmentationNode, lung, volumeNode))
        if isWanted or inside.any():
            segmentId = segmentId or _addSegment(segmentationNode, lung)
            _replace(segmentationNode, segmentId, _labelmapFrom(volumeNode, inside))
        else:
            segmentationNode.GetSegmentation().RemoveSegment(segmentId)
    _renewSurfaces(segmentationNode)


def addVolume(ct: CTVolume, name: str) -> Any:
    """Volume node with the scan in LPS axial order, as it is segmented."""
    grid = ct.geometry
    matrix = np.eye(4)
    matrix[:3, :3] = grid.steps
    matrix[:3, 3] = grid.origin
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix  # LPS to RAS
    return slicer.util.addVolumeFromArray(ct.hu, matrix, name)


def placeWithVolume(segmentationNode: Any, volumeNode: Any) -> None:
    """Give the node the volume's geometry, parent transform and place in the subject hierarchy, and note its CT.

    Segments besides the lungs keep the geometry in which they are edited.
    """
    segmentationNode.CreateDefaultDisplayNodes()
    segmentationNode.SetNodeReferenceID(CT, volumeNode.GetID())
    # Before the geometry, which is that of the volume in the space of the node.
    segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    if _hasLungsOnly(segmentationNode):
        segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    placeBeside(segmentationNode, volumeNode)


def placeBeside(node: Any, volumeNode: Any) -> None:
    """Put a node into the subject-hierarchy folder of the volume."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    volumeItem = hierarchy.GetItemByDataNode(volumeNode)
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), hierarchy.GetItemParent(volumeItem))


def saveLungs(segmentationNode: Any) -> list[SavedSegment]:
    """Copies of the lung segments, for `restoreLungs`."""
    saved = []
    for lung in _ALL_LUNGS:
        segmentId = findLung(segmentationNode, lung)
        segment, labelmap = slicer.vtkSegment(), None
        if segmentId:
            segment.DeepCopyMetadata(segmentationNode.GetSegmentation().GetSegment(segmentId))
            labelmap = _labelmapOf(segmentationNode, segmentId) or _emptyLabelmap()
        saved.append(SavedSegment(lung, segmentId, segment, labelmap))
    return saved


def restoreLungs(segmentationNode: Any, saved: list[SavedSegment]) -> None:
    """Bring the lung segments back as they were; other segments are left alone."""
    for entry in saved:
        segmentId = findLung(segmentationNode, entry.lung)
        if entry.labelmap is None:
            if segmentId:
                segmentationNode.GetSegmentation().RemoveSegment(segmentId)
            continue
        if not segmentId:
            segmentId = entry.segmentId
            segmentationNode.GetSegmentation().AddSegment(entry.segment, segmentId)
        # Or it would be older than the last state that Segment Editor kept for its own Undo, which would keep that one.
        entry.labelmap.Modified()
        _replace(segmentationNode, segmentId, entry.labelmap)
    _renewSurfaces(segmentationNode)


def measure(volumeNode: Any, segmentationNode: Any) -> list[dict[str, Any]]:
    """Rows as of ``measurements_as_json`` for the lung segments as they are now, on the voxels of the volume.

    Where both lungs are one segment there is one row, that of both.
    """
    rows = measurements_as_json(measure_lungs(*ctAndLungs(volumeNode, segmentationNode)))
    return rows if hasSides(segmentationNode) else rows[-1:]


def measureLabels(volumeNode: Any, labels: np.ndarray) -> list[dict[str, Any]]:
    """Rows as of ``measurements_as_json`` for a label array on the voxels of the volume."""
    return measurements_as_json(measure_lungs(*_onGrid(volumeNode, labels)))


def ctAndLungs(volumeNode: Any, segmentationNode: Any) -> tuple[CTVolume, np.ndarray]:
    """The volume without its parent transform, and the lung segments as a label array on its voxels.

    A segment of both lungs is taken where there is none of a single one.
    """
    labels = np.zeros(slicer.util.arrayFromVolume(volumeNode).shape, np.uint8)
    for lung in LUNG_SEGMENTS if hasSides(segmentationNode) else (BOTH_LUNGS,):
        labels[_voxels(segmentationNode, lung, volumeNode)] = lung.label
    return _onGrid(volumeNode, labels)


def otherSegments(volumeNode: Any, segmentationNode: Any) -> LeftOutSegments:
    """The segments that are no lungs, on the voxels of the volume in the order of axes of a `CTVolume`."""
    lungs = {findLung(segmentationNode, lung) for lung in _ALL_LUNGS}
    segmentation = segmentationNode.GetSegmentation()
    ids = [segmentId for segmentId in segmentation.GetSegmentIDs() if segmentId not in lungs]
    shape = slicer.util.arrayFromVolume(volumeNode).shape
    layers = (
        (slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode) > 0) * np.uint16(number)
        for number, segmentId in enumerate(ids, start=1)
    )
    names = tuple(segmentation.GetSegment(segmentId).GetName() for segmentId in ids)
    return LeftOutSegments(names, _onGrid(volumeNode, numbered(layers, shape))[1])


def _onGrid(volumeNode: Any, labels: np.ndarray) -> tuple[CTVolume, np.ndarray]:
    """The volume and labels on its voxels, both in the order of axes of a `CTVolume`."""
    native, name = _geometryOf(volumeNode), volumeNode.GetName()
    ct = CTVolume.from_array(slicer.util.arrayFromVolume(volumeNode), native, name)
    return ct, CTVolume.from_array(labels, native, name).hu


def _hasLungsOnly(segmentationNode: Any) -> bool:
    lungs = {findLung(segmentationNode, lung) for lung in _ALL_LUNGS}
    return lungs.issuperset(segmentationNode.GetSegmentation().GetSegmentIDs())


def _hasVoxels(segmentationNode: Any, lung: LungSegment) -> bool:
    """Asked at every change of the panel, so nothing is copied, and few voxels of a lung tell already."""
    segmentId = findLung(segmentationNode, lung)
    labelmap = segmentationNode.GetBinaryLabelmapInternalRepresentation(segmentId) if segmentId else None
    if labelmap is None or labelmap.IsEmpty() or labelmap.GetPointData().GetScalars() is None:
        return False
    voxels = vtk_to_numpy(labelmap.GetPointData().GetScalars())
    label = segmentationNode.GetSegmentation().GetSegment(segmentId).GetLabelValue()
    return bool((voxels[::_STEP] == label).any() or (voxels == label).any())


def _voxels(segmentationNode: Any, lung: LungSegment, volumeNode: Any) -> np.ndarray:
    """Voxels of the volume (bool, k, j, i) in the segment of a lung; none where there is no such segment."""
    if not _hasVoxels(segmentationNode, lung):
        return np.zeros(slicer.util.arrayFromVolume(volumeNode).shape, bool)
    segmentId = findLung(segmentationNode, lung)
    return slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode) > 0


def _addSegment(segmentationNode: Any, lung: LungSegment) -> str:
    segment = slicer.vtkSegment()
    segment.SetName(lung.name)
    segment.SetColor(*lung.color)
    segment.SetTag(segment.GetTerminologyEntryTagName(), lung.terminology)
    segmentId = lung.segment_id
    segmentationNode.GetSegmentation().AddSegment(segment, segmentId)
    return segmentId


def _replace(segmentationNode: Any, segmentId: str, labelmap: Any) -> None:
    """New content for one segment, in a layer of its own, so that no other segment shares its voxels."""
    segmentation = segmentationNode.GetSegmentation()
    segmentation.SeparateSegmentLabelmap(segmentId)
    segment = segmentation.GetSegment(segmentId)
    segment.SetLabelValue(1)
    segment.AddRepresentation(BINARY_LABELMAP, labelmap)
    segmentation.Modified()


def _renewSurfaces(segmentationNode: Any) -> None:
    """Closed surfaces on screen show the segments as they are now."""
    if segmentationNode.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE):
        segmentationNode.RemoveClosedSurfaceRepresentation()
        segmentationNode.CreateClosedSurfaceRepresentation()


def _labelmapOf(segmentationNode: Any, segmentId: str) -> Any:
    """Copy of a segment's labelmap with 1 inside; None if it is empty."""
    labelmap = slicer.vtkOrientedImageData()
    found = segmentationNode.GetBinaryLabelmapRepresentation(segmentId, labelmap)
    scalars = labelmap.GetPointData().GetScalars()
    if not found or labelmap.IsEmpty() or scalars is None or not vtk_to_numpy(scalars).any():
        return None
    return labelmap


def _labelmapFrom(volumeNode: Any, inside: np.ndarray) -> Any:
    """Labelmap on the volume's grid, cropped to what is inside (bool, k, j, i)."""
    labelmap = _emptyLabelmap()
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    labelmap.SetImageToWorldMatrix(matrix)
    box = bounding_box(inside)
    if box is None:
        return labelmap
    k, j, i = box
    labelmap.SetExtent(i.start, i.stop - 1, j.start, j.stop - 1, k.start, k.stop - 1)
    _setVoxels(labelmap, np.ascontiguousarray(inside[box], np.uint8))
    return labelmap


def _cropped(labelmap: Any) -> tuple[list[int], np.ndarray]:
    """Index (i, j, k) of the first voxel of the box around what is inside, and that box (bool, k, j, i)."""
    voxels = vtk_to_numpy(labelmap.GetPointData().GetScalars()) > 0
    inside = voxels.reshape(labelmap.GetDimensions()[::-1])
    box = bounding_box(inside)
    starts = labelmap.GetExtent()[::2]
    return [start + side.start for start, side in zip(starts, reversed(box), strict=True)], inside[box]


def _nearestVoxel(volumeNode: Any, labelmap: Any, ijk: list[int]) -> list[int]:
    """Index (i, j, k) of the volume's voxel that is nearest to a voxel of the labelmap."""
    labelmapToRas, rasToIjk = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(labelmapToRas)
    volumeNode.GetRASToIJKMatrix(rasToIjk)
    return [round(index) for index in rasToIjk.MultiplyPoint(labelmapToRas.MultiplyPoint((*ijk, 1.0)))[:3]]


def _emptyLabelmap() -> Any:
    """Labelmap without a voxel; VTK, which makes surfaces, wants to know the type even of none."""
    labelmap = slicer.vtkOrientedImageData()
    _setVoxels(labelmap, np.empty(0, np.uint8))
    return labelmap


def _setVoxels(labelmap: Any, voxels: np.ndarray) -> None:
    scalars = numpy_to_vtk(voxels.ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR)
    scalars.SetName("ImageScalars")
    labelmap.GetPointData().SetScalars(scalars)


def _geometryOf(volumeNode: Any) -> Geometry:
    """The volume's grid in LPS, without its parent transform."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASDirectionMatrix(matrix)
    flip = (-1.0, -1.0, 1.0)
    direction = tuple(flip[row] * matrix.GetElement(row, column) for row in range(3) for column in range(3))
    origin = tuple(sign * value for sign, value in zip(flip, volumeNode.GetOrigin(), strict=True))
    size = volumeNode.GetImageData().GetDimensions()
    return Geometry(tuple(size), tuple(volumeNode.GetSpacing()), origin, direction)
