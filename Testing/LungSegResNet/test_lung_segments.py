"""Segments in and out of segmentation nodes, on real MRML."""

from __future__ import annotations

import timeit
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import vtk
from mrml_data import add_volume, segment_array
from slicer_host import Host
from synthetic_thorax import Thorax

from LungSegResNetLib.labels import LUNG_SEGMENTS


@pytest.fixture
def lungs(host: Host) -> Any:
    """The module under test, which needs ``slicer``."""
    from LungSegResNetWidgets import lung_segments

    return lung_segments


@pytest.fixture
def segmentation(host: Host) -> Any:
    return host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Result")


def add_segment(host: Host, segmentation: Any, segment_id: str, inside: np.ndarray, volume: Any) -> None:
    """A segment of the user's, in the shared layer as Slicer's editor makes it."""
    segmentation.GetSegmentation().AddEmptySegment(segment_id, segment_id)
    host.slicer.util.updateSegmentBinaryLabelmapFromArray(inside.astype(np.uint8), segmentation, segment_id, volume)


def test_lungs_come_back_voxel_by_voxel_with_names_colours_and_terminology(
    host: Host, lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray
) -> None:
    lungs.placeWithVolume(segmentation, ct)
    lungs.writeLungs(segmentation, ct, drawn)
    for lung in LUNG_SEGMENTS:
        segment_id = lungs.findLung(segmentation, lung)
        segment = segmentation.GetSegmentation().GetSegment(segment_id)
        np.testing.assert_array_equal(segment_array(host, segmentation, segment_id, ct), drawn == lung.label)
        assert segment.GetName() == lung.name
        assert segment.GetColor() == pytest.approx(lung.color)
        tag = vtk.reference("")
        assert segment.GetTag(segment.GetTerminologyEntryTagName(), tag)
        assert str(tag) == lung.terminology


@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0, 0, 0, 1), (0, 0, 1, -1, 0, 0, 0, -1, 0)])
def test_segments_lie_on_the_voxels_of_the_volume_for_any_orientation(
    host: Host, lungs: Any, segmentation: Any, direction: tuple[float, ...]
) -> None:
    image, mask = Thorax().scan(spacing=(6.0, 6.0, 9.0), direction=direction)
    volume, labels = add_volume(host, image, "Turned"), sitk.GetArrayFromImage(mask)
    lungs.placeWithVolume(segmentation, volume)
    lungs.writeLungs(segmentation, volume, labels)
    wanted, found = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(wanted)
    labelmap = segmentation.GetBinaryLabelmapRepresentation  # the node's own grid, without resampling
    image_data = host.slicer.vtkOrientedImageData()
    labelmap("right_lung", image_data)
    image_data.GetImageToWorldMatrix(found)
    for row in range(4):
        assert [found.GetElement(row, c) for c in range(4)] == pytest.approx(
            [wanted.GetElement(row, c) for c in range(4)]
        )
    np.testing.assert_array_equal(segment_array(host, segmentation, "left_lung", volume), labels == 2)


def test_segments_of_the_user_stay_bit_by_bit_where_they_overlap_the_lungs(
    host: Host, lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray
) -> None:
    lungs.placeWithVolume(segmentation, ct)
    lungs.writeLungs(segmentation, ct, np.roll(drawn, 7, axis=2))
    nodule = np.zeros(drawn.shape, bool)
    nodule[4:7, 40:70, 20:90] = True
    assert (nodule & (drawn > 0)).any()
    assert (nodule & (drawn == 0)).any()
    add_segment(host, segmentation, "nodule", nodule, ct)
    segmentation.GetSegmentation().CollapseBinaryLabelmaps(False)
    before = segment_array(host, segmentation, "nodule", ct)
    lungs.writeLungs(segmentation, ct, drawn)
    np.testing.assert_array_equal(segment_array(host, segmentation, "nodule", ct), before)
    np.testing.assert_array_equal(segment_array(host, segmentation, "right_lung", ct), drawn == 1)
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 3


def test_a_layer_shared_with_a_segment_of_the_user_is_not_written_to(
    host: Host, lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray
) -> None:
    lungs.placeWithVolume(segmentation, ct)
    heart = np.zeros(drawn.shape, bool)
    heart[2:5, 45:60, 60:75] = True
    heart &= drawn == 0
    add_segment(host, segmentation, "heart", heart, ct)
    for lung in LUNG_SEGMENTS:
        add_segment(host, segmentation, lung.segment_id, drawn == lung.label, ct)
    segmentation.GetSegmentation().CollapseBinaryLabelmaps(False)
    assert segmentation.GetSegmentation().GetNumberOfLayers() == 1
    lungs.writeLungs(segmentation, ct, np.where(drawn == 0, 1, 0).astype(np.uint8))
    np.testing.assert_array_equal(segment_array(host, segmentation, "heart", ct), heart)
    np.testing.assert_array_equal(segment_array(host, segmentation, "right_lung", ct), drawn == 0)


def test_restoring_brings_edited_lungs_back_and_leaves_later_segments_alone(
    host: Host, lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray
) -> None:
    lungs.placeWithVolume(segmentation, ct)
    edited = drawn.copy()
    edited[5] = 0
    lungs.writeLungs(segmentation, ct, edited)
    saved = lungs.saveLungs(segmentation, ct)
    lungs.writeLungs(segmentation, ct, drawn)
    add_segment(host, segmentation, "later", drawn == 2, ct)
    lungs.restoreLungs(segmentation, saved, ct)
    np.testing.assert_array_equal(segment_array(host, segmentation, "right_lung", ct), edited == 1)
    np.testing.assert_array_equal(segment_array(host, segmentation, "left_lung", ct), edited == 2)
    np.testing.assert_array_equal(segment_array(host, segmentation, "later", ct), drawn == 2)


def test_lungs_that_were_one_segment_meanwhile_come_back_as_they_were_shown(
    lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray
) -> None:
    lungs.placeWithVolume(segmentation, ct)
    lungs.writeLungs(segmentation, ct, drawn)
    display = segmentation.GetDisplayNode()
    display.SetSegmentOpacity3D("right_lung", 0.3)
    display.SetSegmentVisibility2DFill("right_lung", False)
    display.SetSegmentVisibility("left_lung", False)
    saved = lungs.saveLungs(segmentation, ct)
    lungs.writeLungs(segmentation, ct, drawn, isOneSegment=True)
    lungs.restoreLungs(segmentation, saved, ct)
    assert display.GetSegmentOpacity3D("right_lung") == pytest.approx(0.3)
    assert not display.GetSegmentVisibility2DFill("right_lung")
    assert display.GetSegmentVisibility("right_lung")
    assert not display.GetSegmentVisibility("left_lung")


def test_restoring_removes_lungs_that_were_not_there(lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray) -> None:
    saved = lungs.saveLungs(segmentation, ct)
    lungs.placeWithVolume(segmentation, ct)
    lungs.writeLungs(segmentation, ct, drawn)
    lungs.restoreLungs(segmentation, saved, ct)
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 0
    assert not lungs.hasLungs(segmentation)


def test_lungs_are_found_by_name_where_another_program_made_them(
    host: Host, lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray
) -> None:
    add_segment(host, segmentation, "Segment_1", drawn == 1, ct)
    segmentation.GetSegmentation().GetSegment("Segment_1").SetName("Right Lung")
    lungs.writeLungs(segmentation, ct, np.flip(drawn, 0))
    assert lungs.findLung(segmentation, LUNG_SEGMENTS[0]) == "Segment_1"
    np.testing.assert_array_equal(segment_array(host, segmentation, "Segment_1", ct), np.flip(drawn, 0) == 1)


@pytest.mark.parametrize("name", ["tumour", "old right lung", "right lung 2"])
def test_a_lung_that_the_user_renamed_stays_as_it_is_and_the_new_one_comes_and_goes_beside_it(
    host: Host, lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray, name: str
) -> None:
    lungs.placeWithVolume(segmentation, ct)
    lungs.writeLungs(segmentation, ct, drawn)
    segmentation.GetSegmentation().GetSegment("right_lung").SetName(name)
    saved = lungs.saveLungs(segmentation, ct)
    lungs.writeLungs(segmentation, ct, np.flip(drawn, 0))
    np.testing.assert_array_equal(segment_array(host, segmentation, "right_lung", ct), drawn == 1)
    new = lungs.findLung(segmentation, LUNG_SEGMENTS[0])
    np.testing.assert_array_equal(segment_array(host, segmentation, new, ct), np.flip(drawn, 0) == 1)
    lungs.restoreLungs(segmentation, saved, ct)
    assert sorted(segmentation.GetSegmentation().GetSegmentIDs()) == ["left_lung", "right_lung"]
    np.testing.assert_array_equal(segment_array(host, segmentation, "right_lung", ct), drawn == 1)


def test_undo_brings_a_lung_back_beside_one_that_was_renamed_after_the_run(
    host: Host, lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray
) -> None:
    lungs.writeLungs(segmentation, ct, np.flip(drawn, 0))
    saved = lungs.saveLungs(segmentation, ct)
    lungs.writeLungs(segmentation, ct, drawn)
    segmentation.GetSegmentation().GetSegment("right_lung").SetName("new right lung")
    lungs.restoreLungs(segmentation, saved, ct)
    np.testing.assert_array_equal(segment_array(host, segmentation, "right_lung", ct), drawn == 1)
    again = lungs.findLung(segmentation, LUNG_SEGMENTS[0])
    np.testing.assert_array_equal(segment_array(host, segmentation, again, ct), np.flip(drawn, 0) == 1)


def test_lungs_are_told_by_their_names_before_their_terminology(
    host: Host, lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray
) -> None:
    lungs.writeLungs(segmentation, ct, drawn)
    segments = segmentation.GetSegmentation()
    right, left = LUNG_SEGMENTS
    segments.GetSegment("right_lung").SetName("Segment_1")
    assert lungs.findLung(segmentation, right) == "right_lung"
    segments.GetSegment("right_lung").SetName("Lung, right")
    add_segment(host, segmentation, "Segment_2", drawn == 2, ct)
    segments.GetSegment("Segment_2").SetName("Right lung")
    assert lungs.findLung(segmentation, right) == "Segment_2"
    segments.GetSegment("left_lung").SetName("right lung")
    segments.GetSegment("Segment_2").SetName("left lung")
    assert (lungs.findLung(segmentation, right), lungs.findLung(segmentation, left)) == ("left_lung", "Segment_2")


def test_the_closed_surface_follows_new_lungs(lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray) -> None:
    from LungSegResNetWidgets import lung_surfaces

    lungs.placeWithVolume(segmentation, ct)
    lungs.writeLungs(segmentation, ct, drawn)
    segmentation.CreateClosedSurfaceRepresentation()
    before = segmentation.GetClosedSurfaceInternalRepresentation("right_lung").GetBounds()
    shorter = drawn.copy()
    shorter[: len(drawn) // 2] = 0
    lungs.writeLungs(segmentation, ct, shorter)
    lung_surfaces.makeDueSurfaces()
    after = segmentation.GetClosedSurfaceInternalRepresentation("right_lung").GetBounds()
    assert after[4] > before[4] + 30


def test_an_empty_lung_is_written_and_restored_as_empty(
    host: Host, lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray
) -> None:
    from LungSegResNetWidgets.lung_measurement import measure

    right_only = np.where(drawn == 1, 1, 0).astype(np.uint8)
    lungs.placeWithVolume(segmentation, ct)
    lungs.writeLungs(segmentation, ct, right_only)
    saved = lungs.saveLungs(segmentation, ct)
    lungs.writeLungs(segmentation, ct, drawn)
    lungs.restoreLungs(segmentation, saved, ct)
    assert measure(ct, segmentation)[1]["volume_ml"] == 0
    np.testing.assert_array_equal(segment_array(host, segmentation, "right_lung", ct), drawn == 1)


def test_an_empty_lung_has_an_empty_surface_beside_that_of_the_other(
    lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    lungs.placeWithVolume(segmentation, ct)
    lungs.writeLungs(segmentation, ct, np.where(drawn == 1, 1, 0).astype(np.uint8))
    lungs.restoreLungs(segmentation, lungs.saveLungs(segmentation, ct), ct)
    assert segmentation.CreateClosedSurfaceRepresentation()
    surfaces = [segmentation.GetClosedSurfaceInternalRepresentation(name) for name in ("right_lung", "left_lung")]
    assert surfaces[0].GetNumberOfPoints() > 0
    assert surfaces[1].GetNumberOfPoints() == 0
    assert "scalar type" not in capfd.readouterr().err


def test_one_segment_carries_the_terminology_of_the_lung_without_a_side(
    lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray
) -> None:
    lungs.writeLungs(segmentation, ct, drawn, isOneSegment=True)
    assert list(segmentation.GetSegmentation().GetSegmentIDs()) == ["lungs"]
    segment = segmentation.GetSegmentation().GetSegment("lungs")
    tag = vtk.reference("")
    segment.GetTag(segment.GetTerminologyEntryTagName(), tag)
    assert "~SCT^39607008^Lung~^^~" in str(tag)
    assert lungs.hasLungs(segmentation)
    assert not lungs.hasSides(segmentation)


def test_the_other_kind_of_segments_stays_outside_of_a_region(
    host: Host, lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray
) -> None:
    from LungSegResNetWidgets.voxel_box import VoxelBox

    region = np.zeros(drawn.shape, bool)
    region[len(drawn) // 2 :] = True
    lungs.writeLungs(segmentation, ct, drawn, isOneSegment=True)
    upper = (slice(len(drawn) // 2, len(drawn)), slice(0, drawn.shape[1]), slice(0, drawn.shape[2]))
    lungs.writeLungs(segmentation, ct, drawn, region=VoxelBox(upper, region[upper]))
    np.testing.assert_array_equal(segment_array(host, segmentation, "lungs", ct), (drawn > 0) & ~region)
    np.testing.assert_array_equal(segment_array(host, segmentation, "left_lung", ct), (drawn == 2) & region)


def test_the_digest_of_lungs_tells_changes_and_moves_and_nothing_else(
    host: Host, lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray
) -> None:
    lungs.placeWithVolume(segmentation, ct)
    digests = []
    for labels in (drawn, np.roll(drawn, 1, axis=0), np.where(drawn == 1, 1, 0), np.where(drawn > 0, 3 - drawn, 0)):
        lungs.writeLungs(segmentation, ct, labels.astype(np.uint8))
        digests.append(lungs.digestOfLungs(ct, segmentation))
    assert len(set(digests)) == 4
    lungs.writeLungs(segmentation, ct, drawn)
    add_segment(host, segmentation, "nodule", np.roll(drawn, 5, axis=1) == 2, ct)
    segmentation.GetSegmentation().CollapseBinaryLabelmaps(False)
    segmentation.GetSegmentation().GetSegment("left_lung").SetName("Lung, left")
    assert lungs.digestOfLungs(ct, segmentation) == digests[0]
    assert lungs.digestOfLungs(ct, host.slicer.vtkMRMLSegmentationNode()) not in digests


def test_a_lung_of_one_voxel_is_there_and_neither_an_empty_one_nor_its_neighbour_in_the_layer_is(
    host: Host, lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray
) -> None:
    lungs.placeWithVolume(segmentation, ct)
    add_segment(host, segmentation, "heart", drawn == 2, ct)
    one = np.zeros(drawn.shape, bool)
    one[tuple(np.argwhere(drawn == 1)[5])] = True
    add_segment(host, segmentation, "right_lung", one, ct)
    segmentation.GetSegmentation().CollapseBinaryLabelmaps(False)
    assert segmentation.GetSegmentation().GetNumberOfLayers() == 1
    assert lungs.hasLungs(segmentation)
    add_segment(host, segmentation, "left_lung", np.zeros(drawn.shape, bool), ct)
    segmentation.GetSegmentation().RemoveSegment("right_lung")
    assert not lungs.hasLungs(segmentation)


def test_whether_there_are_lungs_is_asked_without_copying_them(
    host: Host, lungs: Any, segmentation: Any, ct: Any
) -> None:
    labels = np.ones(host.slicer.util.arrayFromVolume(ct).shape, np.uint8)
    lungs.writeLungs(segmentation, ct, labels)
    copy = host.slicer.vtkOrientedImageData()
    segmentation.GetBinaryLabelmapRepresentation("right_lung", copy)
    asking = timeit.repeat(lambda: lungs.hasLungs(segmentation), number=1, repeat=20)
    copying = timeit.repeat(
        lambda: segmentation.GetBinaryLabelmapRepresentation("right_lung", copy), number=1, repeat=20
    )
    assert 3 * min(asking) < min(copying)


def editing_grid(host: Host, segmentation: Any) -> list[float]:
    """The image to world matrix, row by row, of the geometry in which Segment Editor works."""
    name = host.slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    return [float(number) for number in segmentation.GetSegmentation().GetConversionParameter(name).split(";")[:16]]


def test_lungs_of_a_ct_under_a_transform_are_edited_on_its_voxels(
    host: Host, lungs: Any, segmentation: Any, ct: Any
) -> None:
    moved = vtk.vtkTransform()
    moved.Translate(100, 50, 20)
    moved.RotateZ(20)
    transform = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetMatrixTransformToParent(moved.GetMatrix())
    ct.SetAndObserveTransformNodeID(transform.GetID())
    lungs.placeWithVolume(segmentation, ct)
    voxels = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(voxels)
    np.testing.assert_allclose(editing_grid(host, segmentation), host.slicer.util.arrayFromVTKMatrix(voxels).ravel())


def test_segments_of_the_user_keep_the_voxels_on_which_they_are_edited(
    host: Host, lungs: Any, segmentation: Any, ct: Any, drawn: np.ndarray
) -> None:
    fine = add_volume(host, Thorax().scan(spacing=(2.0, 2.0, 5.0))[0], "Fine")
    lungs.placeWithVolume(segmentation, fine)
    before = editing_grid(host, segmentation)
    segmentation.GetSegmentation().AddEmptySegment("tumour", "Tumour")
    lungs.placeWithVolume(segmentation, ct)
    lungs.writeLungs(segmentation, ct, drawn)
    assert editing_grid(host, segmentation) == before
    segmentation.GetSegmentation().RemoveSegment("tumour")
    lungs.placeWithVolume(segmentation, ct)
    assert editing_grid(host, segmentation) != before
