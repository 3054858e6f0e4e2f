"""What all pictures of a scan share: grey values, outlines, labels on plates, a legend."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage.measure import find_contours

Color = tuple[int, int, int]

LUNG_WINDOW = (-1350.0, 150.0)  # HU shown as black and white
REFERENCE_COLOR = (235, 70, 170)
FINER = 3  # outlines are drawn on a picture this much finer, then averaged: soft edges
BACKGROUND, TEXT, FAINT, WARNING = (13, 16, 20), (232, 236, 240), (140, 150, 160), (255, 196, 87)

_LINE_WIDTH = 1.6  # pixels of the finished picture, as the next ones
_DASH, _PAUSE = 7.0, 5.0
# Letters that are no others with an accent.
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"}
    | {"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"}
)


def lung_window_grey(hu: np.ndarray) -> np.ndarray:
    """Grey values (uint8) of HU in the lung window, same shape."""
    low, high = LUNG_WINDOW
    return np.clip((hu.astype(np.float32) - low) * (255.0 / (high - low)), 0, 255).astype(np.uint8)


def fine_picture(hu: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """A slice in the lung window, ``FINER`` times larger than ``size`` (width, height); ``reduce(FINER)`` ends it."""
    fine = (size[0] * FINER, size[1] * FINER)
    return Image.fromarray(lung_window_grey(hu)).resize(fine, Image.Resampling.BICUBIC).convert("RGB")


def draw_outline(picture: Image.Image, mask: np.ndarray, color: Color, dashed: bool) -> None:
    """Outline a mask, brought to the size of a fine picture."""
    if not mask.any():
        return
    draw = ImageDraw.Draw(picture)
    for line in _contours(mask, picture.size):
        for piece in _dashes(line) if dashed else (line,):
            points = np.concatenate([piece[:-1:FINER], piece[-1:]])  # they lie as close as the pixels that are averaged
            draw.line([tuple(point) for point in points.tolist()], color, round(_LINE_WIDTH * FINER), "curve")


def draw_tag(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, anchor: str) -> None:
    """Text on a dark plate, readable on lung and on bone."""
    left, top, right, bottom = draw.textbbox(at, text, font(13), anchor)
    draw.rounded_rectangle((left - 5, top - 4, right + 5, bottom + 4), 4, BACKGROUND)
    draw.text(at, text, TEXT, font(13), anchor)


def draw_legend(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], entries: Sequence[tuple[Color, bool, str]], filled: bool = False
) -> int:
    """Write entries (colour, dashed, text) in a row; lines, or squares where ``filled``. Returns the x behind them."""
    x, y = at
    for color, dashed, text in entries:
        if filled:
            draw.rectangle((x + 8, y - 7, x + 22, y + 7), color)
        else:
            for start, end in ((0, 9), (15, 24)) if dashed else ((0, 24),):
                draw.line([(x + start, y), (x + end, y)], color, 3)
        draw.text((x + 32, y), text, TEXT, font(14), "lm")
        x += 32 + round(draw.textlength(text, font(14))) + 28
    return x


def fitted(draw: ImageDraw.ImageDraw, text: str, room: float, size: int) -> str:
    """The text in characters that the font has, cut off with dots where it is wider than ``room`` pixels."""
    text = drawable(text)
    if draw.textlength(text, font(size)) <= room:
        return text
    while text and draw.textlength(text + "...", font(size)) > room:
        text = text[:-1]
    return text + "..."


def drawable(text: str) -> str:
    """The text on one line, without accents and with ``?`` for what the font would show as empty boxes."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(map(_drawable_char, (char for char in plain if not unicodedata.combining(char))))


def _drawable_char(char: str) -> str:
    if unicodedata.category(char) == "Cc":
        return " "  # a line break, which lines cannot be measured with
    return char if char.isascii() else "?"


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font of all pictures."""
    return ImageFont.load_default(size)


def save_png(picture: Image.Image, path: Path) -> None:
    """Write a picture as PNG, whatever is there."""
    picture.save(path, format="PNG", compress_level=3)  # the smallest file takes ten times as long


def rgb(color: Sequence[float]) -> Color:
    """Colour in 0..255 from one in 0..1."""
    red, green, blue = (round(255 * c) for c in color)
    return red, green, blue


def _contours(mask: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """Outlines of a mask brought to ``size`` (width, height), as lines of (x, y), closed also at the picture's edge."""
    smooth = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
    values = np.asarray(smooth)
    if not values.any():  # a mask too small for the picture
        return []
    rows, columns = (np.flatnonzero(values.any(axis=axis)) for axis in (1, 0))
    box = values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]  # looking for lines takes as long as it is large
    lines = find_contours(np.pad(box.astype(np.float32), 1), 127.5)
    return [line[:, ::-1] + (columns[0] - 0.5, rows[0] - 0.5) for line in lines]


def _dashes(line: np.ndarray) -> list[np.ndarray]:
    """Cut a line into dashes of equal length."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    period = (_DASH + _PAUSE) * FINER
    dashes = [line[(along >= start) & (along <= start + _DASH * FINER)] for start in np.arange(0.0, along[-1], period)]
    return [dash for dash in dashes if len(dash) > 1]
