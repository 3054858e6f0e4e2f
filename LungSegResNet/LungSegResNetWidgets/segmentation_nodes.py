"""Lungs in MRML: from a label array to segments of a segmentation node, back, and undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from LungSegResNetLib.ct_volume import CTVolume, Geometry
from LungSegResNetLib.figures.measurements import measure_lungs, measurements_as_json
from LungSegResNetLib.labels import LUNG_SEGMENTS, LungSegment

BINARY_LABELMAP = "Binary labelmap"
CLOSED_SURFACE = "Closed surface"


@dataclass(frozen=True)
class SavedSegment:
    """A lung segment as it was before a run; ``labelmap`` None: there was no such segment."""

    lung: LungSegment
    segmentId: str
    labelmap: Any


def findLung(segmentationNode: Any, lung: LungSegment) -> str:
    """ID of the segment for a lung: by our ID, else by its name; empty if there is none."""
    segmentation = segmentationNode.GetSegmentation()
    segmentId = _segmentId(lung)
    if segmentation.GetSegment(segmentId):
        return segmentId
    for index in range(segmentation.GetNumberOfSegments()):
        candidate = segmentation.GetNthSegmentID(index)
        if segmentation.GetSegment(candidate).GetName().strip().lower() == lung.name:
            return candidate
    return ""


def hasLungs(segmentationNode: Any) -> bool:
    """True if the node has a lung segment that is not empty."""
    return any(
        _labelmapOf(segmentationNode, segmentId) is not None
        for lung in LUNG_SEGMENTS
        if (segmentId := findLung(segmentationNode, lung))
    )


def writeLungs(segmentationNode: Any, volumeNode: Any, labels: np.ndarray) -> None:
    """Put right and left lung from ``labels`` into the node, on the voxels of the volume.

    Lung segments that are there keep ID, name, colour and tags and get new content; all other segments stay as they
    are, also where they overlap the lungs.

    Parameters
    ----------
    labels : uint8 (k, j, i) with the shape of the volume's array; 1 right lung, 2 left lung.
    """
    for lung in LUNG_SEGMENTS:
        segmentId = findLung(segmentationNode, lung) or _addSegment(segmentationNode, lung)
        _replace(segmentationNode, segmentId, _labelmapFrom(volumeNode, labels == lung.label))
    _renewSurfaces(segmentationNode)


def placeWithVolume(segmentationNode: Any, volumeNode: Any) -> None:
    """Give the node the volume's geometry, parent transform and place in the subject hierarchy."""
    segmentationNode.CreateDefaultDisplayNodes()
    segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    placeBeside(segmentationNode, volumeNode)


def placeBeside(node: Any, volumeNode: Any) -> None:
    """Put a node into the subject-hierarchy folder of the volume."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    volumeItem = hierarchy.GetItemByDataNode(volumeNode)
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), hierarchy.GetItemParent(volumeItem))


def saveLungs(segmentationNode: Any) -> list[SavedSegment]:
    """Copies of the lung segments, for `restoreLungs`."""
    saved = []
    for lung in LUNG_SEGMENTS:
        segmentId = findLung(segmentationNode, lung)
        labelmap = _labelmapOf(segmentationNode, segmentId) if segmentId else None
        if segmentId and labelmap is None:
            labelmap = slicer.vtkOrientedImageData()
        saved.append(SavedSegment(lung, segmentId, labelmap))
    return saved


def restoreLungs(segmentationNode: Any, saved: list[SavedSegment]) -> None:
    """Bring the lung segments back as they were; other segments are left alone."""
    for entry in saved:
        segmentId = findLung(segmentationNode, entry.lung)
        if entry.labelmap is None:
            if segmentId:
                segmentationNode.GetSegmentation().RemoveSegment(segmentId)
            continue
        _replace(segmentationNode, segmentId or _addSegment(segmentationNode, entry.lung), entry.labelmap)
    _renewSurfaces(segmentationNode)


def measure(volumeNode: Any, segmentationNode: Any) -> list[dict[str, Any]]:
    """Rows as of ``measurements_as_json`` for the lung segments as they are now, on the voxels of the volume."""
    return measurements_as_json(measure_lungs(*ctAndLungs(volumeNode, segmentationNode)))


def ctAndLungs(volumeNode: Any, segmentationNode: Any) -> tuple[CTVolume, np.ndarray]:
    """The volume without its parent transform, and the lung segments as a label array on its voxels."""
    hu = slicer.util.arrayFromVolume(volumeNode)
    labels = np.zeros(hu.shape, np.uint8)
    for lung in LUNG_SEGMENTS:
        segmentId = findLung(segmentationNode, lung)
        if segmentId and _labelmapOf(segmentationNode, segmentId) is not None:
            inside = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode)
            labels[inside > 0] = lung.label
    native = _geometryOf(volumeNode)
    ct = CTVolume.from_array(hu, native, volumeNode.GetName())
    return ct, CTVolume.from_array(labels, native, volumeNode.GetName()).hu


def _segmentId(lung: LungSegment) -> str:
    return lung.name.replace(" ", "_")


def _addSegment(segmentationNode: Any, lung: LungSegment) -> str:
    segment = slicer.vtkSegment()
    segment.SetName(lung.name)
    segment.SetColor(*lung.color)
    segment.SetTag(segment.GetTerminologyEntryTagName(), lung.terminology)
    segmentId = _segmentId(lung)
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
    labelmap = slicer.vtkOrientedImageData()
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    labelmap.SetImageToWorldMatrix(matrix)
    if not inside.any():
        return labelmap
    bounds = []
    for axis in range(3):
        hits = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        bounds.append((int(hits[0]), int(hits[-1])))
    (k0, k1), (j0, j1), (i0, i1) = bounds
    labelmap.SetExtent(i0, i1, j0, j1, k0, k1)
    cropped = np.ascontiguousarray(inside[k0 : k1 + 1, j0 : j1 + 1, i0 : i1 + 1], np.uint8)
    scalars = numpy_to_vtk(cropped.ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR)
    scalars.SetName("ImageScalars")
    labelmap.GetPointData().SetScalars(scalars)
    return labelmap


def _geometryOf(volumeNode: Any) -> Geometry:
    """The volume's grid in LPS, without its parent transform."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASDirectionMatrix(matrix)
    flip = (-1.0, -1.0, 1.0)
    direction = tuple(flip[row] * matrix.GetElement(row, column) for row in range(3) for column in range(3))
    origin = tuple(sign * value for sign, value in zip(flip, volumeNode.GetOrigin(), strict=True))
    size = volumeNode.GetImageData().GetDimensions()
    return Geometry(tuple(size), tuple(volumeNode.GetSpacing()), origin, direction)
