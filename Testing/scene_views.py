"""Pictures of slices and of the 3D view of a scene, drawn without a window by Slicer's own displayable managers.

The package ``slicer-core`` brings these managers, which draw volumes, segmentations and surfaces in Slicer's views.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

_SLICE_MANAGERS = ("vtkMRMLSegmentationsDisplayableManager2D", "vtkMRMLModelSliceDisplayableManager")
_THREED_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
)
_MIDDLE_OF_8_BITS = 127.5


class SceneView:
    """A view of a scene: window, renderer and the managers that draw the scene's nodes in it."""

    def __init__(self, size: tuple[int, int], factory: Any, managers: Sequence[str], logic: Any) -> None:
        self.renderer = vtk.vtkRenderer()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(True)
        self.window.SetMultiSamples(8)
        self.window.SetSize(*size)
        self.window.AddRenderer(self.renderer)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self.window)
        factory.SetMRMLApplicationLogic(logic)
        for name in managers:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self.group = slicer.vtkMRMLDisplayableManagerGroup()
        self.group.Initialize(factory, self.renderer)

    def pixels(self) -> np.ndarray:
        """Draw; the picture as uint8 (row, column, 3), top row first."""
        self.window.Render()
        picture = vtk.vtkWindowToImageFilter()
        picture.SetInput(self.window)
        picture.ReadFrontBufferOff()
        picture.Update()
        image = picture.GetOutput()
        columns, rows, _one = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, -1)[::-1, :, :3]


class SliceView(SceneView):
    """A slice view through a volume, ``orientation`` Axial, Coronal or Sagittal."""

    def __init__(self, scene: Any, logic: Any, orientation: str, size: tuple[int, int] = (420, 420)) -> None:
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        super().__init__(size, factory, _SLICE_MANAGERS, logic)
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLScene(scene)
        self._logic.SetMRMLApplicationLogic(logic)
        self.node = self._logic.AddSliceNode(orientation)
        self.node.SetOrientation(orientation)
        self.node.SetDimensions(*size, 1)
        self.group.SetMRMLDisplayableNode(self.node)
        mapper = vtk.vtkImageMapper()
        mapper.SetColorWindow(2 * _MIDDLE_OF_8_BITS)
        mapper.SetColorLevel(_MIDDLE_OF_8_BITS)
        mapper.SetInputConnection(self._logic.GetImageDataConnection())
        self._mapper = mapper
        actor = vtk.vtkActor2D()
        actor.SetMapper(mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(actor)

    def show(self, volume: Any, point: Sequence[float]) -> None:
        """Fill the view with the volume, and cut it at a point (RAS, mm)."""
        self._logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
        self._logic.FitSliceToAll(*self.window.GetSize())
        self.node.JumpSliceByOffsetting(*point)
        self._mapper.SetInputConnection(self._logic.GetImageDataConnection())


class ThreeDView(SceneView):
    """A 3D view from the front."""

    def __init__(self, scene: Any, logic: Any, size: tuple[int, int] = (420, 420)) -> None:
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        super().__init__(size, factory, _THREED_MANAGERS, logic)
        self._logic = slicer.vtkMRMLViewLogic()
        self._logic.SetMRMLScene(scene)
        self._logic.SetMRMLApplicationLogic(logic)
        self.node = self._logic.AddViewNode("View")
        self.node.SetBoxVisible(False)
        self.node.SetAxisLabelsVisible(False)
        self.group.SetMRMLDisplayableNode(self.node)

    def show(self) -> None:
        """Make the managers draw, then look at everything from the front."""
        self.window.Render()
        camera = self.renderer.GetActiveCamera()
        camera.SetFocalPoint(0, 0, 0)
        camera.SetPosition(0, 1, 0)
        camera.SetViewUp(0, 0, 1)
        self.renderer.ResetCamera()
        camera.Zoom(1.4)
        self.renderer.ResetCameraClippingRange()
