"""Runs from the panel: real widgets, real scene, real process, the shipped network."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
import vtk
from mrml_data import (
    add_slice_view,
    add_volume,
    parameters,
    run_to_the_end,
    save_scene,
    segment_array,
    table_of,
    tool_tip,
)
from overlap import dice
from processes import below, is_alive, suspended
from slicer_host import Host

# A second on an idle machine; tests may share theirs with other work.
CANCEL_SECONDS = 5.0


def start_and_wait_for_slices(host: Host, panel: Any) -> None:
    """Click Segment lungs and wait until slices are being segmented."""
    panel.ui.segmentButton.click()
    host.wait(lambda: panel.ui.progressBar.maximum > 0)


def processes_of(panel: Any) -> list[int]:
    """Process ids of the launcher and of Python below it."""
    return below(panel.runPanel.run._command._process._process.processId())


def wait_until_ended(host: Host, processes: list[int], seconds: float) -> None:
    host.wait(lambda: not any(map(is_alive, processes)), seconds)


def test_a_click_finds_both_lungs_beside_the_ct_and_measures_them(
    host: Host, ct: Any, panel: Any, drawn: np.ndarray
) -> None:
    scene = host.slicer.mrmlScene
    hierarchy = host.slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "Patient")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(ct), folder)
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Registration")
    moved = vtk.vtkTransform()
    moved.RotateZ(20)
    transform.SetMatrixTransformToParent(moved.GetMatrix())
    ct.SetAndObserveTransformNodeID(transform.GetID())

    run_to_the_end(host, panel)

    segmentation = parameters(panel).outputSegmentation
    assert panel.ui.outputSelector.currentNode() is segmentation
    assert segmentation.GetName() == "Phantom lungs"
    assert segmentation.GetTransformNodeID() == transform.GetID()
    assert segmentation.GetNodeReference("referenceImageGeometryRef") is ct
    for name, label in (("right_lung", 1), ("left_lung", 2)):
        assert dice(segment_array(host, segmentation, name, ct), drawn == label) > 0.9
    for node in (segmentation, table_of(panel)):
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == folder
    table = panel.ui.measurementsTable
    headers = [table.horizontalHeaderItem(column) for column in range(3)]
    assert [header.text() for header in headers] == ["right", "left", "both"]
    assert "right lung" in headers[0].toolTip()
    volume_ml = float(table.item(0, 0).text())
    voxel_ml = np.prod(ct.GetSpacing()) / 1000
    assert volume_ml == pytest.approx((drawn == 1).sum() * voxel_ml, rel=0.15)
    assert panel.ui.statusLabel.text.startswith("Done: ")
    assert panel.ui.measurementsLabel.text.startswith("Phantom\nThe lungs are under the transform")
    for button in (panel.ui.editButton, panel.ui.undoButton, panel.ui.measureButton, panel.ui.copyButton):
        assert button.enabled


def test_the_bar_moves_by_slices_while_cancel_takes_the_place_of_the_button(host: Host, ct: Any, panel: Any) -> None:
    ui = panel.ui
    start_and_wait_for_slices(host, panel)
    assert ui.progressBar.maximum == ct.GetImageData().GetDimensions()[2]
    assert ui.cancelButton.visible
    assert ui.progressBar.visible
    assert not ui.segmentButton.visible
    assert not ui.inputSelector.enabled
    assert not ui.batchSizeSpinBox.enabled
    host.wait(lambda: ui.progressBar.value > 0)
    assert "slice" in ui.progressBar.format
    ui.cancelButton.click()


def test_cancel_waits_for_no_process_ends_them_all_and_changes_nothing(host: Host, ct: Any, panel: Any) -> None:
    start_and_wait_for_slices(host, panel)
    processes = processes_of(panel)
    assert len(processes) == 2
    with suspended(processes):
        panel.ui.cancelButton.click()
        assert all(map(is_alive, processes))
        assert panel.ui.segmentButton.visible
        assert panel.ui.segmentButton.enabled
        assert panel.ui.statusLabel.text.startswith("Cancelled")
    wait_until_ended(host, processes, CANCEL_SECONDS)
    assert host.slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode") is None


def test_a_process_that_hangs_after_cancel_is_ended(host: Host, ct: Any, panel: Any) -> None:
    start_and_wait_for_slices(host, panel)
    processes = processes_of(panel)
    with suspended(processes):
        panel.ui.cancelButton.click()
        wait_until_ended(host, processes[:1], CANCEL_SECONDS)


def test_a_run_after_a_cancelled_one_is_done_by_a_process_of_its_own(host: Host, ct: Any, panel: Any) -> None:
    start_and_wait_for_slices(host, panel)
    launcher = panel.runPanel.run._command._process._process.processId()
    panel.ui.cancelButton.click()
    run_to_the_end(host, panel)
    assert panel.ui.statusLabel.text.startswith("Done: ")
    assert kept_process() not in (None, launcher)


def test_a_cancelled_run_leaves_no_temporary_files(host: Host, ct: Any, panel: Any) -> None:
    start_and_wait_for_slices(host, panel)
    folder = Path(panel.runPanel.run._folder.name)
    assert folder.is_dir()
    panel.ui.cancelButton.click()
    host.wait(lambda: not folder.exists(), 5)


def test_the_ct_that_a_crash_left_is_removed_by_the_next_run_and_that_of_a_run_that_goes_on_is_not(
    host: Host, ct: Any, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host.slicer.app, "temporaryPath", str(tmp_path))
    three_days_ago = time.time() - 3 * 86_400

    def leave(name: str, *ages: float) -> Path:
        """A folder with a file of each age (s), itself three days old."""
        folder = tmp_path / name
        folder.mkdir()
        for number, age in enumerate(ages):
            (folder / f"{number}.nrrd").touch()
            os.utime(folder / f"{number}.nrrd", (0, time.time() - age))
        os.utime(folder, (0, three_days_ago))
        return folder

    crashed = leave("LungSegResNet-run-0123abc_", 2 * 86_400)
    kept = [
        leave("LungSegResNet-run-0123abcd", 2 * 86_400, 3_600),  # of another Slicer
        leave("LungSegResNet-run-notes", 2 * 86_400),
        leave("LungSegResNet-training", 2 * 86_400),
        leave("0123abcd", 2 * 86_400),
    ]
    run_to_the_end(host, panel)
    assert panel.ui.statusLabel.text.startswith("Done: ")
    assert not crashed.exists()
    assert all(folder.is_dir() for folder in kept)
    assert len(list(tmp_path.iterdir())) == len(kept)


def test_a_temporary_folder_that_is_chosen_after_a_run_is_used_by_the_next_one(
    host: Host, ct: Any, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_to_the_end(host, panel)
    panel.ui.outputSelector.setCurrentNode(None)
    monkeypatch.setattr(host.slicer.app, "temporaryPath", str(tmp_path))
    start_and_wait_for_slices(host, panel)
    assert Path(panel.runPanel.run._folder.name).parent == tmp_path
    host.wait(lambda: panel.ui.segmentButton.visible)
    assert panel.ui.statusLabel.text.startswith("Done: ")


def _other_size(host: Host, ct: Any) -> None:
    other = vtk.vtkImageData()
    other.SetDimensions(9, 8, 7)
    other.AllocateScalars(vtk.VTK_SHORT, 1)
    ct.SetAndObserveImageData(other)


def _other_spacing(host: Host, ct: Any) -> None:
    width, height, step = ct.GetSpacing()
    ct.SetSpacing(width, height, step / 2)


def _other_values(host: Host, ct: Any) -> None:
    host.slicer.util.arrayFromVolume(ct)[:, 0, 0] += 1
    host.slicer.util.arrayFromVolumeModified(ct)


@pytest.mark.parametrize("change", [_other_size, _other_spacing, _other_values])
def test_a_ct_that_is_changed_during_the_run_gets_no_lungs_and_no_figures_that_do_not_fit(
    host: Host, ct: Any, panel: Any, change: Callable[[Host, Any], None]
) -> None:
    start_and_wait_for_slices(host, panel)
    change(host, ct)
    host.wait(lambda: panel.runPanel.run is None)
    assert 'The CT "Phantom" was changed while it was segmented' in panel.ui.statusLabel.text
    for kind in ("vtkMRMLSegmentationNode", "vtkMRMLTableNode"):
        assert host.slicer.mrmlScene.GetNumberOfNodesByClass(kind) == 0
    assert not panel.ui.segmentButton.isHidden()


def test_a_ct_whose_voxels_were_written_anew_during_the_run_without_a_change_gets_its_lungs(
    host: Host, ct: Any, panel: Any
) -> None:
    start_and_wait_for_slices(host, panel)
    host.slicer.util.arrayFromVolumeModified(ct)
    ct.SetName("Case 1")
    host.wait(lambda: panel.runPanel.run is None)
    assert panel.ui.statusLabel.text.startswith("Done: ")
    assert parameters(panel).outputSegmentation.GetName() == "Case 1 lungs"


def test_a_failure_nobody_foresaw_leaves_the_lungs_of_before_and_the_panel_ready(
    host: Host, ct: Any, panel: Any, drawn: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LungSegResNetWidgets import lung_segments, segmentation_run

    def write_and_fail(*arguments: Any) -> None:
        lung_segments.writeLungs(*arguments)
        raise ValueError("no more memory for this")

    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Corrected")
    lung_segments.placeWithVolume(segmentation, ct)
    by_hand = np.roll(drawn, 9, axis=1)
    lung_segments.writeLungs(segmentation, ct, by_hand)
    monkeypatch.setattr(segmentation_run, "writeLungs", write_and_fail)

    for output in (segmentation, None):
        panel.ui.outputSelector.setCurrentNode(output)
        if output:
            host.answers.append(True)
        run_to_the_end(host, panel)
        assert "no more memory for this" in panel.ui.statusLabel.text
        assert panel.ui.segmentButton.enabled
        np.testing.assert_array_equal(segment_array(host, segmentation, "right_lung", ct), by_hand == 1)
        assert host.slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1


def test_closing_the_scene_stops_the_run(host: Host, ct: Any, panel: Any) -> None:
    start_and_wait_for_slices(host, panel)
    processes = processes_of(panel)
    host.slicer.mrmlScene.Clear(False)
    assert panel.runPanel.run is None
    wait_until_ended(host, processes, CANCEL_SECONDS)
    assert not panel.ui.segmentButton.enabled
    stopped, reason = panel.ui.statusLabel.text.splitlines()
    assert stopped == "The scene was closed, so the run was stopped."
    assert reason == tool_tip(panel.ui.segmentButton)
    assert host.slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode") is None


def test_removing_the_ct_stops_the_run_and_says_so(host: Host, ct: Any, panel: Any) -> None:
    start_and_wait_for_slices(host, panel)
    processes = processes_of(panel)
    host.slicer.mrmlScene.RemoveNode(ct)
    assert "removed" in panel.ui.statusLabel.text
    wait_until_ended(host, processes, CANCEL_SECONDS)


def test_quitting_ends_the_run_before_the_panel_is_gone(host: Host, ct: Any, quick_network: Path) -> None:
    panel = host.openModule("LungSegResNet")
    parameters(panel).modelFile = str(quick_network)
    start_and_wait_for_slices(host, panel)
    processes = processes_of(panel)
    host.closeModule(panel)
    wait_until_ended(host, processes, CANCEL_SECONDS)


def test_a_run_goes_on_while_another_module_is_shown(host: Host, ct: Any, panel: Any) -> None:
    panel.ui.segmentButton.click()
    host.leaveModule(panel)
    host.wait(lambda: panel.runPanel.run is None)
    assert host.slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode") is not None
    host.enterModule(panel)
    assert panel.ui.segmentButton.visible
    assert panel.ui.editButton.enabled


@pytest.mark.parametrize("is_open", [True, False])
def test_a_run_that_is_done_brings_its_ct_into_the_views_while_its_panel_is_open(
    host: Host, ct: Any, panel: Any, thorax: tuple[sitk.Image, sitk.Image], is_open: bool
) -> None:
    other = add_volume(host, thorax[0], "Other")
    layers = add_slice_view(host, other)
    panel.ui.segmentButton.click()
    if not is_open:
        host.leaveModule(panel)
    host.wait(lambda: panel.runPanel.run is None)
    assert layers.GetBackgroundVolumeID() == (ct if is_open else other).GetID()


def test_a_scene_with_choices_of_its_own_that_is_added_during_the_run_does_not_get_the_lungs_to_its_ct(
    host: Host, panel: Any, thorax: tuple[sitk.Image, sitk.Image], tmp_path: Path
) -> None:
    scene = host.slicer.mrmlScene
    network = parameters(panel).modelFile
    add_volume(host, thorax[0], "Of the other scene")
    save_scene(host, tmp_path / "scene.mrml")
    scene.Clear(False)
    ct = add_volume(host, thorax[0], "Phantom")
    parameters(panel).modelFile = network
    panel.ui.segmentButton.click()
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Import()
    assert parameters(panel).inputVolume.GetName() == "Of the other scene"
    host.wait(lambda: panel.runPanel.run is None)
    assert parameters(panel).inputVolume is ct
    assert parameters(panel).outputSegmentation.GetName() == "Phantom lungs"
    assert panel.ui.measureButton.enabled


def test_an_output_that_is_removed_during_the_run_is_replaced_by_a_new_one(host: Host, ct: Any, panel: Any) -> None:
    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Mine")
    panel.ui.outputSelector.setCurrentNode(segmentation)
    panel.ui.segmentButton.click()
    host.slicer.mrmlScene.RemoveNode(segmentation)
    host.wait(lambda: panel.runPanel.run is None)
    assert parameters(panel).outputSegmentation.GetName() == "Phantom lungs"


def test_a_second_click_while_packages_are_installed_starts_no_second_run(
    host: Host, ct: Any, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requirements.txt").write_text("lungsegresnet-not-there>=2\n", encoding="utf-8")
    monkeypatch.setattr(panel, "resourcePath", lambda name: str(tmp_path / name))
    clicked: list[str] = []
    runs: list[Any] = []
    start = panel.logic.start

    def pip_install(arguments: list[str]) -> None:
        clicked.append("")
        if len(clicked) == 1:
            panel.ui.segmentButton.click()
            clicked[0] = panel.ui.statusLabel.text

    def counted(*arguments: Any) -> Any:
        runs.append(start(*arguments))
        return runs[-1]

    monkeypatch.setattr(host.slicer.util, "pip_install", pip_install)
    monkeypatch.setattr(panel.logic, "start", counted)
    host.answers.append(True)
    panel.ui.segmentButton.click()
    assert len(clicked) == 1
    assert "wait until that is done" in clicked[0]
    assert runs == [panel.runPanel.run]
    panel.ui.cancelButton.click()


def test_a_ct_that_is_removed_while_packages_are_installed_starts_no_run(
    host: Host, ct: Any, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requirements.txt").write_text("lungsegresnet-not-there>=2\n", encoding="utf-8")
    monkeypatch.setattr(panel, "resourcePath", lambda name: str(tmp_path / name))
    monkeypatch.setattr(host.slicer.util, "pip_install", lambda arguments: host.slicer.mrmlScene.RemoveNode(ct))
    host.answers.append(True)
    panel.ui.segmentButton.click()
    assert panel.runPanel.run is None
    assert "Choose a CT volume" in panel.ui.statusLabel.text


# Run after run


def kept_process() -> int | None:
    """Process id of the launcher that waits for the next run."""
    from LungSegResNetWidgets import worker_process

    return next((kept._process.processId() for kept in worker_process._kept.values()), None)


def test_the_next_run_is_done_by_the_same_process_with_the_same_lungs(host: Host, ct: Any, panel: Any) -> None:
    from LungSegResNetWidgets.worker_process import endKeptProcesses

    endKeptProcesses()  # that of an earlier test
    assert kept_process() is None
    masks, launchers, names = [], [], []
    for _run in ("cold", "warm"):
        run_to_the_end(host, panel)
        launchers.append(kept_process())
        masks.append(segment_array(host, parameters(panel).outputSegmentation, "left_lung", ct))
        names.append(parameters(panel).outputSegmentation.GetName())
        panel.ui.outputSelector.setCurrentNode(None)
    np.testing.assert_array_equal(*masks)
    assert names == ["Phantom lungs", "Phantom lungs_1"]
    launcher = launchers[0]
    assert launchers == [launcher, launcher]
    host.slicer.mrmlScene.Clear(False)
    assert kept_process() == launcher
    panel.onQuit()
    assert kept_process() is None
    wait_until_ended(host, [launcher], CANCEL_SECONDS)


def kill_kept_process() -> int | None:
    """End Python below the launcher that waits for the next run; returns the launcher's process id."""
    launcher = kept_process()
    for child in psutil.Process(launcher).children():
        child.kill()
    return launcher


def test_a_waiting_process_that_ends_just_before_a_click_is_replaced(host: Host, ct: Any, panel: Any) -> None:
    run_to_the_end(host, panel)
    launcher = kill_kept_process()
    panel.ui.outputSelector.setCurrentNode(None)
    run_to_the_end(host, panel)
    assert panel.ui.statusLabel.text.startswith("Done: ")
    assert kept_process() not in (None, launcher)


def test_a_waiting_process_that_ends_just_before_a_click_and_cannot_be_replaced_is_told(
    host: Host, ct: Any, panel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_to_the_end(host, panel)
    kill_kept_process()
    monkeypatch.setenv("PATH", "")
    panel.ui.outputSelector.setCurrentNode(None)
    panel.ui.segmentButton.click()
    folder = Path(panel.runPanel.run._folder.name)
    host.wait(lambda: panel.ui.segmentButton.visible, 30)
    assert "PythonSlicer" in panel.ui.statusLabel.text
    assert not folder.exists()


def test_no_scan_stays_on_the_disk_where_no_process_can_be_started(
    host: Host, ct: Any, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LungSegResNetWidgets.worker_process import endKeptProcesses

    endKeptProcesses()
    monkeypatch.setattr(host.slicer.app, "temporaryPath", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    panel.ui.segmentButton.click()
    assert "PythonSlicer" in panel.ui.statusLabel.text
    assert list(tmp_path.iterdir()) == []


def test_a_scan_that_cannot_be_handed_over_is_told_and_leaves_nothing(
    host: Host, ct: Any, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OnFullDisk(host.slicer.vtkMRMLNRRDStorageNode):  # type: ignore[misc, name-defined]
        def WriteData(self, node: Any) -> bool:
            Path(self.GetFileName()).write_bytes(b"NRRD")
            return False

    monkeypatch.setattr(host.slicer.app, "temporaryPath", str(tmp_path))
    monkeypatch.setattr(host.slicer, "vtkMRMLNRRDStorageNode", OnFullDisk)
    panel.ui.segmentButton.click()
    assert "could not be written to the temporary folder" in panel.ui.statusLabel.text
    assert list(tmp_path.iterdir()) == []


def process_with_a_command_done(host: Host) -> Any:
    from LungSegResNetWidgets.background_command import BackgroundCommand
    from LungSegResNetWidgets.worker_process import WorkerProcess

    process = WorkerProcess(BackgroundCommand.worker, BackgroundCommand.folder)
    process.start()
    ends: list[dict[str, Any]] = []
    process.send(["info"], ends.append, lambda code: None)
    host.wait(lambda: bool(ends))
    return process


def test_of_two_kept_processes_both_end_when_slicer_quits(host: Host, panel: Any) -> None:
    from LungSegResNetWidgets.worker_process import endKeptProcesses

    endKeptProcesses()
    both = [process_with_a_command_done(host) for _ in range(2)]
    for process in both:
        process.release(keep=True)
    endKeptProcesses()
    assert not any(process.running for process in both)


def test_a_process_whose_command_is_done_has_ended_when_slicer_quits_at_once(host: Host, panel: Any) -> None:
    from LungSegResNetWidgets.worker_process import endKeptProcesses

    process = process_with_a_command_done(host)
    process.release(keep=False)
    assert process.running
    endKeptProcesses()
    assert not process.running


# Names


def test_the_command_of_a_run_has_plain_names_only(
    host: Host, ct: Any, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = tmp_path / "Müller" / "Temp"
    account.mkdir(parents=True)
    monkeypatch.setattr(host.slicer.app, "temporaryPath", str(account))
    ct.SetName("Thorax Schädel 東京")
    panel.ui.segmentButton.click()
    command = panel.runPanel.run._command
    assert all(text.isascii() for text in command._arguments)
    assert panel.runPanel.run._folder.name.startswith(str(account))
    host.wait(lambda: panel.ui.segmentButton.visible)
    assert panel.ui.statusLabel.text.startswith("Done: ")
    assert parameters(panel).outputSegmentation.GetName() == "Thorax Schädel 東京 lungs"


def test_a_network_is_found_though_the_process_works_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LungSegResNetWidgets.segmentation_run import RunSettings

    monkeypatch.chdir(tmp_path)
    assert RunSettings(modelFile="own.safetensors").arguments()[-1] == str(tmp_path / "own.safetensors")


def test_a_worker_imports_nothing_from_its_working_directory(
    host: Host, ct: Any, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a file of someone else')", encoding="utf-8")
    monkeypatch.setattr(host.slicer.app, "temporaryPath", str(tmp_path))
    run_to_the_end(host, panel)
    assert panel.ui.statusLabel.text.startswith("Done: ")


# Problems


def test_a_volume_that_is_no_ct_is_an_error_in_one_sentence(host: Host, panel: Any) -> None:
    host.slicer.util.addVolumeFromArray(np.full((6, 40, 40), 7, np.int16), name="Brain MR Ä/1")
    run_to_the_end(host, panel)
    text, scene = panel.ui.statusLabel.text.splitlines()
    assert "Brain MR Ä/1" in text
    assert "ct.nrrd" not in text
    assert "Traceback" not in text
    assert scene == "The scene is unchanged."
    assert host.slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode") is None
    assert panel.ui.segmentButton.enabled


def test_a_broken_network_is_an_error_that_names_it(host: Host, ct: Any, panel: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing of this kind")
    panel.ui.modelLineEdit.text = str(broken)
    run_to_the_end(host, panel)
    assert "broken.safetensors" in panel.ui.statusLabel.text


def test_a_run_that_has_no_place_for_temporary_files_is_told(
    host: Host, ct: Any, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host.slicer.app, "temporaryPath", str(tmp_path / "gone"))
    panel.ui.segmentButton.click()
    assert panel.runPanel.run is None
    assert panel.ui.statusLabel.text.startswith("There is no place for temporary files")
    assert str(tmp_path / "gone") in panel.ui.statusLabel.text


def test_a_list_of_packages_that_cannot_be_read_is_told(
    host: Host, ct: Any, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "resourcePath", lambda name: str(tmp_path / name))
    panel.ui.segmentButton.click()
    assert panel.runPanel.run is None
    assert panel.ui.statusLabel.text.startswith("It could not be started (No such file or directory);")


def test_a_ct_that_is_removed_while_a_roi_is_chosen_leaves_a_panel_that_says_what_is_missing(
    host: Host, ct: Any, panel: Any
) -> None:
    roi = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Box")
    roi.SetSize(40, 40, 40)
    panel.ui.roiSelector.setCurrentNode(roi)
    host.slicer.mrmlScene.RemoveNode(ct)
    assert "Choose a CT volume" in panel.ui.statusLabel.text
    panel.runPanel.onSegment()  # as after a question meanwhile
    assert "Choose a CT volume" in panel.ui.statusLabel.text


def test_a_process_that_dies_is_told(host: Host, ct: Any, panel: Any) -> None:
    start_and_wait_for_slices(host, panel)
    _launcher, python = processes_of(panel)
    subprocess.run(["kill", "-9", str(python)], check=True)
    host.wait(lambda: panel.runPanel.run is None, 5)
    assert "ended unexpectedly" in panel.ui.statusLabel.text


def test_after_a_run_the_keyboard_is_where_it_was_before_it(host: Host, ct: Any, panel: Any) -> None:
    panel.ui.segmentButton.setFocus()
    run_to_the_end(host, panel)
    assert panel.parent.focusWidget() == panel.ui.segmentButton
