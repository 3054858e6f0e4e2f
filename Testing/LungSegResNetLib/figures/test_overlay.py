"""The picture of a result: outlines where the borders are, true scale, orientation, empty and odd scans."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from scipy import ndimage
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError, OutputError
from LungSegResNetLib.figures.overlay import REFERENCE_COLOR, draw_overlay, write_overlay
from LungSegResNetLib.labels import BOTH_LUNGS, LEFT_LUNG, LUNG_SEGMENTS, RIGHT_LUNG

RIGHT_COLOR, LEFT_COLOR = (tuple(255 * c for c in s.color) for s in LUNG_SEGMENTS)


def soft_tissue(shape: tuple[int, int, int], spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> CTVolume:
    """A CT without contrast: whatever has a colour in the picture is an outline. ``spacing`` is x, y, z."""
    image = sitk.GetImageFromArray(np.full(shape, -600, np.int16))
    image.SetSpacing(spacing)
    return CTVolume.from_sitk(image, "phantom")


def colored(picture: Image.Image, color: tuple[float, ...]) -> np.ndarray:
    """Pixels of nearly this colour; the legend below the cuts is left out."""
    pixels = np.asarray(picture, float)[:-56]
    return np.abs(pixels - np.array(color)).max(axis=2) < 45


def outlines(picture: Image.Image, color: tuple[float, ...]) -> list[tuple[slice, slice]]:
    """Boxes (rows, columns) around the outlines of one colour."""
    labels, _ = ndimage.label(colored(picture, color), np.ones((3, 3)))
    return ndimage.find_objects(labels)


def test_the_outline_lies_on_the_border_of_the_mask() -> None:
    ct = soft_tissue((1, 100, 100))
    mask = np.zeros(ct.hu.shape, np.uint8)
    mask[0, 40:60, 30:70] = RIGHT_LUNG
    # 20 mm around the mask are shown: 80 x 60 mm in a cell 640 pixels wide, 8 pixels for each mm.
    picture = draw_overlay(ct, mask)
    assert picture.size == (24 + 640 + 24, 64 + 480 + 56)
    ((rows, columns),) = outlines(picture, RIGHT_COLOR)
    assert [columns.start, columns.stop] == pytest.approx([24 + 160, 24 + 480], abs=2)
    assert [rows.start, rows.stop] == pytest.approx([64 + 160, 64 + 320], abs=2)
    inside = colored(picture, RIGHT_COLOR)[rows.start + 4 : rows.stop - 4, columns.start + 4 : columns.stop - 4]
    assert not inside.any()


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 1.0, 4.0), (0.5, 1.0, 8.0)])
def test_a_cube_is_square_on_all_ten_cuts_at_any_spacing(spacing: tuple[float, float, float]) -> None:
    side = [round(64 / s) for s in reversed(spacing)]
    ct = soft_tissue((2 * side[0], 2 * side[1], 2 * side[2]), spacing)
    mask = np.zeros(ct.hu.shape, np.uint8)
    mask[tuple(slice(n // 2, n // 2 + n) for n in side)] = LEFT_LUNG
    boxes = outlines(draw_overlay(ct, mask), LEFT_COLOR)
    assert len(boxes) == 8 + 2
    for rows, columns in boxes:
        assert rows.stop - rows.start == pytest.approx(columns.stop - columns.start, rel=0.04)


def test_a_scan_of_few_lung_slices_shows_each_of_them_once() -> None:
    ct = soft_tissue((9, 60, 60), (1.0, 1.0, 5.0))
    mask = np.zeros(ct.hu.shape, np.uint8)
    mask[3:6, 20:40, 20:40] = LEFT_LUNG
    assert len(outlines(draw_overlay(ct, mask), LEFT_COLOR)) == 3 + 2


def in_cut(picture: Image.Image, color: tuple[float, ...], cut: Callable[..., Any]) -> tuple[slice, slice]:
    """Rows and columns of an outline in a cut right of the four columns of axial slices: the coronal one, which is the
    upper (``min``), or the sagittal one (``max``)."""
    right_of_grid = 24 + 4 * (320 + 6)
    boxes = [box for box in outlines(picture, color) if box[1].start > right_of_grid]
    return cut(boxes, key=lambda box: box[0].start)


def test_patient_right_is_left_and_superior_is_up() -> None:
    ct = soft_tissue((60, 80, 120))
    mask = np.zeros(ct.hu.shape, np.uint8)
    mask[32:40, 30:50, 20:50] = RIGHT_LUNG  # small x is the patient's right, large z is superior
    mask[20:28, 30:50, 70:100] = LEFT_LUNG
    picture = draw_overlay(ct, mask)
    (rows, columns), (other_rows, other_columns) = (in_cut(picture, color, min) for color in (LEFT_COLOR, RIGHT_COLOR))
    assert other_columns.stop < columns.start
    assert other_rows.stop < rows.start


def test_on_the_sagittal_cut_superior_is_up_and_anterior_left() -> None:
    ct = soft_tissue((60, 80, 120))
    mask = np.zeros(ct.hu.shape, np.uint8)
    mask[32:40, 10:30, 20:100] = RIGHT_LUNG  # small y is anterior, large z is superior
    mask[20:28, 50:70, 20:100] = LEFT_LUNG
    picture = draw_overlay(ct, mask)
    (rows, columns), (other_rows, other_columns) = (in_cut(picture, color, max) for color in (RIGHT_COLOR, LEFT_COLOR))
    assert rows.stop < other_rows.start
    assert columns.stop < other_columns.start


def test_sides_and_places_are_written_on_every_cut_from_the_highest_slice_down(monkeypatch: pytest.MonkeyPatch) -> None:
    tags: list[tuple[str, str]] = []
    place = "LungSegResNetLib.figures.overlay.draw_tag"
    monkeypatch.setattr(place, lambda draw, at, text, anchor: tags.append((text, anchor)))
    ct = soft_tissue((60, 80, 120))
    mask = np.zeros(ct.hu.shape, np.uint8)
    mask[20:40, 10:70, 20:100] = LEFT_LUNG
    draw_overlay(ct, mask)
    sides = [tag for tag in tags if tag[1] in ("lt", "rt")]  # in the upper corners, left and right
    assert sides == [("R", "lt"), ("L", "rt")] * (8 + 1) + [("A", "lt"), ("P", "rt")]
    heights = [float(text.split()[1]) for text, anchor in tags if anchor == "lb"][:8]
    assert heights == sorted(heights, reverse=True), "the highest slice comes first"


def test_a_reference_is_drawn_in_its_own_colour_with_gaps() -> None:
    ct = soft_tissue((1, 100, 100))
    mask = np.zeros(ct.hu.shape, np.uint8)
    mask[0, 40:60, 40:60] = RIGHT_LUNG
    reference = np.zeros(ct.hu.shape, bool)
    reference[0, 30:70, 30:70] = True
    picture = draw_overlay(ct, mask, reference=reference)
    assert not colored(draw_overlay(ct, mask), REFERENCE_COLOR).any()
    assert len(outlines(picture, REFERENCE_COLOR)) > 20
    (box,) = outlines(picture, RIGHT_COLOR)
    dashes = np.argwhere(colored(picture, REFERENCE_COLOR))
    for axis in (0, 1):
        middle = (box[axis].start + box[axis].stop) / 2
        reach = box[axis].stop - middle
        assert [middle - dashes[:, axis].min(), dashes[:, axis].max() - middle] == pytest.approx(
            [2 * reach, 2 * reach], abs=4
        )


def test_a_mask_that_tells_no_sides_is_drawn_as_lungs() -> None:
    ct = soft_tissue((1, 100, 100))
    mask = np.zeros(ct.hu.shape, bool)
    mask[0, 40:60, 30:70] = True
    picture = draw_overlay(ct, mask)
    both = tuple(255 * c for c in BOTH_LUNGS.color)
    (box,) = (box for box in outlines(picture, both) if box[0].stop - box[0].start > 100)  # the others are of letters
    assert [box[1].start, box[1].stop] == pytest.approx([24 + 160, 24 + 480], abs=2)
    legend = np.asarray(picture, float)[-56:]
    assert (np.abs(legend - both).max(axis=2) < 30).any()
    assert not (np.abs(legend - RIGHT_COLOR).max(axis=2) < 30).any(), "nobody said that it is the right lung"


@pytest.mark.parametrize("shape", [(1, 40, 40), (12, 40, 40), (3, 1, 50), (2, 2000, 3)])
def test_an_empty_mask_gives_a_picture_that_says_so(shape: tuple[int, int, int]) -> None:
    ct = soft_tissue(shape)
    picture = draw_overlay(ct, np.zeros(shape, np.uint8))
    assert not colored(picture, RIGHT_COLOR).any()
    assert not colored(picture, LEFT_COLOR).any()
    legend = np.asarray(picture, float)[-56:]
    assert (np.abs(legend - (255, 196, 87)).max(axis=2) < 30).sum() > 100  # the warning's colour


def test_very_thick_slices_and_a_mask_up_to_the_edge_are_drawn() -> None:
    scan, _ = Thorax().scan(spacing=(2.0, 2.0, 60.0))
    ct = CTVolume.from_sitk(scan, "thick")
    picture = draw_overlay(ct, np.full(ct.hu.shape, LEFT_LUNG, np.uint8), "a title much too long for it " * 20)
    assert len(outlines(picture, LEFT_COLOR)) >= len(ct.hu) + 2


def test_the_picture_is_written_whole_and_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    scan, truth = Thorax().scan(spacing=(4.0, 4.0, 10.0))
    ct, mask = CTVolume.from_sitk(scan, "phantom"), sitk.GetArrayFromImage(truth)
    path = tmp_path / "new folder" / "overlay.png"
    write_overlay(path, ct, mask, overwrite=False)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.size == draw_overlay(ct, mask).size
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        write_overlay(path, ct, 0 * mask, overwrite=False)
    assert [p.name for p in path.parent.iterdir()] == ["overlay.png"]
    assert path.read_bytes() == before


def test_a_mask_on_another_grid_is_refused() -> None:
    ct = soft_tissue((2, 10, 10))
    with pytest.raises(InputError, match="grid of the CT"):
        draw_overlay(ct, np.zeros((2, 10, 11), np.uint8))


def test_the_legend_tells_the_volume_of_each_lung_and_of_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    place = "LungSegResNetLib.figures.overlay.draw_legend"
    monkeypatch.setattr(place, lambda draw, at, entries: told.extend(text for _, _, text in entries))
    ct = soft_tissue((10, 60, 60), (2.0, 2.0, 5.0))
    mask, reference = np.zeros((2, *ct.hu.shape), np.uint8)
    mask[2:6, 10:20, 10:35], mask[2:6, 10:20, 40:55] = RIGHT_LUNG, LEFT_LUNG
    reference[2:7, 10:20, 10:55] = 1
    draw_overlay(ct, mask, reference=reference)
    assert told == ["right lung 20 ml", "left lung 12 ml", "reference 45 ml"]


def test_the_coronal_and_the_sagittal_cut_lie_where_most_of_the_lungs_is(monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[str] = []
    place = "LungSegResNetLib.figures.overlay.draw_tag"
    monkeypatch.setattr(place, lambda draw, at, text, anchor: places.append(text))
    ct = soft_tissue((40, 80, 120))
    mask = np.zeros(ct.hu.shape, np.uint8)
    mask[10:30, 10:70, 90] = LEFT_LUNG
    mask[10:30, 55, 20:100] = RIGHT_LUNG
    draw_overlay(ct, mask)
    cuts = [text for text in places if text.endswith(" mm")][-2:]
    assert cuts == [ct.position_text(1, 55), ct.position_text(2, 90)]


def test_the_heading_is_the_title_or_where_there_is_none_the_name_of_the_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    headings: list[str] = []
    place = "LungSegResNetLib.figures.overlay.fitted"
    monkeypatch.setattr(place, lambda draw, text, room, size: headings.append(text) or text)
    ct = soft_tissue((1, 20, 20))
    for title in ("Dice 0.9812: a", ""):
        draw_overlay(ct, np.zeros(ct.hu.shape, np.uint8), title)
    assert headings[::2] == ["Dice 0.9812: a", "phantom"]
