"""The module on Slicer's real scene: one host for all tests, an empty scene for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_data import add_volume
from slicer_host import Host, start
from synthetic_thorax import Thorax

os.environ["QT_QPA_PLATFORM"] = "offscreen"
# Few thick slices: the network needs a fraction of a second for each.
SPACING = (3.0, 3.0, 20.0)


@pytest.fixture(scope="session")
def running_host() -> Host:
    return start()


@pytest.fixture
def host(running_host: Host) -> Iterator[Host]:
    """The host with an empty scene; a question or file dialog that the test does not expect is an error."""
    running_host.slicer.mrmlScene.Clear(False)
    running_host.loadModule("LungSegResNet")
    for answers in (running_host.answers, running_host.questions, running_host.files, running_host.selected):
        answers.clear()
    yield running_host
    from LungSegResNetWidgets.worker_process import endKeptProcesses

    endKeptProcesses()  # as Slicer does when it quits; a test without a panel leaves one
    assert running_host.answers == []
    assert running_host.files == []
    running_host.slicer.mrmlScene.Clear(False)


@pytest.fixture
def panel(host: Host) -> Iterator[Any]:
    """The open panel."""
    widget = host.openModule("LungSegResNet")
    yield widget
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
