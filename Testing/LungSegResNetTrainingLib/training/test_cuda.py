"""Training on a real graphics card; skipped where there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_cases import small_case

from LungSegResNetLib.network.model_file import load_model
from LungSegResNetTrainingLib.training.fit import fit
from LungSegResNetTrainingLib.training.run_options import RunOptions
from LungSegResNetTrainingLib.training.settings import FINE_TUNE, RECOMMENDED, TrainingSettings
from LungSegResNetTrainingLib.training.training_run import TrainingRun

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")

SMALL = replace(RECOMMENDED, steps=60, batch_size=8, slice_shape=(64, 88))


def test_it_learns_and_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    cases = [small_case(name, seed=seed) for seed, name in enumerate("ab")]
    dice: list[float] = []
    network = fit(
        cases[:1],
        cases[1:],
        SMALL,
        tmp_path,
        RunOptions("cuda", workers=2, validate_every=30),
        on_progress=lambda progress: dice.append(progress.validation_dice or 0.0),
    )
    assert dice[-1] > 0.9
    assert load_model(network)[0].training["steps_done"] == 60
    again = TrainingRun(SMALL, tmp_path, "cuda")
    assert again.step == 60
    assert again.device.type == "cuda"


@pytest.mark.parametrize("preset", [RECOMMENDED, FINE_TUNE], ids=lambda settings: settings.preset)
def test_a_step_that_does_not_fit_is_done_in_parts(
    tmp_path: Path, preset: TrainingSettings, request: pytest.FixtureRequest
) -> None:
    settings = replace(preset, batch_size=32)
    slices = torch.rand(32, 1, 216, 296, generator=torch.Generator().manual_seed(0))
    target = (slices[:, 0] > 0.5).long()
    whole = TrainingRun(settings, tmp_path / "whole", "cuda").train_step(slices, target)
    request.getfixturevalue("little_card_memory")
    said: list[str] = []
    run = TrainingRun(settings, tmp_path / "parts", "cuda", on_warning=said.append)
    assert run.train_step(slices, target) == pytest.approx(whole, rel=0.05)
    assert said
    assert run.slices_at_once < 32
    assert run.step == 1
