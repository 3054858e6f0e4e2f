"""Frames of a 4D CT: one, or all of them, in step with the sequence browser."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_data import add_volume, rows_of, run_to_the_end, save_scene, segment_array, table_of, wait_for_measurements
from overlap import dice
from slicer_host import Host
from synthetic_thorax import Thorax

FRAMES = 2
SPACING = (4.0, 4.0, 20.0)


@pytest.fixture
def scans() -> list[tuple[sitk.Image, np.ndarray]]:
    """Frames, each with its label array; the chest moves to the side."""
    scans = []
    for number in range(FRAMES):
        image, mask = Thorax().scan(spacing=SPACING)
        shift = 3 * number
        moved = sitk.GetImageFromArray(np.roll(sitk.GetArrayFromImage(image), shift, axis=2))
        moved.CopyInformation(image)
        scans.append((moved, np.roll(sitk.GetArrayFromImage(mask), shift, axis=2)))
    return scans


@pytest.fixture
def browser(host: Host, scans: list[tuple[sitk.Image, np.ndarray]]) -> Any:
    """A browser that shows the frames in the volume "Breathing"."""
    scene = host.slicer.mrmlScene
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Breathing sequence")
    sequence.SetIndexName("phase")
    sequence.SetIndexUnit("%")
    for number, (image, _mask) in enumerate(scans):
        frame = add_volume(host, image, "Breathing")
        sequence.SetDataNodeAtValue(frame, str(50 * number))
        scene.RemoveNode(frame)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
    browser.AddSynchronizedSequenceNode(sequence)
    browser.SetOverwriteProxyName(sequence, False)
    host.slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    browser.GetProxyNode(sequence).SetName("Breathing")
    return browser


def proxy(browser: Any) -> Any:
    return browser.GetProxyNode(browser.GetMasterSequenceNode())


def show_frame(host: Host, browser: Any, number: int) -> None:
    browser.SetSelectedItemNumber(number)
    host.slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)


def lungs(host: Host) -> Any:
    return host.slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")


def node_ids(host: Host) -> list[str]:
    return [node.GetID() for node in host.slicer.util.getNodes("*", useLists=True).values() for node in node]


def test_frames_are_asked_for_only_where_the_ct_is_one_of_a_sequence(
    host: Host, browser: Any, panel: Any, scans: Any
) -> None:
    assert panel.ui.framesComboBox.visible
    single = add_volume(host, scans[0][0], "Single")
    panel.ui.inputSelector.setCurrentNode(single)
    assert not panel.ui.framesComboBox.visible
    panel.ui.inputSelector.setCurrentNode(proxy(browser))
    panel.ui.framesComboBox.currentIndex = 1
    assert not panel.ui.outputSelector.visible


def test_all_frames_become_a_sequence_in_step_with_the_ct_and_corrections_stay_with_their_frame(
    host: Host, browser: Any, panel: Any, scans: Any
) -> None:
    panel.ui.inputSelector.setCurrentNode(proxy(browser))
    panel.ui.framesComboBox.currentIndex = 1
    panel.ui.segmentButton.click()
    host.wait(lambda: f"of {FRAMES}" in panel.ui.progressBar.format)
    host.wait(lambda: panel.ui.segmentButton.visible)

    segmentation = lungs(host)
    assert segmentation.GetName() == "Breathing lungs"
    assert panel.logic.getParameterNode().outputSegmentation is segmentation
    sequence = browser.GetSequenceNode(segmentation)
    ct_sequence = browser.GetMasterSequenceNode()
    assert [sequence.GetNthIndexValue(n) for n in range(FRAMES)] == ["0", "50"]
    assert (sequence.GetIndexName(), sequence.GetIndexUnit()) == ("phase", "%")
    assert ct_sequence is not sequence
    assert panel.ui.measurementsTable.rowCount > 0
    for number, (_image, labels) in enumerate(scans):
        show_frame(host, browser, number)
        for name, label in (("right_lung", 1), ("left_lung", 2)):
            assert dice(segment_array(host, segmentation, name, proxy(browser)), labels == label) > 0.85
    assert f"{FRAMES} frames" in panel.ui.statusLabel.text
    assert not panel.ui.undoButton.enabled

    corrected = scans[1][1] == 1
    host.slicer.util.updateSegmentBinaryLabelmapFromArray(
        corrected.astype(np.uint8), segmentation, "right_lung", proxy(browser)
    )
    show_frame(host, browser, 0)
    assert not np.array_equal(segment_array(host, segmentation, "right_lung", proxy(browser)), corrected)
    show_frame(host, browser, 1)
    np.testing.assert_array_equal(segment_array(host, segmentation, "right_lung", proxy(browser)), corrected)

    # The pair of CT and lungs is that of all frames.
    single = add_volume(host, Thorax().scan(spacing=(6.0, 6.0, 20.0))[0], "Single")
    for number in range(FRAMES):
        show_frame(host, browser, number)
        assert panel.ui.outputSelector.currentNode() is segmentation
        assert panel.ui.measureButton.enabled
    panel.ui.inputSelector.setCurrentNode(single)
    assert panel.ui.outputSelector.currentNode() is None
    panel.ui.inputSelector.setCurrentNode(proxy(browser))
    assert panel.ui.outputSelector.currentNode() is segmentation


def test_frames_in_step_and_the_choice_survive_saving_and_loading_the_scene(
    host: Host, browser: Any, panel: Any, scans: Any, tmp_path: Path
) -> None:
    scene = host.slicer.mrmlScene
    panel.ui.framesComboBox.currentIndex = 1
    run_to_the_end(host, panel)
    sequences = [browser.GetMasterSequenceNode(), browser.GetSequenceNode(lungs(host))]
    nodes = ((sequences[0], "seq.nrrd"), (sequences[1], "seq.mrb"), (proxy(browser), "nrrd"))
    save_scene(host, tmp_path / "scene.mrml", *nodes)
    scene.Clear(False)
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Connect()
    assert panel.ui.framesComboBox.currentText == "all frames"
    assert panel.ui.framesComboBox.visible
    loaded = scene.GetFirstNodeByClass("vtkMRMLSequenceBrowserNode")
    for number, (_image, labels) in enumerate(scans):
        show_frame(host, loaded, number)
        assert dice(segment_array(host, lungs(host), "left_lung", proxy(loaded)), labels == 2) > 0.85


def test_the_current_frame_alone_becomes_an_ordinary_segmentation(host: Host, browser: Any, panel: Any) -> None:
    run_to_the_end(host, panel)
    assert browser.GetSequenceNode(lungs(host)) is None
    assert browser.GetNumberOfSynchronizedSequenceNodes(True) == 1


def test_lungs_of_the_current_frame_and_their_undo_come_with_the_frame_they_belong_to(
    host: Host, browser: Any, panel: Any, scans: Any
) -> None:
    show_frame(host, browser, 1)
    panel.ui.segmentButton.click()
    browser.SetPlaybackActive(True)
    show_frame(host, browser, 0)
    host.wait(lambda: panel.ui.segmentButton.visible)
    assert not browser.GetPlaybackActive()
    assert browser.GetSelectedItemNumber() == 1
    segmentation = lungs(host)
    assert dice(segment_array(host, segmentation, "right_lung", proxy(browser)), scans[1][1] == 1) > 0.85
    volumes = [float(panel.ui.measurementsTable.item(0, column).text()) for column in range(3)]

    panel.ui.undoButton.click()
    wait_for_measurements(host, panel)
    show_frame(host, browser, 0)
    panel.ui.undoButton.click()
    wait_for_measurements(host, panel)
    assert browser.GetSelectedItemNumber() == 1
    assert [float(panel.ui.measurementsTable.item(0, column).text()) for column in range(3)] == volumes


def test_measurements_and_slices_to_check_of_one_frame_are_not_shown_with_another(
    host: Host, browser: Any, panel: Any
) -> None:
    show_frame(host, browser, 1)
    run_to_the_end(host, panel)
    assert panel.ui.measurementsTable.visible
    listed = panel.ui.checkTable.rowCount
    assert listed > 0
    show_frame(host, browser, 0)
    assert not panel.ui.measurementsTable.visible
    assert not panel.ui.copyButton.enabled
    assert "frame 2" in panel.ui.measurementsLabel.text
    assert "frame 2" in panel.ui.checkLabel.text
    assert panel.ui.checkTable.rowCount == 0
    panel.ui.measureButton.click()
    wait_for_measurements(host, panel)
    assert panel.ui.measurementsTable.visible
    show_frame(host, browser, 1)
    assert not panel.ui.measurementsTable.visible
    assert panel.ui.checkTable.rowCount == listed


def add_lungs(host: Host, browser: Any, panel: Any, scans: list[tuple[sitk.Image, np.ndarray]]) -> Any:
    """Lungs of each frame in a sequence in step with the CT, as a run over all frames leaves them; they are chosen."""
    from LungSegResNetWidgets import lung_segments

    sequence = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "Lungs sequence")
    sequence.SetIndexName("phase")
    for number, (_image, labels) in enumerate(scans):
        node = host.slicer.vtkMRMLSegmentationNode()
        lung_segments.writeLungs(node, proxy(browser), labels)
        sequence.SetDataNodeAtValue(node, str(50 * number))
    browser.AddSynchronizedSequenceNode(sequence)
    browser.SetSaveChanges(sequence, True)
    show_frame(host, browser, 0)
    segmentation = browser.GetProxyNode(sequence)
    lung_segments.placeWithVolume(segmentation, proxy(browser))
    panel.ui.inputSelector.setCurrentNode(proxy(browser))
    panel.ui.outputSelector.setCurrentNode(segmentation)
    return segmentation


def test_a_frame_that_was_corrected_is_measured_again_when_it_is_shown_and_no_other_one_is(
    host: Host, browser: Any, panel: Any, scans: Any
) -> None:
    from LungSegResNetWidgets.lung_measurement import measure

    segmentation = add_lungs(host, browser, panel, scans)
    panel.ui.measureButton.click()
    wait_for_measurements(host, panel)
    before = rows_of(panel.ui.measurementsTable)
    for number in (1, 0):
        show_frame(host, browser, number)
        assert panel.ui.measurementsLabel.text != "Measuring..."
    assert rows_of(panel.ui.measurementsTable) == before

    host.leaveModule(panel)
    smaller = scans[0][1].copy()
    smaller[:5] = 0
    host.slicer.util.updateSegmentBinaryLabelmapFromArray(
        (smaller == 1).astype(np.uint8), segmentation, "right_lung", proxy(browser)
    )
    show_frame(host, browser, 1)
    host.enterModule(panel)
    assert "frame 1" in panel.ui.measurementsLabel.text
    show_frame(host, browser, 0)
    host.wait(lambda: panel.ui.measurementsLabel.text != "Measuring...")
    right_ml = measure(proxy(browser), segmentation)[0]["volume_ml"]
    assert float(panel.ui.measurementsTable.item(0, 0).text()) == pytest.approx(right_ml, abs=0.51)
    assert right_ml == pytest.approx((smaller == 1).sum() * np.prod(SPACING) / 1000)


def test_figures_of_a_frame_stay_where_another_one_is_not_measured_to_the_end(
    host: Host, browser: Any, panel: Any, scans: Any, go_on: threading.Event
) -> None:
    add_lungs(host, browser, panel, scans)
    go_on.set()
    panel.ui.measureButton.click()
    wait_for_measurements(host, panel)
    before = rows_of(panel.ui.measurementsTable)
    assert before
    go_on.clear()
    show_frame(host, browser, 1)
    panel.ui.measureButton.click()
    show_frame(host, browser, 0)
    go_on.set()
    wait_for_measurements(host, panel)
    assert panel.ui.measurementsTable.visible
    assert rows_of(panel.ui.measurementsTable) == before
    assert panel.ui.statusLabel.text.startswith("The frame was left before its lungs were measured")
    show_frame(host, browser, 1)
    assert "frame 1" in panel.ui.measurementsLabel.text
    panel.ui.measureButton.click()
    wait_for_measurements(host, panel)
    assert panel.ui.measurementsTable.visible
    assert panel.ui.statusLabel.text.startswith("The measurements were updated.")


def test_a_frame_that_changes_while_it_is_measured_after_another_one_is_measured_once_more(
    host: Host, browser: Any, panel: Any, scans: Any, go_on: threading.Event
) -> None:
    segmentation = add_lungs(host, browser, panel, scans)
    go_on.set()
    panel.ui.measureButton.click()
    wait_for_measurements(host, panel)
    go_on.clear()
    show_frame(host, browser, 1)
    panel.ui.measureButton.click()
    smaller = scans[1][1].copy()
    smaller[:5] = 0
    host.slicer.util.updateSegmentBinaryLabelmapFromArray(
        (smaller == 1).astype(np.uint8), segmentation, "right_lung", proxy(browser)
    )
    go_on.set()
    wait_for_measurements(host, panel)
    right_ml = (smaller == 1).sum() * np.prod(SPACING) / 1000
    assert float(panel.ui.measurementsTable.item(0, 0).text()) == pytest.approx(right_ml, abs=0.51)


def test_surfaces_of_a_frame_that_is_left_while_it_is_measured_are_there_when_it_is_shown_again(
    host: Host, browser: Any, panel: Any, scans: Any, go_on: threading.Event
) -> None:
    from LungSegResNetWidgets.lung_segments import restoreLungs, saveLungs

    segmentation = add_lungs(host, browser, panel, scans)
    for number in (1, 0):
        show_frame(host, browser, number)
        segmentation.CreateClosedSurfaceRepresentation()
    restoreLungs(segmentation, saveLungs(segmentation, proxy(browser)), proxy(browser))  # as Undo does
    panel.ui.measureButton.click()
    show_frame(host, browser, 1)
    go_on.set()
    wait_for_measurements(host, panel)
    end = time.monotonic() + 0.3
    host.wait(lambda: time.monotonic() > end)
    for number in (1, 0):
        show_frame(host, browser, number)
        assert segmentation.GetSegmentation().ContainsRepresentation("Closed surface")


def test_frames_in_a_browser_of_a_sequence_with_other_items_get_the_slices_to_check_of_the_one_that_is_shown(
    host: Host, browser: Any, panel: Any
) -> None:
    from LungSegResNetWidgets.table_node import rowsOf

    scene, ct_sequence = host.slicer.mrmlScene, browser.GetMasterSequenceNode()
    master = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "ECG")
    master.SetIndexName("phase")
    for value in ("0", "25", "50", "75"):
        text = scene.AddNewNodeByClass("vtkMRMLTextNode", "Phase")
        master.SetDataNodeAtValue(text, value)
        scene.RemoveNode(text)
    browser.SetAndObserveMasterSequenceNodeID(master.GetID())
    browser.AddSynchronizedSequenceNode(ct_sequence)
    show_frame(host, browser, 3)
    panel.ui.inputSelector.setCurrentNode(browser.GetProxyNode(ct_sequence))
    panel.ui.framesComboBox.currentIndex = 1
    panel.ui.segmentButton.click()
    run = panel.runPanel.run
    host.wait(lambda: panel.ui.segmentButton.visible)
    assert panel.ui.statusLabel.text.startswith("Done: 2 frames")
    first, last = ([one["point_lps_mm"] for one in result.summary["slices_to_check"]] for result in run._results)
    assert first != last
    listed = rowsOf(table_of(panel, "slices to check"))
    assert [[-row["r_mm"], -row["a_mm"], row["s_mm"]] for row in listed] == last


def test_frames_that_are_segmented_inside_of_a_box_only_are_measured_there_only(
    host: Host, browser: Any, panel: Any
) -> None:
    bounds = [0.0] * 6
    proxy(browser).GetRASBounds(bounds)
    middle, half = (bounds[4] + bounds[5]) / 2, (bounds[5] - bounds[4]) / 2
    roi = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Upper half")
    roi.SetCenterWorld((bounds[0] + bounds[1]) / 2, (bounds[2] + bounds[3]) / 2, middle + half / 2)
    roi.SetSize(bounds[1] - bounds[0], bounds[3] - bounds[2], half)
    panel.ui.roiSelector.setCurrentNode(roi)
    panel.ui.segmentsComboBox.currentIndex = 1
    panel.ui.framesComboBox.currentIndex = 1
    host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Breathing lungs")
    panel.ui.segmentButton.click()
    run = panel.runPanel.run
    host.wait(lambda: panel.ui.segmentButton.visible)
    assert [one.summary["measurements"] for one in run._results] == [[]] * FRAMES  # which would take the window's time
    wait_for_measurements(host, panel)
    result = panel.ui.outputSelector.currentNode()
    assert result.GetName() == "Breathing lungs_1"  # told apart from those before
    inside = segment_array(host, result, "lungs", proxy(browser))
    assert inside.any()
    assert not inside[: len(inside) // 2].any()
    measured = rows_of(panel.ui.measurementsTable)[0]
    assert len(measured) == 1
    assert float(measured[0]) == pytest.approx(inside.sum() * np.prod(SPACING) / 1000, abs=0.51)


def test_a_failure_at_the_end_of_a_run_over_frames_leaves_the_scene_as_it_was(
    host: Host, browser: Any, panel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LungSegResNetWidgets.sequence_run import SequenceRun

    def fail(*arguments: Any) -> None:
        raise ValueError("no more memory for this")

    monkeypatch.setattr(SequenceRun, "_shownNumber", fail)
    panel.ui.framesComboBox.currentIndex = 1
    before = node_ids(host)
    run_to_the_end(host, panel)
    assert panel.ui.statusLabel.text.startswith("The result could not be used (ValueError: no more memory for this)")
    assert node_ids(host) == before
    assert browser.GetNumberOfSynchronizedSequenceNodes(True) == 1


@pytest.mark.parametrize("way", ["cancel", "close"])
def test_a_run_over_frames_that_is_stopped_leaves_no_segmentation(
    host: Host, browser: Any, panel: Any, way: str
) -> None:
    panel.ui.framesComboBox.currentIndex = 1
    panel.ui.segmentButton.click()
    host.wait(lambda: "frame" in panel.ui.progressBar.format)
    folder = Path(panel.runPanel.run._run._folder.name)
    if way == "cancel":
        panel.ui.cancelButton.click()
        assert panel.ui.statusLabel.text.startswith("Cancelled")
    else:
        host.slicer.mrmlScene.Clear(False)
    assert panel.runPanel.run is None
    host.wait(lambda: not folder.exists(), 5)
    assert lungs(host) is None


def spoil(host: Host, browser: Any, number: int) -> None:
    """Frame ``number``, from 0, is no CT."""
    host.slicer.util.arrayFromVolume(browser.GetMasterSequenceNode().GetNthDataNode(number))[:] = 7


def test_a_first_frame_that_fails_is_named_and_the_scene_is_as_it_was(host: Host, browser: Any, panel: Any) -> None:
    spoil(host, browser, 0)
    panel.ui.framesComboBox.currentIndex = 1
    panel.ui.segmentButton.click()
    host.wait(lambda: panel.ui.segmentButton.visible)
    assert panel.ui.statusLabel.text.startswith("Frame 1 of 2: ")
    assert panel.ui.statusLabel.text.count("The scene is unchanged.") == 1
    assert lungs(host) is None
    assert browser.GetNumberOfSynchronizedSequenceNodes(True) == 1


def test_frames_that_are_done_are_kept_when_another_one_fails_and_that_one_can_be_done_later(
    host: Host, browser: Any, panel: Any, scans: Any, caplog: pytest.LogCaptureFixture
) -> None:
    frame = browser.GetMasterSequenceNode().GetNthDataNode(1)
    voxels = host.slicer.util.arrayFromVolume(frame).copy()
    spoil(host, browser, 1)
    show_frame(host, browser, 1)
    panel.ui.framesComboBox.currentIndex = 1
    run_to_the_end(host, panel)
    told = panel.ui.statusLabel.text.splitlines()[0]
    assert told.startswith("Frame 2 of 2: ")
    assert " 1 of 2 frames are done and kept; the others have no lungs yet." in told
    assert "The scene is unchanged." not in panel.ui.statusLabel.text
    assert caplog.messages[-1] == told
    assert browser.GetSelectedItemNumber() == 0  # the last one with lungs
    assert dice(segment_array(host, lungs(host), "right_lung", proxy(browser)), scans[0][1] == 1) > 0.85
    assert panel.ui.measurementsTable.rowCount > 0
    before = rows_of(panel.ui.measurementsTable)

    show_frame(host, browser, 1)
    assert lungs(host).GetSegmentation().GetNumberOfSegments() == 0
    assert not panel.ui.measureButton.enabled
    host.slicer.util.arrayFromVolume(proxy(browser))[:] = voxels
    panel.ui.framesComboBox.currentIndex = 0
    run_to_the_end(host, panel)
    for number, (_image, labels) in reversed(list(enumerate(scans))):
        show_frame(host, browser, number)
        assert dice(segment_array(host, lungs(host), "right_lung", proxy(browser)), labels == 1) > 0.85
    panel.ui.measureButton.click()
    wait_for_measurements(host, panel)
    assert rows_of(panel.ui.measurementsTable) == before


def test_frames_that_are_done_are_lost_where_they_cannot_be_shown_and_the_panel_can_be_used_again(
    host: Host, browser: Any, panel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LungSegResNetWidgets.sequence_run import SequenceRun

    def fail(*arguments: Any) -> None:
        raise ValueError("no more memory for this")

    monkeypatch.setattr(SequenceRun, "_shownNumber", fail)
    spoil(host, browser, 1)
    panel.ui.framesComboBox.currentIndex = 1
    run_to_the_end(host, panel)
    first, last = panel.ui.statusLabel.text.splitlines()
    assert first.startswith("Frame 2 of 2: ")
    assert last == "The scene is unchanged."
    assert lungs(host) is None


def test_a_warning_that_is_about_several_frames_is_told_once(host: Host, browser: Any, panel: Any) -> None:
    panel.ui.framesComboBox.currentIndex = 1
    panel.ui.segmentButton.click()
    run = panel.runPanel.run
    host.wait(lambda: panel.ui.segmentButton.visible)
    own = [result.summary["warnings"] for result in run._results]
    assert own[0] == own[1] != []
    shared = [f"2 of 2 frames, first frame 1: {text}" for text in own[0]]
    assert panel.ui.statusLabel.text.splitlines()[-len(shared) :] == shared
    for summary, texts in zip((result.summary for result in run._results), (["a", "b"], ["b"]), strict=True):
        summary["warnings"] = texts
    assert run._summary(0)["warnings"] == ["Frame 1: a", "2 of 2 frames, first frame 1: b"]


def test_a_sequence_that_is_removed_during_the_run_is_told(host: Host, browser: Any, panel: Any) -> None:
    panel.ui.framesComboBox.currentIndex = 1
    panel.ui.segmentButton.click()
    sequence = browser.GetMasterSequenceNode()
    host.slicer.mrmlScene.RemoveNode(browser)
    host.slicer.mrmlScene.RemoveNode(sequence)
    host.wait(lambda: panel.runPanel.run is None)
    assert "removed" in panel.ui.statusLabel.text
    assert lungs(host) is None
