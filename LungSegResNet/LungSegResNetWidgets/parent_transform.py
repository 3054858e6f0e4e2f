"""The parent transforms of a volume where they are not linear: which linear map is nearest, and how far they are off.

Slicer puts DICOM series under such a transform when it loads them, often for a few hundredths of a millimetre.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from .volume_nodes import ijkToRas

# In each direction of each slice; between them the transforms of Slicer's DICOM import are straight.
_POINTS_IN_PLANE = 3


@dataclass(frozen=True)
class ParentTransform:
    """What the parent transforms of a volume do to it.

    Attributes
    ----------
    toWorld : 4 x 4; from coordinates of the volume (RAS, mm) to world: the linear map that is nearest by least squares.
    bendMm : by how many mm they depart from ``toWorld`` at most.
    shiftMm : by how many mm they move a point at most, where they are not linear; 0 where they are.
    """

    toWorld: np.ndarray
    bendMm: float = 0.0
    shiftMm: float = 0.0

    @classmethod
    def of(cls, volumeNode: Any) -> ParentTransform:
        """Those of a volume; what they do is looked at on points of all slices."""
        parent = volumeNode.GetParentTransformNode()
        if volumeNode.GetImageData() is None:
            return cls(np.eye(4))
        if parent is None or parent.IsTransformToWorldLinear():
            toWorld = vtk.vtkMatrix4x4()
            slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(parent, None, toWorld)
            return cls(slicer.util.arrayFromVTKMatrix(toWorld))
        points = _pointsOf(volumeNode)
        moved = _toWorld(parent, points) - points
        homogeneous = np.c_[points, np.ones(len(points))]
        # Of what is added to the points, so that a volume with a single slice has a map across it, too.
        added = np.linalg.lstsq(homogeneous, moved, rcond=None)[0]
        toWorld = np.eye(4)
        toWorld[:3] += added.T
        return cls(toWorld, _longest(moved - homogeneous @ added), _longest(moved))


def bendsNotably(volumeNode: Any) -> bool:
    """Whether a linear map in place of the parent transforms would put some voxel half a voxel beside its place."""
    return ParentTransform.of(volumeNode).bendMm >= _halfVoxel(volumeNode)


def transformNote(volumeNode: Any) -> str:
    """A sentence for measurements of a volume, where it is under a transform that they do not follow; else empty."""
    transform = volumeNode.GetParentTransformNode() if volumeNode is not None else None
    if transform is None or not (transform.IsTransformToWorldLinear() or whyToHarden(volumeNode)):
        return ""
    text = _('The lungs are under the transform "{name}" of the CT; measurements are of the scan without it.')
    return text.format(name=transform.GetName())


def whyToHarden(volumeNode: Any) -> str:
    """A sentence for a volume on which Segment Editor would draw beside the place; empty where it does not.

    Paint, Erase and Scissors take parent transforms that are not linear for none at all.
    """
    shift = ParentTransform.of(volumeNode).shiftMm if volumeNode is not None else 0.0
    if shift == 0 or shift < _halfVoxel(volumeNode):
        return ""
    text = _(
        'The CT is under the transform "{name}", which is not linear and moves it by up to {mm:.1f} mm. Harden it '
        "first, also on lungs that are there already (module Data, right click in the column of transforms, "
        "Harden transform): otherwise Segment Editor draws in the wrong place, and volumes are those of the scan "
        "without it."
    )
    return text.format(name=volumeNode.GetParentTransformNode().GetName(), mm=shift)


def _halfVoxel(volumeNode: Any) -> float:
    return min(volumeNode.GetSpacing()) / 2


def _pointsOf(volumeNode: Any) -> np.ndarray:
    """Points (n, 3) all over the volume, in its coordinates (RAS, mm)."""
    columns, rows, slices = volumeNode.GetImageData().GetDimensions()
    i, j = (np.linspace(0, size - 1, _POINTS_IN_PLANE) for size in (columns, rows))
    ijk = np.stack(np.meshgrid(i, j, np.arange(slices), indexing="ij"), axis=-1).reshape(-1, 3)
    matrix = ijkToRas(volumeNode)
    return ijk @ matrix[:3, :3].T + matrix[:3, 3]


def _toWorld(transformNode: Any, points: np.ndarray) -> np.ndarray:
    """The points (n, 3) as the transform and its parents move them."""
    transform = vtk.vtkGeneralTransform()
    transformNode.GetTransformToWorld(transform)
    before, after = vtk.vtkPoints(), vtk.vtkPoints()
    before.SetData(numpy_to_vtk(np.ascontiguousarray(points), deep=True))
    after.SetDataTypeToDouble()
    transform.TransformPoints(before, after)
    return vtk_to_numpy(after.GetData())


def _longest(vectors: np.ndarray) -> float:
    return float(np.linalg.norm(vectors, axis=1).max())
