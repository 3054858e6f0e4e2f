"""Lungs of the scene measured as those of the command line are, on real MRML."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
import vtk
from slicer_host import Host

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
