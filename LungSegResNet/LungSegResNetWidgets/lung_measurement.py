"""Lungs of the scene as arrays on the voxels of their CT, as the library takes them, and their measurements."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.figures.measurements import measure_lungs, measurements_as_json
from LungSegResNetLib.files.left_out_segments import LeftOutSegments, numbered
from LungSegResNetLib.labels import BOTH_LUNGS, LUNG_SEGMENTS

from .lung_segments import hasSides, idsOfLungs, voxelsOfLung
from .volume_nodes import ctOf, onCtAxes


def measure(volumeNode: Any, segmentationNode: Any) -> list[dict[str, Any]]:
    """Rows as of ``measurements_as_json`` for the lung segments as they are now, on the voxels of the volume.

    Where both lungs are one segment there is one row, that of both.
    """
    rows = measurements_as_json(measure_lungs(*ctAndLungs(volumeNode, segmentationNode)))
    return rows if hasSides(segmentationNode) else rows[-1:]


def measureLabels(volumeNode: Any, labels: np.ndarray) -> list[dict[str, Any]]:
    """Rows as of ``measurements_as_json`` for a label array on the voxels of the volume."""
    return measurements_as_json(measure_lungs(ctOf(volumeNode), onCtAxes(volumeNode, labels)))


def ctAndLungs(volumeNode: Any, segmentationNode: Any) -> tuple[CTVolume, np.ndarray]:
    """The volume without its parent transform, and the lung segments as a label array on its voxels.

    A segment of both lungs is taken where there is none of a single one.
    """
    labels = np.zeros(slicer.util.arrayFromVolume(volumeNode).shape, np.uint8)
    for lung in LUNG_SEGMENTS if hasSides(segmentationNode) else (BOTH_LUNGS,):
        labels[voxelsOfLung(segmentationNode, lung, volumeNode)] = lung.label
    return ctOf(volumeNode), onCtAxes(volumeNode, labels)


def otherSegments(volumeNode: Any, segmentationNode: Any) -> LeftOutSegments:
    """The segments that are no lungs, on the voxels of the volume in the order of axes of a `CTVolume`."""
    lungs, segmentation = idsOfLungs(segmentationNode), segmentationNode.GetSegmentation()
    ids = [segmentId for segmentId in segmentation.GetSegmentIDs() if segmentId not in lungs]
    shape = slicer.util.arrayFromVolume(volumeNode).shape
    layers = (
        (slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode) > 0) * np.uint16(number)
        for number, segmentId in enumerate(ids, start=1)
    )
    names = tuple(segmentation.GetSegment(segmentId).GetName() for segmentId in ids)
    return LeftOutSegments(names, onCtAxes(volumeNode, numbered(layers, shape)))
