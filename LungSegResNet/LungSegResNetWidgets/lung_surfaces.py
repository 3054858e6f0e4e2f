"""Closed surfaces of segments that were changed: made anew last of all, because Slicer needs seconds for them."""

from __future__ import annotations

from typing import Any

import qt
import slicer
import vtk

from .background_job import haveSurfacesToWait
from .frames import browserOf

CLOSED_SURFACE = "Closed surface"
_PAUSE_MS = 50  # in which the window shows what else is new
_due: list[Any] = []  # weak references to segmentations


def renewSurfaces(segmentationNode: Any) -> None:
    """Take away surfaces, which show segments as they were; they come back once nothing is measured any more.

    Those of a frame come back at once: as soon as another one is shown, they could not be made any more.
    """
    if segmentationNode.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE):
        segmentationNode.RemoveClosedSurfaceRepresentation()
        _due.append(vtk.vtkWeakReference())
        _due[-1].Set(segmentationNode)
        if browserOf(segmentationNode):
            makeDueSurfaces()
            return
        qt.QTimer.singleShot(_PAUSE_MS, _makeWhenIdle)


def makeDueSurfaces() -> None:
    """Make at once what was put off."""
    slicer.app.setOverrideCursor(qt.Qt.WaitCursor)
    try:
        while _due:
            if node := _due.pop().Get():
                node.CreateClosedSurfaceRepresentation()
    finally:
        slicer.app.restoreOverrideCursor()


def _makeWhenIdle() -> None:
    if haveSurfacesToWait():
        qt.QTimer.singleShot(_PAUSE_MS, _makeWhenIdle)
    elif _due:
        makeDueSurfaces()
