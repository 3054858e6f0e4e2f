"""The list of slices to check on the real scene: it is that of the last run, and a click leads there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import vtk
from mrml_data import (
    add_slice_view,
    add_volume,
    parameters,
    run_to_the_end,
    save_scene,
    table_of,
    wait_for_measurements,
)
from slicer_host import Host

SLICES = [
    {"slice": 5, "position": "I 30.0 mm", "score": 0.2, "reason": "reason A", "point_lps_mm": [10.0, -20.0, -30.0]},
    {"slice": 3, "position": "I 70.0 mm", "score": 0.1, "reason": "reason B", "point_lps_mm": [11.0, -21.0, -70.0]},
]


def shown(panel: Any) -> list[list[str]]:
    table = panel.ui.checkTable
    return [[table.item(row, column).text() for column in range(3)] for row in range(table.rowCount)]


def add_view(host: Host, name: str) -> Any:
    """A slice view's node with its orientation: Axial, Sagittal or Coronal."""
    node = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", name)
    getattr(node, f"SetOrientationTo{name}")()
    return node


def list_slices(host: Host, panel: Any, volume: Any) -> Any:
    """The list of a run into a new segmentation, without the run; returns its node."""
    from LungSegResNetWidgets.check_panel import keepSlices

    lungs = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lungs")
    keepSlices(volume, lungs, SLICES)
    panel.ui.outputSelector.setCurrentNode(lungs)
    return table_of(panel, "slices to check")


def place_in(view: Any, point: list[float]) -> list[float]:
    """Column and row of a point of the scene in a view."""
    to_view = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(view.GetXYToRAS(), to_view)
    return list(to_view.MultiplyPoint((*point, 1.0))[:2])


@pytest.mark.parametrize("name", ["Axial", "Sagittal", "Coronal"])
def test_a_place_that_a_zoomed_view_does_not_show_is_brought_into_its_middle_and_one_that_it_shows_is_not(
    host: Host, ct: Any, name: str
) -> None:
    from LungSegResNetWidgets.slice_views import jumpToPoint

    view = add_view(host, name)
    view.SetMappedInLayout(1)
    view.SetDimensions(600, 400, 1)
    view.SetFieldOfView(60, 40, 1)
    before = place_in(view, [0.0, 0.0, 0.0])
    jumpToPoint(ct, [5.0, 5.0, 5.0])
    assert place_in(view, [0.0, 0.0, 0.0]) == pytest.approx(before)
    place = [-120.0, 60.0, 40.0]
    jumpToPoint(ct, place)
    assert place_in(view, place) == pytest.approx([300, 200], abs=1)
    assert list(view.GetFieldOfView())[:2] == [60, 40]


def test_before_a_run_the_panel_says_what_will_be_listed(panel: Any) -> None:
    assert not panel.ui.checkTable.visible
    assert "After a run" in panel.ui.checkLabel.text


def test_a_run_lists_slices_a_click_shows_them_under_the_transform_of_the_ct_and_undo_takes_the_list_away(
    host: Host, ct: Any, panel: Any
) -> None:
    transform = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "Registration")
    raised = vtk.vtkTransform()
    raised.Translate(0.0, 0.0, 25.0)
    transform.SetMatrixTransformToParent(raised.GetMatrix())
    ct.SetAndObserveTransformNodeID(transform.GetID())
    view = add_view(host, "Axial")

    run_to_the_end(host, panel)

    rows = shown(panel)
    assert 1 <= len(rows) <= 8
    for line, (number, position, reason) in enumerate(rows):
        panel.ui.checkTable.cellClicked.emit(line, 0)
        _r, _a, height = ct.GetOrigin()
        height += (int(number) - 1) * ct.GetSpacing()[2]
        assert view.GetSliceOffset() == pytest.approx(height + 25.0, abs=0.06)
        assert position == f"{'S' if height >= 0 else 'I'} {abs(height):.1f} mm"
        assert reason

    panel.ui.undoButton.click()
    wait_for_measurements(host, panel)
    assert shown(panel) == []
    assert table_of(panel, "slices to check") is None


def test_a_run_without_a_slice_to_check_empties_the_list(host: Host, ct: Any, panel: Any) -> None:
    from LungSegResNetWidgets.check_panel import keepSlices

    list_slices(host, panel, ct)
    keepSlices(ct, parameters(panel).outputSegmentation, [])
    panel.updateGui()
    assert shown(panel) == []
    assert "In no slice does the most doubtful place lie inside the ROI" in panel.ui.checkLabel.text


def test_the_news_of_a_run_without_a_slice_to_check_point_to_no_list(
    host: Host, ct: Any, done: Any, drawn: np.ndarray
) -> None:
    from LungSegResNetWidgets.frames import ShownFrame
    from LungSegResNetWidgets.segmentation_run import RunResult

    summary: Any = {"measurements": [], "slices": 16, "seconds": {"total": 3.0}, "why": "", "warnings": []}
    summary["model"] = {"name": "quick", "version": "1"}
    told = {}
    for listed in (1, 0):
        slices = [{"slice": 3, "position": "S", "score": 0.5, "reason": "A", "point_lps_mm": [0.0, 0.0, 0.0]}] * listed
        run = summary | {"slices_to_check": slices}
        told[listed] = done.onRunDone(RunResult(ct, parameters(done).outputSegmentation, run, None, ShownFrame(ct)))[0]
    assert "first at those listed below" in told[1]
    assert "Look at every slice." in told[0]


def test_a_click_moves_every_view_to_the_place(host: Host, ct: Any, panel: Any) -> None:
    list_slices(host, panel, ct)
    assert shown(panel) == [["5", "I 30.0 mm", "reason A"], ["3", "I 70.0 mm", "reason B"]]
    views = [add_view(host, name) for name in ("Sagittal", "Coronal", "Axial")]
    panel.ui.checkTable.cellClicked.emit(1, 2)
    # RAS: right and anterior are where left and posterior are negative.
    planes = [view.GetSliceToRAS().GetElement(axis, 3) for axis, view in enumerate(views)]
    assert planes == pytest.approx([-11.0, 21.0, -70.0])


def test_a_click_marks_the_place_with_the_crosshair_which_stays_as_the_user_has_it(
    host: Host, ct: Any, panel: Any
) -> None:
    list_slices(host, panel, ct)
    crosshair = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    panel.ui.checkTable.cellClicked.emit(1, 2)
    assert crosshair.GetCrosshairRAS() == pytest.approx([-11.0, 21.0, -70.0])
    assert crosshair.GetCrosshairMode() == crosshair.ShowSmallBasic
    crosshair.SetCrosshairMode(crosshair.ShowHashmarks)
    panel.ui.checkTable.cellClicked.emit(0, 0)
    assert crosshair.GetCrosshairRAS()[2] == pytest.approx(-30.0)
    assert crosshair.GetCrosshairMode() == crosshair.ShowHashmarks


def test_the_enter_key_shows_the_slice_of_the_chosen_row(host: Host, ct: Any, panel: Any) -> None:
    list_slices(host, panel, ct)
    view = add_view(host, "Axial")
    panel.ui.checkTable.setCurrentCell(1, 0)
    assert view.GetSliceOffset() != pytest.approx(-70.0)  # a look at the list moves nothing
    press = host.qt.QKeyEvent(host.qt.QEvent.KeyPress, host.qt.Qt.Key_Return, host.qt.Qt.NoModifier)
    host.qt.QApplication.sendEvent(panel.ui.checkTable, press)
    assert view.GetSliceOffset() == pytest.approx(-70.0)


def test_a_click_brings_the_ct_into_the_views_unless_they_show_it(
    host: Host, ct: Any, panel: Any, thorax: tuple[sitk.Image, sitk.Image]
) -> None:
    list_slices(host, panel, ct)
    other = add_volume(host, thorax[0], "Other")
    layers = [add_slice_view(host, other) for _view in range(2)]
    panel.ui.checkTable.cellClicked.emit(0, 0)
    assert [view.GetBackgroundVolumeID() for view in layers] == [ct.GetID()] * 2
    for view in layers:
        view.SetBackgroundVolumeID(other.GetID())
    layers[0].SetForegroundVolumeID(ct.GetID())
    layers[0].SetForegroundOpacity(0.5)
    panel.ui.checkTable.cellClicked.emit(0, 0)
    assert [view.GetBackgroundVolumeID() for view in layers] == [other.GetID()] * 2


def test_a_click_brings_the_ct_into_the_views_where_only_one_outside_of_the_layout_shows_it(
    host: Host, ct: Any, panel: Any, thorax: tuple[sitk.Image, sitk.Image]
) -> None:
    list_slices(host, panel, ct)
    seen = add_slice_view(host, add_volume(host, thorax[0], "Other"))
    add_slice_view(host, ct, is_in_layout=False)
    panel.ui.checkTable.cellClicked.emit(0, 0)
    assert seen.GetBackgroundVolumeID() == ct.GetID()


def test_a_transform_that_bends_is_followed_too(host: Host, ct: Any) -> None:
    from LungSegResNetWidgets.slice_views import jumpToPoint

    bending = vtk.vtkThinPlateSplineTransform()
    corners = [(x, y, z) for x in (-200, 200) for y in (-200, 200) for z in (-300, 100)]
    for points, lift in ((vtk.vtkPoints(), 0.0), (vtk.vtkPoints(), 40.0)):
        for corner in corners:
            points.InsertNextPoint(corner)
        points.InsertNextPoint(0.0, 0.0, -100.0 + lift)
        (bending.SetTargetLandmarks if lift else bending.SetSourceLandmarks)(points)
    bending.SetBasisToR()
    transform = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetAndObserveTransformToParent(bending)
    ct.SetAndObserveTransformNodeID(transform.GetID())
    view = add_view(host, "Axial")
    jumpToPoint(ct, (0.0, 0.0, -100.0))
    assert view.GetSliceOffset() == pytest.approx(-60.0, abs=0.1)


def test_the_list_of_one_ct_is_not_shown_with_another(
    host: Host, ct: Any, panel: Any, thorax: tuple[sitk.Image, sitk.Image]
) -> None:
    list_slices(host, panel, ct)
    other = add_volume(host, thorax[0], "Other")
    panel.ui.inputSelector.setCurrentNode(other)
    assert shown(panel) == []
    panel.ui.inputSelector.setCurrentNode(ct)
    assert len(shown(panel)) == 2


def test_each_segmentation_of_a_ct_has_the_list_of_its_own_run_and_none_when_it_is_gone(
    host: Host, ct: Any, panel: Any
) -> None:
    list_slices(host, panel, ct)
    first = parameters(panel).outputSegmentation
    panel.ui.outputSelector.setCurrentNode(None)
    assert shown(panel) == []
    run_to_the_end(host, panel)
    assert len(shown(panel)) > 0
    assert not any(reason in ("reason A", "reason B") for _number, _position, reason in shown(panel))
    panel.ui.outputSelector.setCurrentNode(first)
    assert [reason for _number, _position, reason in shown(panel)] == ["reason A", "reason B"]
    host.slicer.mrmlScene.RemoveNode(first)
    assert shown(panel) == []
    assert "After a run" in panel.ui.checkLabel.text


def test_the_list_survives_saving_and_loading_the_scene(host: Host, ct: Any, panel: Any, tmp_path: Path) -> None:
    scene = host.slicer.mrmlScene
    listed = list_slices(host, panel, ct)
    before = shown(panel)
    save_scene(host, tmp_path / "scene.mrml", (listed, "tsv"), (ct, "nrrd"))
    scene.Clear(False)
    assert shown(panel) == []
    scene.SetURL(str(tmp_path / "scene.mrml"))
    assert scene.Import()
    host.slicer.app.processEvents()
    assert shown(panel) == before
    view = add_view(host, "Axial")
    panel.ui.checkTable.cellClicked.emit(0, 0)
    assert view.GetSliceOffset() == pytest.approx(-30.0)
