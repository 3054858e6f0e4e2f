"""The pair of CT and lungs: it is followed when another CT is chosen, and patients are not mixed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_data import add_volume, parameters, run_to_the_end, segment_array, table_of, tool_tip
from slicer_host import Host
from synthetic_thorax import Thorax


@pytest.fixture
def other(host: Host, done: Any) -> Any:
    """The CT of another patient, on other voxels; the phantom with its lungs is chosen."""
    return add_volume(host, Thorax().scan(spacing=(4.0, 4.0, 20.0))[0], "Next patient")


def choose_lungs(panel: Any, segmentation: Any) -> None:
    panel.ui.outputSelector.setCurrentNode(segmentation)


def choose_ct(panel: Any, volume: Any) -> None:
    panel.ui.inputSelector.setCurrentNode(volume)


def test_of_two_cts_of_one_name_the_chosen_one_is_segmented(host: Host, done: Any, other: Any) -> None:
    first, selector = parameters(done).inputVolume, done.ui.inputSelector
    other.SetName(first.GetName())
    selector.setMRMLScene(host.slicer.mrmlScene)
    rows = [row for row in range(selector.count) if selector.itemText(row) == first.GetName()]
    assert len(rows) == 2
    for row, volume in ((rows[1], other), (rows[0], first)):
        selector.setCurrentIndex(row)
        selector.activated.emit(row)
        assert parameters(done).inputVolume is volume


def add_lungs(host: Host, volume: Any, name: str) -> Any:
    """A segmentation with lungs that were found in a CT."""
    from LungSegResNetWidgets import lung_segments

    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    lung_segments.placeWithVolume(segmentation, volume)
    labels = np.zeros(host.slicer.util.arrayFromVolume(volume).shape, np.uint8)
    labels[3:7, 10:30, 10:20], labels[3:7, 10:30, 30:40] = 1, 2
    lung_segments.writeLungs(segmentation, volume, labels)
    return segmentation


def test_with_another_ct_its_lungs_are_chosen_and_none_where_it_has_none(host: Host, done: Any, other: Any) -> None:
    ct, lungs = parameters(done).inputVolume, parameters(done).outputSegmentation
    choose_ct(done, other)
    assert done.ui.outputSelector.currentNode() is None
    assert done.ui.segmentButton.enabled
    assert not done.ui.measureButton.enabled
    choose_ct(done, ct)
    assert done.ui.outputSelector.currentNode() is lungs
    its_lungs = add_lungs(host, other, "Its lungs")
    choose_ct(done, other)
    assert done.ui.outputSelector.currentNode() is its_lungs
    assert done.ui.measureButton.enabled


def test_a_run_with_another_ct_leaves_the_lungs_of_the_first_one(
    host: Host, done: Any, other: Any, drawn: np.ndarray
) -> None:
    ct, lungs = parameters(done).inputVolume, parameters(done).outputSegmentation
    choose_ct(done, other)
    run_to_the_end(host, done)
    assert parameters(done).outputSegmentation.GetName() == "Next patient lungs"
    np.testing.assert_array_equal(segment_array(host, lungs, "right_lung", ct), drawn == 1)


def test_lungs_of_another_ct_are_neither_replaced_nor_edited_nor_measured_with_this_one(
    host: Host, done: Any, other: Any
) -> None:
    from LungSegResNetWidgets.segmentation_run import RunSettings

    lungs = parameters(done).outputSegmentation
    choose_ct(done, other)
    choose_lungs(done, lungs)
    for button in (done.ui.segmentButton, done.ui.editButton, done.ui.measureButton):
        assert not button.enabled
        assert 'lungs of the CT "Phantom"' in tool_tip(button)
    assert table_of(done) is None
    with pytest.raises(RuntimeError, match='lungs of the CT "Phantom"'):
        done.logic.start(other, lungs, RunSettings(), print, print, print)
    host.slicer.mrmlScene.RemoveNode(host.slicer.mrmlScene.GetFirstNodeByName("Phantom"))
    assert done.ui.measureButton.enabled


def test_lungs_that_the_user_chose_for_a_ct_on_the_same_voxels_stay_chosen_and_usable(
    host: Host, done: Any, thorax: tuple[sitk.Image, sitk.Image], tmp_path: Path
) -> None:
    scene, lungs = host.slicer.mrmlScene, parameters(done).outputSegmentation
    kernel = add_volume(host, thorax[0], "Lung kernel")
    choose_ct(done, kernel)
    choose_lungs(done, lungs)
    for _time in range(2):
        assert parameters(done).outputSegmentation is lungs
        for button in (done.ui.segmentButton, done.ui.editButton, done.ui.measureButton):
            assert button.enabled
        host.leaveModule(done)
        host.enterModule(done)
    scene.SetURL(str(tmp_path / "scene.mrml"))
    assert scene.Commit()
    scene.Clear(False)
    scene.Connect()
    chosen = parameters(done)
    assert [chosen.inputVolume.GetName(), chosen.outputSegmentation.GetName()] == ["Lung kernel", "Lungs"]


def test_a_segmentation_that_tells_of_no_ct_stays_chosen_with_another_one(
    host: Host, ct: Any, panel: Any, drawn: np.ndarray
) -> None:
    from LungSegResNetWidgets import lung_segments

    loaded = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "From a file")
    lung_segments.writeLungs(loaded, ct, drawn)
    choose_lungs(panel, loaded)
    choose_ct(panel, add_volume(host, Thorax().scan(spacing=(4.0, 4.0, 20.0))[0], "Other"))
    assert panel.ui.outputSelector.currentNode() is loaded
    assert panel.ui.measureButton.enabled


def test_lungs_of_another_program_are_those_of_the_ct_on_whose_voxels_they_are_edited(
    host: Host, ct: Any, panel: Any, drawn: np.ndarray
) -> None:
    from LungSegResNetWidgets import lung_segments

    made = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "By hand")
    made.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    lung_segments.writeLungs(made, ct, drawn)
    choose_lungs(panel, made)
    choose_ct(panel, add_volume(host, Thorax().scan(spacing=(4.0, 4.0, 20.0))[0], "Other"))
    assert panel.ui.outputSelector.currentNode() is None
    choose_ct(panel, ct)
    assert panel.ui.outputSelector.currentNode() is made


def test_lungs_beside_a_nodule_that_was_drawn_on_another_ct_are_those_of_the_ct_of_the_run(
    host: Host, ct: Any, panel: Any
) -> None:
    fine = add_volume(host, Thorax().scan(spacing=(2.5, 2.5, 15.0))[0], "Fine")
    nodules = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Nodules")
    nodules.SetReferenceImageGeometryParameterFromVolumeNode(fine)
    nodules.GetSegmentation().AddEmptySegment("nodule", "nodule")
    choose_lungs(panel, nodules)
    run_to_the_end(host, panel)
    assert panel.ui.measureButton.enabled
    choose_lungs(panel, None)
    choose_ct(panel, fine)
    assert panel.ui.outputSelector.currentNode() is None
    choose_ct(panel, ct)
    assert panel.ui.outputSelector.currentNode() is nodules


def test_lungs_of_a_ct_that_is_removed_are_not_taken_for_those_of_the_next(host: Host, done: Any, other: Any) -> None:
    host.slicer.mrmlScene.RemoveNode(parameters(done).inputVolume)
    assert done.ui.outputSelector.currentNode() is None
    choose_ct(done, other)
    assert done.ui.outputSelector.currentNode() is None


def test_lungs_of_a_ct_that_is_removed_while_another_module_is_open_are_not_left_to_the_next(
    host: Host, done: Any, other: Any
) -> None:
    host.leaveModule(done)
    host.slicer.mrmlScene.RemoveNode(done.logic.getParameterNode().inputVolume)
    host.enterModule(done)
    assert parameters(done).inputVolume is other
    assert parameters(done).outputSegmentation is None
    assert not done.ui.measureButton.enabled
