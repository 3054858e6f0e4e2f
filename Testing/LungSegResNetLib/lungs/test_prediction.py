"""Thin slices: which of them the network sees, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from predictors import StandIn
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.lungs.doubtful_slices import NetworkDoubt
from LungSegResNetLib.lungs.prediction import predict_mask
from LungSegResNetLib.lungs.preprocessing import frame_for
from LungSegResNetLib.network.engines import EngineSettings, load_engine
from LungSegResNetLib.network.predictor import Predictor


class Counting(StandIn):
    """A predictor that counts the slices it is shown."""

    def __init__(self, predictor: Predictor) -> None:
        self.card, self.engine, self.precision = predictor.card, predictor.engine, predictor.precision
        self.batch_size = predictor.batch_size
        self.count = self.calls = 0
        self._predictor = predictor

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None] = lambda done: None) -> np.ndarray:
        self.count += len(slices)
        self.calls += 1
        return self._predictor.predict(slices, on_slices_done)


@pytest.fixture(scope="module")
def loaded(quick_network: Path) -> Predictor:
    return load_engine(EngineSettings(device="cpu", model=quick_network)).predictor


@pytest.fixture
def predictor(loaded: Predictor) -> Counting:
    return Counting(loaded)


def scan(spacing_mm: float, slices: int) -> CTVolume:
    """The upper end of the lungs, with borders as soft as a scanner's."""
    image, _ = Thorax().scan((4.0, 4.0, spacing_mm), (400.0, 300.0, 320.0))
    upper = sitk.Cast(image[:, :, image.GetSize()[2] - slices :], sitk.sitkFloat32)
    soft = sitk.DiscreteGaussian(upper, 2.0, 15, 0.01, True) if slices > 1 else upper
    return CTVolume.from_sitk(sitk.Cast(soft, sitk.sitkInt16), "thorax")


def predict(
    ct: CTVolume,
    predictor: Counting,
    *apart_mm: float,
    progress: list[tuple[int, int]] | None = None,
    kind: type[NetworkDoubt] = NetworkDoubt,
) -> tuple[np.ndarray, NetworkDoubt]:
    frame = frame_for(ct.hu, ct.spacing_zyx, predictor.card.slice_shape)
    doubt = kind(frame, len(ct.hu))
    told = [] if progress is None else progress
    mask = predict_mask(ct, frame, predictor, doubt, lambda *counts: told.append(counts), {}, *apart_mm)
    return mask, doubt


def test_fewer_thin_slices_give_the_same_lungs() -> None:
    predictor = Counting(load_engine(EngineSettings(device="cpu")).predictor)  # one that knows lungs from the rest
    ct = scan(0.5, 120)
    every, every_doubt = predict(ct, predictor, 0.0)
    assert predictor.count == len(ct.hu)
    predictor.count = 0
    progress: list[tuple[int, int]] = []
    some, some_doubt = predict(ct, predictor, progress=progress)
    assert len(ct.hu) / 4 <= predictor.count < 0.7 * len(ct.hu)
    assert every.any(axis=(1, 2)).sum() > 50
    assert not every[-1].any(), "the scan should reach beyond the lungs"
    assert 2.0 * (every & some).sum() / (every.sum() + some.sum()) > 0.999
    largest = every_doubt.expected_mm2.max()
    np.testing.assert_allclose(some_doubt.expected_mm2, every_doubt.expected_mm2, atol=0.03 * largest)
    done = [number for number, _ in progress]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, len(ct.hu))
    assert {total for _, total in progress} == {len(ct.hu)}


class Bright(Counting):
    """Takes what is bright for lung, so that a test can say what changes from slice to slice."""

    elsewhere = 0.1

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None] = lambda done: None) -> np.ndarray:
        self.count += len(slices)
        self.calls += 1
        on_slices_done(len(slices))
        return np.where(slices > 0.5, 0.9, self.elsewhere).astype(np.float32)


def steps(rows: list[int]) -> CTVolume:
    """Slices of 0.25 mm with so many bright rows."""
    image = sitk.Image(80, 80, len(rows), sitk.sitkInt16)
    hu = np.full((len(rows), 80, 80), -1000, np.int16)
    for section, count in zip(hu, rows, strict=True):
        section[:count] = 500
    painted = sitk.GetImageFromArray(hu)
    painted.CopyInformation(image)
    painted.SetSpacing((4.0, 4.0, 0.25))
    return CTVolume.from_sitk(painted, "steps")


def test_the_mask_does_not_depend_on_how_many_slices_a_device_takes_at_once(predictor: Counting) -> None:
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.integers(0, 2, 90) * rng.integers(10, 60, 90), rng.integers(1, 30, 90)).tolist()
    bright, ct = Bright(predictor), steps(rows)
    bright.elsewhere = 0.01
    results = []
    for bright.batch_size in (1, 4, 17, 32, 64):
        bright.count = 0
        mask, _ = predict(ct, bright)
        results.append((bright.count, mask))
    assert 0.0 < results[0][1].mean() < 0.5
    for count, mask in results[1:]:
        assert count == results[0][0]
        np.testing.assert_array_equal(mask, results[0][1])


@pytest.mark.parametrize(
    ("rows", "seen"),
    [
        ([40] * 33, 5),  # every tenth, 2.5 mm apart, and the last one
        ([40] * 17 + [60] * 16, 5 + 3),  # the step is looked for in one gap: its middle, and on to the two slices of it
        ([40] * 18 + [60] * 15, 5 + 3),
        ([0] * 33, 5),
        ([4 * z for z in range(1, 19)], 18),
    ],
)
def test_the_network_sees_the_slices_between_two_that_disagree(predictor: Counting, rows: list[int], seen: int) -> None:
    bright = Bright(predictor)
    every, _ = predict(steps(rows), bright, 0.0)
    bright.count = 0
    some, _ = predict(steps(rows), bright)
    assert bright.count == seen
    np.testing.assert_array_equal(some, every)


def test_beyond_the_lungs_the_network_looks_out_for_them_every_10_mm(predictor: Counting) -> None:
    ct = steps([0] * 200 + [40] * 80 + [0] * 200)
    bright = Bright(predictor)
    bright.elsewhere = 0.0
    every, _ = predict(ct, bright, 0.0)
    assert bright.count == 480
    bright.count = 0
    progress: list[tuple[int, int]] = []
    some, _ = predict(ct, bright, progress=progress)
    # Every 10 mm and at the end of each lot; every 2.5 mm around what has lung; the slices of its two ends.
    assert bright.count == (9 + 5) + 9 + 2 * 4
    np.testing.assert_array_equal(some, every)
    done = [number for number, _ in progress]
    assert done == sorted(done)


@pytest.mark.parametrize(("spacing_mm", "seen"), [(5.0, 8), (2.5, 8), (1.3, 8)])
def test_slices_that_are_not_thin_are_all_seen(predictor: Counting, spacing_mm: float, seen: int) -> None:
    predict(scan(spacing_mm, 8), predictor)
    assert predictor.count == seen


def test_a_single_slice_is_seen(predictor: Counting) -> None:
    predict(scan(0.5, 1), predictor)
    assert predictor.count == 1


def test_a_graphics_card_is_given_many_slices_at_once(predictor: Counting) -> None:
    ct = steps([40] * 10 * 200)  # 200 slices for the network and the last one
    bright = Bright(predictor)
    few, _ = predict(ct, bright)
    assert (bright.count, bright.calls) == (201, 14)
    bright.batch_size, bright.count, bright.calls = 64, 0, 0
    many, _ = predict(ct, bright)
    assert (bright.count, bright.calls) == (201, 4)
    np.testing.assert_array_equal(few, many)


@pytest.mark.parametrize(("spacing_mm", "slices"), [(5.0, 8), (3.5, 90)])  # one piece, or several
def test_an_error_while_slices_are_brought_back_to_the_scan_ends_the_run(
    predictor: Counting, spacing_mm: float, slices: int
) -> None:
    class Full(NetworkDoubt):
        def note(self, index: int, probability: np.ndarray) -> None:
            if index < 4:
                raise MemoryError

    ct = scan(spacing_mm, slices)
    assert len(ct.hu) == slices
    with pytest.raises(MemoryError):
        predict(ct, predictor, kind=Full)
