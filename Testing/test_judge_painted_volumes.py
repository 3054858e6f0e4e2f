"""What is painted into whole scans lies where it should, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from judge_painted_disease import FRONT_SOLID, LUNG_SOLID, TOO_LOW, WHITE
from judge_painted_volumes import painted
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume


@pytest.fixture(scope="module")
def scan() -> tuple[CTVolume, np.ndarray]:
    images = Thorax(noise=5.0).scan((3.0, 3.0, 40.0), (402.0, 300.0, 320.0))
    ct, labels = (CTVolume.from_sitk(image, "phantom") for image in images)
    return ct, labels.hu


def test_a_solid_lung_is_the_right_one_and_dense_everywhere(scan) -> None:
    ct, labels = scan
    hu = painted(ct, labels, LUNG_SOLID).hu
    assert (hu[labels == 1] > -200).mean() > 0.95
    np.testing.assert_array_equal(hu[labels == 2], ct.hu[labels == 2])


def test_the_front_of_a_lung_is_solid_and_its_back_as_it_was(scan) -> None:
    ct, labels = scan
    hu = painted(ct, labels, FRONT_SOLID).hu
    dense = (hu > -200) & (labels == 1)
    assert 0.3 < dense.sum() / (labels == 1).sum() < 0.8
    z = int(np.argmax((labels == 1).sum(axis=(1, 2))))
    rows = np.flatnonzero((labels[z] == 1).any(axis=1))
    assert dense[z, rows[2]].any()
    assert not dense[z, rows[-2]].any()


def test_nearly_white_lungs_are_both(scan) -> None:
    ct, labels = scan
    hu = painted(ct, labels, WHITE).hu
    assert hu[labels == 1].mean() == pytest.approx(-100, abs=60)
    assert hu[labels == 2].mean() == pytest.approx(-100, abs=60)


def test_values_that_are_too_low_are_so_everywhere(scan) -> None:
    ct, labels = scan
    np.testing.assert_array_equal(painted(ct, labels, TOO_LOW).hu, ct.hu - 100)
