"""The choices under Advanced, as a user makes them and finds them again."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_data import (
    add_volume,
    parameters,
    rows_of,
    run_to_the_end,
    save_scene,
    segment_array,
    wait_for_measurements,
)
from slicer_host import Host

from LungSegResNetLib.tables import read_rows


def choose_one_segment(panel: Any) -> None:
    panel.ui.segmentsComboBox.currentIndex = 1


def add_upper_half(host: Host, ct: Any) -> Any:
    """A ROI around the upper half of the CT."""
    roi = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Upper half")
    bounds = [0.0] * 6
    ct.GetRASBounds(bounds)
    low, high = np.array(bounds[::2]), np.array(bounds[1::2])
    middle = (low + high) / 2
    roi.SetCenter(*middle[:2], (middle[2] + high[2]) / 2)
    roi.SetSize(*(high - low)[:2], (high - low)[2] / 2)
    return roi


def test_one_segment_replaces_two_is_measured_as_one_and_undone_to_two(
    host: Host, ct: Any, panel: Any, drawn: np.ndarray
) -> None:
    from LungSegResNetWidgets import lung_segments

    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Corrected")
    lung_segments.placeWithVolume(segmentation, ct)
    lung_segments.writeLungs(segmentation, ct, drawn)
    segments = segmentation.GetSegmentation()
    segments.GetSegment("right_lung").SetColor(1, 0, 0)
    segments.AddEmptySegment("nodule", "nodule")
    host.slicer.util.updateSegmentBinaryLabelmapFromArray((drawn == 2).astype(np.uint8), segmentation, "nodule", ct)
    panel.ui.outputSelector.setCurrentNode(segmentation)
    choose_one_segment(panel)
    panel.ui.smoothingSpinBox.value = 6.0
    host.answers.append(True)

    run_to_the_end(host, panel)

    assert sorted(segments.GetSegmentIDs()) == ["lungs", "nodule"]
    found = segment_array(host, segmentation, "lungs", ct)
    assert 2 * (found & (drawn > 0)).sum() / (found.sum() + (drawn > 0).sum()) > 0.9
    table = panel.ui.measurementsTable
    assert [table.horizontalHeaderItem(n).text() for n in range(table.columnCount)] == ["both"]
    voxel_ml = np.prod(ct.GetSpacing()) / 1000
    assert float(table.item(0, 0).text()) == pytest.approx(found.sum() * voxel_ml, abs=0.51)
    assert panel.ui.editButton.enabled

    panel.ui.undoButton.click()
    wait_for_measurements(host, panel)
    assert sorted(segments.GetSegmentIDs()) == ["left_lung", "nodule", "right_lung"]
    assert segments.GetSegment("right_lung").GetColor() == (1, 0, 0)
    np.testing.assert_array_equal(segment_array(host, segmentation, "right_lung", ct), drawn == 1)
    np.testing.assert_array_equal(segment_array(host, segmentation, "nodule", ct), drawn == 2)
    assert table.columnCount == 3


def test_lungs_are_new_inside_the_roi_only_and_measured_as_they_are_then(
    host: Host, ct: Any, panel: Any, drawn: np.ndarray
) -> None:
    from LungSegResNetWidgets import lung_segments

    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Corrected")
    lung_segments.placeWithVolume(segmentation, ct)
    by_hand = np.roll(drawn, 9, axis=1)
    lung_segments.writeLungs(segmentation, ct, by_hand)
    panel.ui.outputSelector.setCurrentNode(segmentation)
    panel.ui.roiSelector.setCurrentNode(add_upper_half(host, ct))
    host.answers.append(True)

    run_to_the_end(host, panel)

    middle = len(drawn) // 2
    right = segment_array(host, segmentation, "right_lung", ct)
    np.testing.assert_array_equal(right[:middle], by_hand[:middle] == 1)
    upper, truth = right[middle:], drawn[middle:] == 1
    assert 2 * (upper & truth).sum() / (upper.sum() + truth.sum()) > 0.9
    voxel_ml = np.prod(ct.GetSpacing()) / 1000
    shown = float(panel.ui.measurementsTable.item(0, 0).text())
    assert shown == pytest.approx(right.sum() * voxel_ml, abs=0.51)
    listed = [int(panel.ui.checkTable.item(row, 0).text()) for row in range(panel.ui.checkTable.rowCount)]
    assert all(number > middle for number in listed)


def test_lungs_inside_a_roi_are_measured_while_the_window_goes_on_and_at_once_for_scripts(
    host: Host, ct: Any, panel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LungSegResNetWidgets import lung_measurement, segmentation_run
    from LungSegResNetWidgets.region import Region

    run_to_the_end(host, panel)
    whole = rows_of(panel.ui.measurementsTable)
    panel.ui.roiSelector.setCurrentNode(add_upper_half(host, ct))
    host.answers.append(True)
    panel.ui.segmentButton.click()
    monkeypatch.setattr(host.slicer.util, "arrayFromSegmentBinaryLabelmap", None)  # which looks at every voxel
    host.wait(lambda: panel.ui.segmentButton.visible)
    assert panel.ui.measurementsLabel.text == "Measuring..."
    assert rows_of(panel.ui.measurementsTable) == []
    news = panel.ui.statusLabel.text
    assert news.startswith("Done: ")
    wait_for_measurements(host, panel)
    assert panel.ui.statusLabel.text == news
    assert len(rows_of(panel.ui.measurementsTable)) == len(whole)

    settings = segmentation_run.RunSettings(parameters(panel).modelFile, region=Region.of(parameters(panel).roi, ct))
    result = panel.logic.process(ct, None, settings)
    assert result.summary["measurements"] == lung_measurement.measure(ct, result.segmentationNode)


def test_a_run_that_a_roi_restricts_says_so_before_after_and_beside_its_measurements(
    host: Host, ct: Any, panel: Any, tmp_path: Path
) -> None:
    run_to_the_end(host, panel)
    panel.ui.roiSelector.setCurrentNode(add_upper_half(host, ct))
    assert panel.ui.statusLabel.text.splitlines()[-1] == 'Only inside the ROI "Upper half" (Advanced).'
    host.answers.append(True)
    run_to_the_end(host, panel)
    assert 'Lungs are new only inside the ROI "Upper half".' in host.main_window.statusBar().currentMessage()
    panel.ui.roiSelector.setCurrentNode(None)
    assert "(Advanced)" not in panel.ui.statusLabel.text
    note = 'The lungs were last segmented only inside the ROI "Upper half".'
    panel.ui.measureButton.click()
    wait_for_measurements(host, panel)
    assert panel.ui.measurementsLabel.text.splitlines() == ["Phantom", note]
    panel.ui.copyButton.click()
    assert host.slicer.app.clipboard().text().splitlines()[-1] == note
    host.files.append(str(tmp_path / "lungs.csv"))
    panel.ui.exportButton.click()
    assert all(row["note"] == note for row in read_rows(tmp_path / "lungs.csv"))
    panel.ui.undoButton.click()
    wait_for_measurements(host, panel)
    assert panel.ui.measurementsLabel.text == "Phantom"
    panel.ui.undoButton.click()
    wait_for_measurements(host, panel)
    assert panel.ui.measurementsLabel.text.splitlines() == ["Phantom", note]
    host.answers.append(True)
    run_to_the_end(host, panel)
    assert panel.ui.measurementsLabel.text == "Phantom"


def test_a_roi_is_left_with_the_ct_that_it_was_drawn_on_unless_it_lies_on_the_next_one_too(
    host: Host, ct: Any, panel: Any, thorax: tuple[sitk.Image, sitk.Image]
) -> None:
    roi = add_upper_half(host, ct)
    panel.ui.roiSelector.setCurrentNode(roi)
    elsewhere = add_volume(host, thorax[0], "Elsewhere")
    elsewhere.SetOrigin(5000, 0, 0)
    for name in ("Kernel", "Elsewhere"):
        other = elsewhere if name == "Elsewhere" else add_volume(host, thorax[0], name)
        panel.ui.inputSelector.setCurrentNode(other)
        assert parameters(panel).roi is (None if other is elsewhere else roi)
    panel.ui.roiSelector.setCurrentNode(roi)  # whoever wants this gets it
    assert parameters(panel).roi is roi


def test_a_roi_does_not_wait_for_the_next_ct_where_its_own_was_removed(
    host: Host, ct: Any, panel: Any, thorax: tuple[sitk.Image, sitk.Image]
) -> None:
    panel.ui.roiSelector.setCurrentNode(add_upper_half(host, ct))
    host.slicer.mrmlScene.RemoveNode(ct)
    other = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Next")
    assert parameters(panel).inputVolume is other
    assert parameters(panel).roi is not None  # nobody knows yet
    loaded = add_volume(host, thorax[0], "Loaded")
    other.SetOrigin(0, 5000, 0)
    other.SetAndObserveImageData(loaded.GetImageData())
    assert parameters(panel).roi is None


def test_a_roi_without_lung_in_it_is_told_and_changes_nothing(host: Host, ct: Any, panel: Any) -> None:
    roi = add_upper_half(host, ct)
    roi.SetCenter(5000, 0, 0)
    panel.ui.roiSelector.setCurrentNode(roi)
    run_to_the_end(host, panel)
    assert "Upper half" in panel.ui.statusLabel.text
    assert host.slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode") is None


def test_a_new_roi_lies_around_the_ct_and_one_that_is_removed_is_no_longer_asked_for(
    host: Host, ct: Any, panel: Any
) -> None:
    roi = panel.ui.roiSelector.addNode()
    assert all(roi.GetSize())
    assert panel.ui.segmentButton.enabled
    roi.SetSize(0, 10, 10)
    panel.updateGui()
    assert roi.GetName() in panel.ui.segmentButton.toolTip
    host.slicer.mrmlScene.RemoveNode(roi)
    assert panel.ui.segmentButton.enabled


def test_the_choices_survive_saving_and_loading_the_scene(host: Host, ct: Any, panel: Any, tmp_path: Path) -> None:
    scene = host.slicer.mrmlScene
    choose_one_segment(panel)
    panel.ui.smoothingSpinBox.value = 3.5
    roi = add_upper_half(host, ct)
    panel.ui.roiSelector.setCurrentNode(roi)
    size = roi.GetSize()
    save_scene(host, tmp_path / "scene.mrml", (ct, "nrrd"), (roi, "mrk.json"))
    scene.Clear(False)
    assert panel.ui.roiSelector.currentNode() is None
    panel.ui.segmentsComboBox.currentIndex = 0
    panel.ui.smoothingSpinBox.value = 0
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Connect()
    assert panel.ui.segmentsComboBox.currentText == "both lungs as one segment"
    assert panel.ui.smoothingSpinBox.value == 3.5
    assert panel.ui.roiSelector.currentNode().GetName() == "Upper half"
    assert panel.logic.getParameterNode().roi.GetSize() == pytest.approx(size)


@pytest.mark.parametrize(
    ("card", "torch", "engine", "means"),
    [
        (False, True, "auto", "OpenVINO on the CPU, since no GPU for PyTorch was found."),
        (False, True, "torch", "PyTorch on the CPU, since no GPU for PyTorch was found."),
        (True, True, "auto", "PyTorch on the GPU, or OpenVINO on the CPU if it cannot be used."),
        (True, False, "auto", "OpenVINO on the CPU; to use the GPU, install the extension PyTorch."),
        (True, True, "openvino", "OpenVINO on the CPU."),
    ],
)
def test_what_an_automatic_device_means_is_told_before_the_first_run(
    panel: Any, monkeypatch: pytest.MonkeyPatch, card: bool, torch: bool, engine: str, means: str
) -> None:
    from LungSegResNetWidgets import readiness

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(readiness, "may_have_graphics_card", lambda: card)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: find_spec(name) if torch or name != "torch" else None)
    parameters(panel).engine = engine
    panel.updateGui()
    assert panel.ui.usedLabel.text == f"Automatic means here: {means}"
    parameters(panel).device = "cpu"
    assert panel.ui.usedLabel.text == "After a run: which engine and device were used, and why."
    parameters(panel).device, parameters(panel).engine = "auto", "auto"  # they outlive the scene


def test_after_a_run_the_panel_tells_what_was_used_whatever_is_chosen_next(host: Host, ct: Any, panel: Any) -> None:
    run_to_the_end(host, panel)
    told = panel.ui.usedLabel.text
    assert told.startswith("Last run: ")
    parameters(panel).engine = "torch"
    assert panel.ui.usedLabel.text == told
    parameters(panel).engine = "auto"
