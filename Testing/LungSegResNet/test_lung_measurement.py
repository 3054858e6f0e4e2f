"""Lungs of the scene measured as those of the command line are, on real MRML."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import vtk
from mrml_data import add_volume
from slicer_host import Host
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.figures.measurements import measure_lungs, measurements_as_json


def test_measurements_are_those_of_the_command_line_also_under_a_parent_transform(
    host: Host, ct: Any, thorax: tuple[sitk.Image, sitk.Image], drawn: np.ndarray
) -> None:
    from LungSegResNetWidgets.lung_measurement import measure
    from LungSegResNetWidgets.lung_segments import placeWithVolume, writeLungs

    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Result")
    transform = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "Registration")
    moved = vtk.vtkTransform()
    moved.RotateX(30)
    moved.Translate(10, 20, 30)
    transform.SetMatrixTransformToParent(moved.GetMatrix())
    ct.SetAndObserveTransformNodeID(transform.GetID())
    placeWithVolume(segmentation, ct)
    writeLungs(segmentation, ct, drawn)
    assert segmentation.GetTransformNodeID() == transform.GetID()
    volume = CTVolume.from_sitk(thorax[0], "Phantom")
    mask = CTVolume.from_sitk(thorax[1], "Phantom").hu
    assert measure(ct, segmentation) == measurements_as_json(measure_lungs(volume, mask))


@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0, 0, 0, 1), (0, 0, 1, -1, 0, 0, 0, -1, 0)])
@pytest.mark.parametrize("change", ["none", "one lung only", "painted outside", "finer voxels", "other transform"])
def test_measuring_in_the_box_of_the_lungs_gives_what_measuring_in_the_whole_ct_gives(
    host: Host, monkeypatch: pytest.MonkeyPatch, direction: tuple[int, ...], change: str
) -> None:
    from LungSegResNetWidgets import lung_measurement, volume_nodes
    from LungSegResNetWidgets.lung_segments import placeWithVolume, writeLungs

    slicer = host.slicer
    image, mask = Thorax().scan(spacing=(6.0, 6.0, 20.0), direction=direction)
    volume, drawn = add_volume(host, image, "CT"), sitk.GetArrayFromImage(mask)
    lungs = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lungs")
    placeWithVolume(lungs, volume)
    writeLungs(lungs, volume, np.where(drawn == 2, 0, drawn) if change == "one lung only" else drawn)
    if change == "painted outside":
        labelmap = lungs.GetBinaryLabelmapInternalRepresentation("left_lung")
        size = volume.GetImageData().GetDimensions()
        outside = _box(host, labelmap, (-3, 4, -2, 5, -1, size[2]))
        lungs.GetSegmentation().GetSegment("left_lung").AddRepresentation("Binary labelmap", outside)
    elif change == "finer voxels":
        fine = add_volume(host, Thorax().scan(spacing=(4.0, 4.0, 15.0), direction=direction)[0], "Fine")
        block = np.zeros(slicer.util.arrayFromVolume(fine).shape, np.uint8)
        block[3:9, 5:20, 5:20] = 1
        lungs.SetReferenceImageGeometryParameterFromVolumeNode(fine)
        slicer.util.updateSegmentBinaryLabelmapFromArray(block, lungs, "left_lung", fine)
    elif change == "other transform":
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "Moved")
        moved = vtk.vtkTransform()
        moved.Translate(12.0, 0, 0)
        transform.SetMatrixTransformToParent(moved.GetMatrix())
        lungs.SetAndObserveTransformNodeID(transform.GetID())
    resampled, labels = slicer.util.arrayFromSegmentBinaryLabelmap, np.zeros(drawn.shape, np.uint8)
    for label, segment in enumerate(("right_lung", "left_lung"), start=1):
        if change != "one lung only" or label == 1:
            labels[resampled(lungs, segment, volume) > 0] = label
    ct, on_axes = volume_nodes.ctOf(volume), volume_nodes.onCtAxes(volume, labels)
    whole = measurements_as_json(measure_lungs(ct, on_axes))
    np.testing.assert_array_equal(lung_measurement.ctAndLungs(volume, lungs)[1], on_axes)
    asked: list[str] = []

    def resample(*arguments: Any) -> np.ndarray:
        asked.append("")
        return resampled(*arguments)

    monkeypatch.setattr(slicer.util, "arrayFromSegmentBinaryLabelmap", resample)
    assert lung_measurement.measure(volume, lungs) == whole
    assert bool(asked) == (change in ("finer voxels", "other transform"))


def _box(host: Host, labelmap: Any, extent: tuple[int, ...]) -> Any:
    """A labelmap on the voxels of another one with all voxels of an extent inside."""
    box = host.slicer.vtkOrientedImageData()
    matrix = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    box.SetImageToWorldMatrix(matrix)
    box.SetExtent(extent)
    box.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    box.GetPointData().GetScalars().Fill(1)
    return box
