"""Where the slice views look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer


def jumpToPoint(volumeNode: Any, point: Sequence[float]) -> None:
    """Move all slice views to a point of a volume.

    Parameters
    ----------
    point : RAS coordinates in mm as the volume's own grid has them; its parent transform, also a non-linear one, is
        applied here.
    """
    world = [0.0, 0.0, 0.0]
    volumeNode.TransformPointToWorld(list(point), world)
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *world, slicer.vtkMRMLSliceNode.OffsetJumpSlice)
