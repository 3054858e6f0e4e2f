"""From a CT volume to network slices and back: body box, one pixel frame for the scan, 216 x 296, 0..1.

Resampling between the CT grid and the frame is axis aligned, so each axis is one small matrix, nearly all zeros; pixel
centres are kept in millimetres throughout, which rules out half-voxel shifts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .run_length import RunLengths
from .slab_morphology import dilated, eroded

BODY_HU = -500.0
_COARSE_MM = 4.0
_MARGIN_MM = 4.0
_OPENING = 2  # coarse pixels
_CUT_SHARE = 0.3  # of an edge of the view, over all slices: the body lies on so much of it where the view ends inside
_PART_SHARE = 0.02  # of the largest part


@dataclass(frozen=True)
class SliceFrame:
    """Where a network slice lies in the axial plane: centre of its first pixel and pixel size, all in mm.

    Millimetres are counted from the centre of the CT's first row and column.
    """

    start_y: float
    start_x: float
    pixel_mm: float
    shape: tuple[int, int]

    @classmethod
    def around(cls, box: tuple[float, float, float, float], shape: tuple[int, int]) -> SliceFrame:
        """Smallest frame with square pixels that holds ``box`` = (y0, y1, x0, x1) in mm, centred on it."""
        y0, y1, x0, x1 = box
        pixel = max((y1 - y0) / shape[0], (x1 - x0) / shape[1])
        start_y = (y0 + y1) / 2 - (shape[0] - 1) / 2 * pixel
        start_x = (x0 + x1) / 2 - (shape[1] - 1) / 2 * pixel
        return cls(start_y, start_x, pixel, shape)


def scale_hu(hu: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """Clip Hounsfield units to ``window`` and scale to 0..1 (float32); values outside the scanner's field become 0."""
    low, high = window
    scaled = hu.astype(np.float32)
    np.clip(scaled, low, high, out=scaled)
    scaled -= low
    scaled /= high - low
    return scaled


def body_box(hu: np.ndarray, spacing_zyx: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """In-plane box (y0, y1, x0, x1) in mm around the body over all slices, without table and clothes.

    The whole field of view where no body is found. Outer edges of pixels count, so the box of a volume that
    is filled to its border is the volume itself.
    """
    _, size_y, size_x = hu.shape
    dy, dx = spacing_zyx[1:]
    step_y, step_x = (max(1, round(_COARSE_MM / d)) for d in (dy, dx))
    step_z = max(1, round(_COARSE_MM / spacing_zyx[0]))
    filled = hu[::step_z, step_y // 2 :: step_y, step_x // 2 :: step_x] > BODY_HU
    holes, _ = RunLengths.of(~filled).holes_of_slices()
    np.put(filled, holes.voxels(), True)
    # Opening in the plane parts the patient from table top, blankets and tubes.
    opened = RunLengths.of(np.stack([_opened(section) for section in filled]))
    numbers, sizes = opened.components()
    full = (-dy / 2, (size_y - 0.5) * dy, -dx / 2, (size_x - 0.5) * dx)
    if len(sizes) == 0:
        return full
    # Arms that lie apart from the trunk stay out: only what is joined to the largest part counts.
    is_body = sizes == sizes.max()
    body = opened.chosen(is_body[numbers]).painted()
    edges = (body[:, 0], body[:, -1], body[:, :, 0], body[:, :, -1])
    if max(edge.mean() for edge in edges) > _CUT_SHARE:
        # The view ends inside the body and may cut it into parts, such as chest wall and mediastinum beside a lung.
        at_edge = np.zeros_like(sizes, bool)
        at_edge[numbers[opened.at_frame()]] = True
        is_body |= at_edge & (sizes > _PART_SHARE * sizes.max())
        body = opened.chosen(is_body[numbers]).painted()
    rows = np.flatnonzero(body.any(axis=(0, 2)))
    columns = np.flatnonzero(body.any(axis=(0, 1)))
    return (
        max(full[0], rows[0] * step_y * dy - _MARGIN_MM),
        min(full[1], (rows[-1] + 1) * step_y * dy + _MARGIN_MM),
        max(full[2], columns[0] * step_x * dx - _MARGIN_MM),
        min(full[3], (columns[-1] + 1) * step_x * dx + _MARGIN_MM),
    )


def body_middle(hu: np.ndarray, spacing_zyx: tuple[float, float, float]) -> float:
    """x of the middle of `body_box` in mm from the centre of the first column."""
    return float(np.mean(body_box(hu, spacing_zyx)[2:]))


def _opened(section: np.ndarray) -> np.ndarray:
    """Opening of a slice (bool); outside it lies nothing."""
    around = np.pad(section, _OPENING)
    return dilated(eroded(around, _OPENING), _OPENING)[_OPENING:-_OPENING, _OPENING:-_OPENING]


def frame_for(hu: np.ndarray, spacing_zyx: tuple[float, float, float], shape: tuple[int, int]) -> SliceFrame:
    """The frame in which a scan is shown to the network: its body box with square pixels."""
    return SliceFrame.around(body_box(hu, spacing_zyx), shape)


def to_frame_matrices(
    frame: SliceFrame, plane_shape: tuple[int, int], plane_spacing: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Matrices R, C that resample a CT slice s into the frame: R @ s @ C.T (float32).

    Linear interpolation; where the frame is coarser than the CT the kernel widens to the frame's pixel, so
    that noise averages out. What lies outside the CT counts as 0, which is air after ``scale_hu``.
    """
    return (
        _linear_matrix(frame.shape[0], frame.start_y, frame.pixel_mm, plane_shape[0], 0.0, plane_spacing[0]),
        _linear_matrix(frame.shape[1], frame.start_x, frame.pixel_mm, plane_shape[1], 0.0, plane_spacing[1]),
    )


def from_frame_matrices(
    frame: SliceFrame, plane_shape: tuple[int, int], plane_spacing: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Matrices R, C that bring a frame p back to the CT slice's grid: R @ p @ C.T (float32), 0 outside the frame."""
    return (
        _linear_matrix(plane_shape[0], 0.0, plane_spacing[0], frame.shape[0], frame.start_y, frame.pixel_mm),
        _linear_matrix(plane_shape[1], 0.0, plane_spacing[1], frame.shape[1], frame.start_x, frame.pixel_mm),
    )


class Resampling:
    """Applies matrices R, C to slices s as R @ s @ C.T, at the cost of their few weights that are not zero."""

    def __init__(self, rows: np.ndarray, columns: np.ndarray) -> None:
        self._rows = sparse.csr_matrix(rows)
        self._columns = sparse.csr_matrix(columns)

    def __call__(self, section: np.ndarray) -> np.ndarray:
        """Resampled slice (float32) of a slice (float32)."""
        turned = np.ascontiguousarray((self._rows @ section).T)
        return (self._columns @ turned).T


def _linear_matrix(
    size_out: int, start_out: float, step_out: float, size_in: int, start_in: float, step_in: float
) -> np.ndarray:
    """Weights (size_out, size_in) of a triangle kernel as wide as the coarser of the two grids, rows summing to 1.

    Rows whose centre lies outside the input fade to 0 within half an input pixel.
    """
    centres_out = start_out + step_out * np.arange(size_out)
    # One kernel width of imagined samples on both sides keeps rows at the border from growing brighter.
    width = max(step_in, step_out)
    extra = int(np.ceil(width / step_in)) + 1
    centres_in = start_in + step_in * np.arange(-extra, size_in + extra)
    weights = np.maximum(0.0, 1.0 - np.abs(centres_out[:, None] - centres_in[None, :]) / width)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-6)
    return weights[:, extra : extra + size_in].astype(np.float32)
