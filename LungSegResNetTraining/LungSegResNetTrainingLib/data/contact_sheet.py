"""A picture of a whole data set, one row for each case, so that a wrong mask is seen at a glance."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError, OutputError
from LungSegResNetLib.figures.drawing import (
    FINER,
    draw_legend,
    draw_outline,
    draw_tag,
    fine_picture,
    fitted,
    font,
    rgb,
    save_png,
)
from LungSegResNetLib.labels import LUNG_SEGMENTS

from .case_check import CaseCheck
from .cases import DOUBTFUL, NO_PAIR, REFUSED, REPEATED
from .pair_check import PairVerdict

_TILE = (180, 240)  # rows, columns in pixels
_LARGE_TILE = (360, 480)  # of which two are as wide as the row
_TEXT_HEIGHT, _LEGEND_HEIGHT, _TAG_MARGIN = 20, 30, 9
_AXIAL_LEVELS = (0.2, 0.5, 0.8)  # of the way from the lowest to the highest slice with lung, masked or not
_WIDTH = _TILE[1] * (len(_AXIAL_LEVELS) + 1)
_ROWS_A_PAGE = 40
_STATUS_COLORS = {DOUBTFUL: (255, 190, 70), **dict.fromkeys((REFUSED, NO_PAIR, REPEATED), (255, 100, 90))}
_PLAIN = (225, 225, 225)


def draw_row(ct: CTVolume, labels: np.ndarray, name: str, verdict: PairVerdict) -> np.ndarray:
    """RGB row (uint8) of a case: three axial slices and a coronal one with the outlines of right and left lung.

    A single slice is shown twice and larger, as it is and with the outlines. The patient's right is on the left of
    each, as ``R`` and ``L`` at the ends of the row say.
    """
    tiles = _single_slice(ct, labels) if len(ct.hu) == 1 else _cuts(ct, labels, verdict.lung_slices)
    pictures = Image.fromarray(np.concatenate(tiles, axis=1))
    draw = ImageDraw.Draw(pictures)
    draw_tag(draw, (_TAG_MARGIN, _TAG_MARGIN), "R", "lt")
    draw_tag(draw, (pictures.width - _TAG_MARGIN, _TAG_MARGIN), "L", "rt")
    text = f"{name}   {verdict.status}"
    if verdict.mean_hu is not None:
        right, left = verdict.volumes_ml
        text += f"   right {right:.0f} ml, left {left:.0f} ml, mean {verdict.mean_hu:.0f} HU"
    text += "   " + verdict.explanation
    return np.concatenate([_caption(text, verdict.status), np.asarray(pictures)])


def _single_slice(ct: CTVolume, labels: np.ndarray) -> list[np.ndarray]:
    _, dy, dx = ct.spacing_zyx
    outlined = (np.zeros_like(labels[0]), labels[0])
    return [_tile(ct.hu[0], shown, dy, dx, ct.position_text(0, 0), _LARGE_TILE) for shown in outlined]


def _cuts(ct: CTVolume, labels: np.ndarray, lung_slices: tuple[int, int] | None) -> list[np.ndarray]:
    lung = labels > 0
    slices = np.flatnonzero(lung.any(axis=(1, 2)))
    low, high = lung_slices or ((int(slices[0]), int(slices[-1])) if slices.size else (0, len(labels) - 1))
    dz, dy, dx = ct.spacing_zyx
    tiles = []
    for level in _AXIAL_LEVELS:
        z = round(low + level * (high - low))
        tiles.append(_tile(ct.hu[z], labels[z], dy, dx, ct.position_text(0, z)))
    y = int(np.argmax(lung.sum(axis=(0, 2)))) if slices.size else labels.shape[1] // 2
    return [*tiles, _tile(ct.hu[::-1, y], labels[::-1, y], dz, dx, ct.position_text(1, y))]


def write_contact_sheet(path: str | os.PathLike[str], checks: Sequence[CaseCheck], overwrite: bool) -> list[Path]:
    """Write the rows of all cases as PNG and return the files: more than 40 cases go on in ``<name>_2.png`` and so on.

    Each page begins with a legend of the outlines.
    With ``overwrite`` the pages that an earlier, longer sheet of this name has beyond are removed.

    Raises
    ------
    InputError : there is no case.
    OutputError : a file exists and ``overwrite`` is false, or cannot be written or removed.
    """
    path = Path(path)
    if not checks:
        raise InputError("There is no case to draw on a contact sheet.")
    written = []
    for page, start in enumerate(range(0, len(checks), _ROWS_A_PAGE), start=1):
        target = _page(path, page)
        rows = [_row_of(check) for check in checks[start : start + _ROWS_A_PAGE]]
        with write_atomically(target, overwrite) as temporary:
            save_png(Image.fromarray(np.concatenate([_legend(), *rows])), temporary)
        written.append(target)
    if overwrite:
        _remove_pages(path, len(written) + 1)
    return written


def _page(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_name(f"{path.stem}_{number}{path.suffix}")


def _remove_pages(path: Path, first: int) -> None:
    """Remove page ``first`` and those that follow one another from there; what lies beyond a gap is no page."""
    for page in itertools.takewhile(Path.is_file, (_page(path, number) for number in itertools.count(first))):
        try:
            page.unlink()
        except OSError as error:
            raise OutputError(f"{page}, a page of an earlier sheet, cannot be removed ({error.strerror}).") from error


def _row_of(check: CaseCheck) -> np.ndarray:
    if check.row_png:
        return np.asarray(Image.open(io.BytesIO(check.row_png)).convert("RGB"))
    reasons = " ".join(check.verdict.reasons)
    return _caption(f"{check.name}   {check.verdict.status}   {reasons}", check.verdict.status)


def _tile(
    hu: np.ndarray, labels: np.ndarray, row_mm: float, column_mm: float, position: str, shape: tuple[int, int] = _TILE
) -> np.ndarray:
    """One cut true to scale in the middle of a tile, its position written below."""
    rows, columns = shape
    scale = min(rows / (hu.shape[0] * row_mm), columns / (hu.shape[1] * column_mm))
    size = (max(1, int(hu.shape[1] * column_mm * scale)), max(1, int(hu.shape[0] * row_mm * scale)))
    picture = fine_picture(hu, size)
    for segment in LUNG_SEGMENTS:
        draw_outline(picture, labels == segment.label, rgb(segment.color), dashed=False)
    tile = Image.new("RGB", (columns, rows))
    tile.paste(picture.reduce(FINER), ((columns - size[0]) // 2, (rows - size[1]) // 2))
    draw_tag(ImageDraw.Draw(tile), (_TAG_MARGIN, rows - _TAG_MARGIN), position, "lb")
    return np.asarray(tile)


def _legend() -> np.ndarray:
    strip = Image.new("RGB", (_WIDTH, _LEGEND_HEIGHT))
    entries = [(rgb(segment.color), False, segment.name) for segment in LUNG_SEGMENTS]
    draw = ImageDraw.Draw(strip)
    x = draw_legend(draw, (6, _LEGEND_HEIGHT // 2), entries)
    sides = "R, L: the patient's right and left"
    draw.text((x, _LEGEND_HEIGHT // 2), sides, _PLAIN, font(14), "lm")
    return np.asarray(strip)


def _caption(text: str, status: str) -> np.ndarray:
    strip = Image.new("RGB", (_WIDTH, _TEXT_HEIGHT))
    color = _STATUS_COLORS.get(status, _PLAIN)
    draw = ImageDraw.Draw(strip)
    draw.text((6, _TEXT_HEIGHT // 2), fitted(draw, text, strip.width - 12, 12), color, font(12), "lm")
    return np.asarray(strip)
