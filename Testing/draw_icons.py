"""Draw the icons of the extension and of its modules: two lungs on a dark disc, in the colours of the segments.

Usage: ``python Testing/draw_icons.py`` writes Resources/LungSegResNet.png and the modules' icons, 128 x 128 pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from LungSegResNetLib.labels import LUNG_SEGMENTS

REPOSITORY = Path(__file__).resolve().parents[1]
TARGETS = {
    REPOSITORY / "Resources" / "LungSegResNet.png": False,
    REPOSITORY / "LungSegResNet" / "Resources" / "Icons" / "LungSegResNet.png": False,
    REPOSITORY / "LungSegResNetTraining" / "Resources" / "Icons" / "LungSegResNetTraining.png": True,
}
SIZE = 128
_FINE = 8  # drawn so many times larger, then reduced, for smooth edges

# Outline of the lung on the picture's left (the patient's right), in hundredths of the picture.
_OUTLINE = (
    (43, 27),
    (36, 22),
    (27, 30),
    (19, 47),
    (15, 66),
    (16, 80),
    (25, 79),
    (36, 74),
    (44, 72),
    (46, 60),
    (46, 40),
)
_HEART = ((54, 62), (60, 58), (66, 66), (63, 76), (54, 76))


def draw(training: bool = False) -> Image.Image:
    """The icon with a transparent surround; that of the training module has a falling curve across."""
    scale = SIZE * _FINE / 100
    picture = Image.new("RGBA", (SIZE * _FINE, SIZE * _FINE), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    pen.ellipse([3 * scale, 3 * scale, 97 * scale, 97 * scale], fill=(30, 38, 50, 255))
    for segment, mirrored in zip(LUNG_SEGMENTS, (False, True), strict=True):
        outline = [((100 - x if mirrored else x) * scale, y * scale) for x, y in _smooth(_OUTLINE)]
        pen.polygon(outline, fill=tuple(round(255 * value) for value in segment.color))
    pen.polygon([(x * scale, y * scale) for x, y in _smooth(_HEART)], fill=(30, 38, 50, 255))
    airway = [(50, 12), (50, 34)], [(50, 34), (40, 44)], [(50, 34), (60, 44)]
    for line in airway:
        pen.line([(x * scale, y * scale) for x, y in line], fill=(235, 238, 242, 255), width=round(5 * scale))
        for x, y in line:
            pen.ellipse(
                [(x - 2.5) * scale, (y - 2.5) * scale, (x + 2.5) * scale, (y + 2.5) * scale], (235, 238, 242, 255)
            )
    if training:
        curve = [(x * scale, (22 + 58 * (1 - 2.718 ** (-(x - 14) / 22))) * scale) for x in np.arange(14, 87, 0.25)]
        for radius, color in ((5.5 * scale, (30, 38, 50, 255)), (3 * scale, (255, 226, 122, 255))):
            for x, y in curve:
                pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=color)
    return picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def _smooth(points: tuple[tuple[float, float], ...], rounds: int = 4) -> list[tuple[float, float]]:
    """Cut the corners of a closed polygon again and again (Chaikin)."""
    smooth = [(float(x), float(y)) for x, y in points]
    for _ in range(rounds):
        following = [*smooth[1:], smooth[0]]
        smooth = [
            point
            for (x0, y0), (x1, y1) in zip(smooth, following, strict=True)
            for point in (
                (0.75 * x0 + 0.25 * x1, 0.75 * y0 + 0.25 * y1),
                (0.25 * x0 + 0.75 * x1, 0.25 * y0 + 0.75 * y1),
            )
        ]
    return smooth


if __name__ == "__main__":
    for target, training in TARGETS.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        draw(training).save(target, optimize=True)
        print(target.relative_to(REPOSITORY))
