"""The PyTorch engine on a real graphics card; skipped where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from synthetic_thorax import Thorax

from LungSegResNetLib.command_line.main import main
from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.lungs.segmentation import segment
from LungSegResNetLib.network.engines import EngineSettings, load_engine
from LungSegResNetLib.network.model_file import default_model_path
from LungSegResNetLib.network.torch_predictor import TorchPredictor

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


def test_the_mask_is_that_of_the_processor() -> None:
    image, _ = Thorax().scan(spacing=(1.2, 1.2, 4.0))
    ct = CTVolume.from_sitk(image, "thorax")
    masks = {}
    for device in ("cuda", "cpu"):
        engine = load_engine(EngineSettings("torch", device, precision="float32" if device == "cpu" else None))
        assert engine.device == device
        masks[device] = segment(ct, engine.predictor).mask
    overlap = 2 * np.count_nonzero((masks["cuda"] == masks["cpu"]) & (masks["cpu"] > 0))
    assert overlap / sum(np.count_nonzero(mask) for mask in masks.values()) > 0.999


def test_too_large_a_batch_is_halved_until_it_fits(little_card_memory: None) -> None:
    slices = np.random.default_rng(0).random((64, 216, 296), dtype=np.float32)
    predictor = TorchPredictor(default_model_path(), "cuda", batch_size=64, lung_in_view=-1.0)
    probability = predictor.predict(slices)
    assert 1 <= predictor.batch_size < 64
    few = TorchPredictor(default_model_path(), "cuda", batch_size=4, lung_in_view=-1.0).predict(slices)
    np.testing.assert_allclose(probability, few, atol=0.05)


def test_the_command_takes_the_card_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = tmp_path / "ct.nii.gz"
    sitk.WriteImage(Thorax().scan(spacing=(1.2, 1.2, 4.0))[0], str(scan))
    assert main(["segment", str(scan), str(tmp_path / "lungs.nii.gz"), "--json", "--progress", "none"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["device"] == "cuda"
    assert "graphics card" in summary["why"]
