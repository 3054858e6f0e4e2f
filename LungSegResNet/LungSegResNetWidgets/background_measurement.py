"""Lungs measured in a thread while the window goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import vtk

from .background_job import BackgroundJob
from .frames import frameNumber
from .lung_measurement import measurementOf
from .lung_segments import digestOfLungs


class BackgroundMeasurement:
    """Measures one pair of CT and lungs at a time; the last one that was started counts.

    Parameters
    ----------
    onDone : is called in the main thread with the volume node, the segmentation node and rows as of `measure`, or None
        where they could not be measured; the log says why then. It is not called if a node has left the scene.
    onDropped : is called instead, with the nodes and whether another frame is shown, if lungs or CT were changed, or
        another frame was shown, while they were measured.
    """

    def __init__(self, onDone: Callable[[Any, Any, Any], None], onDropped: Callable[[Any, Any, bool], None]) -> None:
        self._onDone, self._onDropped = onDone, onDropped
        self._job = BackgroundJob(beforeSurfaces=True)
        self._volume, self._segmentation = vtk.vtkWeakReference(), vtk.vtkWeakReference()
        self._state: tuple[Any, ...] = ()

    def start(self, volumeNode: Any, segmentationNode: Any) -> None:
        """Measure the lungs as they are now."""
        self._volume.Set(volumeNode)
        self._segmentation.Set(segmentationNode)
        self._state = _stateOf(volumeNode, segmentationNode)
        self._job.start(_jobOf(volumeNode, segmentationNode), self._take)

    def isAbout(self, volumeNode: Any, segmentationNode: Any) -> bool:
        """Whether this pair is being measured."""
        if not self._job.running or volumeNode is None:
            return False
        return self._volume.Get() is volumeNode and self._segmentation.Get() is segmentationNode

    def stop(self) -> None:
        """The result is not asked for any more: there is another one, or Slicer quits."""
        self._job.stop()

    def _take(self, future: Future[Any]) -> None:
        volumeNode, segmentationNode = self._volume.Get(), self._segmentation.Get()
        if any(node is None or node.GetScene() is None for node in (volumeNode, segmentationNode)):
            return
        if _stateOf(volumeNode, segmentationNode) != self._state:
            self._onDropped(volumeNode, segmentationNode, frameNumber(volumeNode) != self._state[0])
            return
        try:
            rows = future.result()
        except Exception:
            logging.exception("The lungs could not be measured.")
            rows = None
        self._onDone(volumeNode, segmentationNode, rows)


def _jobOf(volumeNode: Any, segmentationNode: Any) -> Callable[[], list[dict[str, Any]]]:
    """A function that measures in a thread; where that cannot be prepared, it raises why."""
    try:
        return measurementOf(volumeNode, segmentationNode)
    except Exception as error:
        reason = error

    def fail() -> list[dict[str, Any]]:
        raise reason

    return fail


def _stateOf(volumeNode: Any, segmentationNode: Any) -> tuple[Any, ...]:
    return frameNumber(volumeNode), digestOfLungs(volumeNode, segmentationNode)
