"""Words in pictures: characters that the font has, in the room there is."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw

from LungSegResNetLib.figures.drawing import fitted, font


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
