"""The box of a ROI as voxels, against what Slicer's own ROI node says of each point."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import vtk
from mrml_data import add_volume, put_under_acquisition_transform
from slicer_host import Host
from synthetic_thorax import Thorax


@pytest.fixture
def region(host: Host) -> Any:
    """The module under test, which needs ``slicer``."""
    from LungSegResNetWidgets import region

    return region


def add_roi(host: Host, center: tuple[float, ...], size: tuple[float, ...], name: str = "Box") -> Any:
    roi = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", name)
    roi.SetCenter(*center)
    roi.SetSize(*size)
    return roi


def whole(voxels: Any, volume: Any) -> np.ndarray:
    """Voxels in a box as an array of the whole volume."""
    inside = np.zeros(volume.GetImageData().GetDimensions()[::-1], bool)
    inside[voxels.box] = voxels.inside
    return inside


def slices_of(volume: Any) -> int:
    return volume.GetImageData().GetDimensions()[2]


def put_under_transform(host: Host, node: Any, *, angle: float, shift: tuple[float, ...]) -> Any:
    transform = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "Moved")
    moved = vtk.vtkTransform()
    moved.RotateWXYZ(angle, 1, 2, 3)
    moved.Translate(*shift)
    transform.SetMatrixTransformToParent(moved.GetMatrix())
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def test_a_rotated_box_under_a_transform_holds_the_voxels_that_slicer_says_lie_in_it(host: Host, region: Any) -> None:
    image, _mask = Thorax().scan(spacing=(12.0, 12.0, 25.0), direction=(0, 0, 1, -1, 0, 0, 0, -1, 0))
    volume = add_volume(host, image, "Turned")
    put_under_transform(host, volume, angle=15, shift=(10, -5, 3))
    roi = add_roi(host, (0, 0, 0), (150, 90, 120))
    turned = vtk.vtkTransform()
    turned.Translate(20, -10, 5)
    turned.RotateZ(35)
    roi.SetAndObserveObjectToNodeMatrix(turned.GetMatrix())
    put_under_transform(host, roi, angle=-40, shift=(3, 4, 5))

    box = region.Region.of(roi, volume)
    inside = whole(box.voxelsOf(volume), volume)

    ijk_to_ras, ras_to_world = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(ijk_to_ras)
    volume.GetParentTransformNode().GetMatrixTransformToWorld(ras_to_world)
    wanted = np.zeros_like(inside)
    for k, j, i in np.ndindex(inside.shape):
        world = ras_to_world.MultiplyPoint(ijk_to_ras.MultiplyPoint((i, j, k, 1.0)))
        wanted[k, j, i] = roi.IsPointInROIWorld(list(world[:3]))
    assert 20 < wanted.sum() < wanted.size / 2
    np.testing.assert_array_equal(inside, wanted)
    (option,) = box.arguments()
    from_lps = np.reshape(list(map(float, option.removeprefix("--check-inside=").split(","))), (3, 4))
    for k, j, i in ((k, j, i) for k, j, i in np.ndindex(inside.shape) if (k + j + i) % 7 == 0):
        right, front, up, _one = ijk_to_ras.MultiplyPoint((i, j, k, 1.0))
        assert (np.abs(from_lps @ [-right, -front, up, 1.0]) <= 1).all() == wanted[k, j, i]


def test_a_ct_that_is_moved_during_a_run_takes_the_box_along(host: Host, region: Any, ct: Any) -> None:
    roi = add_roi(host, (0, 0, 0), (40, 40, 40))
    region.fitNewRoi(roi, ct)
    roi.SetSize(60, 70, 80)
    box = region.Region.of(roi, ct)
    before = whole(box.voxelsOf(ct), ct)
    assert 0 < before.sum() < before.size
    put_under_transform(host, ct, angle=30, shift=(100, 0, 50))
    np.testing.assert_array_equal(whole(box.voxelsOf(ct), ct), before)
    assert not np.array_equal(whole(region.Region.of(roi, ct).voxelsOf(ct), ct), before)


@pytest.mark.parametrize("angle", [0, 35])
def test_of_a_small_box_in_a_large_ct_only_the_voxels_around_it_are_looked_at(
    host: Host, region: Any, ct: Any, angle: float
) -> None:
    roi = add_roi(host, (20, -10, 5), (30, 40, 50))
    turned = vtk.vtkTransform()
    turned.RotateZ(angle)
    roi.SetAndObserveObjectToNodeMatrix(turned.GetMatrix())
    voxels = region.Region.of(roi, ct).voxelsOf(ct)
    assert voxels.inside.size < 0.05 * np.prod(ct.GetImageData().GetDimensions())
    assert voxels.inside.sum() > 100
    assert voxels.inside.shape == tuple(side.stop - side.start for side in voxels.box)


@pytest.mark.parametrize("center", [(5000, 0, 0), (0, 0, -5000)])
def test_a_box_beside_the_ct_holds_no_voxel(host: Host, region: Any, ct: Any, center: tuple[float, ...]) -> None:
    voxels = region.Region.of(add_roi(host, center, (30, 40, 50)), ct).voxelsOf(ct)
    assert not whole(voxels, ct).any()


def test_a_new_box_is_laid_around_the_ct_and_one_that_was_drawn_is_not_moved(host: Host, region: Any, ct: Any) -> None:
    new, drawn = add_roi(host, (0, 0, 0), (0, 0, 0)), add_roi(host, (1, 2, 3), (40, 50, 60))
    for roi in (new, drawn):
        region.fitNewRoi(roi, ct)
    assert whole(region.Region.of(new, ct).voxelsOf(ct), ct).all()
    assert drawn.GetSize() == (40, 50, 60)


def test_a_box_without_a_size_or_under_a_bending_transform_is_refused_by_name(host: Host, region: Any, ct: Any) -> None:
    assert region.whyNoRegion(ct, None) == ""
    assert region.whyNoRegion(None, add_roi(host, (0, 0, 0), (40, 40, 40))) == ""
    assert "Flat" in region.whyNoRegion(ct, add_roi(host, (0, 0, 0), (0, 0, 0), "Flat"))
    roi = add_roi(host, (0, 0, 0), (40, 40, 40))
    assert region.whyNoRegion(ct, roi) == ""
    bending = put_under_acquisition_transform(
        host, ct, np.array([(0, 0, 20.0 * (k % 2)) for k in range(slices_of(ct))])
    )
    assert "Phantom" in region.whyNoRegion(ct, roi)
    ct.SetAndObserveTransformNodeID(None)
    roi.SetAndObserveTransformNodeID(bending.GetID())
    assert "Box" in region.whyNoRegion(ct, roi)


@pytest.mark.parametrize(("rounding", "tilt"), [(0.05, 0.0), (0.0, 7.0)])
def test_a_transform_of_the_dicom_import_that_is_as_good_as_linear_counts_for_the_box_as_it_does_for_slicer(
    host: Host, region: Any, ct: Any, rounding: float, tilt: float
) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, slices_of(ct))
    moved = [(0, tilt * k, rounding * one) for k, one in enumerate(noise)]
    put_under_acquisition_transform(host, ct, np.array(moved))
    roi = add_roi(host, (0.3, 20.3, 0.3), (151, 91, 121))  # its sides go through the middle of no voxel
    assert region.whyNoRegion(ct, roi) == ""
    inside = whole(region.Region.of(roi, ct).voxelsOf(ct), ct)
    ijk_to_ras, wanted = vtk.vtkMatrix4x4(), np.zeros_like(inside)
    ct.GetIJKToRASMatrix(ijk_to_ras)
    for k, j, i in np.ndindex(inside.shape):
        if (k + j + i) % 7:
            wanted[k, j, i] = inside[k, j, i]
            continue
        world = [0.0, 0.0, 0.0]
        ct.TransformPointToWorld(list(ijk_to_ras.MultiplyPoint((i, j, k, 1.0))[:3]), world)
        wanted[k, j, i] = roi.IsPointInROIWorld(world)
    assert 20 < wanted.sum() < wanted.size / 2
    np.testing.assert_array_equal(inside, wanted)
