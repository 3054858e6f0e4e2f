from __future__ import annotations

from dataclasses import replace

import pytest
from training_cases import small_case

from LungSegResNetLib.errors import InputError
from LungSegResNetTrainingLib.training.settings import FINE_TUNE, ONE_PASS, RECOMMENDED
from LungSegResNetTrainingLib.training.speed import PassSpeed, Speed, measure_speed

_TINY = {"batch_size": 1, "slice_shape": (32, 40)}


def test_the_share_of_the_peak_counts_forward_pass_and_both_gradients() -> None:
    speed = Speed(30.0, 2, (PassSpeed("1/1 of the size", 5.0, 17.4),), 1044.0, "bfloat16")
    assert speed.text().splitlines() == [
        "prepared by 2 workers: 30.0 slices/s",
        "trained on 1/1 of the size: 5.00 slices/s x 3 x 2 x 17.40 GMAC = 522 GFLOP/s, 50 % of the peak",
        "peak (matrix product, bfloat16): 1044 GFLOP/s",
    ]


def test_without_lung_there_is_nothing_to_measure() -> None:
    with pytest.raises(InputError, match="No case has a slice with lung"):
        measure_speed([small_case(with_lung=())], replace(RECOMMENDED, **_TINY), "cpu", workers=0)


def test_each_pass_is_measured_alone_and_joint_passes_together() -> None:
    speed = measure_speed([small_case()], replace(RECOMMENDED, **_TINY), "cpu", workers=0)
    assert [one.name for one in speed.training] == ["1/1 of the size", "1/2 of the size"]
    full, half = (one.gmac_per_slice for one in speed.training)
    assert full == pytest.approx(17.4 * 32 * 40 / (216 * 296), rel=0.01)
    assert half == pytest.approx(full / 4)
    assert speed.loading > 0
    assert min(speed.peak_gflops, *(one.gflops for one in speed.training)) > 0
    alone = measure_speed([small_case()], replace(ONE_PASS, own_pass=2, **_TINY), "cpu", workers=0)
    assert [(one.name, one.gmac_per_slice) for one in alone.training] == [("1/2 of the size", pytest.approx(half))]
    joint = measure_speed([small_case()], replace(FINE_TUNE, **_TINY), "cpu", workers=0)
    (together,) = joint.training
    assert together.name == "1/1 and 1/2 and 1/4 of the size together"
    assert together.gmac_per_slice == pytest.approx(full * (1 + 1 / 4 + 1 / 16))
