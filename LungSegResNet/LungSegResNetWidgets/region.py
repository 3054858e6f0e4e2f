"""The box that a run is restricted to: a ROI of the scene as voxels of a CT."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from .parent_transform import ParentTransform, bendsNotably
from .volume_nodes import ijkToRas
from .voxel_box import VoxelBox


@dataclass(frozen=True)
class Region:
    """A box in a volume as it was when it was taken from its node; what is moved later does not move it.

    Attributes
    ----------
    name : what to call it in messages.
    rasToBox : 4 x 4; from coordinates of the volume (RAS, mm, without its parent transforms) to those of the box, whose
        middle is 0.
    halfSize : of the box in its own coordinates.
    """

    name: str
    rasToBox: np.ndarray
    halfSize: np.ndarray

    @classmethod
    def of(cls, roiNode: Any, volumeNode: Any) -> Region:
        """The box of a vtkMRMLMarkupsROINode in a volume; the (nearly linear) parent transforms of both count."""
        worldToBox = np.linalg.inv(slicer.util.arrayFromVTKMatrix(roiNode.GetObjectToWorldMatrix()))
        rasToBox = worldToBox @ ParentTransform.of(volumeNode).toWorld
        return cls(roiNode.GetName(), rasToBox, np.array(roiNode.GetSize()) / 2.0)

    def arguments(self) -> list[str]:
        """Options of the command line: slices to check are listed by places inside of the box."""
        fromLps = np.diag(1 / self.halfSize) @ self.rasToBox[:3] @ np.diag([-1.0, -1.0, 1.0, 1.0])
        return ["--check-inside=" + ",".join(map(str, fromLps.ravel().tolist()))]  # "=": it may begin with a minus

    def voxelsOf(self, volumeNode: Any) -> VoxelBox:
        """Voxels of the volume, or of another with its coordinates, whose middle lies in the box."""
        matrix = self.rasToBox @ ijkToRas(volumeNode)
        sides = self._around(matrix, volumeNode.GetImageData().GetDimensions())
        inside = np.ones([len(side) for side in reversed(sides)], bool)
        # Each coordinate in the box is a sum of a term for each index; slice by slice, so that little memory is needed.
        for axis in range(3):
            i, j, k = (matrix[axis, n] * np.array(side) for n, side in enumerate(sides))
            plane = i + j[:, None] + matrix[axis, 3]
            for section, step in zip(inside, k, strict=True):
                section &= np.abs(plane + step) <= self.halfSize[axis]
        return VoxelBox(tuple(slice(side.start, side.stop) for side in reversed(sides)), inside)

    def _around(self, ijkToBox: np.ndarray, size: Sequence[int]) -> list[range]:
        """Indices i, j and k of the voxels around the box in a volume of that size; perhaps none along an axis."""
        corners = np.array(list(itertools.product((-1.0, 1.0), repeat=3))) * self.halfSize
        ijk = (np.linalg.inv(ijkToBox) @ np.c_[corners, np.ones(len(corners))].T)[:3]
        # One more on each side: whether a voxel lies in the box is for `voxelsOf` to say, whatever is rounded here.
        lowest, highest = np.floor(ijk.min(axis=1)) - 1, np.ceil(ijk.max(axis=1)) + 2
        ends = zip(np.clip(lowest, 0, size), np.clip(highest, 0, size), strict=True)
        return [range(int(low), int(high)) for low, high in ends]


def fitNewRoi(roiNode: Any, volumeNode: Any) -> None:
    """Lay a ROI that has no size yet around the volume, to be made smaller in the views."""
    if any(roiNode.GetSize()):
        return
    bounds = [0.0] * 6
    volumeNode.GetRASBounds(bounds)
    low, high = np.array(bounds[::2]), np.array(bounds[1::2])
    roiNode.SetCenterWorld(*((low + high) / 2))
    roiNode.SetSize(*(high - low))


def touches(roiNode: Any, volumeNode: Any) -> bool:
    """Whether the boxes around the ROI and around the volume, along the axes of the world, have a place in common."""
    boxes = []
    for node in (roiNode, volumeNode):
        bounds = [0.0] * 6
        node.GetRASBounds(bounds)
        boxes.append((np.array(bounds[::2]), np.array(bounds[1::2])))
    (low, high), (otherLow, otherHigh) = boxes
    return bool(np.all(low <= otherHigh) and np.all(otherLow <= high))


def whyNoRegion(volumeNode: Any, roiNode: Any) -> str:
    """A sentence that says why a run cannot be restricted to the ROI; empty if it can, or either is missing."""
    if roiNode is None or volumeNode is None:
        return ""
    transform = roiNode.GetParentTransformNode()
    isBoxBent = transform is not None and not transform.IsTransformToWorldLinear()
    for node, isBent in ((volumeNode, bendsNotably(volumeNode)), (roiNode, isBoxBent)):
        if isBent:
            text = _(
                '"{name}" is under a non-linear transform, so the run cannot be restricted to a ROI; harden the '
                'transform, or set "Restrict to ROI" to Whole CT.'
            )
            return text.format(name=node.GetName())
    if not all(roiNode.GetSize()):
        return _('The ROI "{name}" has no size yet; draw it in the views.').format(name=roiNode.GetName())
    return ""
