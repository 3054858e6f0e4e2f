"""The training panel as it opens, and in a scene that is saved and loaded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
from disk_questions import questions_about
from mrml_data import add_volume, parameters, tool_tip
from slicer_host import Host
from synthetic_thorax import Thorax
from unnamed_widgets import unnamed_widgets


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
        assert tool_tip(button).endswith(".")
    assert "data set" in ui.checkButton.toolTip


def test_names_in_the_news_are_shown_as_they_are(host: Host, panel: Any) -> None:
    for label in (panel.ui.dataStatusLabel, panel.ui.trainStatusLabel, panel.ui.evaluateStatusLabel):
        assert label.textFormat == host.qt.Qt.PlainText


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


def test_ct_and_lungs_of_a_case_stay_chosen_when_a_scene_is_added_and_are_not_replaced_by_others(
    host: Host, panel: Any, tmp_path: Path
) -> None:
    scene = host.slicer.mrmlScene
    added = host.slicer.vtkMRMLScene()
    added.SetURL(str(tmp_path / "added.mrml"))
    assert added.Commit()
    scene.SetURL(str(tmp_path / "added.mrml"))
    kinds = {"caseVolume": "vtkMRMLScalarVolumeNode", "caseSegmentation": "vtkMRMLSegmentationNode"}
    for field, kind in kinds.items():
        for name in ("One", "Another"):
            setattr(parameters(panel), field, scene.AddNewNodeByClass(kind, name))
        setattr(parameters(panel), field, scene.GetFirstNodeByClass(kind))
    scene.Import()
    for field, kind in kinds.items():
        chosen = getattr(parameters(panel), field)
        assert chosen is scene.GetFirstNodeByClass(kind)
        scene.RemoveNode(chosen)
        assert getattr(parameters(panel), field) is None


def test_ct_and_lungs_that_belong_together_are_proposed_for_a_case_and_no_others(host: Host, panel: Any) -> None:
    from LungSegResNetWidgets import lung_segments

    scene, chosen = host.slicer.mrmlScene, parameters(panel)
    image, mask = Thorax().scan((8.0, 8.0, 20.0))
    first, second = (add_volume(host, image, name) for name in ("First", "Second"))

    def add_lungs(volume: Any) -> Any:
        lungs = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"Lungs of {volume.GetName()}")
        lung_segments.placeWithVolume(lungs, volume)
        lung_segments.writeLungs(lungs, volume, sitk.GetArrayFromImage(mask))
        host.leaveModule(panel)
        host.enterModule(panel)
        return lungs

    add_lungs(second)
    assert (chosen.caseVolume, chosen.caseSegmentation) == (first, None)
    lungs = add_lungs(first)
    assert (chosen.caseVolume, chosen.caseSegmentation) == (first, lungs)

    for is_open in (True, False):  # the one of another patient is proposed then, and not these lungs
        if not is_open:
            host.leaveModule(panel)
        scene.RemoveNode(first if is_open else second)
        if not is_open:
            host.enterModule(panel)
        assert (chosen.caseVolume, chosen.caseSegmentation) == (None, None)


def test_a_change_asks_nothing_about_the_chosen_files(
    host: Host, panel: Any, data_set: Path, small_network: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(small_network, run / "network.safetensors")
    chosen = parameters(panel)
    chosen.dataSet, chosen.runFolder, chosen.startNetwork = str(data_set), str(run), "file"
    chosen.startFile = str(run / "network.safetensors")
    assert panel.ui.startButton.enabled
    assert panel.ui.evaluateButton.enabled
    with questions_about(tmp_path) as asked:
        chosen.steps = 100
    assert asked == []
    shutil.rmtree(run)
    (data_set / "cases.csv").write_text("case,ct,mask\n", encoding="utf-8")
    host.leaveModule(panel)
    host.enterModule(panel)
    assert not panel.ui.startButton.enabled
    assert not panel.ui.evaluateButton.enabled
    assert "cases.csv" in panel.ui.addCaseButton.toolTip


def test_the_panel_opens_without_a_main_window(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.slicer.util, "mainWindow", lambda *_: None)
    widget = host.openModule("LungSegResNetTraining")
    assert widget.ui.checkButton.toolTip
    host.closeModule(widget)


def test_the_self_test_of_the_module_passes(host: Host) -> None:
    host.loadModule("LungSegResNet")
    host.loadModule("LungSegResNetTraining").LungSegResNetTrainingTest().runTest()


@pytest.mark.parametrize(
    ("step", "click", "label"),
    [
        ("dataPanel", "onCheck", "dataStatusLabel"),
        ("trainPanel", "onStart", "trainStatusLabel"),
        ("evaluatePanel", "onEvaluate", "evaluateStatusLabel"),
    ],
)
def test_nothing_is_started_when_another_module_is_opened_while_packages_are_installed(
    host: Host, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, click: str, label: str
) -> None:
    (tmp_path / "requirements.txt").write_text("lungsegresnet-not-there>=2\n", encoding="utf-8")
    monkeypatch.setattr(panel, "resourcePath", lambda name: str(tmp_path / "requirements.txt"))
    monkeypatch.setattr(host.slicer.util, "pip_install", lambda arguments: host.leaveModule(panel))
    host.answers.append(True)
    getattr(getattr(panel, step), click)()
    assert "Another module was opened" in getattr(panel.ui, label).text
    host.enterModule(panel)


@pytest.mark.parametrize(
    ("step", "click", "label"),
    [
        ("dataPanel", "onCheck", "dataStatusLabel"),
        ("trainPanel", "onStart", "trainStatusLabel"),
        ("evaluatePanel", "onEvaluate", "evaluateStatusLabel"),
    ],
)
def test_what_the_system_refuses_at_the_start_is_told_in_a_sentence(
    panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, click: str, label: str
) -> None:
    monkeypatch.setattr(panel, "resourcePath", lambda name: str(tmp_path / "gone.txt"))
    getattr(getattr(panel, step), click)()
    assert getattr(panel.ui, label).text.startswith("It could not be started (No such file or directory);")


@pytest.mark.parametrize(
    ("step", "click", "label", "sentence"),
    [
        ("dataPanel", "onCheck", "dataStatusLabel", "There is no data set at gone."),
        ("trainPanel", "onStart", "trainStatusLabel", "There is no data set at gone."),
        (
            "evaluatePanel",
            "onEvaluate",
            "evaluateStatusLabel",
            "This run has no network yet; finish the training first.",
        ),
    ],
)
def test_choices_that_change_while_packages_are_installed_are_read_again(
    host: Host,
    panel: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    click: str,
    label: str,
    sentence: str,
) -> None:
    (tmp_path / "requirements.txt").write_text("lungsegresnet-not-there>=2\n", encoding="utf-8")
    (tmp_path / "network.safetensors").touch()
    parameters(panel).dataSet = parameters(panel).runFolder = str(tmp_path)

    def pip_install(arguments: list[str]) -> None:
        parameters(panel).dataSet, parameters(panel).runFolder = "gone", "elsewhere"

    monkeypatch.setattr(panel, "resourcePath", lambda name: str(tmp_path / "requirements.txt"))
    monkeypatch.setattr(host.slicer.util, "pip_install", pip_install)
    host.answers.append(True)
    getattr(getattr(panel, step), click)()
    assert getattr(panel.ui, label).text == sentence


def test_a_screen_reader_has_a_name_for_all_that_the_keyboard_reaches(panel: Any) -> None:
    assert unnamed_widgets(panel) == []
