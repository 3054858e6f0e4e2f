"""Where a prediction goes wrong: picks the worst slices of a case and draws them large."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from LungSegResNetLib.boxes import bounding_box
from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.figures.drawing import (
    BACKGROUND,
    FAINT,
    FINER,
    REFERENCE_COLOR,
    TEXT,
    Color,
    draw_legend,
    draw_outline,
    draw_tag,
    fine_picture,
    fitted,
    font,
)
from LungSegResNetLib.figures.metric_definitions import DICE

from .case_result import NETWORK, WorstSlice

PREDICTION_COLOR: Color = (70, 190, 255)
_LEAST_CM2 = 5.0  # smaller sections, the tips of the lungs, have a low Dice for a handful of pixels
_MARGIN_MM = 18.0
_PANEL = 620  # pixels, the longer side
_LEAST_PANEL_WIDTH = 400
_FILL = 0.55  # opacity of the differences
_EDGE, _GAP, _HEADER, _FOOTER = 20, 8, 62, 46


def find_worst_slices(ct: CTVolume, reference: np.ndarray, predicted: np.ndarray) -> tuple[WorstSlice, ...]:
    """Up to three slices: of the lowest Dice, of the largest missed and of the largest added area.

    Masks are boolean with the shape of ``ct.hu``. Sections below 5 cm2 count only where there is no larger one. A slice
    that is worst in several ways comes once; without any error there is none.
    """
    pixel_cm2 = float(np.prod(ct.spacing_zyx[1:])) / 100.0
    in_ref, in_pred, in_both = (np.count_nonzero(m, axis=(1, 2)) for m in (reference, predicted, reference & predicted))
    missed, added = (in_ref - in_both) * pixel_cm2, (in_pred - in_both) * pixel_cm2
    present = in_ref + in_pred > 0
    dice = np.divide(2.0 * in_both, in_ref + in_pred, out=np.ones(len(in_ref)), where=present)
    large = np.maximum(in_ref, in_pred) * pixel_cm2 >= _LEAST_CM2
    candidates = large if large.any() else present
    reasons: dict[int, list[str]] = {}
    for reason, badness in (
        ("lowest Dice", 1.0 - dice),
        ("most lung missed", missed),
        ("most added that is not lung", added),
    ):
        badness = np.where(candidates, badness, 0.0)
        if badness.any():
            reasons.setdefault(int(np.argmax(badness)), []).append(reason)
    only = "the only slice" if len(reference) == 1 else ""
    return tuple(
        WorstSlice(
            index=z,
            position=ct.position_text(0, z),
            reason=only or " and ".join(words),
            dice=float(dice[z]),
            missed_cm2=float(missed[z]),
            added_cm2=float(added[z]),
            picture=f"slice_{z + 1:03d}.png",
        )
        for z, words in reasons.items()
    )


def draw_worst_slice(
    ct: CTVolume, reference: np.ndarray, predicted: np.ndarray, worst: WorstSlice, name: str
) -> Image.Image:
    """The slice twice, side by side: as it is, and with both outlines and the difference between them filled.

    The fill has the colour of the outline it lies in: the reference's where lung was missed, the prediction's where
    something was added. True to scale in mm; masks are boolean with the shape of ``ct.hu``.
    """
    ref, pred = reference[worst.index], predicted[worst.index]
    pixel_mm = ct.spacing_zyx[1:]
    box = _cropped(ref | pred, pixel_mm)
    hu, ref, pred = ct.hu[worst.index][box], ref[box], pred[box]
    size_mm = hu.shape[1] * pixel_mm[1], hu.shape[0] * pixel_mm[0]
    scale = _PANEL / max(size_mm)
    size = max(1, round(size_mm[0] * scale)), max(1, round(size_mm[1] * scale))
    plain = fine_picture(hu, size)
    marked = plain.copy()
    for mask, color in ((ref & ~pred, REFERENCE_COLOR), (pred & ~ref, PREDICTION_COLOR)):
        stencil = Image.fromarray(mask.astype(np.uint8) * 255).resize(marked.size, Image.Resampling.BILINEAR)
        marked.paste(Image.new("RGB", marked.size, color), mask=stencil.point(lambda v: round(255 * _FILL * (v > 127))))
    draw_outline(marked, pred, PREDICTION_COLOR, dashed=False)
    draw_outline(marked, ref, REFERENCE_COLOR, dashed=True)

    panel = max(size[0], _LEAST_PANEL_WIDTH)
    picture = Image.new("RGB", (2 * _EDGE + 2 * panel + _GAP, _HEADER + size[1] + _FOOTER), BACKGROUND)
    for n, fine in enumerate((plain, marked)):
        left = _EDGE + n * (panel + _GAP) + (panel - size[0]) // 2
        picture.paste(fine.reduce(FINER), (left, _HEADER))
    _write_words(picture, ct, worst, name, panel)
    return picture


def _write_words(picture: Image.Image, ct: CTVolume, worst: WorstSlice, name: str, panel: int) -> None:
    draw = ImageDraw.Draw(picture)
    room = picture.width - 2 * _EDGE
    where = f"slice {worst.index + 1} of {len(ct.hu)}, {worst.position}"
    facts = f"{where}   slice Dice {DICE.text(worst.dice)}   {worst.reason}"
    draw.text((_EDGE, 28), fitted(draw, name, room, 19), TEXT, font(19), "ls")
    draw.text((_EDGE, 49), fitted(draw, facts, room, 13), FAINT, font(13), "ls")
    bottom = picture.height - _FOOTER
    for n in range(2):
        left = _EDGE + n * (panel + _GAP)
        draw_tag(draw, (left + 10, _HEADER + 10), "R", "lt")
        draw_tag(draw, (left + panel - 10, _HEADER + 10), "L", "rt")
    y = bottom + _FOOTER // 2
    x = draw_legend(draw, (_EDGE, y), [(REFERENCE_COLOR, True, "reference"), (PREDICTION_COLOR, False, NETWORK)])
    missed, added = f"missed {worst.missed_cm2:.1f} cm2", f"added {worst.added_cm2:.1f} cm2"
    draw_legend(draw, (x, y), [(REFERENCE_COLOR, False, missed), (PREDICTION_COLOR, False, added)], filled=True)


def _cropped(shown: np.ndarray, pixel_mm: tuple[float, ...]) -> tuple[slice, ...]:
    """Rows and columns around what is shown, with a margin."""
    box = bounding_box(shown) or (slice(0, shown.shape[0]), slice(0, shown.shape[1]))
    margins = [round(_MARGIN_MM / mm) for mm in pixel_mm]
    return tuple(
        slice(max(0, part.start - margin), min(n, part.stop + margin))
        for part, margin, n in zip(box, margins, shown.shape, strict=True)
    )
