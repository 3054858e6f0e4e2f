"""What the slice views show, and where they look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer
import vtk


def backgroundVolumes() -> list[Any]:
    """The volumes that the slice views of the layout show in the background."""
    ids = [view.GetBackgroundVolumeID() for view in _layersOfViews()]
    nodes = [slicer.mrmlScene.GetNodeByID(volumeId) for volumeId in ids if volumeId]
    return [node for node in nodes if node is not None]


def showVolume(volumeNode: Any) -> None:
    """Make a volume the background of all slice views; if one in the layout shows it already, they are left alone."""
    shown = {view.GetBackgroundVolumeID() for view in _layersOfViews()}
    shown |= {view.GetForegroundVolumeID() for view in _layersOfViews() if view.GetForegroundOpacity() > 0}
    if volumeNode.GetID() not in shown:
        slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)


def _viewsInLayout() -> list[Any]:
    return [view for view in slicer.util.getNodesByClass("vtkMRMLSliceNode") if view.IsMappedInLayout()]


def _layersOfViews() -> list[Any]:
    """Of the views that are in the layout; Slicer keeps those of other layouts, which nobody sees, in the scene."""
    visible = {view.GetLayoutName() for view in _viewsInLayout()}
    layers = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    return [node for node in layers if node.GetLayoutName() in visible]


def jumpToPoint(volumeNode: Any, point: Sequence[float]) -> None:
    """Move all slice views to a point of a volume, and mark it with the crosshair.

    A view that was zoomed in or moved aside, so that the point would not be seen, is centred on it; its zoom stays.

    Parameters
    ----------
    point : RAS coordinates in mm as the volume's own grid has them; its parent transform, also a non-linear one, is
        applied here.
    """
    world = [0.0, 0.0, 0.0]
    volumeNode.TransformPointToWorld(list(point), world)
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *world, slicer.vtkMRMLSliceNode.OffsetJumpSlice)
    for view in _viewsInLayout():
        if not _holds(view, world):
            view.JumpSliceByCentering(*world)
    for crosshair in slicer.util.getNodesByClass("vtkMRMLCrosshairNode"):
        crosshair.SetCrosshairRAS(world)
        if crosshair.GetCrosshairMode() == slicer.vtkMRMLCrosshairNode.NoCrosshair:
            crosshair.SetCrosshairMode(slicer.vtkMRMLCrosshairNode.ShowSmallBasic)


def _holds(view: Any, world: Sequence[float]) -> bool:
    """Whether a point of the slice that a view shows lies within the view."""
    rasToXy = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(view.GetXYToRAS(), rasToXy)
    x, y = rasToXy.MultiplyPoint((*world, 1.0))[:2]
    width, height = view.GetDimensions()[:2]
    return bool(0 <= x < width and 0 <= y < height)
