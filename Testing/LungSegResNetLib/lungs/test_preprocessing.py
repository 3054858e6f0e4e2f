from __future__ import annotations

import numpy as np
import pytest
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.lungs.preprocessing import (
    Resampling,
    SliceFrame,
    body_box,
    frame_for,
    from_frame_matrices,
    scale_hu,
    to_frame_matrices,
)
from LungSegResNetLib.network.architecture import HU_WINDOW, SLICE_SHAPE

PLANES = [  # shape (rows, columns), spacing (y, x) in mm
    ((512, 512), (0.5, 0.5)),
    ((512, 512), (0.78, 0.78)),
    ((256, 256), (1.5, 1.5)),
    ((130, 140), (3.0, 3.0)),
    ((300, 420), (1.1, 0.9)),
    ((200, 512), (2.0, 0.7)),
    ((201, 333), (1.37, 1.01)),
]


def _whole(shape: tuple[int, int], spacing: tuple[float, float]) -> tuple[float, float, float, float]:
    """Box of a plane, to the outer edges of its pixels."""
    return (
        -spacing[0] / 2,
        (shape[0] - 0.5) * spacing[0],
        -spacing[1] / 2,
        (shape[1] - 0.5) * spacing[1],
    )


def _frame_mm(frame: SliceFrame) -> tuple[np.ndarray, np.ndarray]:
    """Centres of a frame's rows and columns in mm."""
    rows, columns = (np.arange(n) * frame.pixel_mm for n in frame.shape)
    return frame.start_y + rows, frame.start_x + columns


def _centroid(image: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    image = image.astype(float)
    return np.array([(image.sum(axis=1) * y).sum(), (image.sum(axis=0) * x).sum()]) / image.sum()


def _shift(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Way of a mask's centroid in voxels."""
    return np.array([np.mean(b) - np.mean(a) for a, b in zip(before.nonzero(), after.nonzero(), strict=True)])


@pytest.mark.parametrize(("shape", "spacing"), PLANES)
def test_a_linear_ramp_is_still_the_same_ramp_in_the_frame(
    shape: tuple[int, int], spacing: tuple[float, float]
) -> None:
    y, x = (np.arange(n) * step for n, step in zip(shape, spacing, strict=True))
    ramp = 3.0 + 2.0 * y[:, None] - 1.5 * x[None, :]
    frame = SliceFrame.around(_whole(shape, spacing), SLICE_SHAPE)
    rows, columns = to_frame_matrices(frame, shape, spacing)
    frame_y, frame_x = _frame_mm(frame)
    expected = 3.0 + 2.0 * frame_y[:, None] - 1.5 * frame_x[None, :]
    margin = 2.0 * max(frame.pixel_mm, *spacing)
    inside = np.ix_(
        (frame_y > margin) & (frame_y < y[-1] - margin),
        (frame_x > margin) & (frame_x < x[-1] - margin),
    )
    error = np.abs(rows @ ramp @ columns.T - expected)[inside]
    # A kernel that is no whole number of pixels wide shifts single rows by a few hundredths of a pixel.
    assert error.max() < 3.5 * 0.08 * frame.pixel_mm
    assert abs(float((rows @ ramp @ columns.T - expected)[inside].mean())) < 1e-3


@pytest.mark.parametrize(("shape", "spacing"), PLANES)
def test_a_blob_keeps_its_place_on_the_way_there_and_back(shape: tuple[int, int], spacing: tuple[float, float]) -> None:
    y, x = (np.arange(n) * step for n, step in zip(shape, spacing, strict=True))
    rng = np.random.default_rng(0)
    for _ in range(5):
        y0, y1 = sorted(rng.uniform(0.0, y[-1], 2))
        x0, x1 = sorted(rng.uniform(0.0, x[-1], 2))
        frame = SliceFrame.around((y0 - 60.0, y1 + 60.0, x0 - 60.0, x1 + 60.0), SLICE_SHAPE)
        sigma = 8.0
        centre = np.array([rng.uniform(40.0, y[-1] - 40.0), rng.uniform(40.0, x[-1] - 40.0)])
        centre = np.clip(centre, [y0 - 20.0, x0 - 20.0], [y1 + 20.0, x1 + 20.0])
        blob = np.exp(-((y[:, None] - centre[0]) ** 2 + (x[None, :] - centre[1]) ** 2) / (2 * sigma**2))
        rows, columns = to_frame_matrices(frame, shape, spacing)
        there = rows @ blob @ columns.T
        rows_back, columns_back = from_frame_matrices(frame, shape, spacing)
        back = rows_back @ there @ columns_back.T
        before = _centroid(blob, y, x)
        assert np.abs(_centroid(there, *_frame_mm(frame)) - before).max() < 0.1 * min(spacing)
        assert np.abs((_centroid(back, y, x) - before) / spacing).max() < 0.1
        assert back.max() == pytest.approx(blob.max(), abs=0.1)


@pytest.mark.parametrize(("shape", "spacing"), PLANES)
def test_a_constant_slice_stays_constant_inside_and_is_air_outside(
    shape: tuple[int, int], spacing: tuple[float, float]
) -> None:
    y0, y1, x0, x1 = _whole(shape, spacing)
    frame = SliceFrame.around((y0 - 40.0, y1 + 40.0, x0 - 40.0, x1 + 40.0), SLICE_SHAPE)
    rows, columns = to_frame_matrices(frame, shape, spacing)
    image = rows @ np.ones(shape, np.float32) @ columns.T
    frame_y, frame_x = _frame_mm(frame)
    edge = 2.0 * max(frame.pixel_mm, *spacing)
    inner = np.ix_((frame_y > y0 + edge) & (frame_y < y1 - edge), (frame_x > x0 + edge) & (frame_x < x1 - edge))
    np.testing.assert_allclose(image[inner], 1.0, atol=1e-5)
    assert not image[(frame_y < y0 - edge) | (frame_y > y1 + edge)].any()
    assert not image[:, (frame_x < x0 - edge) | (frame_x > x1 + edge)].any()
    assert image.max() < 1.0 + 1e-5


def test_what_the_frame_does_not_show_comes_back_as_zero() -> None:
    frame = SliceFrame.around((100.0, 200.0, 100.0, 200.0), SLICE_SHAPE)
    rows, columns = from_frame_matrices(frame, (300, 300), (1.0, 1.0))
    back = rows @ np.ones(frame.shape, np.float32) @ columns.T
    assert not back[:95].any()
    assert not back[205:].any()
    np.testing.assert_allclose(back[105:195, 105:195], 1.0, atol=1e-5)


def test_hounsfield_units_outside_the_window_are_clipped() -> None:
    hu = np.array([[-3024, -1024, -212, 600, 3000, 32767]], np.int16)
    scaled = scale_hu(hu, HU_WINDOW)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, [[0.0, 0.0, 0.5, 1.0, 1.0, 1.0]], atol=1e-6)
    assert hu[0, 0] == -3024, "the scan itself must not change"


def test_a_frame_holds_its_box_with_square_pixels_and_is_centred_on_it() -> None:
    frame = SliceFrame.around((10.0, 210.0, -30.0, 370.0), SLICE_SHAPE)
    y, x = _frame_mm(frame)
    assert (len(y), len(x)) == SLICE_SHAPE
    half = frame.pixel_mm / 2
    assert y[0] - half <= 10.0
    assert y[-1] + half >= 210.0
    assert x[0] - half == pytest.approx(-30.0)
    assert x[-1] + half == pytest.approx(370.0)
    assert (y[0] + y[-1]) / 2 == pytest.approx(110.0)


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 5.0), (1.0, 1.0, 2.5), (0.9, 1.1, 3.0), (3.0, 3.0, 10.0)])
def test_the_body_box_holds_the_body_but_not_the_table(spacing: tuple[float, float, float]) -> None:
    thorax = Thorax()
    image, _ = thorax.scan(spacing, extent=(420.0, 320.0, 100.0))
    ct = CTVolume.from_sitk(image, "thorax")
    origin = ct.geometry.origin
    y0, y1, x0, x1 = body_box(ct.hu, ct.spacing_zyx)
    # In the thorax' own coordinates its skin is at +-115 mm and +-175 mm, the table at 125 mm.
    top, bottom = (value + origin[1] - thorax.centre[1] for value in (y0, y1))
    right, left = (value + origin[0] - thorax.centre[0] for value in (x0, x1))
    assert -127.0 < top <= -113.0
    assert 113.0 <= bottom < 125.0
    assert -187.0 < right <= -173.0
    assert 173.0 <= left < 187.0


@pytest.mark.parametrize("shape", [(3, 200, 150), (1, 2, 2), (1, 1, 1)])
def test_the_body_box_is_the_whole_field_where_there_is_no_body(shape: tuple[int, int, int]) -> None:
    box = body_box(np.full(shape, -1000, np.int16), (2.0, 1.5, 0.8))
    assert box == pytest.approx((-0.75, (shape[1] - 0.5) * 1.5, -0.4, (shape[2] - 0.5) * 0.8))


def test_a_body_that_fills_the_field_gives_the_field() -> None:
    box = body_box(np.full((4, 120, 160), 40, np.int16), (2.0, 1.0, 1.0))
    assert box == pytest.approx((-0.5, 119.5, -0.5, 159.5))


def test_a_view_of_one_lung_between_two_parts_of_the_body_is_shown_whole() -> None:
    hu = np.full((6, 120, 50), -850, np.int16)
    hu[:, :, :10] = hu[:, :, 35:] = 40  # chest wall and mediastinum, which the view cuts off
    assert body_box(hu, (5.0, 2.0, 2.0)) == _whole((120, 50), (2.0, 2.0))


def test_scans_of_one_thorax_at_any_spacing_are_shown_in_the_same_frame() -> None:
    thorax = Thorax()
    corners = []
    for spacing in ((0.8, 0.8, 5.0), (2.0, 2.0, 5.0), (0.9, 1.3, 3.0), (3.0, 3.0, 8.0)):
        image, _ = thorax.scan(spacing, extent=(420.0, 320.0, 100.0))
        ct = CTVolume.from_sitk(image, "thorax")
        frame = frame_for(ct.hu, ct.spacing_zyx, SLICE_SHAPE)
        y, x = _frame_mm(frame)
        corners.append(
            np.array([y[0], y[-1], x[0], x[-1]]) + np.repeat([ct.geometry.origin[1], ct.geometry.origin[0]], 2)
        )
    assert np.ptp(np.array(corners), axis=0).max() < 8.0


# Slices are not resampled between each other, so that far ones stand for all of the thin slices.
@pytest.mark.parametrize("spacing", [(0.7, 0.7, 12.0), (1.0, 1.0, 10.0), (2.0, 2.0, 5.0), (0.9, 1.1, 12.0)])
def test_lungs_come_back_from_the_frame_to_their_place(spacing: tuple[float, float, float]) -> None:
    image, mask = Thorax().scan(spacing)
    ct, reference = CTVolume.from_sitk(image, "thorax"), CTVolume.from_sitk(mask, "mask")
    frame = frame_for(ct.hu, ct.spacing_zyx, SLICE_SHAPE)
    plane, plane_spacing = ct.hu.shape[1:], ct.spacing_zyx[1:]
    rows, columns = to_frame_matrices(frame, plane, plane_spacing)
    rows_back, columns_back = from_frame_matrices(frame, plane, plane_spacing)
    for label in (1, 2):
        lung = reference.hu == label
        shown = [rows @ section.astype(np.float32) @ columns.T for section in lung]
        graded = np.stack([rows_back @ section @ columns_back.T > 0.5 for section in shown])
        assert np.abs(_shift(lung, graded)).max() < 0.02
        assert graded.sum() == pytest.approx(lung.sum(), rel=0.005)
        thresholded = [(section > 0.5).astype(np.float32) for section in shown]
        hard = np.stack([rows_back @ section @ columns_back.T > 0.5 for section in thresholded])
        assert np.abs(_shift(lung, hard)).max() < 0.1
        assert hard.sum() == pytest.approx(lung.sum(), rel=0.01)


def test_resampling_is_the_product_with_both_matrices():
    rows, columns = to_frame_matrices(SliceFrame(3.0, -2.0, 1.7, (40, 56)), (90, 110), (0.8, 0.8))
    section = np.random.default_rng(0).random((90, 110), np.float32)
    result = Resampling(rows, columns)(section)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, rows @ section @ columns.T, atol=1e-6)


def test_an_arm_that_lies_apart_is_not_in_the_box_of_the_body_wherever_it_lies() -> None:
    spacing = (5.0, 4.0, 4.0)
    for arm in (slice(5, 17), slice(84, 96)):  # in front of the body, and behind it
        hu = np.full((10, 100, 100), -1000, np.int16)
        hu[:, 40:80, 30:70] = 0
        hu[:, arm, 2:14] = 0
        assert body_box(hu, spacing) == pytest.approx((156.0, 324.0, 116.0, 284.0))
