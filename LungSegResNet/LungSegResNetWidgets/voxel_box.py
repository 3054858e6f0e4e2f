"""Voxels of a volume as a mask in a box of it, for work on a part of a scan: a whole one has 150 million and more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Box = tuple[slice, ...]  # of a volume's array (k, j, i); each with start and stop


@dataclass(frozen=True)
class VoxelBox:
    """Voxels of a volume: those ``inside`` (bool, shape of the box) of a box."""

    box: Box
    inside: np.ndarray

    def replaced(self, part: VoxelBox, new: np.ndarray) -> VoxelBox:
        """These voxels, but for each voxel of ``part``, ``new`` (bool, shape of its box) says whether it is one."""
        box = boxAround([self.box, part.box])
        voxels = np.zeros([side.stop - side.start for side in box], bool)
        voxels[within(box, self.box)] = self.inside
        np.copyto(voxels[within(box, part.box)], new, where=part.inside)
        return VoxelBox(box, voxels)


def boxAround(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of these."""
    return tuple(
        slice(min(side.start for side in sides), max(side.stop for side in sides)) for sides in zip(*boxes, strict=True)
    )


def within(outer: Box, inner: Box) -> Box:
    """A box of the volume as one of the array of a box around it."""
    return tuple(
        slice(one.start - around.start, one.stop - around.start) for around, one in zip(outer, inner, strict=True)
    )
