"""A picture to judge a result by: axial slices, a coronal and a sagittal cut, with the outlines of the lungs."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from ..atomic import write_atomically
from ..ct_volume import CTVolume
from ..errors import InputError
from ..labels import BOTH_LUNGS, LUNG_SEGMENTS, LungSegment
from .drawing import (
    BACKGROUND,
    FAINT,
    FINER,
    LUNG_WINDOW,
    REFERENCE_COLOR,
    TEXT,
    WARNING,
    Color,
    draw_legend,
    draw_outline,
    draw_tag,
    fine_picture,
    fitted,
    font,
    rgb,
    save_png,
)

AXIAL_SLICES = 8
_MOST_COLUMNS = 4
_AXIAL_SIZE, _LEAST_WIDTH = 320, 640  # pixels of the finished picture
_MARGIN_MM = 20.0  # around the lungs
_GAP, _EDGE = 6, 24
_HEADER, _FOOTER = 64, 56


@dataclass(frozen=True)
class _Outline:
    """A mask to outline, its colour and whether the line is dashed."""

    mask: np.ndarray
    color: Color
    dashed: bool


@dataclass(frozen=True)
class _Cut:
    """A plane through the scan as it is shown: rows downwards, columns to the right, pixel size in mm."""

    hu: np.ndarray
    outlines: list[_Outline]
    pixel_mm: tuple[float, float]
    position: str
    sides: tuple[str, str]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height."""
        return self.hu.shape[1] * self.pixel_mm[1], self.hu.shape[0] * self.pixel_mm[0]


def draw_overlay(ct: CTVolume, mask: np.ndarray, title: str = "", reference: np.ndarray | None = None) -> Image.Image:
    """Draw the lungs' outlines on up to eight axial slices, evenly spread, and on one coronal and one sagittal cut.

    The patient's right is on the left of the picture, anterior is up on axial slices and left on the sagittal cut.
    All cuts are true to scale in mm.

    Parameters
    ----------
    mask : labels 1 right, 2 left, shape of ``ct.hu``, or bool where the sides are not told; may be empty, which the
        picture then says.
    title : heading; the scan's name where empty.
    reference : a second mask (any value above 0), outlined with dashes in a colour of its own.

    Raises
    ------
    InputError : a mask differs from the CT in shape.
    """
    for array in (mask, reference):
        if array is not None and array.shape != ct.hu.shape:
            raise InputError("The mask does not lie on the grid of the CT; resample it to the CT before drawing.")
    shown = (mask > 0) if reference is None else (mask > 0) | (reference > 0)
    axial, coronal_sagittal = _choose_cuts(ct, mask, reference, shown)

    rows = -(-len(axial) // _MOST_COLUMNS)
    columns = -(-len(axial) // rows)
    width_mm, height_mm = axial[0].size_mm
    scale = max(_AXIAL_SIZE, (_LEAST_WIDTH + _GAP) // columns - _GAP) / max(width_mm, height_mm)
    cell_width, cell_height = max(1, round(width_mm * scale)), max(1, round(height_mm * scale))
    grid_width = columns * (cell_width + _GAP) - _GAP
    grid_height = rows * (cell_height + _GAP) - _GAP
    # The two long cuts share a column at the right and one scale; they need not grow beyond the axial one.
    stacked_mm = sum(cut.size_mm[1] for cut in coronal_sagittal)
    side_scale = min(scale, max(1, grid_height - _GAP) / stacked_mm) if coronal_sagittal else 0.0
    side_width = max((round(cut.size_mm[0] * side_scale) for cut in coronal_sagittal), default=-_GAP)

    width = 2 * _EDGE + max(_LEAST_WIDTH, grid_width + _GAP + side_width)
    picture = Image.new("RGB", (width, _HEADER + grid_height + _FOOTER), BACKGROUND)
    for n, cut in enumerate(axial):
        row, column = divmod(n, columns)
        corner = (_EDGE + column * (cell_width + _GAP), _HEADER + row * (cell_height + _GAP))
        _paste(picture, cut, corner, scale)
    top = _HEADER
    for cut in coronal_sagittal:
        left = _EDGE + grid_width + _GAP + (side_width - round(cut.size_mm[0] * side_scale)) // 2
        _paste(picture, cut, (left, top), side_scale)
        top += (grid_height + _GAP) // 2
    _write_header(picture, ct, title or ct.source)
    _write_footer(picture, ct, mask, reference)
    return picture


def write_overlay(
    path: str | os.PathLike[str],
    ct: CTVolume,
    mask: np.ndarray,
    overwrite: bool,
    title: str = "",
    reference: np.ndarray | None = None,
) -> None:
    """Write the picture of `draw_overlay` as PNG.

    Raises
    ------
    InputError : a mask differs from the CT in shape.
    OutputError : the file exists and ``overwrite`` is false, or cannot be written.
    """
    picture = draw_overlay(ct, mask, title, reference)
    with write_atomically(path, overwrite) as temporary:
        save_png(picture, temporary)


def _choose_cuts(
    ct: CTVolume, mask: np.ndarray, reference: np.ndarray | None, shown: np.ndarray
) -> tuple[list[_Cut], list[_Cut]]:
    """Axial slices spread over the lungs; the coronal and the sagittal cut with most lung. All cropped to the lungs."""
    spacing = ct.spacing_zyx
    columns = shown.view(np.uint8).sum(axis=0, dtype=np.uint32)  # in short numbers, which is several times as fast
    area = [np.array([np.count_nonzero(section) for section in shown]), columns.sum(axis=1), columns.sum(axis=0)]
    extent = [_range_of(a > 0) for a in area]
    z, y, x = (
        slice(max(0, first - margin), last + 1 + margin)
        for (first, last), margin in zip(extent, (round(_MARGIN_MM / s) for s in spacing), strict=True)
    )

    def cut(index: tuple[slice | int, ...], axis: int, at: int) -> _Cut:
        # Array z grows upwards, rows of a picture downwards.
        flip = np.s_[::-1] if axis else np.s_[:]
        outlines = [_Outline(mask[index][flip] == s.label, rgb(s.color), False) for s in _segments(mask)]
        if reference is not None:
            outlines.insert(0, _Outline(reference[index][flip] > 0, REFERENCE_COLOR, True))
        pixel_mm = tuple(s for n, s in enumerate(spacing) if n != axis)
        sides = ("A", "P") if axis == 2 else ("R", "L")
        return _Cut(ct.hu[index][flip], outlines, (pixel_mm[0], pixel_mm[1]), ct.position_text(axis, at), sides)

    first, last = extent[0]
    count = min(AXIAL_SLICES, last - first + 1)
    # Middles of equal parts of the lungs: the very first and last slices show next to nothing.
    levels = [first + int((n + 0.5) * (last - first + 1) / count) for n in reversed(range(count))]
    axial = [cut((k, y, x), 0, k) for k in levels]
    if len(ct.hu) == 1:
        return axial, []
    row, column = (
        int(np.argmax(a)) if a.any() else (first + last) // 2
        for a, (first, last) in zip(area[1:], extent[1:], strict=True)
    )
    return axial, [cut((z, row, x), 1, row), cut((z, y, column), 2, column)]


def _segments(mask: np.ndarray) -> tuple[LungSegment, ...]:
    return (BOTH_LUNGS,) if mask.dtype == bool else LUNG_SEGMENTS


def _range_of(present: np.ndarray) -> tuple[int, int]:
    """First and last index that is set; the whole range where none is."""
    indices = np.flatnonzero(present)
    return (int(indices[0]), int(indices[-1])) if indices.size else (0, len(present) - 1)


def _paste(picture: Image.Image, cut: _Cut, corner: tuple[int, int], scale: float) -> None:
    """Draw a cut with its outlines and labels; ``scale`` is in pixels per mm."""
    size = (max(1, round(cut.size_mm[0] * scale)), max(1, round(cut.size_mm[1] * scale)))
    canvas = fine_picture(cut.hu, size)
    for outline in cut.outlines:
        draw_outline(canvas, outline.mask, outline.color, outline.dashed)
    picture.paste(canvas.reduce(FINER), corner)

    labels = ImageDraw.Draw(picture)
    left, top, right, bottom = *corner, corner[0] + size[0], corner[1] + size[1]
    if min(size) >= 60:
        draw_tag(labels, (left + 10, top + 10), cut.sides[0], "lt")
        draw_tag(labels, (right - 10, top + 10), cut.sides[1], "rt")
    draw_tag(labels, (left + 10, bottom - 10), cut.position, "lb")


def _write_header(picture: Image.Image, ct: CTVolume, title: str) -> None:
    draw = ImageDraw.Draw(picture)
    size, spacing = ct.geometry.size, ct.geometry.spacing
    facts = (
        f"{size[0]} x {size[1]} x {size[2]} voxels of {spacing[0]:.2f} x {spacing[1]:.2f} x {spacing[2]:.2f} mm"
        f"   window {LUNG_WINDOW[0]:.0f} to {LUNG_WINDOW[1]:.0f} HU"
    )
    room = picture.width - 2 * _EDGE
    draw.text((_EDGE, 30), fitted(draw, title, room, 20), TEXT, font(20), "ls")
    draw.text((_EDGE, 51), fitted(draw, facts, room, 13), FAINT, font(13), "ls")


def _write_footer(picture: Image.Image, ct: CTVolume, mask: np.ndarray, reference: np.ndarray | None) -> None:
    """The legend with volumes, or in its place the word that there is no lung."""
    draw = ImageDraw.Draw(picture)
    y, x = picture.height - _FOOTER // 2, _EDGE
    entries: list[tuple[Color, bool, str]] = []
    for segment in _segments(mask):
        voxels = int(np.count_nonzero(mask == segment.label))
        if voxels:
            entries.append((rgb(segment.color), False, f"{segment.name} {voxels * ct.voxel_ml:.0f} ml"))
    if not entries:
        draw.text((x, y), "No lung in this mask", WARNING, font(16), "lm")
        x += round(draw.textlength("No lung in this mask", font(16))) + 32
    if reference is not None:
        volume = np.count_nonzero(reference > 0) * ct.voxel_ml
        entries.append((REFERENCE_COLOR, True, f"reference {volume:.0f} ml"))
    draw_legend(draw, (x, y), entries)
