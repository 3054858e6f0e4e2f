"""Segments beside the lungs: which of them are taken for disease that was cut out of its lung."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.files.other_segments import OtherSegments
from LungSegResNetTrainingLib.data.disease_in_other_segments import disease_left_out

Pair = tuple[CTVolume, np.ndarray]


@pytest.fixture(scope="module")
def pair() -> Pair:
    """CT and lungs, whose left lower lobe is dense."""
    image, mask = Thorax(consolidation=True).scan((3.0, 3.0, 8.0), (400.0, 300.0, 304.0))
    return CTVolume.from_sitk(image, "phantom"), CTVolume.from_sitk(mask, "truth").hu


def _ellipsoid(ct: CTVolume, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
    """Voxels within; x, y and z in mm from the middle of the scan."""
    shape = ct.hu.shape
    places = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(shape, ct.spacing_zyx, strict=True)]
    z, y, x = np.meshgrid(*places, indexing="ij", sparse=True)
    parts = zip((x, y, z), centre, radii, strict=True)
    return sum((((place - middle) / radius) ** 2 for place, middle, radius in parts), np.zeros(shape)) < 1


def _said(pair: Pair, segments: dict[str, np.ndarray], lung: np.ndarray | None = None) -> list[str]:
    ct, labels = pair
    numbers = np.zeros(labels.shape, np.uint16)
    for number, voxels in enumerate(segments.values(), start=1):
        numbers[voxels] = number
    return disease_left_out(ct, labels > 0 if lung is None else lung, OtherSegments(tuple(segments), numbers))


def _dense(pair: Pair) -> np.ndarray:
    """The consolidation, which is open to the chest wall and the diaphragm, so that little of it borders on lung."""
    ct, labels = pair
    z = (np.arange(len(labels)) - (len(labels) - 1) / 2) * ct.spacing_zyx[0]
    y = (np.arange(labels.shape[1]) - (labels.shape[1] - 1) / 2) * ct.spacing_zyx[1]
    return (labels == 2) & (z < -20)[:, None, None] & (y > 0)[:, None]


@pytest.mark.parametrize("name", ["consolidation", "GGO left", "Konsolidierung_links", "peribronchial infiltrate"])
def test_disease_that_is_called_so_is_found_although_it_is_open_to_the_chest_wall(pair: Pair, name: str) -> None:
    dense = _dense(pair)
    lung = (pair[1] > 0) & ~dense
    ml = np.count_nonzero(dense) * 0.072
    told = f"The segment '{name}' ({ml:.0f} ml) lies within the lungs and is no part of them: give disease to its lung."
    assert _said(pair, {name: dense}, lung) == [told]
    # Where it was drawn over the lung, which kept its voxels, nothing is missing.
    assert _said(pair, {name: dense}) == []


def test_disease_beyond_the_lungs_is_not_theirs(pair: Pair) -> None:
    assert _said(pair, {"infection": _ellipsoid(pair[0], (60, -20, -130), (40, 40, 18)) & (pair[1] == 0)}) == []


def test_what_is_surrounded_by_lung_is_found_by_any_name_but_those_of_what_belongs_there(pair: Pair) -> None:
    ball = _ellipsoid(pair[0], (-75, 10, 0), (35, 35, 35))
    lung = (pair[1] > 0) & ~ball
    ct = CTVolume(np.where(ball, 30, pair[0].hu), pair[0].geometry, pair[0].native, "ball")
    assert "'Segment_3'" in _said((ct, pair[1]), {"Segment_3": ball}, lung)[0]
    for name in ("lung_vessels", "Pulmonary artery", "interlobar effusion", "Gefäße"):
        assert _said((ct, pair[1]), {name: ball}, lung) == []
    # Airways are air; ground glass is not.
    for hu, count in ((-950, 0), (-650, 1)):
        filled = CTVolume(np.where(ball, hu, pair[0].hu), pair[0].geometry, pair[0].native, "ball")
        assert len(_said((filled, pair[1]), {"Segment_3": ball}, lung)) == count


def test_a_nodule_is_too_small_and_several_that_are_not_together_are_told_in_one_sentence(pair: Pair) -> None:
    places = [(-75, 10, 0), (-70, -20, 60), (-85, 20, -50), (75, -20, 40)]
    nodules = {f"nodule {n}": _ellipsoid(pair[0], place, (22, 22, 22)) for n, place in enumerate(places)}
    everywhere = np.any(list(nodules.values()), axis=0)
    ct = CTVolume(np.where(everywhere, 30, pair[0].hu), pair[0].geometry, pair[0].native, "nodules")
    first = dict([next(iter(nodules.items()))])
    assert _said((ct, pair[1]), first, (pair[1] > 0) & ~first["nodule 0"]) == []
    (told,) = _said((ct, pair[1]), nodules, (pair[1] > 0) & ~everywhere)
    assert told.startswith("The segments 'nodule 0', 'nodule 1', 'nodule 2', 'nodule 3' (")
    assert "lie within the lungs and are no part of them" in told


def test_organs_beside_the_lungs_are_no_disease_even_without_a_name(pair: Pair) -> None:
    ct, labels = pair
    free = labels == 0
    organs = {
        "Segment_1": _ellipsoid(ct, (18, -28, -40), (62, 48, 75)) & free,  # the heart, in the hollow of the left lung
        "Segment_2": _ellipsoid(ct, (0, 8, 75), (9, 9, 80)) & free,  # the trachea
        "Segment_3": (ct.hu > 300) & free,  # ribs
        "Segment_4": _ellipsoid(ct, (-72, -5, -150), (80, 85, 95)) & free,  # the liver below the dome
        "Segment_5": _ellipsoid(ct, (0, 78, 0), (18, 18, 400)) & free,  # the spine
    }
    assert all(voxels.any() for voxels in organs.values())
    for name, voxels in organs.items():
        assert _said(pair, {name: voxels}) == []
    assert _said(pair, organs) == []
