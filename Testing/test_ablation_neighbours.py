"""Neighbouring slices as channels: what is stacked, and that both networks are trained and judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ablation_neighbours
import numpy as np
import torch
from training_cases import small_case, write_data_set

from LungSegResNetTrainingLib.slices.augmentation import AugmentationSettings

_STEP = 200.0 / 1624.0  # 200 HU in a window of 1,624 HU


def test_channels_are_the_slices_before_and_after_turned_alike() -> None:
    ramp = np.arange(9, dtype=np.int16)[:, None, None] * 100 - 500
    case = replace(small_case(slices=9), hu=np.broadcast_to(ramp, (9, 96, 128)), spacing_z=1.5)
    none = AugmentationSettings.none()
    images, target = ablation_neighbours.stacked_slice(case, 4, (-1, 0, 1), none, seed=0)
    alone, same_target = ablation_neighbours.stacked_slice(case, 4, (0,), none, seed=0)
    assert torch.equal(images[1:2], alone)
    assert torch.equal(target, same_target)
    assert target.any()
    assert torch.allclose(images.diff(dim=0)[:, target > 0], torch.tensor(_STEP), atol=1e-3)

    first, _ = ablation_neighbours.stacked_slice(case, 0, (-1, 0, 1), none, seed=0)
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[1], first[2])

    turned, turned_target = ablation_neighbours.stacked_slice(case, 4, (-1, 0, 1), replace(none, geometry=1.0), seed=3)
    inside = turned_target > 0
    assert inside.any()
    assert torch.allclose(turned.diff(dim=0)[:, inside], torch.tensor(_STEP), atol=1e-3)
    assert not torch.allclose(turned, images)


def test_both_networks_are_trained_and_judged(tmp_path: Path) -> None:
    data_set = write_data_set(tmp_path, {"a": "train", "b": "train", "v": "validation"})
    command = [str(data_set), str(tmp_path / "out"), "--steps", "2", "--batch-size", "2"]
    command += ["--slice-shape", "32", "40", "--cache", str(tmp_path / "cache"), "--workers", "0"]
    assert ablation_neighbours.main(command) == 0
    page = (tmp_path / "out" / "neighbours.md").read_text(encoding="utf-8")
    assert "2 steps of 2 slices, seed 0, 2 volumes" in page
    assert page.count("| v |") == 1
    assert "mean (lowest) of 1" in page
    alone, three = (torch.load(tmp_path / "out" / f"variant-{n}" / "checkpoint.pt", weights_only=True) for n in (1, 2))
    assert [state["network"]["stem.0.weight"].shape[1] for state in (alone, three)] == [1, 3]
