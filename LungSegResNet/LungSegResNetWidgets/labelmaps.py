"""Labelmaps of segments: copied, made from voxels of a volume, and found again on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from LungSegResNetLib.boxes import bounding_box

from .volume_nodes import ijkToRas
from .voxel_box import VoxelBox

BINARY_LABELMAP = "Binary labelmap"
_SAME_PLACE = 0.01  # of a voxel; a file keeps fewer digits than the scene


def labelmapOf(segmentationNode: Any, segmentId: str) -> Any:
    """Copy of a segment's labelmap with 1 inside; None if it is empty."""
    labelmap = slicer.vtkOrientedImageData()
    found = segmentationNode.GetBinaryLabelmapRepresentation(segmentId, labelmap)
    scalars = labelmap.GetPointData().GetScalars()
    if not found or labelmap.IsEmpty() or scalars is None or not vtk_to_numpy(scalars).any():
        return None
    return labelmap


def labelmapFrom(volumeNode: Any, voxels: VoxelBox) -> Any:
    """Labelmap on the volume's grid, cropped to what is inside."""
    labelmap = emptyLabelmap()
    labelmap.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(ijkToRas(volumeNode)))
    box = bounding_box(voxels.inside)
    if box is None:
        return labelmap
    first = [around.start + side.start for around, side in zip(voxels.box, box, strict=True)]
    k, j, i = (range(start, start + side.stop - side.start) for start, side in zip(first, box, strict=True))
    labelmap.SetExtent(i[0], i[-1], j[0], j[-1], k[0], k[-1])
    _setVoxels(labelmap, np.ascontiguousarray(voxels.inside[box], np.uint8))
    return labelmap


def moveLabelmap(labelmap: Any, move: np.ndarray) -> None:
    """Move a labelmap by a 4 x 4 matrix (RAS, mm)."""
    if not np.allclose(move, np.eye(4)):  # or it would lie a rounding error beside its voxels
        matrix = vtk.vtkMatrix4x4()
        labelmap.GetImageToWorldMatrix(matrix)
        labelmap.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(move @ slicer.util.arrayFromVTKMatrix(matrix)))


def emptyLabelmap() -> Any:
    """Labelmap without a voxel; VTK, which makes surfaces, wants to know the type even of none."""
    labelmap = slicer.vtkOrientedImageData()
    _setVoxels(labelmap, np.empty(0, np.uint8))
    return labelmap


def cropped(labelmap: Any) -> tuple[list[int], np.ndarray]:
    """Index (i, j, k) of the first voxel of the box around what is inside, and that box (bool, k, j, i)."""
    voxels = vtk_to_numpy(labelmap.GetPointData().GetScalars()) > 0
    inside = voxels.reshape(labelmap.GetDimensions()[::-1])
    box = bounding_box(inside)
    starts = labelmap.GetExtent()[::2]
    return [start + side.start for start, side in zip(starts, reversed(box), strict=True)], inside[box]


def isOnVoxels(volumeNode: Any, labelmap: Any) -> bool:
    """Whether the voxels of a labelmap are voxels of the volume, or would be if it were larger."""
    labelmapToRas = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(labelmapToRas)
    toVoxels = np.linalg.inv(ijkToRas(volumeNode)) @ slicer.util.arrayFromVTKMatrix(labelmapToRas)
    corners = np.reshape(labelmap.GetExtent(), (3, 2)).T
    moved = (toVoxels @ np.c_[corners, np.ones(2)].T)[:3].T
    isTurned = not np.allclose(toVoxels[:3, :3], np.eye(3), atol=1e-3)
    return not isTurned and bool(np.allclose(moved, np.round(moved), atol=_SAME_PLACE))


def nearestVoxel(volumeNode: Any, labelmap: Any, ijk: list[int]) -> list[int]:
    """Index (i, j, k) of the volume's voxel that is nearest to a voxel of the labelmap."""
    labelmapToRas, rasToIjk = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(labelmapToRas)
    volumeNode.GetRASToIJKMatrix(rasToIjk)
    return [round(index) for index in rasToIjk.MultiplyPoint(labelmapToRas.MultiplyPoint((*ijk, 1.0)))[:3]]


def _setVoxels(labelmap: Any, voxels: np.ndarray) -> None:
    scalars = numpy_to_vtk(voxels.ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR)
    scalars.SetName("ImageScalars")
    labelmap.GetPointData().SetScalars(scalars)
