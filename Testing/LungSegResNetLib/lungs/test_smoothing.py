"""Smoothing: borders change, volumes and sides do not."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from synthetic_thorax import Thorax

from LungSegResNetLib.lungs.smoothing import smooth_lungs

SPACING = (5.0, 2.0, 2.0)


def rough_lungs() -> np.ndarray:
    """The phantom's lungs (1 right, 2 left) with a rugged border."""
    labels = sitk.GetArrayFromImage(Thorax().scan(spacing=SPACING[::-1])[1])
    rim = (labels > 0) & ~ndimage.binary_erosion(labels > 0)
    labels[rim & (np.random.default_rng(0).random(labels.shape) < 0.4)] = 0
    return labels


def border_faces(inside: np.ndarray) -> int:
    return sum(int(np.diff(inside.astype(np.int8), axis=axis).astype(bool).sum()) for axis in range(3))


def test_the_border_becomes_smoother_and_each_lung_keeps_its_voxels() -> None:
    labels = rough_lungs()
    smooth = smooth_lungs(labels, SPACING, 6.0)
    for lung in (1, 2):
        assert (smooth == lung).sum() == (labels == lung).sum()
        assert border_faces(smooth == lung) < 0.8 * border_faces(labels == lung)
    assert smooth.dtype == labels.dtype


def test_no_kernel_leaves_every_voxel() -> None:
    labels = rough_lungs()
    np.testing.assert_array_equal(smooth_lungs(labels, SPACING, 0.0), labels)
    assert not smooth_lungs(np.zeros((4, 20, 20), np.uint8), SPACING, 5.0).any()


def test_lungs_that_touch_stay_on_their_sides() -> None:
    labels = np.zeros((8, 40, 60), np.uint8)
    labels[:, 10:30, 10:30] = 1
    labels[:, 10:30, 30:50] = 2
    smooth = smooth_lungs(labels, (2.0, 2.0, 2.0), 8.0)
    assert not (smooth[..., 30:] == 1).any()
    assert not (smooth[..., :30] == 2).any()
    # Between the lungs no gap opens.
    assert (smooth[:, 15:25, 28:32] > 0).all()


def test_a_lung_that_the_scan_cuts_off_is_not_rounded_at_the_cut() -> None:
    labels = np.zeros((10, 40, 40), np.uint8)
    labels[:, 10:30, 10:30] = 1
    smooth = smooth_lungs(labels, (2.0, 2.0, 2.0), 8.0)
    assert abs(int((smooth[0] > 0).sum()) - int((smooth[5] > 0).sum())) < 8


def test_the_kernel_has_its_width_in_mm_along_every_axis() -> None:
    right = rough_lungs() == 1
    sigma_mm = 12.0 / np.sqrt(8.0 * np.log(2.0))
    blurred = ndimage.gaussian_filter(right.astype(float), [sigma_mm / mm for mm in SPACING], mode="nearest")
    expected = blurred >= np.sort(blurred, axis=None)[-np.count_nonzero(right)]
    smooth = smooth_lungs(right.astype(np.uint8), SPACING, 12.0) == 1
    assert np.count_nonzero(smooth ^ expected) < 0.002 * np.count_nonzero(right)
