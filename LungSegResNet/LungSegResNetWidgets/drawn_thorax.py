"""A thorax that is drawn, for the module's self-test: nothing has to be downloaded."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer


def makeThorax(lungs: bool = True) -> tuple[Any, np.ndarray]:
    """A coarse thorax of ellipses as volume node, and its label array (k, j, i): 1 right, 2 left lung."""
    z, y, x = np.meshgrid(
        np.arange(-10, 10) * 10.0, np.arange(-75, 75) * 2.0, np.arange(-100, 100) * 2.0, indexing="ij"
    )
    hu = np.where((x / 175) ** 2 + (y / 115) ** 2 < 1, 45, -1000).astype(np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    for lung, side in ((1, 1), (2, -1)):
        # Array columns run to the patient's right here (RAS).
        inside = ((x - side * 75) / 55) ** 2 + (y / 80) ** 2 + (z / 95) ** 2 < 1
        labels[inside] = lung
    if lungs:
        hu[labels > 0] = -850
    volumeNode = slicer.util.addVolumeFromArray(hu, name="Thorax")
    volumeNode.SetSpacing(2.0, 2.0, 10.0)
    return volumeNode, labels
