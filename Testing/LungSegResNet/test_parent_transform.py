"""CTs as Slicer's DICOM import leaves them where slices are not where a regular grid has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import vtk
from mrml_data import parameters, put_under_acquisition_transform, run_to_the_end, tool_tip
from slicer_host import Host

HARDEN = "which is not linear and moves it by up to 20.0 mm. Harden it"


def moved(volume: Any, *, gap: float = 0.0, rounding: float = 0.0, tilt: float = 0.0) -> np.ndarray:
    """Steps of the slices (slices, 3) in mm: a gap in the middle, positions that were rounded, a tilted gantry."""
    slices = volume.GetImageData().GetDimensions()[2]
    steps = np.zeros((slices, 3))
    steps[slices // 2 :, 2] += gap
    steps[:, 2] += rounding * np.random.default_rng(0).uniform(-1, 1, slices)
    steps[:, 1] += np.linspace(0, tilt, slices)
    return steps


def test_a_transform_of_a_fraction_of_a_voxel_is_not_worth_a_word(host: Host, ct: Any, panel: Any) -> None:
    put_under_acquisition_transform(host, ct, moved(ct, rounding=0.05))
    panel.updateGui()
    assert panel.ui.statusLabel.text == "Ready."
    run_to_the_end(host, panel)
    assert "transform" not in panel.ui.statusLabel.text
    assert tool_tip(panel.ui.editButton) == "Correct the lungs in the module Segment Editor."


@pytest.mark.parametrize("kind", ["gap", "tilt"])
def test_a_transform_that_segment_editor_would_not_follow_is_told_before_a_run_and_ever_after(
    host: Host, ct: Any, panel: Any, kind: str
) -> None:
    transform = put_under_acquisition_transform(host, ct, moved(ct, **{kind: 20.0}))
    panel.updateGui()
    ready, sentence = panel.ui.statusLabel.text.split("\n")
    assert ready == "Ready."
    assert sentence.startswith(f'The CT is under the transform "{transform.GetName()}", {HARDEN}')
    run_to_the_end(host, panel)
    assert panel.ui.statusLabel.text.startswith("Done: ")
    assert panel.ui.statusLabel.text.endswith(f"\n{sentence}")
    assert tool_tip(panel.ui.editButton).endswith(sentence)
    host.leaveModule(panel)
    for node in (ct, panel.logic.getParameterNode().outputSegmentation):
        assert node.HardenTransform()
    host.enterModule(panel)
    assert "transform" not in panel.ui.statusLabel.text
    assert tool_tip(panel.ui.editButton) == "Correct the lungs in the module Segment Editor."


def test_how_far_a_transform_is_from_a_linear_one_and_from_none(host: Host, ct: Any) -> None:
    from LungSegResNetWidgets.parent_transform import ParentTransform

    found = ParentTransform.of(ct)
    assert (found.bendMm, found.shiftMm) == (0, 0)
    np.testing.assert_array_equal(found.toWorld, np.eye(4))
    put_under_acquisition_transform(host, ct, moved(ct, tilt=30.0))
    found = ParentTransform.of(ct)
    assert (found.bendMm, found.shiftMm) == pytest.approx((0, 30), abs=1e-6)
    steps = moved(ct, gap=30.0)
    put_under_acquisition_transform(host, ct, steps)
    found = ParentTransform.of(ct)
    slices = np.arange(len(steps))
    straight = np.polyval(np.polyfit(slices, steps[:, 2], 1), slices)
    assert found.bendMm == pytest.approx(np.abs(steps[:, 2] - straight).max())
    assert found.shiftMm == pytest.approx(30)


def test_a_transform_that_is_put_on_moved_or_hardened_shows_while_the_panel_is_open(
    host: Host, done: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slicer, chosen = host.slicer, parameters(done)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Registration")
    chosen.inputVolume.SetAndObserveTransformNodeID(transform.GetID())
    slicer.app.processEvents()
    assert "different transform" in done.ui.segmentButton.toolTip
    assert "Registration" in done.ui.measurementsLabel.text
    chosen.outputSegmentation.SetAndObserveTransformNodeID(transform.GetID())
    slicer.app.processEvents()
    assert done.ui.segmentButton.enabled
    updates: list[str] = []
    monkeypatch.setattr(done, "updateGui", lambda *_: updates.append(""))
    for step in range(20):
        moved = vtk.vtkTransform()
        moved.Translate(step + 1.0, 0, 0)
        transform.SetMatrixTransformToParent(moved.GetMatrix())
    assert updates == []
    slicer.app.processEvents()
    assert len(updates) == 1
    monkeypatch.undo()
    for node in (chosen.inputVolume, chosen.outputSegmentation):
        node.HardenTransform()
    slicer.app.processEvents()
    assert done.ui.measurementsLabel.text == "Phantom"
