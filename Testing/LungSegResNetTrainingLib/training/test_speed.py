from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from network_files import seen_network, write_network
from training_cases import small_case

from LungSegResNetLib.errors import InputError
from LungSegResNetTrainingLib.training.settings import FINE_TUNE, ONE_PASS, ONE_PASS_WITH_OTHERS, RECOMMENDED
from LungSegResNetTrainingLib.training.speed import PassSpeed, Speed, measure_speed
from LungSegResNetTrainingLib.training.start_network import read_start_network

_TINY = {"batch_size": 1, "slice_shape": (32, 40)}


def test_a_multiplication_with_addition_counts_as_two_operations() -> None:
    speed = Speed(30.0, 2, (PassSpeed("1/1 of the size", 5.0, 52.2),), 1044.0, "bfloat16")
    assert speed.text().splitlines() == [
        "prepared by 2 workers: 30.0 slices/s",
        "trained on 1/1 of the size: 5.00 slices/s x 2 x 52.20 GMAC = 522 GFLOP/s, 50 % of the peak",
        "peak (matrix product, bfloat16): 1044 GFLOP/s",
    ]


def test_without_lung_there_is_nothing_to_measure() -> None:
    with pytest.raises(InputError, match="No case has a slice with lung"):
        measure_speed([small_case(with_lung=())], replace(RECOMMENDED, **_TINY), "cpu", workers=0)


def test_each_pass_is_measured_alone_and_joint_passes_together() -> None:
    speed = measure_speed([small_case()], replace(RECOMMENDED, **_TINY), "cpu", workers=0)
    assert [one.name for one in speed.training] == ["1/1 of the size", "1/2 of the size"]
    full, half = (one.gmac_per_slice for one in speed.training)
    assert full == pytest.approx(3 * 17.4 * 32 * 40 / (216 * 296), rel=0.01)
    assert half == pytest.approx(full / 4)
    assert speed.loading > 0
    assert min(speed.peak_gflops, *(one.gflops for one in speed.training)) > 0
    alone = measure_speed([small_case()], replace(ONE_PASS, own_pass=2, **_TINY), "cpu", workers=0)
    assert [(one.name, one.gmac_per_slice) for one in alone.training] == [("1/2 of the size", pytest.approx(half))]
    joint = measure_speed([small_case()], replace(FINE_TUNE, **_TINY), "cpu", workers=0)
    (together,) = joint.training
    assert together.name == "1/1 and 1/2 and 1/4 of the size together"
    assert together.gmac_per_slice == pytest.approx(full * (1 + 1 / 4 + 1 / 16))


def test_passes_that_do_not_learn_are_only_computed(tmp_path: Path) -> None:
    shape = (32, 40)
    start = read_start_network(str(write_network(tmp_path / "start.safetensors", seen_network(shape), shape, (1, 2))))
    settings = start.apply_to(replace(ONE_PASS_WITH_OTHERS, own_pass=4, batch_size=1))
    (together,) = measure_speed([small_case()], settings, "cpu", 0, start).training
    assert together.name == "1/1 and 1/2 and 1/4 of the size together"
    full = 17.4 * 32 * 40 / (216 * 296)
    assert together.gmac_per_slice == pytest.approx(full * (1 + 1 / 4 + 3 / 16), rel=0.01)
