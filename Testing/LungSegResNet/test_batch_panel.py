"""A folder of scans from the panel: real files, the real command line."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
from dicom_files import write_localizer, write_series
from mrml_data import parameters, rows_of, segment_array, tool_tip, wait_for_measurements
from slicer_host import Host
from synthetic_thorax import Thorax

ONE_FAILED = "2 segmented, 0 skipped (done already), 1 failed. Click a case to read why; Continue tries these again."


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder with a scan, one of two kernels in a DICOM folder of its own, and a file that is none."""
    folder = tmp_path / "scans"
    folder.mkdir()
    image, mask = Thorax().scan(spacing=(4.0, 4.0, 20.0))
    sitk.WriteImage(image, str(folder / "a.nrrd"))
    for kernel in ("B30f", "B70f"):
        write_series(folder / "ward" / "b", image, prefix=kernel, ConvolutionKernel=kernel)
    sitk.WriteImage(mask, str(tmp_path / "mask.nrrd"))
    (folder / "broken.nrrd").write_text("nothing of this kind", encoding="utf-8")
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def looked_through(host: Host, panel: Any, scans: Path, results: Path) -> Callable[[str], tuple[Any, Any]]:
    """The panel with the results of a, b and c, as a run leaves them; shows one, and returns its CT and lungs."""
    names = ("a", "b", "c")
    results.mkdir()
    for number, name in enumerate(names):
        for image, path in zip(Thorax().scan((6.0, 6.0, 20.0), seed=number), case_files(results, name), strict=True):
            sitk.WriteImage(image, str(path))
        ct, mask = map(str, case_files(results, name))
        told = {"position": "S 0.0 mm", "score": 0.5, "reason": "uncertain"}
        slices = [{"slice": n, "point_lps_mm": [1.0, 2.0, 20.0 * n], **told} for n in range(1, 3 + number)]
        summary = {"case": name, "status": "done", "input": ct, "outputs": [mask], "slices_to_check": slices}
        (results / f"{name}.summary.json").write_text(json.dumps(summary), encoding="utf-8")
    rows = "".join(f"{name},done,\n" for name in names)
    (results / "results.csv").write_text(f"case,status,error\n{rows}", encoding="utf-8")
    choose(host, panel, scans, results)

    def show(name: str) -> tuple[Any, Any]:
        show_row(host, panel, names.index(name))
        chosen = panel.logic.getParameterNode()
        return chosen.inputVolume, chosen.outputSegmentation

    return show


def show_row(host: Host, panel: Any, row: int) -> None:
    panel.ui.batchTable.cellDoubleClicked.emit(row, 0)
    host.wait(lambda: not panel.batchPanel._loading.running)


def case_files(results: Path, name: str) -> tuple[Path, Path]:
    """CT and lungs of a case of `looked_through`."""
    return results.parent / f"{name}_ct.nrrd", results / f"{name}.nrrd"


def shown_lungs(host: Host) -> list[str]:
    """Names of the segmentations that are visible."""
    nodes = host.slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return [node.GetName() for node in nodes if node.GetDisplayVisibility()]


def choose(host: Host, panel: Any, scans: Path, results: Path) -> None:
    panel.ui.batchCollapsibleButton.collapsed = False
    host.files += [str(scans), str(results)]
    panel.ui.batchInputButton.click()
    panel.ui.batchOutputButton.click()


def start_and_wait(host: Host, panel: Any) -> None:
    panel.ui.batchStartButton.click()
    assert panel.batchPanel.running
    host.wait(lambda: not panel.batchPanel.running)


def shown(panel: Any) -> dict[str, tuple[str, str]]:
    """Status and notes of each case in the table."""
    table = panel.ui.batchTable
    return {
        table.item(row, 0).text(): (table.item(row, 1).text(), table.item(row, 2).text())
        for row in range(table.rowCount)
    }


def test_what_is_missing_is_said(host: Host, panel: Any, scans: Path, results: Path) -> None:
    ui = panel.ui
    ui.batchCollapsibleButton.collapsed = False
    assert not ui.batchStartButton.enabled
    assert "folder with the scans" in ui.batchStatusLabel.text
    assert not ui.batchShowButton.enabled
    assert not ui.batchResultsButton.enabled
    ui.batchInputLineEdit.text = str(scans / "nowhere")
    assert "nowhere" in ui.batchStartButton.toolTip
    ui.batchInputLineEdit.text = str(scans)
    assert "results" in ui.batchStartButton.toolTip
    ui.batchOutputLineEdit.text = str(scans)
    assert "another one" in ui.batchStartButton.toolTip
    ui.batchOutputLineEdit.text = str(results)
    assert ui.batchStartButton.enabled
    host.files.append("")
    ui.batchOutputButton.click()
    assert ui.batchOutputLineEdit.text == str(results)


def test_every_scan_is_segmented_listed_shown_and_not_done_again(
    host: Host, panel: Any, scans: Path, results: Path, tmp_path: Path
) -> None:
    choose(host, panel, scans, results)
    panel.ui.batchFormatComboBox.currentIndex = 1
    start_and_wait(host, panel)
    cases = shown(panel)
    assert {name: status for name, (status, _notes) in cases.items()} == {
        "a": "done",
        "broken": "failed",
        "ward/b": "done",
    }
    assert "broken.nrrd" in cases["broken"][1]
    assert "was taken; left aside" in cases["ward/b"][1]
    assert (results / "ward" / "b.nii.gz").is_file()
    assert panel.ui.batchStatusLabel.text == ONE_FAILED
    assert host.main_window.statusBar().currentMessage() == f"LungSegResNet: {ONE_FAILED}"

    panel.ui.batchResultsButton.click()
    assert host.opened[-1] == str(results / "results.csv")
    assert len(list(csv.DictReader((results / "results.csv").open(encoding="utf-8")))) == 3

    names = list(cases)
    panel.ui.batchTable.selectRow(names.index("broken"))
    assert not panel.ui.batchShowButton.enabled
    panel.ui.batchTable.selectRow(names.index("ward/b"))
    panel.ui.batchShowButton.click()
    host.wait(lambda: not panel.batchPanel._loading.running)
    chosen = panel.logic.getParameterNode()
    assert chosen.inputVolume.GetName() == "ward/b"
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "mask.nrrd"))) == 2
    found = segment_array(host, chosen.outputSegmentation, "left_lung", chosen.inputVolume)
    assert 2 * (found & mask).sum() / (found.sum() + mask.sum()) > 0.85
    measured = rows_of(panel.ui.measurementsTable)
    with (results / "results.csv").open(encoding="utf-8") as file:
        row = {row["case"]: row for row in csv.DictReader(file)}["ward/b"]
    assert measured[0] == [f"{float(row[f'{lung} volume_ml']):.0f}" for lung in ("right lung", "left lung", "lungs")]
    panel.ui.measureButton.click()
    wait_for_measurements(host, panel)
    assert rows_of(panel.ui.measurementsTable) == measured

    assert panel.ui.batchStartButton.text == "Continue"
    start_and_wait(host, panel)
    assert shown(panel)["a"][0] == "already done"
    assert shown(panel)["ward/b"] == ("already done", cases["ward/b"][1])
    assert "2 skipped (done already)" in panel.ui.batchStatusLabel.text

    image = sitk.ReadImage(str(scans / "a.nrrd"))
    sitk.WriteImage(image + 50, str(scans / "a.nrrd"))
    show_row(host, panel, names.index("a"))
    assert panel.ui.measurementsLabel.text == "There are no measurements yet."  # the run measured other densities
    sitk.WriteImage(image, str(scans / "a.nrrd"))
    host.slicer.mrmlScene.Clear()
    show_row(host, panel, names.index("a"))
    assert panel.ui.measurementsLabel.text == "a"
    host.slicer.mrmlScene.Clear()

    labels = sitk.ReadImage(str(results / "a.nii.gz"))
    sitk.WriteImage(sitk.BinaryErode(labels > 0) * labels, str(results / "a.nii.gz"))
    show_row(host, panel, names.index("a"))
    assert panel.ui.measurementsLabel.text == "There are no measurements yet."  # the run measured other lungs

    (results / "a.nii.gz").unlink()
    panel.ui.batchTable.selectRow(0)
    panel.ui.batchShowButton.click()
    host.wait(lambda: not panel.batchPanel._loading.running)
    assert "a.nii.gz" in panel.ui.batchStatusLabel.text


def test_a_folder_without_a_ct_is_no_failure_and_has_nothing_to_show(
    host: Host, panel: Any, tmp_path: Path, results: Path
) -> None:
    image = Thorax().scan(spacing=(4.0, 4.0, 20.0))[0]
    write_series(tmp_path / "scans" / "ct", image)
    write_localizer(tmp_path / "scans" / "scout", image)
    choose(host, panel, tmp_path / "scans", results)
    start_and_wait(host, panel)
    assert panel.ui.batchStatusLabel.text == "1 segmented, 0 skipped (done already), 0 failed. 1 without CT."
    cases = shown(panel)
    assert cases["scout"][0] == "no CT"
    assert "only CT (localizer)" in cases["scout"][1]
    panel.ui.batchTable.selectRow(list(cases).index("scout"))
    assert not panel.ui.batchShowButton.enabled
    assert tool_tip(panel.ui.batchShowButton) == "scout is not a CT."
    assert panel.ui.batchStartButton.text == "Look for new scans"


def test_a_warning_about_the_whole_run_stays_in_its_line(host: Host, panel: Any, tmp_path: Path) -> None:
    image = Thorax().scan(spacing=(4.0, 4.0, 20.0))[0]
    results = tmp_path / "scans" / "results"
    results.mkdir(parents=True)
    for path in (tmp_path / "scans" / "a.nrrd", results / "lost.nrrd"):
        sitk.WriteImage(image, str(path))
    choose(host, panel, tmp_path / "scans", results)
    start_and_wait(host, panel)
    first, warning = panel.ui.batchStatusLabel.text.split("\n")
    assert first == "1 segmented, 0 skipped (done already), 0 failed."
    assert panel.ui.batchStartButton.text == "Look for new scans"
    assert warning.startswith(f"The folder for results holds 1 scan ({results / 'lost.nrrd'})")


def test_cases_that_are_only_looked_at_leave_the_scene_with_the_next_one(
    host: Host, looked_through: Callable[[str], tuple[Any, Any]], results: Path
) -> None:
    views = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    for name in ("a", "b", "c", "a"):
        case = looked_through(name)
        assert (case[0].GetName(), shown_lungs(host)) == (name, [f"{name} lungs"])
        assert views.GetBackgroundVolumeID() == case[0].GetID()
        kinds = ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode")
        kinds += ("vtkMRMLScalarVolumeDisplayNode", "vtkMRMLSegmentationDisplayNode")
        assert [len(host.slicer.util.getNodesByClass(kind)) for kind in kinds] == [1, 1, 1, 1]
    assert looked_through("a") == case  # not loaded again
    _ct, mask = case_files(results, "a")
    corrected = sitk.ReadImage(str(mask)) * 0
    sitk.WriteImage(corrected, str(mask))
    _volume, lungs = looked_through("a")
    assert shown_lungs(host) == [lungs.GetName()]
    assert not segment_array(host, lungs, "left_lung", _volume).any()


def test_a_case_is_shown_with_its_slices_to_check_and_leaves_with_them_also_when_it_was_measured(
    host: Host, panel: Any, looked_through: Callable[[str], tuple[Any, Any]], results: Path
) -> None:
    crosshair = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    looked_through("a")
    assert panel.ui.checkTable.rowCount == 2
    panel.ui.checkTable.cellClicked.emit(1, 0)
    assert crosshair.GetCrosshairRAS() == pytest.approx([-1.0, -2.0, 40.0])
    panel.ui.measureButton.click()
    wait_for_measurements(host, panel)
    assert panel.ui.measurementsTable.rowCount > 0
    looked_through("b")
    assert panel.ui.checkTable.rowCount == 3
    assert panel.ui.measurementsTable.rowCount == 0
    assert [node.GetName() for node in host.slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")] == ["b"]
    assert [node.GetName() for node in host.slicer.util.getNodesByClass("vtkMRMLTableNode")] == ["b slices to check"]
    looked_through("b")
    assert len(host.slicer.util.getNodesByClass("vtkMRMLTableNode")) == 1


def edit(host: Host, volume: Any, lungs: Any) -> None:
    with host.slicer.util.NodeModify(lungs):
        array = segment_array(host, lungs, "left_lung", volume).astype("uint8")
        array[:2] = 0
        host.slicer.util.updateSegmentBinaryLabelmapFromArray(array, lungs, "left_lung", volume)


def add_segment(host: Host, volume: Any, lungs: Any) -> None:
    lungs.GetSegmentation().AddEmptySegment("nodule")


def choose_in_segment_editor(host: Host, volume: Any, lungs: Any) -> None:
    editor = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    editor.SetAndObserveSegmentationNode(lungs)


def lay_over_another_ct(host: Host, volume: Any, lungs: Any) -> None:
    composite = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    composite.SetForegroundVolumeID(volume.GetID())


def rename(host: Host, volume: Any, lungs: Any) -> None:
    volume.SetName("For the conference")


def crop(host: Host, volume: Any, lungs: Any) -> None:
    host.slicer.util.arrayFromVolume(volume)[:2] = -1000
    volume.GetImageData().Modified()


def register(host: Host, volume: Any, lungs: Any) -> None:
    transform = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    for node in (volume, lungs):
        node.SetAndObserveTransformNodeID(transform.GetID())


@pytest.mark.parametrize(
    "use", [edit, add_segment, choose_in_segment_editor, lay_over_another_ct, rename, crop, register]
)
def test_a_case_that_a_person_made_something_of_stays_and_is_hidden(
    host: Host,
    looked_through: Callable[[str], tuple[Any, Any]],
    use: Callable[[Host, Any, Any], None],
) -> None:
    volume, lungs = case = looked_through("a")
    use(host, volume, lungs)
    looked_through("b")
    looked_through("c")
    assert shown_lungs(host) == ["c lungs"]
    assert len(host.slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 2
    assert looked_through("a") == case
    assert shown_lungs(host) == ["a lungs"]


def test_an_error_that_nobody_foresaw_while_a_case_is_read_is_told(
    panel: Any, looked_through: Callable[[str], tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_ct(*_: Any, **__: Any) -> None:
        raise ValueError("out of luck")

    monkeypatch.setattr("LungSegResNetLib.files.reading.read_ct", read_ct)
    looked_through("a")
    assert panel.ui.batchStatusLabel.text.startswith("a could not be shown (ValueError: out of luck)")


@pytest.mark.parametrize("what", ["scene", "module", "run"])
def test_while_a_case_is_read_the_window_goes_on_and_it_comes_into_no_other_scene_or_module_and_no_run(
    host: Host,
    panel: Any,
    ct: Any,
    looked_through: Callable[[str], tuple[Any, Any]],
    what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from LungSegResNetLib.files import reading

    go_on, read_ct = threading.Event(), reading.read_ct

    def slowly(*arguments: Any, **options: Any) -> Any:
        assert go_on.wait(60)
        return read_ct(*arguments, **options)

    monkeypatch.setattr(reading, "read_ct", slowly)
    panel.ui.batchTable.selectRow(0)
    panel.ui.batchShowButton.click()
    assert panel.ui.batchStatusLabel.text == "Loading a..."
    assert parameters(panel).inputVolume is ct
    if what == "scene":
        host.slicer.mrmlScene.Clear(False)
    elif what == "module":
        host.leaveModule(panel)
    else:
        panel.ui.segmentButton.click()
    go_on.set()
    end = time.monotonic() + 0.5
    host.wait(lambda: time.monotonic() > end and not panel.batchPanel._loading.running)
    volumes = host.slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert [node.GetName() for node in volumes] == ([] if what == "scene" else ["Phantom"])
    if what == "module":
        host.enterModule(panel)
    assert "Loading" not in panel.ui.batchStatusLabel.text
    if what == "run":
        panel.ui.cancelButton.click()


def test_no_case_takes_the_place_of_the_ct_that_is_being_segmented(
    host: Host, panel: Any, ct: Any, scans: Path, results: Path
) -> None:
    results.mkdir()
    (results / "results.csv").write_text("case,status,error\na,done,\n", encoding="utf-8")
    choose(host, panel, scans, results)
    panel.ui.batchTable.selectRow(0)
    assert panel.ui.batchShowButton.enabled
    panel.ui.segmentButton.click()
    assert not panel.ui.batchShowButton.enabled
    sentence = "Another CT is being segmented; look at this case when that is done."
    assert tool_tip(panel.ui.batchShowButton) == sentence
    panel.ui.batchTable.cellDoubleClicked.emit(0, 0)
    assert panel.ui.batchStatusLabel.text == sentence
    assert panel.logic.getParameterNode().inputVolume is ct
    panel.ui.cancelButton.click()
    assert panel.ui.batchShowButton.enabled


def test_a_case_can_be_shown_while_the_panel_is_locked_for_another_reason_than_a_run(
    host: Host, panel: Any, scans: Path, results: Path
) -> None:
    results.mkdir()
    (results / "results.csv").write_text("case,status,error\na,done,\n", encoding="utf-8")
    choose(host, panel, scans, results)
    panel.ui.inputsCollapsibleButton.enabled = False
    panel.ui.batchTable.selectRow(0)
    assert panel.ui.batchShowButton.enabled


def test_scans_are_segmented_whole_and_as_one_segment_where_that_is_chosen(
    host: Host, panel: Any, tmp_path: Path, results: Path
) -> None:
    roi = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Box")
    panel.ui.roiSelector.setCurrentNode(roi)
    panel.ui.segmentsComboBox.currentIndex = 1
    (tmp_path / "scans").mkdir()
    sitk.WriteImage(Thorax().scan((4.0, 4.0, 20.0))[0], str(tmp_path / "scans" / "a.nrrd"))
    choose(host, panel, tmp_path / "scans", results)
    note = 'Whole scans are segmented: the ROI "Box" is not used for a folder.'
    assert panel.ui.batchStatusLabel.text == f"Ready.\n{note}"
    start_and_wait(host, panel)
    assert panel.ui.batchStatusLabel.text == f"1 segmented, 0 skipped (done already), 0 failed.\n{note}"
    panel.ui.roiSelector.setCurrentNode(None)
    assert note not in panel.ui.batchStatusLabel.text
    show_row(host, panel, 0)
    segments = parameters(panel).outputSegmentation.GetSegmentation()
    assert list(segments.GetSegmentIDs()) == ["lungs"]
    measured = rows_of(panel.ui.measurementsTable)
    panel.ui.measureButton.click()
    wait_for_measurements(host, panel)
    assert [len(row) for row in measured] == [1] * 12
    assert rows_of(panel.ui.measurementsTable) == measured


def test_news_of_a_case_change_its_own_row_only(host: Host, panel: Any) -> None:
    def tell(name: str, status: str, number: int) -> None:
        event = {"event": "case", "case": name, "status": status, "error": "", "number": number, "total": 3}
        panel.batchPanel._onEvent(event)

    panel.batchPanel._show({})  # as at the start of a run
    tell("a", "already done", 1)
    role = host.qt.Qt.UserRole
    panel.ui.batchTable.item(0, 0).setData(role, "not made anew")
    tell("b", "running", 2)
    assert panel.ui.batchBar.value == 100
    tell("b", "done", 2)
    assert (panel.ui.batchBar.value, panel.ui.batchBar.maximum) == (200, 300)
    assert shown(panel) == {"a": ("already done", ""), "b": ("done", "")}
    assert panel.ui.batchTable.item(0, 0).data(role) == "not made anew"


@pytest.mark.parametrize("way", ["stop", "quit"])
def test_a_run_that_is_stopped_leaves_no_unfinished_file_and_can_go_on(
    host: Host, scans: Path, results: Path, way: str
) -> None:
    panel = host.openModule("LungSegResNet")
    choose(host, panel, scans, results)
    panel.ui.batchStartButton.click()
    assert panel.ui.batchStopButton.visible
    assert panel.parent.focusWidget() == panel.ui.batchStopButton
    assert not panel.ui.batchInputLineEdit.enabled
    host.wait(lambda: bool(shown(panel)))
    # Closing the scene is no reason to stop a run that does not need it.
    host.slicer.mrmlScene.Clear(False)
    assert panel.batchPanel.running
    if way == "stop":
        panel.ui.batchStopButton.click()
        assert panel.ui.batchStatusLabel.text.startswith("Stopped")
        assert panel.ui.batchStartButton.visible
        assert panel.ui.batchOutputLineEdit.text == str(results)
        panel.ui.batchStartButton.click()
        assert not panel.batchPanel.running
        assert "still ending" in panel.ui.batchStatusLabel.text
        host.wait(lambda: panel.ui.batchStartButton.click() or panel.batchPanel.running, 10)
        host.closeModule(panel)
    else:
        host.closeModule(panel)
    assert not panel.batchPanel.running
    for path in results.rglob("*.seg.nrrd"):
        assert sitk.ReadImage(str(path)).GetSize()[2] > 0


def test_scans_that_a_stopped_run_never_came_to_are_not_taken_for_done_also_the_next_day(
    host: Host, panel: Any, tmp_path: Path, results: Path
) -> None:
    scans = tmp_path / "three"
    scans.mkdir()
    for name in ("a", "b", "c"):
        sitk.WriteImage(Thorax().scan((4.0, 4.0, 20.0))[0], str(scans / f"{name}.nrrd"))
    choose(host, panel, scans, results)
    panel.ui.batchStartButton.click()
    host.wait(lambda: any(status == "done" for status, _notes in shown(panel).values()))
    panel.ui.batchStopButton.click()
    assert {status for status, _notes in shown(panel).values()} == {"done"}
    assert len(shown(panel)) < 3
    assert panel.ui.batchStartButton.text == "Continue"
    host.leaveModule(panel)
    again = host.openModule("LungSegResNet")
    again.ui.batchCollapsibleButton.collapsed = False
    assert again.ui.batchOutputLineEdit.text == str(results)
    assert again.ui.batchStartButton.text == "Continue"
    host.wait(lambda: again.ui.batchStartButton.click() or again.batchPanel.running, 10)
    host.wait(lambda: not again.batchPanel.running)
    assert len(shown(again)) == 3
    assert again.ui.batchStartButton.text == "Look for new scans"
    host.closeModule(again)


def test_folders_that_are_typed_are_those_that_slicer_sees(
    host: Host, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans").mkdir()
    panel.ui.batchCollapsibleButton.collapsed = False
    panel.ui.batchInputLineEdit.text, panel.ui.batchOutputLineEdit.text = "scans", "results"
    start_and_wait(host, panel)  # in a process that works in another folder
    assert panel.ui.batchStatusLabel.text.startswith("There is no CT")
    assert str(tmp_path / "scans") in panel.ui.batchStatusLabel.text


def test_a_folder_without_scans_is_an_error_in_one_sentence(
    host: Host, panel: Any, tmp_path: Path, results: Path
) -> None:
    (tmp_path / "empty").mkdir()
    choose(host, panel, tmp_path / "empty", results)
    start_and_wait(host, panel)
    assert "There is no CT" in panel.ui.batchStatusLabel.text
    assert panel.ui.batchStartButton.enabled


def test_the_whole_note_of_the_case_that_is_clicked_is_told_below_the_news(
    host: Host, panel: Any, scans: Path, results: Path
) -> None:
    results.mkdir()
    reason = "It is not a CT, since its values are those of a picture; choose another file."
    (results / "results.csv").write_text(f'case,status,error\na,failed,"{reason}"\nb,done,\n', encoding="utf-8")
    choose(host, panel, scans, results)
    panel.ui.batchTable.selectRow(0)
    assert panel.ui.batchStatusLabel.text == f"Ready.\na: {reason}"
    panel.ui.batchTable.selectRow(1)
    assert panel.ui.batchStatusLabel.text == "Ready."


def test_the_note_of_a_chosen_case_is_that_of_now_also_while_a_run_goes_on(
    host: Host, panel: Any, scans: Path, results: Path
) -> None:
    choose(host, panel, scans, results)
    panel.ui.batchStartButton.click()
    host.wait(lambda: "broken" in shown(panel))
    panel.ui.batchTable.selectRow(list(shown(panel)).index("broken"))
    host.wait(lambda: shown(panel)["broken"][0] == "failed")
    news, note = panel.ui.batchStatusLabel.text.split("\n")
    assert news.startswith("Segmenting")
    assert note == f"broken: {shown(panel)['broken'][1]}"
    host.wait(lambda: not panel.batchPanel.running)
    assert panel.ui.batchStatusLabel.text.split("\n")[0] == ONE_FAILED


@pytest.mark.parametrize(
    ("separator", "encoding"), [(",", "utf-8"), (",", "utf-8-sig"), (";", "utf-8-sig"), ("\t", "utf-8-sig")]
)
def test_a_table_that_a_spreadsheet_has_saved_is_still_listed(
    host: Host, panel: Any, scans: Path, results: Path, separator: str, encoding: str
) -> None:
    results.mkdir()
    rows = (["case", "status", "error"], ["a", "failed", "It is not a CT."], ["b", "done", ""])
    table = "".join(separator.join(row) + "\r\n" for row in rows)
    (results / "results.csv").write_bytes(table.encode(encoding))
    choose(host, panel, scans, results)
    assert shown(panel) == {"a": ("failed", "It is not a CT."), "b": ("done", "")}


def test_folders_and_results_are_found_again_after_saving_and_loading_the_scene(
    host: Host, panel: Any, scans: Path, results: Path, tmp_path: Path
) -> None:
    results.mkdir()
    (results / "results.csv").write_text("case,status,error\na,failed,It is not a CT.\n", encoding="utf-8")
    choose(host, panel, scans, results)
    panel.ui.batchFormatComboBox.currentIndex = 1
    scene = host.slicer.mrmlScene
    scene.SetURL(str(tmp_path / "scene.mrml"))
    assert scene.Commit()
    scene.Clear(False)
    choose(host, panel, tmp_path, tmp_path / "elsewhere")
    panel.ui.batchFormatComboBox.currentIndex = 0
    assert shown(panel) == {}
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Connect()
    assert panel.ui.batchInputLineEdit.text == str(scans)
    assert panel.ui.batchFormatComboBox.currentText == "nii.gz"
    assert shown(panel) == {"a": ("failed", "It is not a CT.")}


def test_folders_that_change_while_packages_are_installed_are_read_again(
    host: Host, panel: Any, scans: Path, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requirements.txt").write_text("lungsegresnet-not-there>=2\n", encoding="utf-8")
    monkeypatch.setattr(panel, "resourcePath", lambda name: str(tmp_path / name))
    choose(host, panel, scans, results)
    monkeypatch.setattr(
        host.slicer.util, "pip_install", lambda arguments: setattr(panel.ui.batchInputLineEdit, "text", "gone")
    )
    host.answers.append(True)
    panel.ui.batchStartButton.click()
    assert not panel.batchPanel.running
    assert panel.ui.batchStatusLabel.text == "There is no folder gone."


def test_what_the_system_refuses_at_the_start_is_told_in_a_sentence(
    host: Host, panel: Any, scans: Path, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "resourcePath", lambda name: str(tmp_path / name))
    choose(host, panel, scans, results)
    panel.ui.batchStartButton.click()
    assert panel.ui.batchStatusLabel.text.startswith("It could not be started (No such file or directory);")
    assert panel.ui.batchStartButton.visible


def test_the_results_of_a_run_are_shown_though_another_scene_was_loaded_meanwhile(
    host: Host, panel: Any, scans: Path, results: Path, tmp_path: Path
) -> None:
    scene = host.slicer.mrmlScene
    scene.SetURL(str(tmp_path / "scene.mrml"))
    assert scene.Commit()
    choose(host, panel, scans, results)
    panel.ui.batchStartButton.click()
    host.leaveModule(panel)
    scene.Clear(False)
    scene.Connect()
    host.wait(lambda: not panel.batchPanel.running)
    host.enterModule(panel)
    assert panel.ui.batchOutputLineEdit.text == str(results)
    assert panel.ui.batchStatusLabel.text == ONE_FAILED
    assert set(shown(panel)) == {"a", "ward/b", "broken"}
