"""The module on Slicer's real scene."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_data import add_volume, wait_for_measurements
from processes import kept_for_the_next_test
from slicer_host import Host
from synthetic_thorax import Thorax

# Few thick slices: the network needs a fraction of a second for each.
SPACING = (3.0, 3.0, 20.0)


@pytest.fixture
def panel(host: Host, quick_network: Path) -> Iterator[Any]:
    """The open panel, which segments with the quick network."""
    widget = host.openModule("LungSegResNet")
    widget.logic.getParameterNode().modelFile = str(quick_network)
    yield widget
    with kept_for_the_next_test():
        host.closeModule(widget)


@pytest.fixture
def thorax() -> tuple[sitk.Image, sitk.Image]:
    """CT and mask of the phantom."""
    return Thorax().scan(spacing=SPACING)


@pytest.fixture
def ct(host: Host, thorax: tuple[sitk.Image, sitk.Image]) -> Any:
    """The phantom as volume node."""
    return add_volume(host, thorax[0], "Phantom")


@pytest.fixture
def drawn(thorax: tuple[sitk.Image, sitk.Image]) -> np.ndarray:
    """Label array of the phantom (k, j, i): 1 right lung, 2 left lung."""
    return sitk.GetArrayFromImage(thorax[1])


@pytest.fixture
def done(host: Host, ct: Any, panel: Any, drawn: np.ndarray) -> Any:
    """The panel with lungs, without a run."""
    from LungSegResNetWidgets import lung_segments

    segmentation = host.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lungs")
    lung_segments.placeWithVolume(segmentation, ct)
    lung_segments.writeLungs(segmentation, ct, drawn)
    panel.ui.outputSelector.setCurrentNode(segmentation)
    panel.ui.measureButton.click()
    wait_for_measurements(host, panel)
    return panel


@pytest.fixture
def go_on(host: Host, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Measuring in the background ends only after this was set."""
    from LungSegResNetWidgets import background_measurement

    event, measurement = threading.Event(), background_measurement.measurementOf

    def slowly(*nodes: Any) -> Any:
        rows = measurement(*nodes)
        return lambda: event.wait(60) and rows()

    monkeypatch.setattr(background_measurement, "measurementOf", slowly)
    return event
