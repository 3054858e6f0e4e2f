"""Volumes of the scene as the library takes them, on real MRML."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_data import add_volume
from slicer_host import Host
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume


@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0, 0, 0, 1), (0, 0, 1, -1, 0, 0, 0, -1, 0)])
def test_a_ct_comes_back_from_the_scene_voxel_by_voxel_for_any_orientation(
    host: Host, direction: tuple[float, ...]
) -> None:
    from LungSegResNetWidgets.volume_nodes import addVolume, ctOf, onCtAxes

    image, mask = Thorax().scan(spacing=(6.0, 6.0, 9.0), direction=direction)
    ct = CTVolume.from_sitk(image, "Turned")
    volume = add_volume(host, image, "Turned")
    for found in (ctOf(volume), ctOf(addVolume(ct, "Axial"))):
        np.testing.assert_array_equal(found.hu, ct.hu)
        np.testing.assert_allclose(found.geometry.origin, ct.geometry.origin)
        np.testing.assert_allclose(found.geometry.steps, ct.geometry.steps)
    labels = onCtAxes(volume, sitk.GetArrayFromImage(mask))
    np.testing.assert_array_equal(labels, CTVolume.from_sitk(mask, "Turned").hu)
