"""The training panel as a user meets it: real widgets, real scene, real processes, drawn patients."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
import vtk
from mrml_data import add_volume, segment_array
from network_files import seen_network, write_network
from slicer_host import Host
from synthetic_thorax import Thorax


def parameters(panel: Any) -> Any:
    return panel.logic.getParameterNode()


def check(host: Host, panel: Any, data_set: Path) -> list[list[str]]:
    """Check a data set and return the table."""
    parameters(panel).dataSet = str(data_set)
    panel.ui.checkButton.click()
    host.wait(lambda: panel.ui.checkButton.visible, 300)
    return rows_of(panel.ui.casesTable)


def rows_of(table: Any) -> list[list[str]]:
    return [[table.item(row, column).text() for column in range(table.columnCount)] for row in range(table.rowCount)]


def prepare_run(panel: Any, data_set: Path, run: Path, network: Path, steps: int) -> None:
    """Choose a short run on small slices."""
    chosen = parameters(panel)
    chosen.dataSet, chosen.runFolder = str(data_set), str(run)
    chosen.startNetwork, chosen.startFile = "file", str(network)
    chosen.steps, chosen.batchSize, chosen.validateEvery, chosen.device = steps, 2, 2, "cpu"


def points_of(host: Host, title: str) -> list[tuple[int, float]]:
    """What the series of that name shows in the scene."""
    nodes = host.slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode")
    series = next(node for node in nodes if node.GetName() == title)
    table = series.GetTableNode().GetTable()
    steps, values = table.GetColumnByName(series.GetXColumnName()), table.GetColumnByName(series.GetYColumnName())
    return [(steps.GetValue(row), values.GetValue(row)) for row in range(table.GetNumberOfRows())]


def is_alive(process: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


def processes_of(panel: Any) -> list[int]:
    """Process ids of the launcher, of Python below it, and of the processes that prepare slices."""
    found = [panel.trainPanel._command._process.processId]
    for process in found:
        below = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False).stdout
        found += map(int, below.split())
    return found


# Data


def test_an_empty_panel_says_what_is_missing_and_enables_nothing(panel: Any) -> None:
    ui = panel.ui
    for button in (
        ui.checkButton,
        ui.addCaseButton,
        ui.startButton,
        ui.curvesButton,
        ui.evaluateButton,
        ui.reportButton,
        ui.useNetworkButton,
    ):
        assert not button.enabled
        assert button.toolTip.endswith(".")
    assert "data set" in ui.checkButton.toolTip


def test_folders_and_lists_are_chosen_by_dialogs_that_can_be_cancelled(
    host: Host, panel: Any, data_set: Path, tmp_path: Path
) -> None:
    host.files += [str(data_set), ""]
    panel.ui.dataSetFolderButton.click()
    panel.ui.dataSetFolderButton.click()
    assert panel.ui.dataSetLineEdit.text == str(data_set)
    host.files += [str(tmp_path / "list.csv"), "", str(tmp_path / "run"), ""]
    panel.ui.dataSetListButton.click()
    panel.ui.dataSetListButton.click()
    panel.ui.runFolderButton.click()
    panel.ui.runFolderButton.click()
    assert parameters(panel).dataSet == str(tmp_path / "list.csv")
    assert "list.csv" in panel.ui.checkButton.toolTip
    assert parameters(panel).runFolder == str(tmp_path / "run")


def test_each_case_is_listed_with_its_verdict_and_a_click_shows_ct_and_mask(
    host: Host, panel: Any, data_set: Path
) -> None:
    rows = check(host, panel, data_set)
    verdicts = {row[0]: row[1] for row in rows}
    assert verdicts == {"anna": "ok", "bert": "ok", "cara": "ok", "alone": "refused"}
    assert "no mask" in next(row[4] for row in rows if row[0] == "alone")
    assert panel.ui.dataStatusLabel.text.startswith("3 of 4 cases")

    panel.ui.casesTable.cellClicked.emit([row[0] for row in rows].index("bert"), 0)
    volume = host.slicer.util.getNode("bert")
    reference = host.slicer.util.getNode("bert reference")
    drawn = sitk.GetArrayFromImage(sitk.ReadImage(str(data_set / "bert_lungs.nii.gz")))
    assert segment_array(host, reference, "right_lung", volume).sum() == (drawn == 1).sum()
    panel.ui.casesTable.cellClicked.emit([row[0] for row in rows].index("anna"), 0)
    assert not reference.GetDisplayVisibility()
    assert host.slicer.util.getNode("anna reference").GetDisplayVisibility()
    panel.ui.casesTable.cellClicked.emit([row[0] for row in rows].index("bert"), 0)
    assert len(host.slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 2
    panel.ui.casesTable.cellClicked.emit([row[0] for row in rows].index("alone"), 0)
    assert "no mask" in panel.ui.dataStatusLabel.text


def test_a_folder_without_cases_is_an_error_in_one_sentence(host: Host, panel: Any, tmp_path: Path) -> None:
    assert check(host, panel, tmp_path) == []
    assert panel.ui.dataStatusLabel.text.startswith("No case was found")


def test_the_check_can_be_stopped_and_begun_again(host: Host, panel: Any, data_set: Path) -> None:
    parameters(panel).dataSet = str(data_set)
    panel.ui.checkButton.click()
    assert not panel.ui.checkButton.visible
    panel.ui.stopCheckButton.click()
    assert panel.ui.checkButton.visible
    assert "stopped" in panel.ui.dataStatusLabel.text
    assert len(check(host, panel, data_set)) == 4


def test_a_corrected_segmentation_becomes_a_case_that_the_check_takes(host: Host, panel: Any, tmp_path: Path) -> None:
    from LungSegResNetWidgets import segmentation_nodes

    folder = tmp_path / "mine"
    folder.mkdir()
    image, mask = Thorax().scan((4.0, 4.0, 20.0))
    volume = add_volume(host, image, "CT of today")
    drawn = sitk.GetArrayFromImage(mask)
    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Corrected")
    chosen = parameters(panel)
    chosen.dataSet, chosen.caseVolume, chosen.caseSegmentation = str(folder), volume, segmentation
    assert "right lung" in panel.ui.addCaseButton.toolTip
    segmentation_nodes.placeWithVolume(segmentation, volume)
    segmentation_nodes.writeLungs(segmentation, volume, drawn)
    panel.updateGui()
    panel.ui.addCaseButton.click()
    assert sorted(path.name for path in folder.iterdir()) == ["CT_of_today_ct.nrrd", "CT_of_today_lungs.seg.nrrd"]
    written = sitk.ReadImage(str(folder / "CT_of_today_ct.nrrd"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(written), sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(written.GetOrigin(), image.GetOrigin(), atol=1e-6)

    before = {path: path.read_bytes() for path in folder.iterdir()}
    panel.ui.addCaseButton.click()
    assert "exists already" in panel.ui.dataStatusLabel.text
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    rows = check(host, panel, folder)
    assert [row[:2] for row in rows] == [["CT_of_today", "ok"]]
    (folder / "cases.csv").write_text("case,ct,mask\n", encoding="utf-8")
    panel.updateGui()
    assert "cases.csv" in panel.ui.addCaseButton.toolTip


# Training


def test_what_keeps_a_run_from_starting_is_told(panel: Any, data_set: Path, tmp_path: Path) -> None:
    chosen, button = parameters(panel), panel.ui.startButton
    chosen.dataSet = str(data_set)
    assert "folder for the run" in button.toolTip
    chosen.runFolder = str(tmp_path / "run")
    assert button.enabled
    chosen.startNetwork = "none"
    assert "fine-tune" in button.toolTip
    chosen.preset = "recommended"
    assert button.enabled
    chosen.startNetwork = "file"
    assert "network file" in button.toolTip
    assert panel.ui.startFileButton.enabled


def test_a_run_draws_its_curves_ends_with_a_network_and_is_judged_and_used(
    host: Host, panel: Any, data_set: Path, small_network: Path, tmp_path: Path
) -> None:
    run, ui = tmp_path / "run", panel.ui
    host.slicer.mrmlScene.AddNode(host.slicer.vtkMRMLLayoutNode())
    plot_view = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotViewNode")
    prepare_run(panel, data_set, run, small_network, 4)
    ui.startButton.click()
    assert not ui.startButton.visible
    assert not ui.trainOptions.enabled
    host.wait(lambda: ui.startButton.visible, 300)
    assert ui.trainStatusLabel.text == f"Done: the network is in {run / 'network.safetensors'}."
    with (run / "progress.csv").open(newline="", encoding="utf-8") as file:
        logged = list(csv.DictReader(file))
    losses = points_of(host, "Loss")
    assert losses == [(int(row["step"]), pytest.approx(float(row["loss"]), abs=1e-4)) for row in logged]
    assert [step for step, _dice in points_of(host, "Validation Dice")] == [2, 4]
    (chart,) = host.slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    assert plot_view.GetPlotChartNodeID() == chart.GetID()
    assert chart.GetNumberOfPlotSeriesNodes() == 2
    assert "validation Dice" in ui.logText.plainText
    assert not ui.startButton.enabled
    assert "finished" in ui.startButton.toolTip

    ui.evaluateButton.click()
    host.wait(lambda: ui.evaluateButton.visible, 300)
    assert ui.evaluateStatusLabel.text.startswith("Done")
    with (run / "report" / "summary.csv").open(newline="", encoding="utf-8") as file:
        wanted = {
            row["metric"]: float(row["mean"])
            for row in csv.DictReader(file)
            if (row["method"], row["region"]) == ("network", "lungs")
        }
    node = next(n for n in host.slicer.util.getNodesByClass("vtkMRMLTableNode") if n.GetName() == "Table 1 run")
    table = node.GetTable()
    means = {
        table.GetColumnByName("metric").GetValue(row): table.GetColumnByName("mean").GetValue(row)
        for row in range(table.GetNumberOfRows())
    }
    assert means["Dice"] == pytest.approx(wanted["dice"])
    assert next(row[1] for row in rows_of(ui.table1) if row[0] == "Dice") == f"{wanted['dice']:.3f}"

    slice_node = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    slice_node.SetOrientationToAxial()
    name, position, *_ = rows_of(ui.worstTable)[0]
    ui.worstTable.cellClicked.emit(0, 0)
    volume = host.slicer.util.getNode(name)
    offset = slice_node.GetSliceToRAS().GetElement(2, 3)
    letter, millimetres, _unit = position.split()
    assert offset == pytest.approx(float(millimetres) * (1 if letter == "S" else -1), abs=0.06)
    assert volume.GetImageData().GetNumberOfPoints() > 0

    ui.reportButton.click()
    assert host.opened == [str(run / "report" / "report.html")]
    ui.useNetworkButton.click()
    from LungSegResNet import LungSegResNetLogic

    assert LungSegResNetLogic().getParameterNode().modelFile == str(run / "network.safetensors")

    # Another network in the same place: its evaluation replaces the earlier one only after a yes.
    write_network(run / "network.safetensors", seen_network(seed=1))
    earlier = (run / "report" / "summary.csv").read_bytes()
    host.answers.append(False)
    ui.evaluateButton.click()
    assert "Replace it?" in host.questions[-1]
    assert ui.evaluateButton.visible
    host.answers.append(True)
    ui.evaluateButton.click()
    ui.stopEvaluateButton.click()
    assert "stopped" in ui.evaluateStatusLabel.text
    assert ui.evaluateButton.enabled
    assert (run / "report" / "summary.csv").read_bytes() == earlier
    host.answers.append(True)
    ui.evaluateButton.click()
    host.wait(lambda: ui.evaluateButton.visible, 300)
    assert (run / "report" / "summary.csv").read_bytes() != earlier


def test_a_stopped_run_goes_on_where_its_checkpoint_is_also_from_another_panel(
    host: Host, panel: Any, data_set: Path, small_network: Path, tmp_path: Path
) -> None:
    run, ui = tmp_path / "run", panel.ui
    prepare_run(panel, data_set, run, small_network, 100000)
    ui.startButton.click()
    host.wait((run / "checkpoint.pt").exists, 300)
    processes = processes_of(panel)
    assert len(processes) >= 3
    ui.stopButton.click()
    assert ui.startButton.visible
    assert "stopped" in ui.trainStatusLabel.text
    ui.startButton.click()
    assert "still ending" in ui.trainStatusLabel.text
    host.wait(lambda: not any(map(is_alive, processes)), 15)
    assert ui.startButton.text == "Go on"
    done = len(panel.trainPanel.curves.rows)

    # As after a restart of Slicer: nothing but the folder is chosen.
    parameters(panel).runFolder = ""
    parameters(panel).dataSet, parameters(panel).steps, parameters(panel).startNetwork = "", 0, "shipped"
    parameters(panel).runFolder = str(run)
    assert (parameters(panel).dataSet, parameters(panel).steps) == (str(data_set), 100000)
    assert parameters(panel).startFile == str(small_network)
    kept = torch.load(run / "checkpoint.pt", weights_only=True)["step"]
    assert kept > 1
    ui.startButton.click()
    lengths = []

    def is_further() -> bool:
        lengths.append(len(panel.trainPanel.curves.rows))
        return lengths[-1] > done or not panel.trainPanel.running

    host.wait(is_further, 300)
    assert min(lengths) >= kept
    steps = [step for step, _loss in points_of(host, "Loss")]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) > done
    ui.stopButton.click()


def test_a_run_outlives_a_closed_scene_and_quitting_asks(
    host: Host, data_set: Path, panel: Any, small_network: Path, tmp_path: Path
) -> None:
    run, other = tmp_path / "run", tmp_path / "other.mrml"
    parameters(panel).runFolder = "elsewhere"
    host.slicer.mrmlScene.SetURL(str(other))
    assert host.slicer.mrmlScene.Commit()
    prepare_run(panel, data_set, run, small_network, 100000)
    panel.ui.startButton.click()
    host.wait(lambda: len(panel.trainPanel.curves.rows) > 2, 300)
    processes = processes_of(panel)
    host.slicer.mrmlScene.Clear(False)
    assert panel.trainPanel.running
    assert parameters(panel).runFolder == str(run)
    before = len(panel.trainPanel.curves.rows)
    host.wait(lambda: len(panel.trainPanel.curves.rows) > before, 60)
    assert [step for step, _loss in points_of(host, "Loss")] == [row[0] for row in panel.trainPanel.curves.rows]

    host.slicer.mrmlScene.SetURL(str(other))
    host.slicer.mrmlScene.Import()
    assert parameters(panel).runFolder == str(run)
    host.leaveModule(panel)
    before = len(panel.trainPanel.curves.rows)
    host.wait(lambda: len(panel.trainPanel.curves.rows) > before, 60)
    host.enterModule(panel)
    assert panel.ui.stopButton.visible

    window = host.slicer.util.mainWindow()
    window.show()
    host.answers += [False, True]
    assert not window.close()
    assert panel.trainPanel.running
    assert "training run goes on" in host.questions[0]
    assert window.close()
    panel.onQuit()
    host.wait(lambda: not any(map(is_alive, processes)), 15)
    assert not panel.trainPanel.running


def test_a_run_whose_process_dies_is_told(
    host: Host, panel: Any, data_set: Path, small_network: Path, tmp_path: Path
) -> None:
    prepare_run(panel, data_set, tmp_path / "run", small_network, 100000)
    panel.ui.startButton.click()
    host.wait(lambda: len(panel.trainPanel.curves.rows) > 1, 300)
    _launcher, python, *_others = processes = processes_of(panel)
    subprocess.run(["kill", "-9", str(python)], check=True)
    host.wait(lambda: not panel.trainPanel.running, 10)
    assert "ended unexpectedly" in panel.ui.trainStatusLabel.text
    assert panel.ui.startButton.enabled
    host.wait(lambda: not any(map(is_alive, processes)), 20)


def test_choosing_a_finished_run_shows_its_curves_and_results_without_touching_the_scene(
    host: Host, panel: Any, data_set: Path, small_network: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    prepare_run(panel, data_set, run, small_network, 2)
    panel.ui.startButton.click()
    host.wait(lambda: panel.ui.startButton.visible, 300)
    parameters(panel).runFolder = ""
    assert not panel.ui.curvesButton.enabled
    host.slicer.mrmlScene.Clear(False)
    parameters(panel).runFolder = str(run)
    assert panel.ui.evaluateButton.enabled
    assert host.slicer.util.getNodesByClass("vtkMRMLPlotChartNode") == []
    panel.ui.curvesButton.click()
    assert [step for step, _loss in points_of(host, "Loss")] == [1, 2]


def test_a_data_set_that_cannot_be_trained_on_is_told_in_a_sentence(
    host: Host, panel: Any, small_network: Path, tmp_path: Path
) -> None:
    prepare_run(panel, tmp_path, tmp_path / "run", small_network, 2)
    panel.ui.startButton.click()
    host.wait(lambda: panel.ui.startButton.visible, 300)
    assert panel.ui.trainStatusLabel.text.startswith("No case was found")
    assert panel.ui.trainOptions.enabled


def test_the_choices_survive_saving_and_loading_the_scene(host: Host, panel: Any, tmp_path: Path) -> None:
    scene = host.slicer.mrmlScene
    panel.ui.dataSetLineEdit.text = str(tmp_path)
    panel.ui.stepsSpinBox.value = 300
    panel.ui.presetComboBox.currentIndex = 1
    panel.ui.deviceComboBox.currentIndex = 3
    scene.SetURL(str(tmp_path / "scene.mrml"))
    assert scene.Commit()
    for name, value in (("dataSet", ""), ("steps", 0), ("preset", "paper"), ("device", "auto")):
        setattr(parameters(panel), name, value)
    scene.Clear(False)
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Connect()
    loaded = parameters(panel)
    assert (loaded.dataSet, loaded.steps, loaded.preset, loaded.device) == (str(tmp_path), 300, "recommended", "cpu")
    assert panel.ui.stepsSpinBox.value == 300


def test_the_self_test_of_the_module_passes(host: Host) -> None:
    host.loadModule("LungSegResNetTraining").LungSegResNetTrainingTest().runTest()


def test_a_transformed_ct_is_written_where_the_scanner_had_it(host: Host, panel: Any, tmp_path: Path) -> None:
    from LungSegResNetWidgets import segmentation_nodes

    image, mask = Thorax().scan((6.0, 6.0, 40.0))
    volume = add_volume(host, image, "Moved")
    transform = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "Registration")
    moved = vtk.vtkTransform()
    moved.Translate(50, 0, 0)
    transform.SetMatrixTransformToParent(moved.GetMatrix())
    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lungs")
    segmentation_nodes.placeWithVolume(segmentation, volume)
    segmentation_nodes.writeLungs(segmentation, volume, sitk.GetArrayFromImage(mask))
    volume.SetAndObserveTransformNodeID(transform.GetID())
    chosen = parameters(panel)
    chosen.dataSet, chosen.caseVolume, chosen.caseSegmentation = str(tmp_path), volume, segmentation
    panel.updateGui()
    assert "another transform" in panel.ui.addCaseButton.toolTip
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    panel.updateGui()
    panel.ui.addCaseButton.click()
    written = sitk.ReadImage(str(tmp_path / "Moved_lungs.seg.nrrd"))
    np.testing.assert_allclose(written.GetOrigin(), mask.GetOrigin(), atol=1e-6)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(written), sitk.GetArrayFromImage(mask))
