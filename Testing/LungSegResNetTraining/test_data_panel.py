"""Step 1 of the panel: a data set is checked, and corrected scans are added to it."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import vtk
from mrml_data import add_slice_view, add_volume, parameters, rows_of, segment_array, tool_tip
from slicer_host import Host
from synthetic_thorax import Thorax


def check(host: Host, panel: Any, data_set: Path) -> list[list[str]]:
    """Check a data set and return the table."""
    parameters(panel).dataSet = str(data_set)
    panel.ui.checkButton.click()
    host.wait(lambda: panel.ui.checkButton.visible, 300)
    return rows_of(panel.ui.casesTable)


def show_case(host: Host, panel: Any, row: int) -> None:
    """Click a case and wait until it is shown, or it is told why not."""
    panel.ui.casesTable.cellClicked.emit(row, 0)
    host.wait(lambda: not panel.dataPanel._loading.running)


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
    volumes = {row[0]: row[2] for row in rows}
    assert [volume.isdecimal() for volume in volumes["anna"].split(" / ")] == [True, True]
    assert volumes["alone"] == ""
    assert verdicts == {"anna": "ok", "bert": "ok", "cara": "ok", "alone": "no pair"}
    assert "no mask" in next(row[3] for row in rows if row[0] == "alone")
    assert panel.ui.dataStatusLabel.text.startswith("3 of 4 cases")

    show_case(host, panel, [row[0] for row in rows].index("bert"))
    volume = host.slicer.util.getNode("bert")
    reference = host.slicer.util.getNode("bert reference")
    drawn = sitk.GetArrayFromImage(sitk.ReadImage(str(data_set / "bert_lungs.nii.gz")))
    assert segment_array(host, reference, "right_lung", volume).sum() == (drawn == 1).sum()
    reference.GetSegmentation().AddEmptySegment("what is missing in the mask")
    for name in ("anna", "cara"):
        show_case(host, panel, [row[0] for row in rows].index(name))
    assert not reference.GetDisplayVisibility()
    assert host.slicer.util.getNode("cara reference").GetDisplayVisibility()
    show_case(host, panel, [row[0] for row in rows].index("bert"))
    assert reference.GetDisplayVisibility()
    # anna and cara were only looked at.
    assert host.slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == [volume]
    show_case(host, panel, [row[0] for row in rows].index("alone"))
    assert "no mask" in panel.ui.dataStatusLabel.text


def test_a_click_on_a_case_tells_the_whole_reason_of_its_verdict(host: Host, panel: Any, data_set: Path) -> None:
    path = data_set / "anna_lungs.nii.gz"
    mask = sitk.ReadImage(str(path))
    exchanged = sitk.GetImageFromArray((3 - sitk.GetArrayFromImage(mask)) % 3)
    exchanged.CopyInformation(mask)
    sitk.WriteImage(exchanged, str(path))
    rows = check(host, panel, data_set)
    row = next(line for line, texts in enumerate(rows) if texts[0] == "anna")
    assert rows[row][1] != "ok"
    show_case(host, panel, row)
    assert panel.ui.dataStatusLabel.text == f"anna is shown. {rows[row][3]}"


def test_a_click_on_a_case_whose_file_has_gone_since_the_check_names_the_file(
    host: Host, panel: Any, data_set: Path
) -> None:
    rows = check(host, panel, data_set)
    row = next(line for line, texts in enumerate(rows) if texts[:2] == ["anna", "ok"])
    mask = data_set / "anna_lungs.nii.gz"
    mask.unlink()
    panel.ui.casesTable.cellClicked.emit(row, 0)
    assert panel.ui.dataStatusLabel.text == f"anna: {mask} is not there; bring it back, or click Check."


def test_what_the_check_had_to_assume_and_copies_of_a_ct_are_told_below_the_verdict(
    host: Host, panel: Any, data_set: Path
) -> None:
    (data_set / "alone_ct.nii.gz").unlink()
    for part in ("ct", "lungs"):
        shutil.copy(data_set / f"anna_{part}.nii.gz", data_set / f"bert_{part}.nii.gz")
    lungs = sitk.ReadImage(str(data_set / "cara_lungs.nii.gz")) > 0
    sitk.WriteImage(lungs, str(data_set / "cara_lungs.nii.gz"))
    for _time in range(2):  # and not those of the check before once more
        check(host, panel, data_set)
        verdict, note, copy = panel.ui.dataStatusLabel.text.splitlines()
        assert verdict.startswith("3 of 3 cases")
        assert note == "cara: The mask has one value; right and left lung were told apart by position."
        assert copy.startswith("bert has the same CT as anna, though they count as two patients;")


def test_names_and_folders_may_have_any_letters(host: Host, panel: Any, data_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Müller"
    folder.mkdir()
    for name in ("ct", "lungs"):
        shutil.copy(data_set / f"anna_{name}.nii.gz", folder / f"jörg_{name}.nii.gz")
    assert [row[:2] for row in check(host, panel, folder)] == [["jörg", "ok"]]


def test_a_click_shows_the_mask_of_that_case_as_it_is_on_disk_now(host: Host, panel: Any, tmp_path: Path) -> None:
    from LungSegResNetTrainingWidgets.case_nodes import readerOfCase, showCase

    from LungSegResNetTrainingLib.data.cases import Case

    image, mask = Thorax().scan((4.0, 4.0, 20.0))
    sitk.WriteImage(image, str(tmp_path / "ct.nrrd"))
    readers = [
        Case(name, tmp_path / "ct.nrrd", tmp_path / f"{name}.nrrd", "train", name) for name in ("reader1", "reader2")
    ]
    for case in readers:
        sitk.WriteImage(mask, str(case.mask))

    def shown() -> list[str]:
        nodes = host.slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        return [node.GetName() for node in nodes if node.GetDisplayVisibility()]

    for case in (*readers, readers[0]):
        volume = showCase(readerOfCase(case)())
        assert shown() == [f"{case.name} reference"]
    assert host.slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == [volume]

    corrected = sitk.GetArrayFromImage(mask)
    corrected[:4] = 0
    again = sitk.GetImageFromArray(corrected)
    again.CopyInformation(mask)
    sitk.WriteImage(again, str(readers[0].mask))
    volume = showCase(readerOfCase(readers[0])())
    (name,) = shown()
    right = segment_array(host, host.slicer.util.getNode(name), "right_lung", volume)
    assert right.sum() == (corrected == 1).sum()


@pytest.fixture
def go_on(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A case is read only after this was set."""
    from LungSegResNetTrainingLib.data import case_reading

    event, read_case = threading.Event(), case_reading.read_case

    def slowly(case: Any) -> Any:
        assert event.wait(60)
        return read_case(case)

    monkeypatch.setattr(case_reading, "read_case", slowly)
    return event


def test_while_a_case_is_read_the_window_goes_on_and_the_last_click_counts(
    host: Host, panel: Any, data_set: Path, go_on: threading.Event
) -> None:
    names = [row[0] for row in check(host, panel, data_set)]
    for name in ("anna", "bert", "cara"):
        panel.ui.casesTable.cellClicked.emit(names.index(name), 0)
        assert panel.ui.dataStatusLabel.text == f"Loading {name}..."
        assert host.slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []
    go_on.set()
    host.wait(lambda: panel.ui.dataStatusLabel.text == "cara is shown.")
    volumes = host.slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert [node.GetName() for node in volumes] == ["cara"]


def test_a_click_on_a_case_that_cannot_be_shown_is_the_last_one_too(
    host: Host, panel: Any, data_set: Path, go_on: threading.Event
) -> None:
    names = [row[0] for row in check(host, panel, data_set)]
    for name in ("anna", "alone"):
        panel.ui.casesTable.cellClicked.emit(names.index(name), 0)
    go_on.set()
    end = time.monotonic() + 0.5
    host.wait(lambda: time.monotonic() > end)
    assert panel.ui.dataStatusLabel.text.startswith("alone: ")
    assert host.slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []


def test_a_case_that_is_being_read_when_the_scene_is_closed_does_not_come_into_the_next_one(
    host: Host, panel: Any, data_set: Path, go_on: threading.Event
) -> None:
    names = [row[0] for row in check(host, panel, data_set)]
    panel.ui.casesTable.cellClicked.emit(names.index("anna"), 0)
    host.slicer.mrmlScene.Clear(False)
    go_on.set()
    end = time.monotonic() + 0.5
    host.wait(lambda: time.monotonic() > end)
    assert host.slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []
    assert "Loading" not in panel.ui.dataStatusLabel.text


def test_a_case_that_is_being_read_when_another_module_is_opened_does_not_take_its_views(
    host: Host, panel: Any, data_set: Path, go_on: threading.Event
) -> None:
    names = [row[0] for row in check(host, panel, data_set)]
    volume, _lungs = add_patient(host, "Mine", (6.0, 6.0, 20.0))
    layers = add_slice_view(host, volume)
    panel.ui.casesTable.cellClicked.emit(names.index("anna"), 0)
    host.leaveModule(panel)
    go_on.set()
    end = time.monotonic() + 0.5
    host.wait(lambda: time.monotonic() > end)
    assert layers.GetBackgroundVolumeID() == volume.GetID()
    assert host.slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == [volume]
    host.enterModule(panel)
    assert "Loading" not in panel.ui.dataStatusLabel.text


def test_a_folder_without_cases_is_an_error_in_one_sentence_told_in_the_log_and_in_other_modules_too(
    host: Host, panel: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert check(host, panel, tmp_path) == []
    sentence = panel.ui.dataStatusLabel.text
    assert sentence.startswith("No case was found")
    assert sentence in caplog.messages
    assert host.main_window.statusBar().currentMessage() == f"LungSegResNet Training: {sentence}"


def test_a_check_without_a_place_for_temporary_files_is_told_in_a_sentence(
    host: Host, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters(panel).dataSet = str(tmp_path)
    monkeypatch.setattr(host.slicer.app, "temporaryPath", str(tmp_path / "gone"))
    panel.ui.checkButton.click()
    assert panel.ui.dataStatusLabel.text.startswith("There is no place for temporary files")
    assert panel.ui.checkButton.visible


def test_the_check_can_be_stopped_and_begun_again(host: Host, panel: Any, data_set: Path) -> None:
    parameters(panel).dataSet = str(data_set)
    panel.ui.checkButton.click()
    assert not panel.ui.checkButton.visible
    assert panel.parent.focusWidget() == panel.ui.stopCheckButton
    panel.ui.stopCheckButton.click()
    assert panel.ui.checkButton.visible
    assert "stopped" in panel.ui.dataStatusLabel.text
    assert len(check(host, panel, data_set)) == 4


def test_the_check_ends_when_another_data_set_is_chosen(panel: Any, data_set: Path, tmp_path: Path) -> None:
    parameters(panel).dataSet = str(data_set)
    panel.ui.checkButton.click()
    assert panel.ui.stopCheckButton.visible
    (tmp_path / "other").mkdir()
    parameters(panel).dataSet = str(tmp_path / "other")
    assert panel.ui.checkButton.visible
    assert panel.ui.dataStatusLabel.text == "Another data set was chosen, so the check was stopped."


def test_a_corrected_segmentation_becomes_a_case_that_the_check_takes(host: Host, panel: Any, tmp_path: Path) -> None:
    from LungSegResNetWidgets import lung_segments

    folder = tmp_path / "mine"
    folder.mkdir()
    image, mask = Thorax().scan((4.0, 4.0, 20.0))
    volume = add_volume(host, image, "CT of today")
    drawn = sitk.GetArrayFromImage(mask)
    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Corrected")
    chosen = parameters(panel)
    chosen.dataSet, chosen.caseVolume, chosen.caseSegmentation = str(folder), volume, segmentation
    assert "right lung" in panel.ui.addCaseButton.toolTip
    lung_segments.placeWithVolume(segmentation, volume)
    lung_segments.writeLungs(segmentation, volume, drawn)
    panel.updateGui()
    panel.ui.caseNameLineEdit.text = "CT of today"
    add_case(host, panel)
    assert panel.ui.caseNameLineEdit.text == ""  # not that of the next one, too
    assert sorted(path.name for path in folder.iterdir()) == ["CT_of_today_ct.nrrd", "CT_of_today_lungs.seg.nrrd"]
    written = sitk.ReadImage(str(folder / "CT_of_today_ct.nrrd"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(written), sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(written.GetOrigin(), image.GetOrigin(), atol=1e-6)

    before = {path: path.read_bytes() for path in folder.iterdir()}
    chosen.caseVolume = volume
    assert chosen.caseSegmentation is segmentation
    panel.ui.caseNameLineEdit.text = "CT of today"
    add_case(host, panel)
    assert panel.ui.dataStatusLabel.text.startswith(
        '"CT_of_today" is a case already, so the CT "CT of today" was not written; choose another CT'
    )
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    rows = check(host, panel, folder)
    assert [row[:2] for row in rows] == [["CT_of_today", "ok"]]
    (folder / "cases.csv").write_text("case,ct,mask\n", encoding="utf-8")
    host.leaveModule(panel)
    host.enterModule(panel)
    assert "cases.csv" in panel.ui.addCaseButton.toolTip


def add_case(host: Host, panel: Any) -> None:
    """Click Add as case and wait until the case is written, or it is told why not."""
    panel.ui.addCaseButton.click()
    host.wait(lambda: not panel.dataPanel._writing.running)


def add_patient(host: Host, name: str, spacing: tuple[float, float, float]) -> tuple[Any, Any]:
    """A CT with its lungs."""
    from LungSegResNetWidgets import lung_segments

    image, mask = Thorax().scan(spacing)
    volume = add_volume(host, image, name)
    lungs = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{name} lungs")
    lung_segments.placeWithVolume(lungs, volume)
    lung_segments.writeLungs(lungs, volume, sitk.GetArrayFromImage(mask))
    return volume, lungs


def test_after_a_case_was_added_the_next_ct_is_chosen_with_its_own_lungs(
    host: Host, panel: Any, tmp_path: Path
) -> None:
    first, second = (add_patient(host, name, (size, size, 20.0)) for name, size in (("A", 6.0), ("B", 8.0)))
    chosen = parameters(panel)
    chosen.dataSet, chosen.caseVolume = str(tmp_path), first[0]
    assert chosen.caseSegmentation is first[1]
    add_case(host, panel)
    assert panel.ui.dataStatusLabel.text.startswith("A is a case of the data set now")
    assert (chosen.caseVolume, chosen.caseSegmentation) == (None, None)
    assert tool_tip(panel.ui.addCaseButton) == "Choose the CT of the new case."
    panel.ui.caseVolumeSelector.setCurrentNode(second[0])
    assert chosen.caseSegmentation is second[1]
    panel.ui.caseVolumeSelector.setCurrentNode(first[0])
    assert chosen.caseSegmentation is first[1]
    panel.ui.caseVolumeSelector.setCurrentNode(second[0])
    add_case(host, panel)
    assert sitk.ReadImage(str(tmp_path / "B_ct.nrrd")).GetSpacing()[0] == pytest.approx(8.0)


@pytest.fixture
def may_write(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Images are written once it is set."""
    allowed, write_image = threading.Event(), sitk.WriteImage

    def slowly(*arguments: Any, **options: Any) -> None:
        assert allowed.wait(60)
        write_image(*arguments, **options)

    monkeypatch.setattr(sitk, "WriteImage", slowly)
    return allowed


def test_while_a_case_is_written_the_window_goes_on_and_no_second_click_or_change_counts_for_it(
    host: Host, panel: Any, tmp_path: Path, may_write: threading.Event
) -> None:
    (volume, _lungs), (other, _others) = (add_patient(host, name, (6.0, 6.0, 20.0)) for name in ("A", "B"))
    before = host.slicer.util.arrayFromVolume(volume).copy()
    chosen = parameters(panel)
    chosen.dataSet, chosen.caseVolume = str(tmp_path), volume
    panel.ui.addCaseButton.click()
    for _time in range(5):
        host.slicer.app.processEvents()
    assert panel.ui.dataStatusLabel.text == "Writing A into the data set..."
    chosen.caseVolume = other
    assert not panel.ui.addCaseButton.enabled
    assert tool_tip(panel.ui.addCaseButton) == "A case is being written; wait until it is there."
    panel.dataPanel.onAddCase()
    panel.ui.caseNameLineEdit.text = "next"
    host.slicer.util.arrayFromVolume(volume)[:] = 0
    host.slicer.mrmlScene.RemoveNode(volume)
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
    may_write.set()
    host.wait(lambda: "A is a case of the data set now" in panel.ui.dataStatusLabel.text)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A_ct.nrrd", "A_lungs.seg.nrrd"]
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "A_ct.nrrd"))), before)
    assert (chosen.caseVolume, panel.ui.caseNameLineEdit.text) == (other, "next")
    assert panel.ui.addCaseButton.enabled


def test_a_case_that_was_written_while_another_module_was_open_is_not_chosen_for_the_next_one(
    host: Host, panel: Any, tmp_path: Path, may_write: threading.Event
) -> None:
    volume, lungs = add_patient(host, "A", (6.0, 6.0, 20.0))
    chosen = parameters(panel)
    chosen.dataSet, chosen.caseVolume = str(tmp_path), volume
    panel.ui.caseNameLineEdit.text = "today"
    panel.ui.addCaseButton.click()
    host.leaveModule(panel)
    may_write.set()
    host.wait(lambda: not panel.dataPanel._writing.running)
    host.enterModule(panel)
    assert panel.ui.dataStatusLabel.text.startswith("today is a case of the data set now")
    assert (chosen.caseVolume, chosen.caseSegmentation) == (None, None)
    assert not panel.ui.addCaseButton.enabled
    panel.ui.caseVolumeSelector.setCurrentNode(volume)  # by a person who wants it once more
    assert chosen.caseSegmentation is lungs


def test_a_file_that_comes_while_a_case_is_written_is_not_replaced(
    host: Host, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image, taken = sitk.WriteImage, tmp_path / "A_ct.nrrd"

    def too_late(*arguments: Any, **options: Any) -> None:
        write_image(*arguments, **options)
        taken.write_text("of somebody else", encoding="utf-8")

    chosen = parameters(panel)
    chosen.dataSet, chosen.caseVolume = str(tmp_path), add_patient(host, "A", (6.0, 6.0, 20.0))[0]
    monkeypatch.setattr(sitk, "WriteImage", too_late)
    add_case(host, panel)
    assert str(taken) in panel.ui.dataStatusLabel.text
    assert taken.read_text(encoding="utf-8") == "of somebody else"


def test_the_ct_that_was_corrected_meanwhile_is_proposed_with_its_lungs_and_a_case_that_was_looked_at_is_not(
    host: Host, panel: Any, data_set: Path
) -> None:
    from LungSegResNetTrainingWidgets.case_nodes import readerOfCase, showCase

    from LungSegResNetTrainingLib.data.data_set import list_data_set

    first, second = (add_patient(host, name, (size, size, 20.0)) for name, size in (("A", 6.0), ("B", 8.0)))
    chosen = parameters(panel)
    chosen.caseVolume = first[0]
    host.leaveModule(panel)
    layers = add_slice_view(host, second[0])
    host.enterModule(panel)
    assert (chosen.caseVolume, chosen.caseSegmentation) == second
    host.leaveModule(panel)
    layers.SetBackgroundVolumeID(showCase(readerOfCase(list_data_set(data_set).cases[0])()).GetID())
    host.enterModule(panel)
    assert (chosen.caseVolume, chosen.caseSegmentation) == second


def test_the_result_of_a_folder_run_is_proposed_as_a_case_and_a_case_of_the_data_set_is_not_where_none_is_chosen(
    host: Host, panel: Any, data_set: Path
) -> None:
    from LungSegResNetTrainingWidgets.case_nodes import readerOfCase, showCase
    from LungSegResNetWidgets import shown_cases, volume_nodes

    from LungSegResNetTrainingLib.data.data_set import list_data_set

    image, mask = Thorax().scan((6.0, 6.0, 20.0))
    chosen = parameters(panel)
    host.leaveModule(panel)
    layers = add_slice_view(host, showCase(readerOfCase(list_data_set(data_set).cases[0])()))
    host.enterModule(panel)
    assert (chosen.caseVolume, chosen.caseSegmentation) == (None, None)

    chosen.caseVolume = volume = add_volume(host, image, "Phantom")
    host.leaveModule(panel)
    ct, labels = volume_nodes.ctOf(volume), sitk.GetArrayFromImage(mask)
    result = shown_cases.addCase("files", ct, labels, "Batch", "Batch lungs")
    layers.SetBackgroundVolumeID(result.GetID())
    host.enterModule(panel)
    assert (chosen.caseVolume, chosen.caseSegmentation) == (result, shown_cases.lungsOfCase(result))


def test_disease_in_a_segment_of_its_own_is_not_lost_when_a_case_is_added(
    host: Host, panel: Any, tmp_path: Path
) -> None:
    from LungSegResNetWidgets import lung_segments

    image, mask = Thorax(consolidation=True).scan((6.0, 6.0, 10.0))
    volume = add_volume(host, image, "Dense")
    drawn = sitk.GetArrayFromImage(mask)
    dense = (drawn == 2) & (sitk.GetArrayFromImage(image) > -200)
    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lungs")
    lung_segments.placeWithVolume(segmentation, volume)
    lung_segments.writeLungs(segmentation, volume, np.where(dense, 0, drawn))
    disease = segmentation.GetSegmentation().AddEmptySegment("", "consolidation")
    host.slicer.util.updateSegmentBinaryLabelmapFromArray(dense.astype(np.uint8), segmentation, disease, volume)
    empty = segmentation.GetSegmentation().AddEmptySegment("", "empty")
    chosen = parameters(panel)
    chosen.dataSet, chosen.caseVolume, chosen.caseSegmentation = str(tmp_path), volume, segmentation
    panel.updateGui()
    add_case(host, panel)
    told = panel.ui.dataStatusLabel.text
    assert told.startswith(f"The segment 'consolidation' ({dense.sum() * 0.36:.0f} ml) lies within the lungs")
    assert told.endswith("If it is not lung, move it into another segmentation.")
    assert list(tmp_path.iterdir()) == []

    # A segment that is no disease, and one without a voxel, do no harm.
    for segment in (disease, empty):
        segmentation.GetSegmentation().GetSegment(segment).SetName("pleural effusion")
    add_case(host, panel)
    assert "Dense is a case of the data set now" in panel.ui.dataStatusLabel.text


def test_lungs_that_were_segmented_inside_of_a_box_only_become_a_case_after_a_yes(
    host: Host, panel: Any, tmp_path: Path
) -> None:
    from LungSegResNetWidgets.lung_segments import noteRoi

    volume, lungs = add_patient(host, "A", (6.0, 6.0, 20.0))
    noteRoi(lungs, "Upper half")
    chosen = parameters(panel)
    chosen.dataSet, chosen.caseVolume = str(tmp_path), volume
    for answer, files in ((False, 0), (True, 2)):
        host.answers.append(answer)
        add_case(host, panel)
        assert '"A lungs" were last segmented only inside the ROI "Upper half"' in host.questions[-1]
        assert len(list(tmp_path.iterdir())) == files


def test_a_segment_that_was_a_lung_before_it_was_renamed_is_not_written_as_one(host: Host, tmp_path: Path) -> None:
    from LungSegResNetTrainingWidgets.case_nodes import writeCase

    volume, lungs = add_patient(host, "A", (6.0, 6.0, 10.0))
    right = segment_array(host, lungs, "right_lung", volume)
    segments = lungs.GetSegmentation()
    own = segments.AddEmptySegment("", "right lung")
    segments.GetSegment("right_lung").SetName("bulla")
    host.slicer.util.updateSegmentBinaryLabelmapFromArray(right.astype(np.uint8), lungs, own, volume)
    bulla = right & (np.arange(len(right)) == len(right) // 2)[:, None, None]
    host.slicer.util.updateSegmentBinaryLabelmapFromArray(bulla.astype(np.uint8), lungs, "right_lung", volume)
    writeCase(volume, lungs, str(tmp_path), "A")
    written = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "A_lungs.seg.nrrd")))
    assert (written == 1).sum() == right.sum()


def test_a_case_of_a_volume_with_a_very_long_name_gets_a_shorter_one(host: Host, panel: Any, tmp_path: Path) -> None:
    from LungSegResNetWidgets import lung_segments

    image, mask = Thorax().scan((8.0, 8.0, 20.0))
    chosen = parameters(panel)
    chosen.dataSet, chosen.caseVolume = str(tmp_path), add_volume(host, image, "東京" * 150)
    chosen.caseSegmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    lung_segments.writeLungs(chosen.caseSegmentation, chosen.caseVolume, sitk.GetArrayFromImage(mask))
    panel.updateGui()
    add_case(host, panel)
    name = "東京" * 30
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}_ct.nrrd", f"{name}_lungs.seg.nrrd"}
    assert panel.ui.dataStatusLabel.text.startswith(f"{name} is a case of the data set now")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for file sizes")
def test_a_case_that_does_not_fit_on_the_disk_is_told_and_leaves_nothing(
    host: Host, panel: Any, tmp_path: Path
) -> None:
    import resource

    from LungSegResNetWidgets import lung_segments

    image, mask = Thorax().scan((4.0, 4.0, 20.0))
    volume = add_volume(host, image, "Large")
    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lungs")
    lung_segments.placeWithVolume(segmentation, volume)
    lung_segments.writeLungs(segmentation, volume, sitk.GetArrayFromImage(mask))
    chosen = parameters(panel)
    chosen.dataSet, chosen.caseVolume, chosen.caseSegmentation = str(tmp_path), volume, segmentation
    panel.updateGui()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # as on a full disk
    try:
        add_case(host, panel)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert f"{tmp_path / 'Large_ct.nrrd'} could not be written" in panel.ui.dataStatusLabel.text
    assert list(tmp_path.iterdir()) == []


def test_a_label_map_is_neither_offered_nor_taken_as_a_ct(host: Host, panel: Any, tmp_path: Path) -> None:
    from LungSegResNetTrainingWidgets.case_nodes import whyNoCase

    scene = host.slicer.mrmlScene
    add_volume(host, Thorax().scan((8.0, 8.0, 40.0))[0], "CT")
    others = [scene.AddNewNodeByClass(f"vtkMRML{kind}VolumeNode", kind) for kind in ("LabelMap", "Vector")]
    selector = panel.ui.caseVolumeSelector
    assert [selector.itemText(index) for index in range(selector.count)] == ["None", "CT"]
    for node in others:
        node.SetAndObserveImageData(vtk.vtkImageData())
        assert whyNoCase(node, None).startswith(f'"{node.GetName()}" is not a CT')


def test_lungs_of_another_ct_are_not_added_as_those_of_a_case(host: Host, panel: Any, tmp_path: Path) -> None:
    from LungSegResNetWidgets import lung_segments

    image, mask = Thorax().scan((6.0, 6.0, 40.0))
    first, second = add_volume(host, image, "First"), add_volume(host, Thorax().scan((8.0, 8.0, 40.0))[0], "Second")
    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lungs")
    lung_segments.placeWithVolume(segmentation, first)
    lung_segments.writeLungs(segmentation, first, sitk.GetArrayFromImage(mask))
    chosen = parameters(panel)
    chosen.dataSet, chosen.caseVolume, chosen.caseSegmentation = str(tmp_path), second, segmentation
    panel.updateGui()
    assert not panel.ui.addCaseButton.enabled
    sentence = tool_tip(panel.ui.addCaseButton)
    assert sentence.startswith('The segmentation "Lungs" has the lungs of the CT "First"')
    panel.dataPanel.onAddCase()
    assert panel.ui.dataStatusLabel.text == sentence
    assert list(tmp_path.iterdir()) == []
    host.slicer.mrmlScene.RemoveNode(first)
    panel.updateGui()
    assert panel.ui.addCaseButton.enabled


def test_a_transformed_ct_is_written_where_the_scanner_had_it(host: Host, panel: Any, tmp_path: Path) -> None:
    from LungSegResNetWidgets import lung_segments

    image, mask = Thorax().scan((6.0, 6.0, 40.0))
    volume = add_volume(host, image, "Moved")
    transform = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "Registration")
    moved = vtk.vtkTransform()
    moved.Translate(50, 0, 0)
    transform.SetMatrixTransformToParent(moved.GetMatrix())
    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lungs")
    lung_segments.placeWithVolume(segmentation, volume)
    lung_segments.writeLungs(segmentation, volume, sitk.GetArrayFromImage(mask))
    volume.SetAndObserveTransformNodeID(transform.GetID())
    chosen = parameters(panel)
    chosen.dataSet, chosen.caseVolume, chosen.caseSegmentation = str(tmp_path), volume, segmentation
    panel.updateGui()
    assert "different transform" in panel.ui.addCaseButton.toolTip
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    panel.updateGui()
    add_case(host, panel)
    written = sitk.ReadImage(str(tmp_path / "Moved_lungs.seg.nrrd"))
    np.testing.assert_allclose(written.GetOrigin(), mask.GetOrigin(), atol=1e-6)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(written), sitk.GetArrayFromImage(mask))
