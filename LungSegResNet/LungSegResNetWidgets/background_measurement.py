"""Lungs measured in a thread while the window goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import qt
import vtk

from .frames import frameNumber
from .lung_measurement import measurementOf
from .lung_segments import digestOfLungs

# Python in Slicer may hold its lock while nothing happens: the thread goes on while this one waits for it.
_INTERVAL_MS, _WAIT_SECONDS = 10, 0.02


class BackgroundMeasurement:
    """Measures one pair of CT and lungs at a time; the last one that was started counts.

    Parameters
    ----------
    onDone : is called in the main thread with the volume node, the segmentation node and rows as of `measure`, or None
        where they could not be measured; the log says why then. It is not called if a node has left the scene.
    onDropped : is called instead if lungs or CT were changed, or another frame was shown, while they were measured.
    """

    def __init__(self, onDone: Callable[[Any, Any, Any], None], onDropped: Callable[[], None]) -> None:
        self._onDone, self._onDropped = onDone, onDropped
        self._threads = ThreadPoolExecutor(1)
        self._future: Future[list[dict[str, Any]]] | None = None
        self._volume, self._segmentation = vtk.vtkWeakReference(), vtk.vtkWeakReference()
        self._state: tuple[Any, ...] = ()
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.connect("timeout()", self._look)

    def start(self, volumeNode: Any, segmentationNode: Any) -> None:
        """Measure the lungs as they are now; both nodes have voxels."""
        self._volume.Set(volumeNode)
        self._segmentation.Set(segmentationNode)
        self._state = _stateOf(volumeNode, segmentationNode)
        self._future = self._threads.submit(measurementOf(volumeNode, segmentationNode))
        self._timer.start()

    def isAbout(self, volumeNode: Any, segmentationNode: Any) -> bool:
        """Whether this pair is being measured."""
        if self._future is None or volumeNode is None:
            return False
        return self._volume.Get() is volumeNode and self._segmentation.Get() is segmentationNode

    def stop(self) -> None:
        """The result is not asked for any more: there is another one, or Slicer quits."""
        self._timer.stop()
        self._future = None

    def _look(self) -> None:
        if self._future is None:
            return
        wait([self._future], _WAIT_SECONDS)
        if not self._future.done():
            return
        self._timer.stop()
        future, self._future = self._future, None
        volumeNode, segmentationNode = self._volume.Get(), self._segmentation.Get()
        if any(node is None or node.GetScene() is None for node in (volumeNode, segmentationNode)):
            return
        if _stateOf(volumeNode, segmentationNode) != self._state:
            self._onDropped()
            return
        try:
            rows = future.result()
        except Exception:
            logging.exception("The lungs could not be measured.")
            rows = None
        self._onDone(volumeNode, segmentationNode, rows)


def _stateOf(volumeNode: Any, segmentationNode: Any) -> tuple[Any, ...]:
    return frameNumber(volumeNode), digestOfLungs(volumeNode, segmentationNode)
