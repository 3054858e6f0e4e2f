"""The pass at full size is spared where the coarser ones see no lung, in both engines."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from network_files import write_shipped
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.lungs.preprocessing import Resampling, frame_for, scale_hu, to_frame_matrices
from LungSegResNetLib.network.architecture import HU_WINDOW, LAST_STAGE_REACH, SLICE_SHAPE
from LungSegResNetLib.network.folding import fold
from LungSegResNetLib.network.model_file import default_model_path, load_model
from LungSegResNetLib.network.network import unpadded
from LungSegResNetLib.network.openvino_graph import build_graph
from LungSegResNetLib.network.openvino_predictor import OpenVinoPredictor
from LungSegResNetLib.network.passes import FineView, fine_view, lung_probability, split_scales
from LungSegResNetLib.network.predictor import Predictor
from LungSegResNetLib.network.torch_predictor import TorchPredictor, build_network

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


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch_size", [1, 2])
def test_slices_without_lung_get_the_coarse_passes_and_others_all_of_them(
    engine: type, batch_size: int, slices: np.ndarray, tmp_path: Path
) -> None:
    def log_odds(*scales: int) -> np.ndarray:
        model = write_shipped(tmp_path / f"{scales}.safetensors", scales)
        predictor: Predictor = engine(model, batch_size=batch_size, precision="float32")
        probability = predictor.predict(slices).astype(np.float64).clip(1e-14, 1 - 1e-9)
        return np.log(probability / (1.0 - probability)).clip(None, 7.0)  # a float32 near 1 tells no more

    result = log_odds(1, 2, 4)
    full, half, quarter = (log_odds(scale) for scale in (1, 2, 4))
    every, coarse = (full + half + quarter) / 3, (half + quarter) / 2
    assert (every[1] > 0.0).sum() > 1000
    np.testing.assert_allclose(result[[0, 2]], coarse[[0, 2]], atol=0.01)
    in_box = np.zeros(SLICE_SHAPE, bool)
    in_box[fine_view(1 / (1 + np.exp(-coarse[1]))).inner] = True
    assert 0.1 < in_box.mean() < 0.9
    np.testing.assert_allclose(result[1][~in_box], coarse[1][~in_box], atol=0.01)
    known = in_box & (np.max([full[1], half[1], quarter[1]], axis=0) < 6.9)
    assert known.sum() > 100
    # What lies beyond the box changes little inside of it.
    assert np.quantile(np.abs(result[1] - every[1])[known & (every[1] > -3)], 0.99) < 0.1
    assert np.abs(every - coarse)[[0, 2]].max() > 0.1, "the pass at full size would have been seen"
    assert np.abs(every - coarse)[1][known].max() > 0.1


def test_the_finest_pass_is_shown_all_that_may_be_lung_and_a_margin() -> None:
    probability = np.zeros((216, 296), np.float32)
    probability[100, 60] = probability[130, 200] = 0.02
    probability[20, 20] = 0.005
    # 79 rows and 189 columns with 24 pixels around, widened to 80 and 192.
    assert fine_view(probability) == FineView((slice(76, 156), slice(35, 227)), (slice(100, 132), slice(59, 203)))
    assert fine_view(probability).unpadded == (True, True)


@pytest.mark.parametrize(("row", "shown"), [(24, (0, 144)), (191, (72, 216))])
def test_lung_just_within_the_margin_of_the_frame_needs_no_border(row: int, shown: tuple[int, int]) -> None:
    probability = np.zeros((216, 296), np.float32)
    probability[110, 150] = probability[row, 150] = 0.02
    view = fine_view(probability)
    assert (view.shown[0].start, view.shown[0].stop) == shown
    assert view.unpadded == (True, True)
    assert view.inner[0].start <= row < view.inner[0].stop


@pytest.mark.parametrize(("row", "rows"), [(23, slice(0, 48)), (192, slice(168, 216))])
def test_lung_near_the_edge_of_the_frame_is_seen_up_to_the_edge(row: int, rows: slice) -> None:
    probability = np.zeros((216, 296), np.float32)
    probability[row, 150] = 1.0
    view = fine_view(probability)
    assert (view.shown[0], view.inner[0]) == (rows, rows)
    assert view.unpadded == (False, True)


def test_where_all_of_a_slice_is_wanted_the_finest_pass_is_shown_all_of_it() -> None:
    whole = (slice(0, 216), slice(0, 296))
    assert fine_view(np.zeros((216, 296), np.float32), -1.0) == FineView(whole, whole)


@pytest.mark.parametrize("unpadded_axes", list(itertools.product((False, True), repeat=2)))
def test_without_a_border_the_last_stage_gives_the_same_but_the_margin(
    unpadded_axes: tuple[bool, bool], slices: np.ndarray
) -> None:
    card, weights = load_model(default_model_path())
    shown = slices[1:2, None, 32:192, 120:280]
    inner = tuple(slice(LAST_STAGE_REACH, -LAST_STAGE_REACH) if without else slice(None) for without in unpadded_axes)

    network = build_network(card, weights, "shipped")
    with torch.inference_mode():
        expected = network(torch.from_numpy(shown)).numpy()[:, :, *inner]
        other = unpadded(network, *unpadded_axes)
        np.testing.assert_allclose(other(torch.from_numpy(shown)).numpy(), expected, atol=1e-4)
    assert all(one is another for one, another in zip(other.parameters(), network.parameters(), strict=True))

    for quantized in (False, True):
        results = []
        for axes in ((False, False), unpadded_axes):
            graph = build_graph(fold(card.config, weights), (1, -1, -1), (1,), quantized, axes)
            config = {"INFERENCE_PRECISION_HINT": "f32"}
            results.append(openvino.Core().compile_model(graph, "CPU", config)({0: shown})[0])
        np.testing.assert_allclose(results[1], results[0][:, :, *inner], atol=1e-4)
        if not quantized:
            np.testing.assert_allclose(results[1], expected, atol=1e-3)


def test_the_finest_pass_is_the_one_that_costs_most() -> None:
    assert split_scales((1, 2, 4)) == ((2, 4), 1)
    assert split_scales((4, 2)) == ((4,), 2)
    assert split_scales((1,)) == ((), 1)


def test_probabilities_of_logits_are_those_of_softmax() -> None:
    logits = np.array([[2.0, 1.0, 0.0], [0.0, 200.0, -1.0], [0.0, -200.0, 3.0]], np.float32)[..., None, None]
    exponentials = np.exp(logits.astype(np.float64))
    expected = exponentials[:, 1] / exponentials.sum(axis=1)
    np.testing.assert_allclose(lung_probability(logits), expected, atol=1e-6)
