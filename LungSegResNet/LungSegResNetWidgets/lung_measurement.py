"""Lungs of the scene as arrays on the voxels of their CT, as the library takes them, and their measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import slicer

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.figures.measurements import measure_lungs, measurements_as_json
from LungSegResNetLib.files.other_segments import OtherSegments, numbered
from LungSegResNetLib.labels import BOTH_LUNGS, LUNG_SEGMENTS

from .lung_segments import boxOfLung, boxOfSegment, hasSides, idsOfLungs
from .volume_nodes import ctOf, onCtAxes
from .voxel_box import VoxelBox, boxAround, within


def measure(volumeNode: Any, segmentationNode: Any) -> list[dict[str, Any]]:
    """Rows as of ``measurements_as_json`` for the lung segments as they are now, on the voxels of the volume.

    Where both lungs are one segment there is one row, that of both.
    """
    return measurementOf(volumeNode, segmentationNode)()


def measurementOf(volumeNode: Any, segmentationNode: Any) -> Callable[[], list[dict[str, Any]]]:
    """A function that gives the rows of `measure`; it has copies of what it needs, so that any thread may call it."""
    ct, labels = _inBox(volumeNode, segmentationNode) or ctAndLungs(volumeNode, segmentationNode)
    if np.may_share_memory(ct.hu, slicer.util.arrayFromVolume(volumeNode)):
        ct = replace(ct, hu=ct.hu.copy())
    isOfSides = hasSides(segmentationNode)

    def rows() -> list[dict[str, Any]]:
        measured = measurements_as_json(measure_lungs(ct, labels))
        return measured if isOfSides else measured[-1:]

    return rows


def ctAndLungs(volumeNode: Any, segmentationNode: Any) -> tuple[CTVolume, np.ndarray]:
    """The volume without its parent transform, and the lung segments as a label array on its voxels.

    A segment of both lungs is taken where there is none of a single one.
    """
    labels = np.zeros(slicer.util.arrayFromVolume(volumeNode).shape, np.uint8)
    for label, part in _partsOf(volumeNode, segmentationNode):
        labels[part.box][part.inside] = label
    return ctOf(volumeNode), onCtAxes(volumeNode, labels)


def _partsOf(volumeNode: Any, segmentationNode: Any) -> list[tuple[int, VoxelBox]]:
    """Labels of the lungs that are in the volume, and their voxels."""
    lungs = LUNG_SEGMENTS if hasSides(segmentationNode) else (BOTH_LUNGS,)
    found = [(lung.label, boxOfLung(segmentationNode, lung, volumeNode)) for lung in lungs]
    return [(label, part) for label, part in found if part is not None]


def _inBox(volumeNode: Any, segmentationNode: Any) -> tuple[CTVolume, np.ndarray] | None:
    """`ctAndLungs` in a box around the lungs, which takes a fraction of the time; None where none are in the volume."""
    parts = _partsOf(volumeNode, segmentationNode)
    if not parts:
        return None
    box = boxAround([part.box for _label, part in parts])
    labels = np.zeros([side.stop - side.start for side in box], np.uint8)
    for label, part in parts:
        labels[within(box, part.box)][part.inside] = label
    return ctOf(volumeNode, box), onCtAxes(volumeNode, labels)


def otherSegmentsOf(volumeNode: Any, segmentationNode: Any) -> Callable[[], OtherSegments]:
    """A function that gives the segments that are no lungs, on the voxels of the volume in the order of axes of a
    `CTVolume`; it has copies of what it needs, so that any thread may call it."""
    lungs, segmentation = idsOfLungs(segmentationNode), segmentationNode.GetSegmentation()
    ids = [segmentId for segmentId in segmentation.GetSegmentIDs() if segmentId not in lungs]
    names = tuple(segmentation.GetSegment(segmentId).GetName() for segmentId in ids)
    parts = [boxOfSegment(segmentationNode, segmentId, volumeNode) for segmentId in ids]
    shape, geometry = slicer.util.arrayFromVolume(volumeNode).shape, ctOf(volumeNode).native

    def layers() -> Iterator[np.ndarray]:
        for number, part in enumerate(parts, start=1):
            if part is not None:
                layer = np.zeros(shape, np.uint16)
                layer[part.box][part.inside] = number
                yield layer

    return lambda: OtherSegments(names, CTVolume.from_array(numbered(layers(), shape), geometry, "").hu)
