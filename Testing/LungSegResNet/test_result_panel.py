"""What becomes of lungs in the scene: asked for before they are replaced, edited, measured, exported."""

from __future__ import annotations

import csv
import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import vtk
from mrml_data import (
    add_volume,
    parameters,
    put_under_acquisition_transform,
    rows_of,
    run_to_the_end,
    save_scene,
    segment_array,
    table_of,
    tool_tip,
    wait_for_measurements,
)
from overlap import dice
from slicer_host import Host


def test_lungs_that_are_there_are_replaced_only_after_a_yes(host: Host, ct: Any, panel: Any, drawn: np.ndarray) -> None:
    from LungSegResNetWidgets import lung_segments

    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Corrected")
    lung_segments.placeWithVolume(segmentation, ct)
    by_hand = np.roll(drawn, 9, axis=1)
    lung_segments.writeLungs(segmentation, ct, by_hand)
    panel.ui.outputSelector.setCurrentNode(segmentation)

    host.answers.append(False)
    panel.ui.segmentButton.click()
    assert "Corrected" in host.questions[-1]
    assert panel.runPanel.run is None
    np.testing.assert_array_equal(segment_array(host, segmentation, "right_lung", ct), by_hand == 1)

    host.answers.append(True)
    run_to_the_end(host, panel)
    assert dice(segment_array(host, segmentation, "right_lung", ct), drawn == 1) > 0.9

    panel.ui.undoButton.click()
    wait_for_measurements(host, panel)
    np.testing.assert_array_equal(segment_array(host, segmentation, "right_lung", ct), by_hand == 1)
    np.testing.assert_array_equal(segment_array(host, segmentation, "left_lung", ct), by_hand == 2)
    voxel_ml = np.prod(ct.GetSpacing()) / 1000
    shown = float(panel.ui.measurementsTable.item(0, 0).text())
    assert shown == pytest.approx((by_hand == 1).sum() * voxel_ml, abs=0.51)


def test_undo_loses_no_correction_of_the_run_that_it_takes_back(
    host: Host, ct: Any, panel: Any, drawn: np.ndarray
) -> None:
    run_to_the_end(host, panel)
    segmentation = parameters(panel).outputSegmentation
    corrected = (np.roll(drawn, 4, axis=1) == 2).astype(np.uint8)
    host.slicer.util.updateSegmentBinaryLabelmapFromArray(corrected, segmentation, "left_lung", ct)
    assert '"Phantom lungs"' in tool_tip(panel.ui.undoButton)
    listed = rows_of(panel.ui.checkTable)
    panel.ui.undoButton.click()
    wait_for_measurements(host, panel)
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 0
    assert panel.ui.statusLabel.text.startswith('"Phantom lungs" is as it was before the run; Redo')
    assert rows_of(panel.ui.checkTable) == []
    panel.ui.undoButton.click()
    wait_for_measurements(host, panel)
    assert rows_of(panel.ui.checkTable) == listed
    np.testing.assert_array_equal(segment_array(host, segmentation, "left_lung", ct), corrected)
    assert segment_array(host, segmentation, "right_lung", ct).any()


def leave_result(panel: Any, ct: Any, segmentation: Any, labels: np.ndarray) -> None:
    """What a run leaves behind that found these lungs, without the run."""
    from LungSegResNetWidgets import lung_measurement, lung_segments
    from LungSegResNetWidgets.frames import ShownFrame
    from LungSegResNetWidgets.segmentation_run import RunResult

    before = lung_segments.saveLungs(segmentation, ct)
    lung_segments.writeLungs(segmentation, ct, labels)
    summary: Any = {"measurements": lung_measurement.measure(ct, segmentation), "slices_to_check": []}
    panel.resultPanel.take(RunResult(ct, segmentation, summary, before, ShownFrame(ct)))
    panel.updateGui()


@pytest.mark.parametrize("is_removed", [False, True])
def test_undo_measures_with_the_ct_of_the_other_kernel_where_that_is_chosen(
    host: Host, ct: Any, done: Any, drawn: np.ndarray, thorax: tuple[sitk.Image, sitk.Image], is_removed: bool
) -> None:
    segmentation = parameters(done).outputSegmentation
    before = rows_of(done.ui.measurementsTable)
    smaller = drawn.copy()
    smaller[:5] = 0
    leave_result(done, ct, segmentation, smaller)
    done.ui.inputSelector.setCurrentNode(add_volume(host, thorax[0], "Lung kernel"))
    done.ui.outputSelector.setCurrentNode(segmentation)
    done.ui.measureButton.click()
    wait_for_measurements(host, done)
    assert rows_of(done.ui.measurementsTable) != before
    if is_removed:
        host.slicer.mrmlScene.RemoveNode(ct)
    done.ui.undoButton.click()
    wait_for_measurements(host, done)
    assert rows_of(done.ui.measurementsTable) == before
    assert "as it was before the run" in done.ui.statusLabel.text


@pytest.mark.parametrize("hardened", ["both", "ct", "lungs"])
def test_lungs_that_undo_brings_back_lie_on_the_ct_after_its_transform_was_hardened(
    host: Host, ct: Any, done: Any, drawn: np.ndarray, hardened: str
) -> None:
    segmentation = parameters(done).outputSegmentation
    moved = vtk.vtkTransform()
    moved.Translate(60, 10, 5)
    moved.RotateZ(30)
    transform = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Registration")
    transform.SetMatrixTransformToParent(moved.GetMatrix())
    for node in (ct, segmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())
    leave_result(done, ct, segmentation, np.flip(drawn, 0))
    for node in {"both": (ct, segmentation), "ct": (ct,), "lungs": (segmentation,)}[hardened]:
        node.HardenTransform()
    for labels in (drawn, np.flip(drawn, 0)):
        done.ui.undoButton.click()
        wait_for_measurements(host, done)
        np.testing.assert_array_equal(segment_array(host, segmentation, "right_lung", ct), labels == 1)


def test_lungs_of_a_ct_that_was_resampled_after_the_run_are_not_brought_back(
    host: Host, ct: Any, done: Any, drawn: np.ndarray
) -> None:
    leave_result(done, ct, parameters(done).outputSegmentation, np.flip(drawn, 0))
    assert done.ui.undoButton.enabled
    put_under_acquisition_transform(host, ct, np.full((len(drawn), 3), 40.0) * np.linspace(0, 1, len(drawn))[:, None])
    ct.HardenTransform()
    done.updateGui()
    assert not done.ui.undoButton.enabled
    assert "other voxels than before the run" in tool_tip(done.ui.undoButton)


def test_undo_of_segment_editor_goes_back_to_the_lungs_that_were_brought_back(
    host: Host, ct: Any, done: Any, drawn: np.ndarray
) -> None:
    segmentation = parameters(done).outputSegmentation
    first = segment_array(host, segmentation, "right_lung", ct)
    history = host.slicer.vtkSegmentationHistory()
    history.SetSegmentation(segmentation.GetSegmentation())

    def stroke(rows: int) -> None:
        """Segment Editor keeps a state before each stroke."""
        history.SaveState()
        painted = np.roll(drawn, rows, axis=1) == 1
        host.slicer.util.updateSegmentBinaryLabelmapFromArray(painted.astype(np.uint8), segmentation, "right_lung", ct)

    host.answers.append(True)
    run_to_the_end(host, done)
    assert (segment_array(host, segmentation, "right_lung", ct) != first).any()
    stroke(4)
    done.ui.undoButton.click()
    wait_for_measurements(host, done)
    stroke(8)
    history.RestorePreviousState()
    np.testing.assert_array_equal(segment_array(host, segmentation, "right_lung", ct), first)


def test_edit_opens_segment_editor_with_segmentation_and_ct(host: Host, ct: Any, done: Any) -> None:
    done.ui.editButton.click()
    editor = host.slicer.modules.segmenteditor.widgetRepresentation().self().editor
    assert host.selected == ["SegmentEditor"]
    assert editor.segmentationNode() is parameters(done).outputSegmentation
    assert editor.sourceVolumeNode() is ct


def test_show_3d_makes_a_closed_surface(done: Any) -> None:
    done.ui.show3DButton.click()
    segmentation = parameters(done).outputSegmentation
    assert segmentation.GetClosedSurfaceInternalRepresentation("left_lung").GetNumberOfPoints() > 100


@pytest.mark.parametrize("clicks", [1, 2])
def test_after_undo_surfaces_are_made_once_and_after_the_figures(
    host: Host, ct: Any, done: Any, drawn: np.ndarray, go_on: threading.Event, clicks: int
) -> None:
    segmentation = parameters(done).outputSegmentation
    leave_result(done, ct, segmentation, np.where(np.arange(len(drawn))[:, None, None] < 5, 0, drawn))
    done.ui.show3DButton.click()
    before = segmentation.GetClosedSurfaceInternalRepresentation("right_lung").GetBounds()
    made: list[str] = []

    def onChange(segments: Any, event: str) -> None:
        if segments.ContainsRepresentation("Closed surface"):
            made.append(done.ui.measurementsLabel.text)

    segments = segmentation.GetSegmentation()
    segments.AddObserver(segments.ContainedRepresentationNamesModified, onChange)
    for _click in range(clicks):
        done.ui.undoButton.click()
        assert segmentation.GetClosedSurfaceInternalRepresentation("right_lung") is None  # none of other lungs
    end = time.monotonic() + 0.3
    host.wait(lambda: time.monotonic() > end)
    assert made == []
    go_on.set()
    host.wait(lambda: made != [])
    assert made == ["Phantom"]  # the line above the figures
    after = segmentation.GetClosedSurfaceInternalRepresentation("right_lung").GetBounds()
    assert (after[4] < before[4] - 30) == (clicks == 1)


def test_surfaces_do_not_wait_for_other_jobs_than_measurements(
    host: Host, ct: Any, done: Any, drawn: np.ndarray
) -> None:
    from LungSegResNetWidgets.background_job import BackgroundJob

    segmentation, go_on, job = parameters(done).outputSegmentation, threading.Event(), BackgroundJob()
    leave_result(done, ct, segmentation, drawn)
    done.ui.show3DButton.click()
    job.start(lambda: go_on.wait(60), lambda future: None)  # as a case that is being written
    done.ui.undoButton.click()
    try:
        host.wait(lambda: segmentation.GetSegmentation().ContainsRepresentation("Closed surface"), 20)
        assert job.running
    finally:
        go_on.set()
    host.wait(lambda: not job.running)


def come_back(host: Host, panel: Any) -> None:
    """The panel is opened again, as after Segment Editor, and is up to date."""
    host.enterModule(panel)
    wait_for_measurements(host, panel)


def test_coming_back_from_segment_editor_measures_edited_lungs_again(
    host: Host, ct: Any, done: Any, drawn: np.ndarray
) -> None:
    host.leaveModule(done)
    edited = drawn.copy()
    edited[:5] = 0
    segmentation = done.logic.getParameterNode().outputSegmentation
    host.slicer.util.updateSegmentBinaryLabelmapFromArray(
        (edited == 1).astype(np.uint8), segmentation, "right_lung", ct
    )
    come_back(host, done)
    voxel_ml = np.prod(ct.GetSpacing()) / 1000
    assert float(done.ui.measurementsTable.item(0, 0).text()) == pytest.approx((edited == 1).sum() * voxel_ml, abs=0.51)
    assert "measurements were updated" in done.ui.statusLabel.text


def test_surfaces_are_no_change_of_the_lungs(host: Host, ct: Any, done: Any) -> None:
    news = done.ui.statusLabel.text
    for _shown in (True, False):
        done.ui.show3DButton.click()
        host.leaveModule(done)
        come_back(host, done)
        assert done.ui.statusLabel.text == news


def test_a_renamed_lung_is_no_change_of_the_lungs_and_a_changed_voxel_is(host: Host, ct: Any, done: Any) -> None:
    news = done.ui.statusLabel.text
    segmentation = parameters(done).outputSegmentation
    host.leaveModule(done)
    segmentation.GetSegmentation().GetSegment("right_lung").SetName("Lung, right")
    come_back(host, done)
    assert done.ui.statusLabel.text == news
    host.leaveModule(done)
    # As Segment Editor's effects do it: voxels are changed in place.
    labelmap = segmentation.GetBinaryLabelmapInternalRepresentation("right_lung")
    labelmap.GetPointData().GetScalars().Fill(0)
    labelmap.Modified()
    come_back(host, done)
    assert "measurements were updated" in done.ui.statusLabel.text
    assert float(done.ui.measurementsTable.item(0, 0).text()) == 0


@pytest.mark.parametrize("is_open", [True, False])
def test_a_ct_whose_values_were_changed_in_place_is_measured_again(
    host: Host, ct: Any, done: Any, is_open: bool
) -> None:
    before = float(done.ui.measurementsTable.item(1, 0).text())
    if not is_open:
        host.leaveModule(done)
    host.slicer.util.arrayFromVolume(ct)[:] -= 100
    ct.GetImageData().Modified()  # as filters leave it
    if not is_open:
        host.enterModule(done)
    wait_for_measurements(host, done)
    assert float(done.ui.measurementsTable.item(1, 0).text()) == pytest.approx(before - 100, abs=1)
    assert "measurements were updated" in done.ui.statusLabel.text


def test_a_ct_that_a_script_changed_while_the_panel_is_open_is_measured_again(host: Host, ct: Any, done: Any) -> None:
    before = float(done.ui.measurementsTable.item(1, 0).text())
    host.slicer.util.arrayFromVolume(ct)[:] -= 100
    host.slicer.util.arrayFromVolumeModified(ct)  # of which the node tells otherwise than of the changes of filters
    host.wait(lambda: "had changed" in done.ui.statusLabel.text)
    assert float(done.ui.measurementsTable.item(1, 0).text()) == pytest.approx(before - 100, abs=1)


def test_a_lung_that_was_removed_is_measured_no_more(host: Host, done: Any) -> None:
    host.leaveModule(done)
    parameters(done).outputSegmentation.GetSegmentation().RemoveSegment("right_lung")
    come_back(host, done)
    assert "measurements were updated" in done.ui.statusLabel.text
    assert float(done.ui.measurementsTable.item(0, 0).text()) == 0


def test_segments_that_were_all_replaced_are_measured_again(host: Host, ct: Any, done: Any, drawn: np.ndarray) -> None:
    from LungSegResNetWidgets import lung_segments

    host.leaveModule(done)
    segmentation = parameters(done).outputSegmentation
    segmentation.SetAndObserveSegmentation(host.slicer.vtkSegmentation())
    smaller = drawn.copy()
    smaller[:5] = 0
    lung_segments.placeWithVolume(segmentation, ct)
    lung_segments.writeLungs(segmentation, ct, smaller)
    come_back(host, done)
    voxel_ml = np.prod(ct.GetSpacing()) / 1000
    assert float(done.ui.measurementsTable.item(0, 0).text()) == pytest.approx(
        (smaller == 1).sum() * voxel_ml, abs=0.51
    )


def correct(host: Host, segmentation: Any, volume: Any, smaller: np.ndarray) -> None:
    """The right lung as Segment Editor leaves it."""
    inside = (smaller == 1).astype(np.uint8)
    host.slicer.util.updateSegmentBinaryLabelmapFromArray(inside, segmentation, "right_lung", volume)


def test_lungs_that_were_corrected_while_another_ct_was_chosen_are_measured_again_with_theirs(
    host: Host, ct: Any, done: Any, drawn: np.ndarray, thorax: tuple[sitk.Image, sitk.Image]
) -> None:
    lungs = parameters(done).outputSegmentation
    done.ui.inputSelector.setCurrentNode(add_volume(host, thorax[0], "Next patient"))
    run_to_the_end(host, done)
    smaller = drawn.copy()
    smaller[:5] = 0
    correct(host, lungs, ct, smaller)
    done.ui.inputSelector.setCurrentNode(ct)
    assert parameters(done).outputSegmentation is lungs
    wait_for_measurements(host, done)
    voxel_ml = np.prod(ct.GetSpacing()) / 1000
    volume_ml = float(done.ui.measurementsTable.item(0, 0).text())
    assert volume_ml == pytest.approx((smaller == 1).sum() * voxel_ml, abs=0.51)
    assert "measurements were updated" in done.ui.statusLabel.text


@pytest.mark.parametrize("is_corrected", [True, False])
def test_a_scene_that_was_saved_with_corrected_lungs_is_measured_again_and_another_one_is_not(
    host: Host, ct: Any, done: Any, drawn: np.ndarray, tmp_path: Path, is_corrected: bool
) -> None:
    scene, lungs = host.slicer.mrmlScene, parameters(done).outputSegmentation
    lungs.GetSegmentation().CollapseBinaryLabelmaps(False)
    smaller = drawn.copy()
    smaller[:5] = 0
    if is_corrected:
        correct(host, lungs, ct, smaller)
    nodes = ((ct, "nrrd"), (lungs, "seg.nrrd"), (table_of(done), "tsv"))
    save_scene(host, tmp_path / "scene.mrml", *nodes)
    scene.Clear(False)
    scene.Connect()
    wait_for_measurements(host, done)
    voxel_ml = np.prod(parameters(done).inputVolume.GetSpacing()) / 1000
    volume_ml = float(done.ui.measurementsTable.item(0, 0).text())
    assert ("measurements were updated" in done.ui.statusLabel.text) == is_corrected
    wanted = smaller if is_corrected else drawn
    assert volume_ml == pytest.approx((wanted == 1).sum() * voxel_ml, abs=0.51)


def test_while_changed_lungs_are_measured_the_window_goes_on_and_old_figures_are_not_shown(
    host: Host, ct: Any, done: Any, drawn: np.ndarray, go_on: threading.Event
) -> None:
    lungs = parameters(done).outputSegmentation
    before = rows_of(done.ui.measurementsTable)
    host.leaveModule(done)
    correct(host, lungs, ct, np.where(np.arange(len(drawn))[:, None, None] < 5, 0, drawn))
    host.enterModule(done)
    for _time in range(5):
        host.slicer.app.processEvents()
    assert done.ui.measurementsLabel.text == "Measuring..."
    assert not done.ui.measurementsTable.visible
    assert not done.ui.copyButton.enabled
    correct(host, lungs, ct, drawn)  # changed back before that is done, so that it is of other lungs
    go_on.set()
    wait_for_measurements(host, done)
    assert rows_of(done.ui.measurementsTable) == before
    assert "had changed" not in done.ui.statusLabel.text


def test_lungs_that_change_while_they_are_measured_are_measured_once_more(
    host: Host, ct: Any, done: Any, drawn: np.ndarray, go_on: threading.Event
) -> None:
    lungs = parameters(done).outputSegmentation
    host.leaveModule(done)
    for slices in (5, 7):
        smaller = drawn.copy()
        smaller[:slices] = 0
        correct(host, lungs, ct, smaller)
        if slices == 5:
            host.enterModule(done)
    go_on.set()
    wait_for_measurements(host, done)
    voxel_ml = np.prod(ct.GetSpacing()) / 1000
    volume_ml = float(done.ui.measurementsTable.item(0, 0).text())
    assert volume_ml == pytest.approx((smaller == 1).sum() * voxel_ml, abs=0.51)


def test_a_click_on_measure_does_not_wait_for_a_measurement_that_goes_on_and_is_not_followed_by_it(
    host: Host, ct: Any, done: Any, drawn: np.ndarray
) -> None:
    host.leaveModule(done)
    correct(host, done.logic.getParameterNode().outputSegmentation, ct, np.zeros_like(drawn))
    host.enterModule(done)
    assert done.ui.measurementsLabel.text == "Measuring..."
    done.ui.measureButton.click()
    wait_for_measurements(host, done)
    assert float(done.ui.measurementsTable.item(0, 0).text()) == 0
    for _time in range(50):
        host.slicer.app.processEvents()
    assert done.ui.statusLabel.text == "The measurements were updated."


@pytest.mark.parametrize("button", ["measureButton", "undoButton"])
def test_a_click_returns_before_the_lungs_are_measured_and_what_it_tells_is_not_lost(
    host: Host, ct: Any, done: Any, drawn: np.ndarray, go_on: threading.Event, button: str
) -> None:
    leave_result(done, ct, parameters(done).outputSegmentation, np.where(drawn == 1, drawn, 0))
    before = rows_of(done.ui.measurementsTable)
    getattr(done.ui, button).click()
    host.leaveModule(done)
    host.enterModule(done)
    assert done.ui.measurementsLabel.text == "Measuring..."
    assert rows_of(done.ui.measurementsTable) == []
    go_on.set()
    wait_for_measurements(host, done)
    assert (rows_of(done.ui.measurementsTable) == before) == (button == "measureButton")
    news = "The measurements were updated." if button == "measureButton" else "is as it was before the run"
    assert news in done.ui.statusLabel.text


def test_lungs_without_measurements_that_change_while_they_are_measured_first_are_measured_once_more(
    host: Host, ct: Any, done: Any, drawn: np.ndarray, go_on: threading.Event
) -> None:
    host.slicer.mrmlScene.RemoveNode(table_of(done))
    done.ui.measureButton.click()
    smaller = drawn.copy()
    smaller[:5] = 0
    correct(host, parameters(done).outputSegmentation, ct, smaller)
    go_on.set()
    wait_for_measurements(host, done)
    voxel_ml = np.prod(ct.GetSpacing()) / 1000
    volume_ml = float(done.ui.measurementsTable.item(0, 0).text())
    assert volume_ml == pytest.approx((smaller == 1).sum() * voxel_ml, abs=0.51)


def test_a_measurement_that_fails_in_its_thread_is_told_and_leaves_no_old_figures(
    host: Host, ct: Any, done: Any, drawn: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LungSegResNetWidgets import background_measurement

    monkeypatch.setattr(background_measurement, "measurementOf", lambda *nodes: lambda: 1 / 0)
    host.leaveModule(done)
    correct(host, done.logic.getParameterNode().outputSegmentation, ct, np.zeros_like(drawn))
    come_back(host, done)
    assert done.ui.statusLabel.text == "The lungs could not be measured."
    assert table_of(done) is None


def test_the_end_of_a_measurement_does_not_take_away_what_was_told_after_the_click(
    host: Host, done: Any, go_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LungSegResNetWidgets import segmentation_run

    def full(_run: Any) -> None:
        raise RuntimeError("The disk is full.")

    monkeypatch.setattr(segmentation_run.SegmentationRun, "start", full)
    done.ui.measureButton.click()
    host.answers.append(True)
    done.ui.segmentButton.click()
    told = done.ui.statusLabel.text
    assert "The disk is full." in told
    go_on.set()
    wait_for_measurements(host, done)
    assert done.ui.measurementsTable.visible
    assert done.ui.statusLabel.text == told


@pytest.mark.parametrize("fails", [False, True])
def test_the_end_of_a_measurement_is_not_told_beside_another_ct(
    host: Host,
    done: Any,
    thorax: tuple[sitk.Image, sitk.Image],
    go_on: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    fails: bool,
) -> None:
    from LungSegResNetWidgets import background_measurement

    if fails:
        monkeypatch.setattr(background_measurement, "measurementOf", lambda *nodes: lambda: go_on.wait(60) and 1 / 0)
    other = add_volume(host, thorax[0], "Other")
    done.ui.measureButton.click()
    done.ui.inputSelector.setCurrentNode(other)
    go_on.set()
    host.wait(lambda: not done.resultPanel._measuring._job.running)
    assert parameters(done).inputVolume is other
    assert done.ui.statusLabel.text == "Ready."


@pytest.mark.parametrize("what", ["scene", "module"])
def test_what_is_closed_while_changed_lungs_are_measured_is_not_asked_for(
    host: Host, ct: Any, done: Any, drawn: np.ndarray, what: str
) -> None:
    host.leaveModule(done)
    correct(host, done.logic.getParameterNode().outputSegmentation, ct, np.zeros_like(drawn))
    host.enterModule(done)
    if what == "scene":
        host.slicer.mrmlScene.Clear(False)
        assert "Measuring" not in done.ui.measurementsLabel.text
    else:
        host.leaveModule(done)
    host.wait(lambda: not done.resultPanel._measuring._job.running)
    assert (table_of(done) is None) == (what == "scene")


def test_lungs_that_cannot_be_measured_are_told_once_and_have_no_figures(
    host: Host, ct: Any, done: Any, caplog: pytest.LogCaptureFixture
) -> None:
    image = ct.GetImageData()
    ct.SetAndObserveImageData(None)
    done.ui.measureButton.click()
    wait_for_measurements(host, done)
    reason = tool_tip(done.ui.segmentButton)
    assert done.ui.statusLabel.text == f"The lungs could not be measured.\n{reason}"
    assert not done.ui.measurementsTable.visible
    host.leaveModule(done)
    come_back(host, done)
    assert [record.message for record in caplog.records] == ["The lungs could not be measured."]
    ct.SetAndObserveImageData(image)
    done.ui.measureButton.click()
    wait_for_measurements(host, done)
    assert done.ui.measurementsTable.visible


@pytest.mark.parametrize("width", [700, 350])
def test_regions_and_figures_are_shown_in_full_in_a_panel_that_is_narrow(host: Host, done: Any, width: int) -> None:
    table = done.ui.measurementsTable
    header, titles = table.horizontalHeader(), table.verticalHeader()
    done.parent.resize(width, 900)
    host.slicer.app.processEvents()
    for column in range(table.columnCount):
        texts = [header.model().headerData(column, host.qt.Qt.Horizontal), *(row[column] for row in rows_of(table))]
        needed = max(header.fontMetrics().horizontalAdvance(text) for text in texts)
        assert header.sectionSize(column) >= needed + 4
    assert titles.width + header.length() == table.contentsRect().width()
    assert table.viewport().width == header.length()  # nothing is hidden at the side


def test_the_name_of_a_ct_that_is_one_long_word_is_shown_whole(host: Host, ct: Any, done: Any) -> None:
    ct.SetName("scanner_export_1956_study1_thorax-native.lung.kernel")
    done.parent.resize(350, 900)
    done.updateGui()
    label = done.ui.measurementsLabel
    words = label.text.replace("\u200b", " ").split()
    assert "".join(words) == ct.GetName()
    assert max(label.fontMetrics().horizontalAdvance(word) for word in words) < 350 / 2


def test_measurements_are_copied_as_a_table_for_spreadsheets(host: Host, done: Any) -> None:
    done.ui.copyButton.click()
    lines = [line.split("\t") for line in host.slicer.app.clipboard().text().splitlines()]
    assert lines[0] == ["Phantom", "right lung", "left lung", "both lungs"]
    assert lines[1][0] == "Volume (ml)"
    assert lines[1][1] == done.ui.measurementsTable.item(0, 0).text()
    assert {len(line) for line in lines} == {4}


def test_quantities_have_the_titles_of_the_library_and_only_their_translation_is_of_the_panel(host: Host) -> None:
    from LungSegResNetWidgets.measurement_table import titles

    from LungSegResNetLib.figures.measurements import QUANTITIES

    assert titles() == {quantity.key: quantity.title for quantity in QUANTITIES if quantity.key != "slices"}


_COPY = """
from slicer_host import start
host = start()
host.loadModule("LungSegResNet")
from LungSegResNetWidgets.measurement_table import copyRows
copyRows("Phantom 2.5", [{"region": "lungs", "volume_ml": 4162.4, "below_-950_hu_percent": 4.2}], "")
print("|".join(host.slicer.app.clipboard().text().splitlines()).replace("\t", ";"))
"""


@pytest.mark.parametrize(("language", "copied"), [("de_DE", "4,2"), ("ar_EG", "4.2")])
def test_percentages_are_copied_with_the_decimal_mark_of_the_system(language: str, copied: str) -> None:
    # Qt reads the language once for a process.
    environment = {**os.environ, "LC_ALL": f"{language}.UTF-8", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", _COPY], env=environment, capture_output=True, text=True, check=True)
    cells = [line.split(";") for line in run.stdout.splitlines()[-1].split("|")]
    assert cells[:2] == [["Phantom 2.5", "both lungs"], ["Volume (ml)", "4162"]]
    assert [value for title, value in cells if "%" in title and value != "-"] == [copied]


def test_the_panel_and_what_leaves_it_have_the_name_that_the_ct_has_now(
    host: Host, ct: Any, done: Any, tmp_path: Path
) -> None:
    ct.SetName("Case 1")
    host.wait(lambda: done.ui.measurementsLabel.text == "Case 1")  # in pictures of the screen, too
    done.ui.copyButton.click()
    assert host.slicer.app.clipboard().text().startswith("Case 1\t")
    host.files.append(str(tmp_path / "lungs.csv"))
    done.ui.exportButton.click()
    assert "Phantom" not in (tmp_path / "lungs.csv").read_text(encoding="utf-8")


def test_measurements_are_exported_as_csv_and_a_cancelled_dialog_writes_nothing(
    host: Host, done: Any, tmp_path: Path
) -> None:
    host.files.append("")
    done.ui.exportButton.click()
    path = tmp_path / "lungs.csv"
    host.files.append(str(path))
    done.ui.exportButton.click()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("ct,region,volume_ml,mean_hu")
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["Phantom", lung] for lung in ("right lung", "left lung", "lungs")
    ]
    assert str(path) in done.ui.statusLabel.text


def test_that_measurements_do_not_follow_a_transform_stays_with_them_wherever_they_go(
    host: Host, ct: Any, done: Any, tmp_path: Path
) -> None:
    note = 'The lungs are under the transform "Registration" of the CT; measurements are of the scan without it.'
    path = tmp_path / "lungs.csv"

    def export() -> list[str]:
        host.files.append(str(path))
        done.ui.exportButton.click()
        with path.open(encoding="utf-8", newline="") as file:
            return [row["note"] for row in csv.DictReader(file)]

    assert export() == ["", "", ""]
    transform = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "Registration")
    for node in (ct, parameters(done).outputSegmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())
    host.leaveModule(done)
    come_back(host, done)
    done.ui.measureButton.click()
    wait_for_measurements(host, done)
    assert done.ui.statusLabel.text == "The measurements were updated."
    assert done.ui.measurementsLabel.text == f"Phantom\n{note}"
    done.ui.copyButton.click()
    assert host.slicer.app.clipboard().text().splitlines()[-1] == note
    assert export() == [note] * 3


def test_an_export_that_cannot_be_written_is_told(host: Host, done: Any, tmp_path: Path) -> None:
    host.files.append(str(tmp_path / "lungs.docx"))
    done.ui.exportButton.click()
    assert ".docx" in done.ui.statusLabel.text


def test_measurements_of_one_ct_are_neither_shown_nor_overwritten_with_another(
    host: Host, ct: Any, done: Any, thorax: tuple[sitk.Image, sitk.Image], tmp_path: Path
) -> None:
    first = table_of(done)
    assert (first.GetName(), done.ui.measurementsLabel.text) == ("Phantom lung measurements", "Phantom")
    lungs = parameters(done).outputSegmentation
    volume = done.ui.measurementsTable.item(0, 0).text()

    other = add_volume(host, thorax[0], "Next patient")
    done.ui.inputSelector.setCurrentNode(other)
    assert not done.ui.measurementsTable.visible
    assert not done.ui.exportButton.enabled
    assert "no measurements" in done.ui.measurementsLabel.text
    done.ui.outputSelector.setCurrentNode(None)
    run_to_the_end(host, done)
    assert table_of(done).GetName() == "Next patient lung measurements"
    assert done.ui.measurementsLabel.text == "Next patient"
    host.files.append(str(tmp_path / "next.csv"))
    done.ui.exportButton.click()
    assert (tmp_path / "next.csv").read_text(encoding="utf-8").splitlines()[1].startswith("Next patient,")

    done.ui.inputSelector.setCurrentNode(ct)
    done.ui.outputSelector.setCurrentNode(lungs)
    assert table_of(done) is first
    assert first.GetName() == "Phantom lung measurements"
    assert done.ui.measurementsTable.item(0, 0).text() == volume


def test_measurements_of_lungs_that_were_removed_are_not_shown_where_none_are_chosen(host: Host, done: Any) -> None:
    assert done.ui.measurementsTable.visible
    host.slicer.mrmlScene.RemoveNode(parameters(done).outputSegmentation)
    assert parameters(done).outputSegmentation is None
    assert not done.ui.measurementsTable.visible
    assert done.ui.measurementsLabel.text == "There are no measurements yet."
    for button in (done.ui.copyButton, done.ui.exportButton):
        assert not button.enabled


@pytest.mark.parametrize("removed", ["ct", "lungs", "folder"])
def test_tables_go_with_their_ct_and_with_their_lungs_and_others_stay(
    host: Host, ct: Any, done: Any, drawn: np.ndarray, removed: str
) -> None:
    scene, ui = host.slicer.mrmlScene, done.ui
    hierarchy = host.slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "Patient")
    lungs = parameters(done).outputSegmentation
    leave_result(done, ct, lungs, drawn)
    tables = [table_of(done, kind) for kind in ("measurements", "slices to check")]
    for node in (ct, lungs, *tables):
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), folder)
    other = host.slicer.util.addVolumeFromArray(host.slicer.util.arrayFromVolume(ct), name="Other")
    other.CopyOrientation(ct)
    ui.inputSelector.setCurrentNode(other)
    leave_result(done, other, scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Other lungs"), drawn)
    names = {"Phantom lung measurements", "Phantom slices to check", "Other lung measurements", "Other slices to check"}

    def tables_in_scene() -> set[str]:
        return {node.GetName() for node in host.slicer.util.getNodesByClass("vtkMRMLTableNode")}

    assert tables_in_scene() == names
    if removed == "folder":
        assert hierarchy.RemoveItem(folder, True, True)
    else:
        scene.RemoveNode({"ct": ct, "lungs": lungs}[removed])
    host.slicer.app.processEvents()
    assert tables_in_scene() == {"Other lung measurements", "Other slices to check"}


def test_undo_brings_back_the_lungs_of_the_chosen_segmentation_also_after_a_run_on_another_ct(
    host: Host, ct: Any, done: Any, drawn: np.ndarray, thorax: tuple[sitk.Image, sitk.Image]
) -> None:
    ui, lungs = done.ui, parameters(done).outputSegmentation
    by_hand = np.roll(drawn, 9, axis=1)
    correct(host, lungs, ct, by_hand)
    ui.measureButton.click()
    wait_for_measurements(host, done)
    before = ui.measurementsTable.item(0, 0).text()
    host.answers.append(True)
    run_to_the_end(host, done)
    assert ui.measurementsTable.item(0, 0).text() != before

    other = add_volume(host, thorax[0], "Next patient")
    ui.inputSelector.setCurrentNode(other)
    assert not ui.undoButton.enabled
    run_to_the_end(host, done)
    assert '"Next patient lungs"' in tool_tip(ui.undoButton)
    ui.undoButton.click()
    wait_for_measurements(host, done)
    assert ui.undoButton.text == "Redo"

    ui.inputSelector.setCurrentNode(ct)
    assert parameters(done).outputSegmentation is lungs
    assert ui.undoButton.text == "Undo"
    ui.undoButton.click()
    wait_for_measurements(host, done)
    np.testing.assert_array_equal(segment_array(host, lungs, "right_lung", ct), by_hand == 1)
    assert ui.measurementsTable.item(0, 0).text() == before


def test_nothing_is_kept_for_undo_of_a_segmentation_that_left_the_scene(host: Host, ct: Any, panel: Any) -> None:
    scene, lungs = host.slicer.mrmlScene, []
    for _run in range(2):
        panel.ui.outputSelector.setCurrentNode(None)
        run_to_the_end(host, panel)
        lungs.append(vtk.vtkWeakReference())
        lungs[-1].Set(parameters(panel).outputSegmentation)
    scene.RemoveNode(lungs[0].Get())
    gc.collect()
    assert lungs[0].Get() is None
    assert lungs[1].Get() is not None
    assert panel.ui.undoButton.enabled
    scene.Clear(False)
    gc.collect()
    assert lungs[1].Get() is None
