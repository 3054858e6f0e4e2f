"""The panel before a run, and in a scene that is saved and loaded."""

from __future__ import annotations

import gc
import html
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import vtk
from disk_questions import questions_about
from mrml_data import (
    add_slice_view,
    add_volume,
    parameters,
    run_to_the_end,
    save_scene,
    segment_array,
    table_of,
    tool_tip,
    wait_for_measurements,
)
from slicer_host import Host
from unnamed_widgets import unnamed_widgets

from LungSegResNetLib.network.model_file import default_model_path, read_card


def test_an_empty_scene_says_what_to_do_and_enables_nothing(panel: Any) -> None:
    ui = panel.ui
    assert not ui.segmentButton.enabled
    assert "CT volume" in ui.segmentButton.toolTip
    assert ui.statusLabel.text == tool_tip(ui.segmentButton)
    for button in (ui.editButton, ui.undoButton, ui.measureButton, ui.copyButton, ui.exportButton, ui.show3DButton):
        assert not button.enabled
    for button in (ui.editButton, ui.undoButton, ui.measureButton, ui.copyButton, ui.exportButton):
        assert tool_tip(button).endswith(".")


def test_the_ct_in_the_scene_is_chosen_already(ct: Any, panel: Any) -> None:
    assert panel.ui.inputSelector.currentNode() is ct
    assert panel.ui.segmentButton.enabled
    assert panel.ui.statusLabel.text == "Ready."


def test_of_several_cts_the_one_that_the_slice_views_show_is_chosen(
    host: Host, ct: Any, thorax: tuple[sitk.Image, sitk.Image]
) -> None:
    from LungSegResNetWidgets.readiness import firstScan

    layers = add_slice_view(host, add_volume(host, thorax[0], "Loaded last"))
    add_slice_view(host, add_volume(host, thorax[0], "In a view of another layout"), is_in_layout=False)
    assert firstScan().GetName() == "Loaded last"
    for not_a_ct in (None, host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Lobes").GetID()):
        layers.SetBackgroundVolumeID(not_a_ct)
        assert firstScan() is ct


def test_a_ct_that_is_loaded_later_is_chosen(host: Host, panel: Any, thorax: tuple[sitk.Image, sitk.Image]) -> None:
    volume = add_volume(host, thorax[0], "Later")
    assert panel.ui.inputSelector.currentNode() is volume
    assert panel.ui.segmentButton.enabled
    assert panel.ui.statusLabel.text == "Ready."


def test_the_ct_that_the_views_have_come_to_show_in_other_modules_is_chosen_with_its_lungs(
    host: Host, ct: Any, done: Any, thorax: tuple[sitk.Image, sitk.Image]
) -> None:
    layers, lungs = add_slice_view(host, ct), parameters(done).outputSegmentation
    host.leaveModule(done)
    layers.SetBackgroundVolumeID(add_volume(host, thorax[0], "Next patient").GetID())
    host.enterModule(done)
    assert done.ui.inputSelector.currentNode().GetName() == "Next patient"
    assert parameters(done).outputSegmentation is None
    done.ui.inputSelector.setCurrentNode(ct)  # though the views show the other one
    host.leaveModule(done)
    host.enterModule(done)
    assert (parameters(done).inputVolume, parameters(done).outputSegmentation) == (ct, lungs)


@pytest.mark.parametrize("ends", ["elsewhere", "here"])
def test_the_ct_of_a_run_stays_chosen_whatever_the_views_show_meanwhile(
    host: Host, ct: Any, panel: Any, thorax: tuple[sitk.Image, sitk.Image], ends: str
) -> None:
    layers = add_slice_view(host, ct)
    panel.ui.segmentButton.click()
    host.leaveModule(panel)
    layers.SetBackgroundVolumeID(add_volume(host, thorax[0], "Next patient").GetID())
    if ends == "here":
        host.enterModule(panel)
    host.wait(lambda: not panel.runPanel.running)
    if ends == "elsewhere":
        host.enterModule(panel)
    assert parameters(panel).inputVolume is ct
    assert panel.ui.statusLabel.text.startswith("Done")


def test_a_label_map_is_not_taken_for_a_ct(host: Host, thorax: tuple[sitk.Image, sitk.Image], panel: Any) -> None:
    host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Lobes")
    assert parameters(panel).inputVolume is None
    hidden = host.slicer.mrmlScene.CreateNodeByClass("vtkMRMLScalarVolumeNode")
    hidden.SetHideFromEditors(True)
    host.slicer.mrmlScene.AddNode(hidden)
    hidden.UnRegister(None)
    assert parameters(panel).inputVolume is None
    volume = add_volume(host, thorax[0], "CT")
    assert parameters(panel).inputVolume is volume


def test_a_volume_without_voxels_is_named_as_the_reason(host: Host, panel: Any) -> None:
    host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Hollow")
    assert not panel.ui.segmentButton.enabled
    assert "Hollow" in panel.ui.segmentButton.toolTip


def test_a_missing_network_file_is_named_as_the_reason(ct: Any, panel: Any) -> None:
    panel.ui.modelLineEdit.text = "/nowhere/lungs.safetensors"
    assert not panel.ui.segmentButton.enabled
    assert "/nowhere/lungs.safetensors" in panel.ui.segmentButton.toolTip
    panel.ui.modelLineEdit.text = ""
    assert panel.ui.segmentButton.enabled


def test_a_network_of_ones_own_is_chosen_by_file_and_read_for_its_card(
    host: Host, ct: Any, panel: Any, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing of this kind")
    host.files.append(str(broken))
    panel.ui.modelButton.click()
    assert parameters(panel).modelFile == str(broken)
    assert "broken.safetensors" in panel.ui.modelLineEdit.toolTip
    host.files.append("")
    panel.ui.modelButton.click()
    assert parameters(panel).modelFile == str(broken)


def test_the_shipped_network_tells_its_name_and_licence(panel: Any) -> None:
    card = read_card(default_model_path())
    assert card.name in panel.ui.modelLineEdit.toolTip
    assert card.licence in panel.ui.modelLineEdit.toolTip
    assert card.limits
    assert all(html.escape(text, quote=False) in panel.ui.modelLineEdit.toolTip for text in card.limits)


def test_a_segmentation_under_another_transform_is_refused_with_its_name(host: Host, ct: Any, panel: Any) -> None:
    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Elsewhere")
    segmentation.GetSegmentation().AddEmptySegment("nodule", "nodule")
    transform = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    panel.ui.outputSelector.setCurrentNode(segmentation)
    assert not panel.ui.segmentButton.enabled
    assert "Elsewhere" in panel.ui.segmentButton.toolTip


def test_parameters_lungs_and_measurements_survive_saving_and_loading_the_scene(
    host: Host, ct: Any, done: Any, drawn: np.ndarray, tmp_path: Path
) -> None:
    scene = host.slicer.mrmlScene
    done.ui.deviceComboBox.currentIndex = 3
    done.ui.batchSizeSpinBox.value = 2
    table = done.ui.measurementsTable
    shown = [table.item(row, 0).text() for row in range(table.rowCount)]
    nodes = ((ct, "nrrd"), (parameters(done).outputSegmentation, "seg.nrrd"), (table_of(done), "tsv"))
    save_scene(host, tmp_path / "scene.mrml", *nodes)

    scene.Clear(False)
    assert done.ui.inputSelector.currentNode() is None
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Connect()

    loaded = parameters(done)
    assert done.ui.inputSelector.currentNode().GetName() == "Phantom"
    assert done.ui.outputSelector.currentNode().GetName() == "Lungs"
    assert (loaded.device, loaded.batchSize) == ("cpu", 2)
    assert done.ui.deviceComboBox.currentText == "CPU"
    assert done.ui.batchSizeSpinBox.value == 2
    assert [table.item(row, 0).text() for row in range(table.rowCount)] == shown
    np.testing.assert_array_equal(
        segment_array(host, loaded.outputSegmentation, "left_lung", loaded.inputVolume), drawn == 2
    )
    assert done.ui.editButton.enabled


def test_the_saved_ct_is_chosen_though_another_one_is_loaded_before_it(
    host: Host, panel: Any, thorax: tuple[sitk.Image, sitk.Image], tmp_path: Path
) -> None:
    add_volume(host, thorax[0], "First")
    parameters(panel).inputVolume = add_volume(host, thorax[0], "Second")
    save_scene(host, tmp_path / "scene.mrml")
    host.slicer.mrmlScene.Clear(False)
    host.slicer.mrmlScene.Connect()
    assert parameters(panel).inputVolume.GetName() == "Second"


def add_scene(host: Host, file: Path) -> None:
    """Save a scene of one node and add it to the scene that is there."""
    scene, added = host.slicer.mrmlScene, host.slicer.vtkMRMLScene()
    added.AddNewNodeByClass("vtkMRMLTransformNode", "Added")
    added.SetURL(str(file))
    assert added.Commit()
    scene.SetURL(str(file))
    scene.Import()
    assert scene.GetFirstNodeByName("Added")


def test_a_scene_that_is_added_leaves_the_news_of_the_ct(
    host: Host, done: Any, thorax: tuple[sitk.Image, sitk.Image], tmp_path: Path
) -> None:
    told = done.ui.statusLabel.text
    assert told.startswith("The measurements")
    add_scene(host, tmp_path / "added.mrml")
    assert done.ui.statusLabel.text == told
    done.ui.inputSelector.setCurrentNode(add_volume(host, thorax[0], "Second"))
    assert done.ui.statusLabel.text == "Ready."


@pytest.mark.parametrize("what", ["scene", "inputVolume", "outputSegmentation"])
def test_what_has_left_the_scene_has_no_news(host: Host, done: Any, what: str) -> None:
    scene = host.slicer.mrmlScene
    assert done.ui.statusLabel.text.startswith("The measurements")
    if what == "scene":
        scene.Clear(False)
    else:
        scene.RemoveNode(getattr(parameters(done), what))
    is_left_with_ct = parameters(done).inputVolume is not None
    assert is_left_with_ct == (what == "outputSegmentation")
    assert done.ui.statusLabel.text == ("Ready." if is_left_with_ct else tool_tip(done.ui.segmentButton))


def test_the_news_of_a_run_are_none_of_another_segmentation(host: Host, ct: Any, panel: Any) -> None:
    run_to_the_end(host, panel)
    lungs = parameters(panel).outputSegmentation
    assert panel.ui.statusLabel.text.startswith("Done: ")
    panel.ui.outputSelector.setCurrentNode(None)
    assert panel.ui.statusLabel.text == "Ready."
    panel.ui.outputSelector.setCurrentNode(lungs)
    panel.ui.measureButton.click()
    wait_for_measurements(host, panel)
    transform = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Registration")
    ct.SetAndObserveTransformNodeID(transform.GetID())
    host.wait(lambda: not panel.ui.segmentButton.enabled)
    news, reason = panel.ui.statusLabel.text.splitlines()
    assert (news, reason) == ("The measurements were updated.", tool_tip(panel.ui.segmentButton))


def test_a_scene_that_is_added_leaves_ct_lungs_and_roi_chosen(
    host: Host, ct: Any, done: Any, thorax: tuple[sitk.Image, sitk.Image], tmp_path: Path
) -> None:
    scene = host.slicer.mrmlScene
    chosen = parameters(done)
    lungs = chosen.outputSegmentation
    chosen.inputVolume = add_volume(host, thorax[0], "Second")
    chosen.outputSegmentation = lungs
    chosen.roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Box")
    add_scene(host, tmp_path / "added.mrml")
    chosen = parameters(done)
    assert [node.GetName() for node in (chosen.inputVolume, chosen.outputSegmentation, chosen.roi)] == [
        "Second",
        "Lungs",
        "Box",
    ]
    assert done.ui.roiSelector.currentNode() is chosen.roi


@pytest.mark.parametrize("selector", ["inputSelector", "outputSelector", "roiSelector"])
def test_the_neighbour_of_a_node_that_is_removed_is_not_chosen(
    host: Host, ct: Any, panel: Any, thorax: tuple[sitk.Image, sitk.Image], selector: str
) -> None:
    scene = host.slicer.mrmlScene
    add_volume(host, thorax[0], "Other CT")
    for kind in ("vtkMRMLSegmentationNode", "vtkMRMLMarkupsROINode"):
        for name in ("One", "Another"):
            scene.AddNewNodeByClass(kind, name)
    chosen = getattr(panel.ui, selector)
    nodes = {"inputSelector": ct, "outputSelector": "vtkMRMLSegmentationNode", "roiSelector": "vtkMRMLMarkupsROINode"}
    node = nodes[selector] if selector == "inputSelector" else scene.GetFirstNodeByClass(nodes[selector])
    chosen.setCurrentNode(node)
    scene.RemoveNode(node)
    assert chosen.currentNode() is None


def test_a_node_that_is_removed_is_news_only_where_the_panel_tells_of_its_kind(
    host: Host, ct: Any, done: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, transform = host.slicer.mrmlScene, host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    parameters(done).outputSegmentation.SetAndObserveTransformNodeID(transform.GetID())
    done.updateGui()
    assert not done.ui.segmentButton.enabled
    scene.RemoveNode(transform)
    assert done.ui.segmentButton.enabled
    scene.RemoveNode(table_of(done))
    assert not done.ui.measurementsTable.visible

    updates: list[str] = []
    monkeypatch.setattr(done, "updateGui", lambda *_: updates.append(""))
    for kind in ("vtkMRMLModelNode", "vtkMRMLMarkupsFiducialNode", "vtkMRMLTextNode"):
        scene.RemoveNode(scene.AddNewNodeByClass(kind))
    assert updates == []


def fill_scene(host: Host, panel: Any, image: sitk.Image) -> list[Any]:
    """A CT with lungs of a run that can be undone; weak references to what takes memory."""
    volume = add_volume(host, image, "CT")
    run_to_the_end(host, panel)
    segmentation = parameters(panel).outputSegmentation
    host.slicer.util.updateSegmentBinaryLabelmapFromArray(
        segment_array(host, segmentation, "left_lung", volume).astype(np.uint8), segmentation, "left_lung", volume
    )
    panel.ui.undoButton.click()
    wait_for_measurements(host, panel)
    panel.ui.undoButton.click()
    wait_for_measurements(host, panel)
    references = []
    for used in (volume, volume.GetImageData(), segmentation, segmentation.GetSegmentation()):
        references.append(vtk.vtkWeakReference())
        references[-1].Set(used)
    return references


@pytest.mark.parametrize("is_open", [True, False])
def test_nothing_of_a_closed_scene_stays_in_memory(
    host: Host, panel: Any, thorax: tuple[sitk.Image, sitk.Image], is_open: bool
) -> None:
    references = fill_scene(host, panel, thorax[0])
    assert all(reference.Get() for reference in references)
    if not is_open:
        host.leaveModule(panel)
    host.slicer.mrmlScene.Clear(False)
    gc.collect()
    assert [reference.Get() for reference in references] == [None] * 4


def test_lungs_that_are_removed_from_the_scene_do_not_stay_in_memory(
    host: Host, panel: Any, thorax: tuple[sitk.Image, sitk.Image]
) -> None:
    references = fill_scene(host, panel, thorax[0])
    host.leaveModule(panel)
    scene = host.slicer.mrmlScene
    for name in ("vtkMRMLSegmentationNode", "vtkMRMLScalarVolumeDisplayNode", "vtkMRMLScalarVolumeNode"):
        scene.RemoveNode(scene.GetFirstNodeByClass(name))
    gc.collect()
    assert [reference.Get() for reference in references] == [None] * 4


def test_a_ct_that_is_removed_does_not_stay_in_memory_for_undo_which_goes_on_to_work(
    host: Host, panel: Any, thorax: tuple[sitk.Image, sitk.Image]
) -> None:
    _volume, image, *_lungs = fill_scene(host, panel, thorax[0])
    scene = host.slicer.mrmlScene
    for name in ("vtkMRMLScalarVolumeDisplayNode", "vtkMRMLScalarVolumeNode"):
        scene.RemoveNode(scene.GetFirstNodeByClass(name))
    gc.collect()
    assert image.Get() is None
    segmentation = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    panel.ui.outputSelector.setCurrentNode(segmentation)
    panel.ui.undoButton.click()
    wait_for_measurements(host, panel)
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 0
    panel.ui.undoButton.click()
    wait_for_measurements(host, panel)
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 2


def test_the_next_scene_is_segmented_with_the_same_network_and_settings(host: Host, panel: Any, tmp_path: Path) -> None:
    chosen = parameters(panel)
    chosen.modelFile = str(tmp_path / "own.safetensors")
    chosen.device, chosen.smoothingMm = "cpu", 3.0
    chosen.batchOutput = str(tmp_path)
    host.slicer.mrmlScene.Clear(False)
    kept = parameters(panel)
    assert (Path(kept.modelFile).name, kept.device, kept.smoothingMm) == ("own.safetensors", "cpu", 3.0)
    assert kept.batchOutput == str(tmp_path)
    assert panel.ui.modelLineEdit.text == kept.modelFile


def test_the_news_name_a_network_of_ones_own(host: Host, ct: Any, panel: Any, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    shutil.copy(default_model_path(), path)
    panel.ui.modelLineEdit.text = str(path)
    run_to_the_end(host, panel)
    card = read_card(path)
    assert f"Network: {card.name} {card.version}." in panel.ui.statusLabel.text
    assert panel.ui.statusLabel.text.startswith(host.main_window.statusBar().currentMessage().partition(": ")[2])
    assert host.main_window.statusBar().currentMessage().startswith("LungSegResNet: Done")


def test_a_reload_reads_the_packages_again_too(host: Host) -> None:
    from LungSegResNetWidgets import reloading, table_widget

    known = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "LungSegResNetWidgets"}
    try:
        reloading.forgetPackages("LungSegResNetWidgets")
        assert not known.keys() & sys.modules.keys()
        from LungSegResNetWidgets import table_widget as again

        assert again is not table_widget
        assert again.__file__ == table_widget.__file__
    finally:  # modules that are open go on with those that they know
        sys.modules.update(known)


def test_a_change_asks_nothing_about_the_chosen_files_and_what_may_have_changed_them_does(
    host: Host, ct: Any, panel: Any, quick_network: Path, tmp_path: Path
) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "network").mkdir()
    network = Path(shutil.copy(quick_network, tmp_path / "network"))
    chosen = parameters(panel)
    with questions_about(tmp_path / "scans") as asked:
        chosen.batchInput, chosen.batchOutput = str(tmp_path / "scans"), str(tmp_path / "scans" / "out")
    assert asked == []  # as the box of the folder is closed
    chosen.modelFile = str(network)
    for collapsed in (True, False):
        panel.ui.batchCollapsibleButton.collapsed = collapsed
        with questions_about(tmp_path) as asked:
            chosen.smoothingMm = 2.0 + collapsed
        assert asked == []
    assert panel.ui.batchStartButton.enabled
    network.unlink()
    (tmp_path / "scans").rmdir()
    host.leaveModule(panel)
    host.enterModule(panel)
    assert "no network file" in panel.ui.segmentButton.toolTip
    assert "no folder" in panel.ui.batchStartButton.toolTip
    (tmp_path / "scans").mkdir()
    host.files.append(str(tmp_path / "scans"))
    panel.ui.batchInputButton.click()
    chosen.smoothingMm = 0.0
    assert panel.ui.batchStartButton.enabled


def test_a_file_that_is_gone_at_the_click_is_told_once_and_keeps_the_button_from_being_clicked_until_it_is_back(
    host: Host, ct: Any, panel: Any, quick_network: Path, tmp_path: Path
) -> None:
    network = Path(shutil.copy(quick_network, tmp_path / "network.safetensors"))
    parameters(panel).modelFile = str(network)
    network.unlink()
    assert panel.ui.segmentButton.enabled
    panel.ui.segmentButton.click()
    reason = f"There is no network file at {network}."
    assert panel.ui.statusLabel.text == f"{reason}\nThe scene is unchanged."
    assert not panel.ui.segmentButton.enabled
    shutil.copy(quick_network, network)
    host.leaveModule(panel)
    host.enterModule(panel)
    assert panel.ui.segmentButton.enabled
    assert panel.ui.statusLabel.text == "Ready."


def test_a_screen_reader_has_a_name_for_all_that_the_keyboard_reaches(panel: Any) -> None:
    assert unnamed_widgets(panel) == []
    panel.ui.checkTable.accessibleName = ""
    assert unnamed_widgets(panel) == ["checkTable"]


def test_a_segmentation_that_is_kept_as_surfaces_is_refused(host: Host, ct: Any, panel: Any, drawn: np.ndarray) -> None:
    from LungSegResNetWidgets import lung_segments

    node = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Surfaces")
    lung_segments.placeWithVolume(node, ct)
    lung_segments.writeLungs(node, ct, drawn)
    panel.ui.outputSelector.setCurrentNode(node)
    assert panel.ui.segmentButton.enabled
    node.CreateClosedSurfaceRepresentation()
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    panel.ui.outputSelector.setCurrentNode(None)
    panel.ui.outputSelector.setCurrentNode(node)
    assert not panel.ui.segmentButton.enabled
    assert 'The segmentation "Surfaces" is kept as surfaces' in panel.ui.statusLabel.text
