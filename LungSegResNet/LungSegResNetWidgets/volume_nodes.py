"""Volumes of the scene: their voxels and axes as the library takes them, and their place in the subject hierarchy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import slicer
import vtk

from LungSegResNetLib.ct_volume import CTVolume, Geometry

from .voxel_box import Box


def ijkToRas(volumeNode: Any) -> np.ndarray:
    """4 x 4; from voxels (i, j, k) to coordinates of the volume (RAS, mm, without its parent transforms)."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def stateOf(volumeNode: Any) -> tuple[Any, ...]:
    """Is another one after voxels (first item) or their places (the others) were changed; empty without voxels.

    It is quick, so that it may be asked at every change. Voxels that were written anew with the values that they had
    count as changed, and those that were changed in place without a call of ``Modified`` do not.
    """
    image = volumeNode.GetImageData() if volumeNode is not None else None
    return () if image is None else (image.GetMTime(), *ijkToRas(volumeNode).flat)


def ctOf(volumeNode: Any, box: Box | None = None) -> CTVolume:
    """The volume without its parent transform, or a box of it: slices of its array (k, j, i) with start and stop."""
    voxels, geometry = slicer.util.arrayFromVolume(volumeNode), _geometryOf(volumeNode)
    if box is not None:
        starts, stops = ([getattr(side, end) for side in reversed(box)] for end in ("start", "stop"))
        origin = np.add(geometry.origin, geometry.steps @ starts)
        size = tuple(stop - start for start, stop in zip(starts, stops, strict=True))
        voxels, geometry = voxels[box], replace(geometry, size=size, origin=tuple(origin.tolist()))
    return CTVolume.from_array(voxels, geometry, volumeNode.GetName())


def onCtAxes(volumeNode: Any, labels: np.ndarray) -> np.ndarray:
    """Labels on the voxels of the volume, or of a box of it (k, j, i), in the order of axes of its `CTVolume`."""
    return CTVolume.from_array(labels, _geometryOf(volumeNode), volumeNode.GetName()).hu


def addVolume(ct: CTVolume, name: str) -> Any:
    """Volume node with the scan in LPS axial order, as it is segmented."""
    grid = ct.geometry
    matrix = np.eye(4)
    matrix[:3, :3] = grid.steps
    matrix[:3, 3] = grid.origin
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix  # LPS to RAS
    return slicer.util.addVolumeFromArray(ct.hu, matrix, name)


def placeBeside(node: Any, volumeNode: Any) -> None:
    """Put a node into the subject-hierarchy folder of the volume."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    volumeItem = hierarchy.GetItemByDataNode(volumeNode)
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), hierarchy.GetItemParent(volumeItem))


def _geometryOf(volumeNode: Any) -> Geometry:
    """The volume's grid in LPS, without its parent transform."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASDirectionMatrix(matrix)
    flip = (-1.0, -1.0, 1.0)
    direction = tuple(flip[row] * matrix.GetElement(row, column) for row in range(3) for column in range(3))
    origin = tuple(sign * value for sign, value in zip(flip, volumeNode.GetOrigin(), strict=True))
    size = volumeNode.GetImageData().GetDimensions()
    return Geometry(tuple(size), tuple(volumeNode.GetSpacing()), origin, direction)
