"""Lungs of the scene as arrays on the voxels of their CT, as the library takes them, and their measurements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import slicer

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.figures.measurements import measure_lungs, measurements_as_json
from LungSegResNetLib.files.other_segments import OtherSegments, numbered
from LungSegResNetLib.labels import BOTH_LUNGS, LUNG_SEGMENTS

from .labelmaps import cropped, isOnVoxels, labelmapOf, nearestVoxel
from .lung_segments import findLung, hasSides, idsOfLungs, voxelsOfLung
from .volume_nodes import ctOf, onCtAxes


def measure(volumeNode: Any, segmentationNode: Any) -> list[dict[str, Any]]:
    """Rows as of ``measurements_as_json`` for the lung segments as they are now, on the voxels of the volume.

    Where both lungs are one segment there is one row, that of both.
    """
    return measurementOf(volumeNode, segmentationNode)()


def measurementOf(volumeNode: Any, segmentationNode: Any) -> Callable[[], list[dict[str, Any]]]:
    """A function that gives the rows of `measure`; it has copies of what it needs, so that any thread may call it."""
    ct, labels = _inBox(volumeNode, segmentationNode) or ctAndLungs(volumeNode, segmentationNode)
    ct, isOfSides = replace(ct, hu=ct.hu.copy()), hasSides(segmentationNode)

    def rows() -> list[dict[str, Any]]:
        measured = measurements_as_json(measure_lungs(ct, labels))
        return measured if isOfSides else measured[-1:]

    return rows


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


def _inBox(volumeNode: Any, segmentationNode: Any) -> tuple[CTVolume, np.ndarray] | None:
    """`ctAndLungs` in a box around the lungs, which takes a fraction of the time.

    None where there are no lungs in the volume, or where they lie on other voxels than its own.
    """
    if segmentationNode.GetParentTransformNode() is not volumeNode.GetParentTransformNode():
        return None
    shape = slicer.util.arrayFromVolume(volumeNode).shape
    parts = []
    for lung in LUNG_SEGMENTS if hasSides(segmentationNode) else (BOTH_LUNGS,):
        segmentId = findLung(segmentationNode, lung)
        labelmap = labelmapOf(segmentationNode, segmentId) if segmentId else None
        if labelmap is None:
            continue
        if not isOnVoxels(volumeNode, labelmap):
            return None
        first, inside = cropped(labelmap)
        start = np.array(nearestVoxel(volumeNode, labelmap, first)[::-1])
        # What was painted outside of the volume is not measured.
        low, high = np.maximum(start, 0), np.minimum(start + inside.shape, shape)
        if np.all(low < high):
            parts.append((lung.label, low, high, inside[_slices(low - start, high - start)]))
    if not parts:
        return None
    lowest, highest = np.min([part[1] for part in parts], axis=0), np.max([part[2] for part in parts], axis=0)
    labels = np.zeros(highest - lowest, np.uint8)
    for label, low, high, inside in parts:
        labels[_slices(low - lowest, high - lowest)][inside] = label
    return ctOf(volumeNode, _slices(lowest, highest)), onCtAxes(volumeNode, labels)


def _slices(starts: np.ndarray, stops: np.ndarray) -> tuple[slice, ...]:
    return tuple(slice(int(start), int(stop)) for start, stop in zip(starts, stops, strict=True))


def otherSegments(volumeNode: Any, segmentationNode: Any) -> OtherSegments:
    """The segments that are no lungs, on the voxels of the volume in the order of axes of a `CTVolume`."""
    lungs, segmentation = idsOfLungs(segmentationNode), segmentationNode.GetSegmentation()
    ids = [segmentId for segmentId in segmentation.GetSegmentIDs() if segmentId not in lungs]
    shape = slicer.util.arrayFromVolume(volumeNode).shape
    layers = (
        (slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode) > 0) * np.uint16(number)
        for number, segmentId in enumerate(ids, start=1)
    )
    names = tuple(segmentation.GetSegment(segmentId).GetName() for segmentId in ids)
    return OtherSegments(names, onCtAxes(volumeNode, numbered(layers, shape)))
