"""Grey values of pictures, outlines, and words in them: characters that the font has, in the room there is."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from LungSegResNetLib.figures.drawing import FINER, draw_outline, fine_picture, fitted, font


@pytest.fixture
def draw() -> ImageDraw.ImageDraw:
    return ImageDraw.Draw(Image.new("RGB", (200, 40)))


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("Müller, Zoë 12 cm²", "Muller, Zoe 12 cm2"),
        ("肺 case 3", "? case 3"),
        ("½ pass", "1?2 pass"),
        ("a_b-c.d", "a_b-c.d"),
        ("Straße, Ødegård, Łódź, Fælled", "Strasse, Odegard, Lodz, Faelled"),
        ("2 \N{MICRO SIGN}m, 3 \N{GREEK SMALL LETTER MU}m", "2 um, 3 um"),
        ("case\n3\r\n\tof 4", "case 3   of 4"),
    ],
)
def test_what_the_font_does_not_have_is_written_with_what_it_has(
    draw: ImageDraw.ImageDraw, text: str, drawn: str
) -> None:
    shown = fitted(draw, text, 200, 13)
    assert shown == drawn
    # The font shows one and the same box for every character that it does not have.
    missing = bytes(font(13).getmask("\uffff"))
    assert not [char for char in shown if char != " " and bytes(font(13).getmask(char)) == missing]


def test_what_is_too_long_ends_in_dots_within_the_room(draw: ImageDraw.ImageDraw) -> None:
    shown = fitted(draw, "m" * 100, 200, 13)
    assert shown.endswith("m...")
    assert draw.textlength(shown, font(13)) <= 200 < draw.textlength("m" + shown, font(13))


def test_the_lung_window_goes_from_black_air_to_white_bone() -> None:
    hu = np.repeat(np.array([[-3000, -1350, -975, -600, -225, 150, 3000]], np.int16), 3, axis=0)
    hu = np.repeat(hu, 3, axis=1)  # the middle one of three pixels has no other neighbours
    picture = fine_picture(hu, hu.shape[::-1])
    grey = np.asarray(picture.reduce(FINER))[1, 1::3, 0]
    assert grey.tolist() == pytest.approx([0, 0, 64, 128, 191, 255, 255], abs=2)


def test_an_outline_lies_on_the_border_of_its_mask_wherever_that_is() -> None:
    rows, columns = np.mgrid[:40, :60]
    mask = np.hypot(rows - 26, columns - 41) < 9.5
    picture = Image.new("L", (600, 400))
    draw_outline(picture, mask, 255, dashed=False)
    y, x = np.nonzero(np.asarray(picture))
    radius = np.hypot(y + 0.5 - 265, x + 0.5 - 415)
    assert radius.min() > 86  # a pixel of the mask has 10, the line 5
    assert radius.max() < 104
    angles = np.arctan2(y + 0.5 - 265, x + 0.5 - 415)
    assert np.histogram(angles, 72, (-np.pi, np.pi))[0].min() > 20  # all around


def test_a_mask_that_vanishes_in_a_small_picture_has_no_outline() -> None:
    mask = np.zeros((500, 500), bool)
    mask[250, 250] = True
    picture = Image.new("L", (20, 20))
    draw_outline(picture, mask, 255, dashed=False)
    assert not np.asarray(picture).any()
