"""Images to and from MRML nodes, and a run of the panel, for the tests of the modules."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import vtk
from slicer_host import Host


def add_volume(host: Host, image: sitk.Image, name: str) -> Any:
    """Volume node with the image's voxels and geometry."""
    flip = np.diag([-1.0, -1.0, 1.0])
    matrix = np.eye(4)
    matrix[:3, :3] = flip @ np.array(image.GetDirection()).reshape(3, 3) @ np.diag(image.GetSpacing())
    matrix[:3, 3] = flip @ np.array(image.GetOrigin())
    return host.slicer.util.addVolumeFromArray(sitk.GetArrayFromImage(image), matrix, name)


def put_under_acquisition_transform(host: Host, volume: Any, moved_mm: np.ndarray) -> Any:
    """As Slicer does with a DICOM series whose slices are not where a regular grid has them; returns the transform.

    ``moved_mm`` (slices, 3) are the steps in RAS from the grid to the places of the slices.
    """
    slicer = host.slicer
    columns, rows, slices = volume.GetImageData().GetDimensions()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", f"{volume.GetName()} acquisition transform")
    corners, (width, height, step) = vtk.vtkImageData(), volume.GetSpacing()
    corners.SetOrigin(*volume.GetOrigin())
    corners.SetDimensions(2, 2, slices)
    corners.SetSpacing(width * columns, height * rows, step)
    corners.AllocateScalars(vtk.VTK_DOUBLE, 3)
    directions, transform = vtk.vtkMatrix4x4(), slicer.vtkOrientedGridTransform()
    volume.GetIJKToRASDirectionMatrix(directions)
    transform.SetGridDirectionMatrix(directions)
    transform.SetDisplacementGridData(corners)
    node.SetAndObserveTransformToParent(transform)
    volume.SetAndObserveTransformNodeID(node.GetID())
    slicer.util.arrayFromGridTransform(node)[:] = moved_mm[:, None, None]
    return node


def add_slice_view(host: Host, background: Any, is_in_layout: bool = True) -> Any:
    """A slice view that shows a volume; returns the node with what it shows."""
    scene = host.slicer.mrmlScene
    name = scene.GenerateUniqueName("View")
    view = scene.AddNewNodeByClass("vtkMRMLSliceNode", name)
    view.SetMappedInLayout(is_in_layout)
    layers = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", name)
    layers.SetBackgroundVolumeID(background.GetID())
    for node in (view, layers):
        node.SetLayoutName(name)
    return layers


def save_scene(host: Host, path: Path, *nodes: tuple[Any, str]) -> None:
    """Save the scene, and beside it the data of these nodes in files with these endings."""
    for node, ending in nodes:
        node.AddDefaultStorageNode()
        node.GetStorageNode().SetFileName(str(path.parent / f"{node.GetID()}.{ending}"))
        assert node.GetStorageNode().WriteData(node)
    host.slicer.mrmlScene.SetURL(str(path))
    assert host.slicer.mrmlScene.Commit()


def segment_array(host: Host, segmentation: Any, segment_id: str, volume: Any) -> np.ndarray:
    """Voxels of a segment on the grid of the volume (bool)."""
    return host.slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, volume) > 0


def run_to_the_end(host: Host, panel: Any) -> None:
    """Click Segment lungs and wait until the run is over, and its lungs are measured."""
    panel.ui.segmentButton.click()
    host.wait(lambda: panel.ui.segmentButton.visible)
    wait_for_measurements(host, panel)


def wait_for_measurements(host: Host, panel: Any) -> None:
    """They are taken in a thread."""
    host.wait(lambda: panel.ui.measurementsLabel.text != "Measuring...")


def parameters(panel: Any) -> Any:
    """The parameter node of an open panel."""
    return panel.logic.getParameterNode()


def rows_of(table: Any) -> list[list[str]]:
    """Texts of a table widget."""
    return [[table.item(row, column).text() for column in range(table.columnCount)] for row in range(table.rowCount)]


def table_of(panel: Any, kind: str = "measurements") -> Any:
    """The table node that the panel shows: ``measurements`` or ``slices to check``."""
    from LungSegResNetWidgets.ct_tables import findTable

    chosen = parameters(panel)
    return findTable(kind, chosen.inputVolume, chosen.outputSegmentation)


def tool_tip(widget: Any) -> str:
    """The text of a tool tip, without the marks that have Qt break it into lines."""
    return html.unescape(re.sub(r"<[^>]+>", "", widget.toolTip))
