from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_cases import small_case

from LungSegResNetTrainingLib.training.sampling import TrainingSlices
from LungSegResNetTrainingLib.training.settings import RECOMMENDED

SETTINGS = replace(RECOMMENDED, steps=100, batch_size=4, scales=(1, 2))


def _drawn(data: TrainingSlices, count: int) -> list[tuple[str, int]]:
    """Case and slice of the first samples; ``_draw`` gets the same chance as in ``data[k]``."""
    pairs = (data._draw(np.random.default_rng([data.settings.seed, 1, k])) for k in range(count))
    return [(case.name, index) for case, index in pairs]


def test_a_run_has_exactly_its_steps_of_batches() -> None:
    assert len(TrainingSlices([small_case()], SETTINGS)) == 400


def test_a_sample_depends_on_the_seed_and_its_number_only() -> None:
    first, second = (TrainingSlices([small_case()], SETTINGS) for _ in range(2))
    first[3], first[1]
    for part, again in zip(first[7], second[7], strict=True):
        assert torch.equal(part, again)
    other_seed = TrainingSlices([small_case()], replace(SETTINGS, seed=1))
    same_size = [k for k in range(40) if first[k][0].shape == other_seed[k][0].shape]
    assert same_size
    assert not any(torch.equal(first[k][0], other_seed[k][0]) for k in same_size)
    assert len({float(first[k][0].sum()) for k in range(10)}) == 10


def test_a_sample_is_the_same_with_any_number_of_threads() -> None:
    data, before = TrainingSlices([small_case()], replace(SETTINGS, slice_shape=(216, 296))), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = [data[k] for k in range(6)]
        torch.set_num_threads(2)
        assert all(torch.equal(one[0], data[k][0]) for k, one in enumerate(alone))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_all_slices_of_a_batch_have_one_size_and_both_sizes_occur() -> None:
    data = TrainingSlices([small_case()], SETTINGS)
    sizes = []
    for step in range(12):
        shapes = {data[k][0].shape for k in range(4 * step, 4 * step + 4)}
        assert len(shapes) == 1
        sizes.append(shapes.pop()[1:])
    assert set(sizes) == {(64, 88), (32, 44)}


def test_the_share_of_full_size_steps_grows_over_the_run() -> None:
    settings = replace(SETTINGS, steps=4000, full_size_share=(0.1, 0.7))
    data = TrainingSlices([small_case()], settings)
    full = np.array([data.scale(step) == 1 for step in range(4000)])
    assert full[:1000].mean() == pytest.approx(0.175, abs=0.05)
    assert full[-1000:].mean() == pytest.approx(0.625, abs=0.05)


@pytest.mark.parametrize("scale", [1, 2])
def test_a_single_scale_is_used_throughout(scale: int) -> None:
    data = TrainingSlices([small_case()], replace(SETTINGS, scales=(scale,)))
    assert {data.scale(step) for step in range(50)} == {scale}


def test_slices_without_lung_have_the_share_that_is_set() -> None:
    case = small_case(slices=20, with_lung=tuple(range(5, 15)))
    for share in (0.0, 0.1, 0.5):
        drawn = _drawn(TrainingSlices([case], replace(SETTINGS, empty_share=share)), 1000)
        empty = np.mean([index not in case.lung_slices for _, index in drawn])
        assert empty == pytest.approx(share, abs=0.05)


def test_single_slice_cases_have_the_share_that_is_set() -> None:
    cases = [small_case("volume"), *(small_case(f"single {n}", slices=1) for n in range(3))]
    drawn = _drawn(TrainingSlices(cases, replace(SETTINGS, single_slice_share=0.4)), 1000)
    assert np.mean([name != "volume" for name, _ in drawn]) == pytest.approx(0.4, abs=0.05)
    assert {name for name, _ in drawn} == {case.name for case in cases}


def test_few_single_slice_cases_are_drawn_as_often_as_others() -> None:
    cases = [small_case("single", slices=1), *(small_case(f"volume {n}") for n in range(9))]
    drawn = _drawn(TrainingSlices(cases, replace(SETTINGS, single_slice_share=0.4)), 2000)
    assert np.mean([name == "single" for name, _ in drawn]) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("slices", [1, 6])
def test_one_kind_of_case_is_enough(slices: int) -> None:
    drawn = _drawn(TrainingSlices([small_case("only", slices=slices)], SETTINGS), 200)
    assert {index for _, index in drawn} == set(range(slices))


def test_cases_without_lung_only_serve_as_slices_without_lung() -> None:
    cases = [small_case("lung"), small_case("empty", with_lung=())]
    drawn = _drawn(TrainingSlices(cases, replace(SETTINGS, empty_share=0.2)), 500)
    assert np.mean([name == "empty" for name, _ in drawn]) == pytest.approx(0.2, abs=0.06)
    assert "empty" not in {name for name, _ in _drawn(TrainingSlices(cases, replace(SETTINGS, empty_share=0.0)), 200)}


def test_the_ends_of_the_lung_are_shown_more_often() -> None:
    data = TrainingSlices([small_case(slices=32)], SETTINGS)
    ends = np.mean([index < 4 or index >= 28 for _, index in _drawn(data, 1000)])
    assert ends == pytest.approx(0.25 + 0.75 * 8 / 32, abs=0.05)
