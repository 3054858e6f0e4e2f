"""The wrapper of the parameter node that both panels keep, because Slicer never frees one that was connected."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from mrml_data import parameters
from slicer_host import Host


@pytest.mark.parametrize("name", ["LungSegResNet", "LungSegResNetTraining"])
def test_one_wrapper_of_the_parameters_serves_all_visits_and_scenes(host: Host, name: str) -> None:
    panel = host.openModule(name)
    kind = type(parameters(panel))

    def wrappers() -> int:
        gc.collect()
        return sum(type(one) is kind for one in gc.get_objects())

    known = wrappers()
    for _ in range(3):
        host.leaveModule(panel)
        host.slicer.mrmlScene.Clear(False)
        host.enterModule(panel)
    assert wrappers() == known
    parameters(panel).device = "cpu"
    assert panel.ui.deviceComboBox.currentText == "CPU"
    panel.ui.deviceComboBox.currentIndex = 0
    assert parameters(panel).device == "auto"
    host.closeModule(panel)


@pytest.mark.parametrize("name", ["LungSegResNet", "LungSegResNetTraining"])
def test_a_change_is_written_into_the_widgets_as_often_after_many_visits_as_after_one(
    host: Host, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    panel = host.openModule(name)
    selector = panel.ui.inputSelector if name == "LungSegResNet" else panel.ui.caseVolumeSelector
    written: list[Any] = []

    def times() -> int:
        written.clear()
        parameters(panel).device = "cpu" if parameters(panel).device == "auto" else "auto"
        return len(written)

    write = selector.setCurrentNode
    monkeypatch.setattr(selector, "setCurrentNode", lambda node: (written.append(node), write(node)))
    once = times()
    for _ in range(5):
        host.leaveModule(panel)
        host.slicer.mrmlScene.Clear(False)
        host.enterModule(panel)
    assert times() == once > 0
    assert times() == once
    assert panel.ui.deviceComboBox.currentIndex >= 0
    parameters(panel).device = "auto"
    host.closeModule(panel)


@pytest.mark.parametrize("name", ["LungSegResNet", "LungSegResNetTraining"])
def test_a_visit_alone_changes_no_scene(host: Host, ct: Any, name: str) -> None:
    """Slicer would ask whether to save it."""
    panel = host.openModule(name)
    host.leaveModule(panel)
    node = panel.logic.getParameterNode().parameterNode
    before = node.GetMTime()
    host.enterModule(panel)
    host.leaveModule(panel)
    assert node.GetMTime() == before
    host.enterModule(panel)
    host.closeModule(panel)


@pytest.mark.parametrize(
    ("name", "known", "choice", "default"),
    [
        ("LungSegResNet", "batchSize", "segments", "right and left"),
        ("LungSegResNetTraining", "steps", "preset", "fine-tune"),
    ],
)
def test_a_scene_with_a_choice_of_a_later_version_opens_with_the_default(
    host: Host, name: str, known: str, choice: str, default: str
) -> None:
    panel = host.openModule(name)
    setattr(parameters(panel), known, 3)
    node = parameters(panel).parameterNode
    host.leaveModule(panel)
    node.SetParameter(choice, "of a later version")
    host.enterModule(panel)
    assert getattr(parameters(panel), choice) == default
    assert getattr(parameters(panel), known) == 3
    assert parameters(panel) is not None
    host.closeModule(panel)
