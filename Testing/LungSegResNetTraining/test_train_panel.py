"""Steps 2 and 3 of the panel: real training of drawn patients in real processes, judged and used."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from mrml_data import parameters, rows_of
from network_files import seen_network, write_network
from processes import below, is_alive
from slicer_host import Host

from LungSegResNetTrainingLib.command_line.main import main
from LungSegResNetTrainingLib.training.progress import LoggedStep


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


def curve_nodes(host: Host) -> list[Any]:
    """Tables, series and chart of the curves in the scene."""
    kinds = ("vtkMRMLTableNode", "vtkMRMLPlotSeriesNode", "vtkMRMLPlotChartNode")
    return [node for kind in kinds for node in host.slicer.util.getNodesByClass(kind)]


def processes_of(panel: Any) -> list[int]:
    """Process ids of the launcher, of Python below it, and of the processes that prepare slices."""
    return below(panel.trainPanel._controls.command._process._process.processId())


def test_half_a_path_of_a_run_takes_nothing_over(panel: Any, data_set: Path, tmp_path: Path) -> None:
    from LungSegResNetTrainingWidgets.run_folder import PanelChoices

    PanelChoices(str(data_set), steps=7).save(tmp_path / "run1")
    chosen, edit = parameters(panel), panel.ui.runFolderLineEdit
    chosen.dataSet, chosen.steps = str(tmp_path), 3
    for letter in str(tmp_path / "run12"):
        edit.insert(letter)
        chosen.batchSize += 1  # whatever changes meanwhile
    assert edit.text == str(tmp_path / "run12")
    edit.editingFinished.emit()
    assert (chosen.runFolder, chosen.dataSet, chosen.steps) == (str(tmp_path / "run12"), str(tmp_path), 3)
    edit.backspace()
    edit.editingFinished.emit()
    assert (chosen.runFolder, chosen.dataSet, chosen.steps) == (str(tmp_path / "run1"), str(data_set), 7)
    chosen.runFolder = ""
    assert edit.text == ""


def test_a_run_with_choices_of_a_later_version_takes_nothing_over_and_says_so(
    panel: Any, data_set: Path, tmp_path: Path
) -> None:
    from LungSegResNetTrainingWidgets.run_folder import PanelChoices

    PanelChoices(str(data_set), steps=7, preset="of a later version").save(tmp_path / "run")
    chosen = parameters(panel)
    chosen.dataSet, chosen.steps = str(tmp_path), 3
    chosen.runFolder = str(tmp_path / "run")
    assert (chosen.dataSet, chosen.steps, chosen.preset) == (str(tmp_path), 3, "fine-tune")
    assert "choices that this version does not know" in panel.ui.trainStatusLabel.text


def test_doubtful_cases_are_asked_for_where_the_box_is_ticked(panel: Any, tmp_path: Path) -> None:
    from LungSegResNetTrainingWidgets.run_folder import PanelChoices

    for ticked in (False, True):
        panel.ui.includeDoubtfulCheckBox.checked = ticked
        assert ("--include-doubtful" in PanelChoices.of(parameters(panel)).arguments(tmp_path)) == ticked


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


def test_a_run_can_be_continued_without_the_network_file_that_it_began_with(
    panel: Any, data_set: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    prepare_run(panel, data_set, run, tmp_path / "gone.safetensors", steps=2)
    assert not panel.ui.startButton.enabled
    run.mkdir()
    (run / "checkpoint.pt").touch()
    parameters(panel).runFolder = ""
    parameters(panel).runFolder = str(run)
    assert panel.ui.startButton.enabled
    assert panel.ui.startButton.text == "Continue"


def test_paths_that_are_typed_are_those_that_slicer_sees(
    panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LungSegResNetTrainingWidgets.run_folder import PanelChoices

    monkeypatch.chdir(tmp_path)
    parameters(panel).dataSet, parameters(panel).startFile = "data", "start.safetensors"
    choices = PanelChoices.of(parameters(panel))
    assert choices.dataSet == str(tmp_path / "data")
    assert choices.startFile == str(tmp_path / "start.safetensors")
    assert PanelChoices.of(parameters(panel)).arguments(tmp_path)[1] == choices.dataSet


def test_the_number_of_loading_processes_is_chosen_and_changed_when_a_run_is_continued_whose_death_is_told(
    host: Host, panel: Any, data_set: Path, small_network: Path, tmp_path: Path
) -> None:
    from LungSegResNetTrainingWidgets.run_folder import PanelChoices
    from LungSegResNetWidgets.background_command import whyNotYet

    spin_box = panel.ui.workersSpinBox
    assert (spin_box.value, spin_box.text) == (-1, "automatic")
    assert "--workers" not in PanelChoices.of(parameters(panel)).arguments(tmp_path)
    spin_box.value = 0
    assert PanelChoices.of(parameters(panel)).arguments(tmp_path)[-2:] == ["--workers", "0"]
    run = tmp_path / "run"
    prepare_run(panel, data_set, run, small_network, 100000)
    panel.ui.startButton.click()
    host.wait(lambda: len(panel.trainPanel.curves.steps) > 1, 300)
    assert len(processes_of(panel)) == 2
    panel.ui.stopButton.click()
    host.wait(lambda: not whyNotYet(run), 30)
    spin_box.value = 1
    assert panel.ui.startButton.text == "Continue"
    panel.ui.startButton.click()
    host.wait(lambda: len(processes_of(panel)) > 2, 300)
    _launcher, python, *_others = processes = processes_of(panel)
    subprocess.run(["kill", "-9", str(python)], check=True)
    host.wait(lambda: not panel.trainPanel.running, 10)
    assert "ended unexpectedly" in panel.ui.trainStatusLabel.text
    assert panel.ui.startButton.enabled
    host.wait(lambda: not any(map(is_alive, processes)), 20)


def test_a_run_draws_its_curves_ends_with_a_network_and_is_judged_and_used(
    host: Host, panel: Any, data_set: Path, small_network: Path, tmp_path: Path
) -> None:
    from LungSegResNetWidgets.background_command import whyNotYet

    run, ui = tmp_path / "run", panel.ui
    host.slicer.mrmlScene.AddNode(host.slicer.vtkMRMLLayoutNode())
    plot_view = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotViewNode")
    prepare_run(panel, data_set, run, small_network, 4)
    ui.startButton.click()
    assert not ui.startButton.visible
    assert not ui.trainOptions.enabled
    host.wait(lambda: ui.startButton.visible, 300)
    done, reason = ui.trainStatusLabel.text.splitlines()
    assert done == f"Done: the network is in {run / 'network.safetensors'}."
    assert reason == "The run in this folder is finished; choose another folder for a new run."
    assert host.main_window.statusBar().currentMessage() == f"LungSegResNet Training: {done}"
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
    assert next(row[1] for row in rows_of(ui.table1) if row[0] == "Dice") == f"{wanted['dice']:.4f}"

    slice_node = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    slice_node.SetOrientationToAxial()
    name, position, *_ = rows_of(ui.worstTable)[0]
    ui.worstTable.cellClicked.emit(0, 0)
    host.wait(lambda: not panel.evaluatePanel._loading.running)
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
    assert str(run / "network.safetensors") in ui.evaluateStatusLabel.text

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
    ui.evaluateButton.click()
    assert "still ending" in ui.evaluateStatusLabel.text
    assert ui.evaluateButton.visible
    host.wait(lambda: not whyNotYet(run / "report"), 10)
    host.answers.append(True)
    ui.evaluateButton.click()
    host.wait(lambda: ui.evaluateButton.visible, 300)
    assert (run / "report" / "summary.csv").read_bytes() != earlier


def test_the_nodes_of_the_curves_are_neither_saved_nor_offered_in_other_modules(
    host: Host, panel: Any, tmp_path: Path
) -> None:
    scene, curves = host.slicer.mrmlScene, panel.trainPanel.curves
    curves.restart([LoggedStep(1, 0.5, 2.0, None), LoggedStep(2, 0.4, 2.0, 0.7)])
    curves.show()
    curves.add(LoggedStep(3, 0.3, 2.0, None))
    assert len(curve_nodes(host)) == 5
    assert points_of(host, "Loss") == [(1, 0.5), (2, 0.4), (3, 0.3)]
    assert all(node.GetHideFromEditors() for node in host.slicer.util.getNodesByClass("vtkMRMLTableNode"))
    scene.SetURL(str(tmp_path / "scene.mrml"))
    assert scene.Commit()
    scene.Clear(False)
    scene.Connect()
    assert curve_nodes(host) == []


def kept_step(run: Path) -> int:
    """Step of the checkpoint in the folder of a run; 0 while there is none."""
    path = run / "checkpoint.pt"
    return int(torch.load(path, weights_only=True)["step"]) if path.is_file() else 0


def test_a_stopped_run_goes_on_where_its_checkpoint_is_also_from_another_panel(
    host: Host, panel: Any, data_set: Path, small_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LungSegResNetTrainingWidgets import run_folder

    monkeypatch.setattr(run_folder, "_CHECKPOINT_SECONDS", 1)
    run, ui = tmp_path / "run", panel.ui
    prepare_run(panel, data_set, run, small_network, 100000)
    ui.startButton.click()
    assert panel.parent.focusWidget() == ui.stopButton
    host.wait(lambda: kept_step(run) > 1, 300)  # a run is known by a checkpoint before its first step
    processes = processes_of(panel)
    assert len(processes) >= 3
    ui.stopButton.click()
    assert ui.startButton.visible
    assert "stopped" in ui.trainStatusLabel.text
    ui.startButton.click()
    assert "still ending" in ui.trainStatusLabel.text
    host.wait(lambda: not any(map(is_alive, processes)), 15)
    assert ui.startButton.text == "Continue"
    done = len(panel.trainPanel.curves.steps)

    # As after a restart of Slicer: nothing but the folder is chosen.
    parameters(panel).runFolder = ""
    parameters(panel).dataSet, parameters(panel).steps, parameters(panel).startNetwork = "", 0, "shipped"
    parameters(panel).runFolder = str(run)
    assert (parameters(panel).dataSet, parameters(panel).steps) == (str(data_set), 100000)
    assert parameters(panel).startFile == str(small_network)
    kept = kept_step(run)
    ui.startButton.click()
    lengths = []

    def is_further() -> bool:
        lengths.append(len(panel.trainPanel.curves.steps))
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
    host.wait(lambda: len(panel.trainPanel.curves.steps) > 2, 300)
    processes = processes_of(panel)
    host.slicer.mrmlScene.Clear(False)
    assert panel.trainPanel.running
    assert parameters(panel).runFolder == str(run)
    before = len(panel.trainPanel.curves.steps)
    host.wait(lambda: len(panel.trainPanel.curves.steps) > before, 60)
    assert [step for step, _loss in points_of(host, "Loss")] == [one.step for one in panel.trainPanel.curves.steps]

    host.slicer.mrmlScene.SetURL(str(other))
    host.slicer.mrmlScene.Import()
    assert parameters(panel).runFolder == str(run)
    host.leaveModule(panel)
    host.slicer.mrmlScene.Clear(False)  # the next patient, in another module
    before = len(panel.trainPanel.curves.steps)
    host.wait(lambda: len(panel.trainPanel.curves.steps) > before, 60)
    assert curve_nodes(host) == []
    host.enterModule(panel)
    assert panel.ui.stopButton.visible
    before = len(panel.trainPanel.curves.steps)
    host.wait(lambda: len(panel.trainPanel.curves.steps) > before, 60)
    assert [step for step, _loss in points_of(host, "Loss")] == [one.step for one in panel.trainPanel.curves.steps]

    window = host.slicer.util.mainWindow()
    window.show()
    host.answers += [False, True]
    assert not window.close()
    assert panel.trainPanel.running
    assert "training run is still going" in host.questions[0]
    assert window.close()
    assert window.close()  # as macOS does
    assert len(host.questions) == 2
    panel.onQuit()
    host.wait(lambda: not any(map(is_alive, processes)), 15)
    assert not panel.trainPanel.running


def test_a_run_that_ended_with_a_crash_or_with_slicer_is_offered_unless_somebody_trains_in_its_folder(
    host: Host, panel: Any, data_set: Path, small_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    resume = f"The run in {run} was interrupted when Slicer closed; "
    prepare_run(panel, data_set, run, small_network, 100000)
    panel.ui.startButton.click()
    host.wait((run / "checkpoint.pt").exists, 300)
    parameters(panel).runFolder = parameters(panel).dataSet = ""
    parameters(panel).steps = 0
    another = host.openModule("LungSegResNetTraining")  # a second Slicer, while the first one trains
    assert parameters(another).runFolder == ""
    assert not another.trainPanel.running
    host.closeModule(another)

    panel.trainPanel._controls.command.cancelAndWait()  # a crash ends the process, and calls nothing of the panel
    again = host.openModule("LungSegResNetTraining")
    assert (parameters(again).runFolder, parameters(again).dataSet) == (str(run), str(data_set))
    assert again.ui.trainStatusLabel.text == f"{resume}click Continue to resume."
    with monkeypatch.context() as patch:
        patch.setattr("LungSegResNetWidgets.dependencies.missingPackages", lambda *_: ["a-package-that-is-missing"])
        host.answers.append(False)
        again.ui.startButton.click()
    assert not again.trainPanel.running
    assert "were not installed" in again.ui.trainStatusLabel.text

    again.ui.startButton.click()
    assert again.trainPanel.running
    # Slicer's own restart sends no close event, so that there is no question.
    host.slicer.app.aboutToQuit.emit()
    assert not again.trainPanel.running
    host.closeModule(again)
    parameters(panel).runFolder = str(tmp_path / "another")
    other = host.openModule("LungSegResNetTraining")
    assert parameters(other).runFolder == str(tmp_path / "another")
    assert other.ui.trainStatusLabel.text == f"{resume}to resume it, choose its folder."
    host.closeModule(other)

    parameters(panel).runFolder = ""
    later = host.openModule("LungSegResNetTraining")
    assert parameters(later).runFolder == str(run)
    assert (later.ui.startButton.text, later.ui.startButton.enabled) == ("Continue", True)
    assert later.ui.trainStatusLabel.text == f"{resume}click Continue to resume."
    later.ui.startButton.click()
    assert later.trainPanel.running
    later.ui.stopButton.click()
    host.closeModule(later)

    parameters(panel).runFolder = ""
    last = host.openModule("LungSegResNetTraining")
    assert parameters(last).runFolder == ""
    host.closeModule(last)


def test_a_run_that_ends_forgets_no_other_one(panel: Any, tmp_path: Path) -> None:
    from LungSegResNetTrainingWidgets.run_folder import forgetUnfinished, keepUnfinished, unfinishedRun

    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "checkpoint.pt").touch()
    keepUnfinished(str(tmp_path / "other"))
    forgetUnfinished(str(tmp_path / "run"))
    assert unfinishedRun() == str(tmp_path / "other")
    forgetUnfinished(str(tmp_path / "other"))
    assert unfinishedRun() == ""


def test_runs_of_several_slicers_are_offered_one_after_another_and_those_that_finished_or_are_gone_are_forgotten(
    host: Host, panel: Any, small_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LungSegResNetTrainingWidgets.run_folder import keepUnfinished, unfinishedRun

    monkeypatch.chdir(tmp_path)
    for name in ("first", "second", "finished", "gone", "begins"):
        (tmp_path / name).mkdir()
        if name != "begins":
            (tmp_path / name / "checkpoint.pt").touch()
        keepUnfinished(name)
    shutil.copy(small_network, tmp_path / "finished" / "network.safetensors")
    shutil.rmtree(tmp_path / "gone")
    monkeypatch.chdir(tmp_path.parent)
    offered = set()
    for _time in range(2):
        offered.add(unfinishedRun())
        shutil.rmtree(unfinishedRun())
    assert offered == {str(tmp_path / "first"), str(tmp_path / "second")}
    assert unfinishedRun() == ""
    settings = host.qt.QSettings()
    kept = [settings.value(key) for key in settings.allKeys() if "unfinishedRuns" in key]
    assert kept == [str(tmp_path / "begins")]  # another Slicer may be about to write its first checkpoint


def test_choosing_a_finished_run_shows_its_curves_and_results_without_touching_the_scene(
    host: Host, panel: Any, data_set: Path, small_network: Path, tmp_path: Path
) -> None:
    from LungSegResNetTrainingWidgets.run_folder import PanelChoices

    run = tmp_path / "run"
    prepare_run(panel, data_set, run, small_network, 2)
    parameters(panel).workers = 0
    choices = PanelChoices.of(parameters(panel))
    choices.save(run)
    assert main([str(argument) for argument in choices.arguments(run)]) == 0  # as the panel does it in a process
    parameters(panel).runFolder = ""
    assert not panel.ui.curvesButton.enabled
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


def test_a_run_whose_folder_is_removed_under_way_says_so_and_what_to_do(
    host: Host, panel: Any, data_set: Path, small_network: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    prepare_run(panel, data_set, run, small_network, 5000)
    parameters(panel).workers = 0
    panel.ui.startButton.click()
    host.wait(lambda: panel.ui.trainBar.maximum == 5000 and panel.ui.trainBar.value > 0, 300)
    shutil.rmtree(run)
    host.wait(lambda: panel.ui.startButton.visible, 300)
    sentence = f"The folder of the run, {run}, is gone, so the run has ended; bring it back, or start again."
    assert panel.ui.trainStatusLabel.text == sentence
    assert panel.ui.logText.plainText.endswith(sentence)
    assert panel.ui.startButton.text == "Start training"
