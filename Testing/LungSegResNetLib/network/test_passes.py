"""The pass at full size is spared where the coarser ones see no lung, in both engines."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.lungs.preprocessing import Resampling, frame_for, scale_hu, to_frame_matrices
from LungSegResNetLib.network.architecture import HU_WINDOW, SLICE_SHAPE
from LungSegResNetLib.network.model_file import default_model_path, load_model, save_model
from LungSegResNetLib.network.openvino_predictor import OpenVinoPredictor
from LungSegResNetLib.network.passes import lung_box, lung_probability, split_scales
from LungSegResNetLib.network.predictor import Predictor
from LungSegResNetLib.network.torch_predictor import TorchPredictor

ENGINES = (TorchPredictor, OpenVinoPredictor)


@pytest.fixture(scope="module")
def slices() -> np.ndarray:
    """A slice with half a body, so that the other half may be spared, between two of air, as the network gets them."""
    image, _ = Thorax(right_lung=False).scan((3.0, 3.0, 20.0))
    ct = CTVolume.from_sitk(image, "thorax")
    frame = frame_for(ct.hu, ct.spacing_zyx, SLICE_SHAPE)
    into_frame = Resampling(*to_frame_matrices(frame, ct.hu.shape[1:], ct.spacing_zyx[1:]))
    thorax = into_frame(scale_hu(ct.hu[len(ct.hu) // 2], HU_WINDOW))
    thorax[:, : SLICE_SHAPE[1] // 2] = 0.0
    return np.stack([np.zeros(SLICE_SHAPE, np.float32), thorax, np.zeros(SLICE_SHAPE, np.float32)])


def shipped_with(scales: tuple[int, ...], folder: Path) -> Path:
    """The shipped network with other passes."""
    card, weights = load_model(default_model_path())
    path = folder / f"{scales}.safetensors"
    save_model(path, weights, dataclasses.replace(card, scales=scales))
    return path


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch_size", [1, 2])
def test_slices_without_lung_get_the_coarse_passes_and_others_all_of_them(
    engine: type, batch_size: int, slices: np.ndarray, tmp_path: Path
) -> None:
    def log_odds(*scales: int) -> np.ndarray:
        predictor: Predictor = engine(shipped_with(scales, tmp_path), batch_size=batch_size, precision="float32")
        probability = predictor.predict(slices).astype(np.float64).clip(1e-14, 1 - 1e-9)
        return np.log(probability / (1.0 - probability)).clip(None, 7.0)  # a float32 near 1 tells no more

    result = log_odds(1, 2, 4)
    full, half, quarter = (log_odds(scale) for scale in (1, 2, 4))
    every, coarse = (full + half + quarter) / 3, (half + quarter) / 2
    assert (every[1] > 0.0).sum() > 1000
    np.testing.assert_allclose(result[[0, 2]], coarse[[0, 2]], atol=0.01)
    in_box = np.zeros(SLICE_SHAPE, bool)
    in_box[lung_box(1 / (1 + np.exp(-coarse[1])))] = True
    assert 0.2 < in_box.mean() < 0.9
    np.testing.assert_allclose(result[1][~in_box], coarse[1][~in_box], atol=0.01)
    known = in_box & (np.max([full[1], half[1], quarter[1]], axis=0) < 6.9)
    assert known.sum() > 100
    # What lies beyond the box changes little inside of it.
    assert np.quantile(np.abs(result[1] - every[1])[known & (every[1] > -3)], 0.99) < 0.1
    assert np.abs(every - coarse)[[0, 2]].max() > 0.1, "the pass at full size would have been seen"
    assert np.abs(every - coarse)[1][known].max() > 0.1


def test_the_box_of_the_finest_pass_holds_all_that_may_be_lung_and_a_margin() -> None:
    probability = np.zeros((216, 296), np.float32)
    probability[100, 60] = probability[130, 200] = 0.02
    probability[20, 20] = 0.005
    assert lung_box(probability) == (slice(64, 160), slice(32, 240))
    probability[210, 290] = 1.0
    assert lung_box(probability) == (slice(64, 216), slice(32, 296))
    assert lung_box(probability, -1.0) == (slice(0, 216), slice(0, 296))


def test_the_finest_pass_is_the_one_that_costs_most() -> None:
    assert split_scales((1, 2, 4)) == ((2, 4), 1)
    assert split_scales((4, 2)) == ((4,), 2)
    assert split_scales((1,)) == ((), 1)


def test_probabilities_of_logits_are_those_of_softmax() -> None:
    logits = np.array([[2.0, 1.0, 0.0], [0.0, 200.0, -1.0], [0.0, -200.0, 3.0]], np.float32)[..., None, None]
    exponentials = np.exp(logits.astype(np.float64))
    expected = exponentials[:, 1] / exponentials.sum(axis=1)
    np.testing.assert_allclose(lung_probability(logits), expected, atol=1e-6)
