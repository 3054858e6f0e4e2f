"""Step 3 of the panel on what an evaluation left, without one: tables that were changed, and a run that was moved."""

from __future__ import annotations

import json
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
from mrml_data import parameters, rows_of, tool_tip
from slicer_host import Host
from synthetic_thorax import Thorax

from LungSegResNetLib.network.model_file import load_model, save_model

_SUMMARY = (
    "method,group,region,doubtful,metric,cases,mean,sd,min,max\n"
    "network,all,lungs,included,dice,2,0.975,0.01,0.95,0.985\n"
)
_BY_KIND = {"volumes": "0.98", "all": "0.95", "single slices": "0.92"}

_AREAS = {"missed_cm2": 1.0, "added_cm2": 2.0}


@pytest.fixture
def run(tmp_path: Path, small_network: Path) -> Path:
    """A run with a network and its evaluation: anna was judged; bert failed, but was judged with an earlier network."""
    from LungSegResNetLib.digests import file_digest

    run = tmp_path / "run"
    report = run / "report"
    shutil.copytree(small_network.parent, run)
    (run / small_network.name).rename(run / "network.safetensors")
    lines = [f"{name},{name}_ct.nrrd,{name}_lungs.nrrd,validation\n" for name in ("anna", "bert")]
    (run / "cases.csv").write_text("case,ct,mask,split\n" + "".join(lines), encoding="utf-8")
    for name in ("anna", "bert"):
        worst = {"index": 3, "position": "S 60.0 mm", "reason": "lowest Dice", "dice": 0.9, **_AREAS, "picture": ""}
        (report / "cases" / name).mkdir(parents=True)
        text = json.dumps({"key": "", "result": {"worst_slices": [worst]}})
        (report / "cases" / name / "result.json").write_text(text, encoding="utf-8")
    (report / "cases.csv").write_text("case,status,error\nanna,judged,\nbert,failed,no CT\n", encoding="utf-8")
    (report / "summary.csv").write_text(_SUMMARY, encoding="utf-8")
    data_set = str((run / "cases.csv").resolve())
    mark = {"network": file_digest(run / "network.safetensors"), "data set": data_set, "split": ""}
    (report / "evaluation.json").write_text(json.dumps(mark), encoding="utf-8")
    return run


def test_only_slices_of_cases_that_the_evaluation_judged_are_listed(panel: Any, run: Path) -> None:
    parameters(panel).runFolder = str(run)
    assert [row[0] for row in rows_of(panel.ui.worstTable)] == ["anna"]


@pytest.mark.parametrize("decimal", [".", ","])
def test_a_table_that_a_spreadsheet_has_saved_is_shown_all_the_same(panel: Any, run: Path, decimal: str) -> None:
    text = _SUMMARY.replace(",", ";").replace(".", decimal)
    (run / "report" / "summary.csv").write_bytes(text.encode("utf-8-sig"))
    parameters(panel).runFolder = str(run)
    assert rows_of(panel.ui.table1) == [["Dice", "0.9750", "0.0100", "0.9500", "0.9850"]]


def test_the_lines_above_the_tables_do_not_widen_the_panel(panel: Any, run: Path) -> None:
    parameters(panel).runFolder = str(run)
    for label in (panel.ui.table1Label, panel.ui.worstLabel):
        assert label.visible
        assert label.wordWrap


def test_of_a_run_whose_folder_is_gone_no_results_stay_and_the_line_says_why_nothing_can_be_done(
    host: Host, panel: Any, run: Path
) -> None:
    parameters(panel).runFolder = str(run)
    panel.ui.worstTable.cellClicked.emit(0, 0)
    assert rows_of(panel.ui.table1)
    run.rename(run.with_name("elsewhere"))
    host.leaveModule(panel)
    host.enterModule(panel)
    for table in (panel.ui.table1, panel.ui.worstTable):
        assert not table.visible
        assert rows_of(table) == []
    assert panel.ui.evaluateStatusLabel.text == tool_tip(panel.ui.evaluateButton)
    assert "no network" in panel.ui.evaluateStatusLabel.text


def test_volumes_and_single_slices_are_shown_pooled(panel: Any, run: Path) -> None:
    header, row = _SUMMARY.splitlines()
    rows = [row.replace("all,", f"all,{kind},").replace("0.975", mean) for kind, mean in _BY_KIND.items()]
    text = "\n".join([header.replace("group,", "group,kind,"), *rows])
    (run / "report" / "summary.csv").write_text(text, encoding="utf-8")
    parameters(panel).runFolder = str(run)
    assert [line[:2] for line in rows_of(panel.ui.table1)] == [["Dice", "0.9500"]]


@pytest.mark.parametrize("text", ["case;mean\nanna;1\n", _SUMMARY.replace("0.975", "good"), "\x00"])
def test_a_table_that_was_spoilt_is_told_in_a_sentence(panel: Any, run: Path, text: str) -> None:
    (run / "report" / "summary.csv").write_text(text, encoding="utf-8")
    parameters(panel).runFolder = str(run)
    assert str(run / "report" / "summary.csv") in panel.ui.evaluateStatusLabel.text
    assert rows_of(panel.ui.table1) == []
    assert panel.ui.evaluateButton.enabled


def test_a_network_whose_training_has_not_finished_is_called_so_and_can_be_used_and_trained_on(
    host: Host, panel: Any, run: Path
) -> None:
    path, ui = run / "network.safetensors", panel.ui
    card, weights = load_model(path)
    (run / "checkpoint.pt").touch()
    note = "The training of this network has not finished: it is the best so far, of step 40, and may change."

    def keep(finished: bool) -> None:
        save_model(path, weights, replace(card, training={"steps_done": 40, "finished": finished}))
        host.leaveModule(panel)
        host.enterModule(panel)

    parameters(panel).runFolder = str(run)
    assert ui.evaluateStatusLabel.text == "Ready."
    keep(finished=False)
    assert ui.evaluateStatusLabel.text == f"Ready.\n{note}"
    assert ui.startButton.text == "Continue"
    assert "is finished" not in ui.startButton.toolTip
    assert ui.evaluateButton.enabled
    ui.useNetworkButton.click()
    assert ui.evaluateStatusLabel.text == f"The module LungSegResNet segments with {path} now.\n{note}"
    user = host.openModule("LungSegResNet")
    assert user.logic.getParameterNode().modelFile == str(path)
    assert "Its training has not finished." in tool_tip(user.ui.modelLineEdit)
    keep(finished=True)
    host.leaveModule(user)
    host.enterModule(user)
    assert note not in ui.evaluateStatusLabel.text
    assert ui.startButton.text == "Start training"
    assert "is finished" in ui.startButton.toolTip
    assert "finished" not in tool_tip(user.ui.modelLineEdit)
    user.logic.getParameterNode().modelFile = ""
    host.closeModule(user)


def test_no_network_is_judged_while_it_is_trained_on(panel: Any, run: Path) -> None:
    (run / "checkpoint.pt").touch()
    card, weights = load_model(run / "network.safetensors")
    save_model(run / "network.safetensors", weights, replace(card, training={"steps_done": 40, "finished": False}))
    parameters(panel).dataSet, parameters(panel).runFolder = str(run / "cases.csv"), str(run)
    assert panel.ui.evaluateButton.enabled
    panel.ui.startButton.click()
    assert not panel.ui.evaluateButton.enabled
    assert "Training is still running" in panel.ui.evaluateButton.toolTip
    panel.ui.stopButton.click()
    assert panel.ui.evaluateButton.enabled


def test_a_network_to_be_used_stays_chosen_when_the_scene_is_closed_before_its_module_was_opened(
    host: Host, panel: Any, run: Path
) -> None:
    parameters(panel).runFolder = str(run)
    panel.ui.useNetworkButton.click()
    host.slicer.mrmlScene.Clear(False)
    user = host.openModule("LungSegResNet")
    assert parameters(user).modelFile == user.ui.modelLineEdit.text == str(run / "network.safetensors")
    user.logic.getParameterNode().modelFile = ""
    host.closeModule(user)


def test_an_evaluation_that_ends_while_another_module_is_open_adds_its_table_when_this_one_is_entered_again(
    host: Host, panel: Any, run: Path
) -> None:
    scene = host.slicer.mrmlScene
    parameters(panel).runFolder = str(run)
    host.leaveModule(panel)
    scene.Clear(False)
    panel.evaluatePanel._onDone()  # as its process tells it
    assert scene.GetFirstNodeByClass("vtkMRMLTableNode") is None
    assert rows_of(panel.ui.table1)
    host.enterModule(panel)
    assert scene.GetFirstNodeByClass("vtkMRMLTableNode").GetName() == "Table 1 run"
    assert scene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 1


def test_what_an_evaluation_warns_of_is_told_below_its_end(
    host: Host, panel: Any, data_set: Path, small_network: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(small_network, run / "network.safetensors")
    shutil.copy(data_set / "anna_ct.nii.gz", data_set / "copy_ct.nii.gz")
    lines = [f"{name},{data_set}/{name}_ct.nii.gz,{data_set}/anna_lungs.nii.gz\n" for name in ("anna", "copy")]
    (run / "cases.csv").write_text("case,ct,mask\n" + "".join(lines), encoding="utf-8")
    parameters(panel).runFolder = str(run)
    panel.ui.evaluateButton.click()
    host.wait(lambda: panel.ui.evaluateButton.visible, 300)
    first, warning = panel.ui.evaluateStatusLabel.text.splitlines()
    assert first == "Done. Click a slice to see it."
    assert warning.startswith("copy has the same CT as anna, though they count as two patients")


def test_a_second_evaluation_begins_only_when_the_process_of_a_stopped_one_has_ended(
    host: Host, panel: Any, run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parameters(panel).runFolder = str(run)
    panel.ui.evaluateButton.click()
    assert panel.parent.focusWidget() == panel.ui.stopEvaluateButton
    panel.ui.stopEvaluateButton.click()
    panel.ui.evaluateButton.click()
    sentence = panel.ui.evaluateStatusLabel.text
    assert "still ending" in sentence
    assert sentence in caplog.messages
    assert host.main_window.statusBar().currentMessage() == f"LungSegResNet Training: {sentence}"
    assert panel.ui.evaluateButton.visible


def test_the_evaluation_of_a_run_that_was_moved_is_replaced_after_a_yes(host: Host, panel: Any, run: Path) -> None:
    from LungSegResNetWidgets.background_command import whyNotYet

    parameters(panel).runFolder = str(run)
    panel.ui.evaluateButton.click()
    assert host.questions == []
    panel.ui.stopEvaluateButton.click()
    host.wait(lambda: not whyNotYet(run / "report"), 30)
    moved = run.rename(run.with_name("moved"))
    parameters(panel).runFolder = str(moved)
    host.answers += [False, True]
    panel.ui.evaluateButton.click()
    assert "Replace it?" in host.questions[-1]
    assert panel.ui.evaluateButton.visible
    panel.ui.evaluateButton.click()
    assert "--overwrite" in panel.evaluatePanel._controls.command._arguments
    panel.ui.stopEvaluateButton.click()


def test_a_click_on_a_slice_counts_though_a_case_of_the_data_that_was_clicked_before_is_still_being_read(
    host: Host, panel: Any, run: Path, data_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LungSegResNetTrainingLib.data import case_reading

    go_on, read_case = threading.Event(), case_reading.read_case

    def slowly(case: Any) -> Any:
        assert case.name == "anna" or go_on.wait(60)
        return read_case(case)

    monkeypatch.setattr(case_reading, "read_case", slowly)
    for image, part in zip(Thorax().scan((6.0, 6.0, 20.0)), ("ct", "lungs"), strict=True):
        sitk.WriteImage(image, str(run / f"anna_{part}.nrrd"))
    parameters(panel).runFolder, parameters(panel).dataSet = str(run), str(data_set)
    panel.ui.checkButton.click()
    host.wait(lambda: panel.ui.checkButton.visible, 300)
    panel.ui.casesTable.cellClicked.emit([row[0] for row in rows_of(panel.ui.casesTable)].index("bert"), 0)
    assert panel.ui.dataStatusLabel.text == "Loading bert..."
    panel.ui.worstTable.cellClicked.emit(0, 0)
    assert panel.ui.dataStatusLabel.text == "Ready."
    host.wait(lambda: panel.ui.evaluateStatusLabel.text.startswith("anna, S 60.0 mm"))
    go_on.set()
    end = time.monotonic() + 0.5
    host.wait(lambda: time.monotonic() > end)
    volumes = host.slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert [node.GetName() for node in volumes] == ["anna"]
    assert panel.ui.dataStatusLabel.text == "Ready."
