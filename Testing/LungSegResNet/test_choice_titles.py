"""Choices have names in the user's language, and words in the parameter node that stay the same."""

from __future__ import annotations

from typing import Any

import pytest
from mrml_data import parameters
from slicer_host import Host

_GERMAN = {
    "CPU": "Prozessor",
    "fine-tune": "nachtrainieren",
    "own network file": "Datei",
    "current frame": "dieses Bild",
    "both lungs as one segment": "eines",
}


def entries(comboBox: Any) -> list[str]:
    return [comboBox.itemText(index) for index in range(comboBox.count)]


def test_names_are_translated_at_each_visit_and_what_is_kept_is_not(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LungSegResNetTrainingWidgets import train_panel
    from LungSegResNetWidgets import advanced_panel, choice_titles, run_panel

    for module in (advanced_panel, choice_titles, run_panel, train_panel):
        monkeypatch.setattr(module, "_", lambda text: _GERMAN.get(text, text))
    panel, training = host.openModule("LungSegResNet"), host.openModule("LungSegResNetTraining")
    for _visit in range(2):
        assert entries(panel.ui.engineComboBox) == ["automatic", "PyTorch", "OpenVINO"]
        assert entries(panel.ui.deviceComboBox)[3] == entries(training.ui.deviceComboBox)[3] == "Prozessor"
        assert entries(panel.ui.framesComboBox) == ["dieses Bild", "all frames"]
        assert entries(panel.ui.segmentsComboBox) == ["right lung and left lung", "eines"]
        assert entries(training.ui.presetComboBox) == ["nachtrainieren", "recommended", "paper"]
        assert entries(training.ui.startNetworkComboBox) == ["shipped network", "Datei", "nothing (random weights)"]
        for widget in (panel, training):
            host.leaveModule(widget)
            host.enterModule(widget)
    panel.ui.deviceComboBox.currentIndex = panel.ui.segmentsComboBox.currentIndex = 1
    training.ui.startNetworkComboBox.currentIndex = 1
    chosen = parameters(panel)
    assert (chosen.device, chosen.segments) == ("cuda", "one (lungs)")
    assert parameters(training).startNetwork == "file"
    chosen.device = "cpu"
    assert panel.ui.deviceComboBox.currentText == "Prozessor"
    parameters(training).startNetwork = "shipped"
    for widget in (panel, training):
        host.closeModule(widget)
