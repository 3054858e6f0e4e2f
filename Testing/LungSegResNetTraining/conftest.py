"""The training module on Slicer's real scene."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
from network_files import seen_network, write_network
from slicer_host import Host
from synthetic_thorax import Thorax

# Coarse voxels and small slices: a step of training takes a fraction of a second.
SPACING = (4.0, 4.0, 20.0)
SLICE_SHAPE = (48, 64)


@pytest.fixture
def panel(host: Host) -> Iterator[Any]:
    """The open panel."""
    host.slicer.mrmlScene.Clear(False)
    host.qt.QSettings().clear()
    host.loadModule("LungSegResNet")
    widget = host.openModule("LungSegResNetTraining")
    clear_choices(widget)
    yield widget
    host.closeModule(widget)
    if host.slicer.modules.lungsegresnet.widget:  # made by "Use this network"
        host.closeModule(host.slicer.modules.lungsegresnet.widget)
    clear_choices(widget)


def clear_choices(widget: Any) -> None:
    """What outlives a scene does not outlive a test."""
    parameters = widget.logic.getParameterNode()
    for name in ("dataSet", "runFolder", "startFile"):
        setattr(parameters, name, "")
    parameters.preset, parameters.startNetwork, parameters.device = "fine-tune", "shipped", "auto"
    parameters.steps = parameters.batchSize = 0
    parameters.validateEvery, parameters.includeDoubtful, parameters.workers = 50, False, -1


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """Three drawn patients, and one whose mask is missing."""
    folder = tmp_path / "data"
    write_cases(folder)
    sitk.WriteImage(Thorax().scan(SPACING)[0], str(folder / "alone_ct.nii.gz"))
    return folder


def write_cases(folder: Path) -> None:
    """Three pairs of CT and mask."""
    folder.mkdir()
    for number, name in enumerate(("anna", "bert", "cara")):
        for image, part in zip(Thorax().scan(SPACING, seed=number), ("ct", "lungs"), strict=True):
            sitk.WriteImage(image, str(folder / f"{name}_{part}.nii.gz"))


@pytest.fixture(scope="session")
def small_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network file with small slices, which a run that begins with it takes over."""
    path = tmp_path_factory.mktemp("network") / "small.safetensors"
    return write_network(path, seen_network(SLICE_SHAPE), SLICE_SHAPE, scales=(1,))
