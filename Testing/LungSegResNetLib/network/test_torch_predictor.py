from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from LungSegResNetLib.errors import DeviceError, ModelError
from LungSegResNetLib.network.model_file import ModelCard, save_model
from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetLib.network.torch_predictor import (
    TorchPredictor,
    is_out_of_memory,
    mean_logits,
    memory_order,
    slices_in,
)

# bfloat16 keeps 8 bits, and single pixels of slices of noise add up the rounding of 21 layers.
BFLOAT16_TOLERANCE = 0.06


@pytest.fixture(scope="module")
def network() -> HighRes2DNet:
    """A network that was never trained, but whose batch norm has seen slices, so that it answers neither 0 nor 1."""
    torch.manual_seed(0)
    network = HighRes2DNet().train()
    with torch.no_grad():
        for _ in range(20):
            network(torch.rand(2, 1, 48, 64))
    return network.eval()


@pytest.fixture(scope="module")
def model_path(network: HighRes2DNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "network.safetensors"
    weights = {name: value.numpy() for name, value in network.state_dict().items() if value.is_floating_point()}
    save_model(path, weights, ModelCard(network.config, scales=(1, 2)))
    return path


@pytest.fixture(scope="module")
def slices() -> np.ndarray:
    return np.random.default_rng(0).random((5, 48, 64), dtype=np.float32)


def test_the_result_is_the_networks_own_to_the_precision_of_the_processor(
    model_path: Path, network: HighRes2DNet, slices: np.ndarray
) -> None:
    with torch.no_grad():
        logits = mean_logits(network, torch.from_numpy(slices)[:, None], (1, 2))
    expected = torch.softmax(logits, dim=1)[:, 1].numpy()
    assert expected.std() > 0.05
    result = TorchPredictor(model_path).predict(slices)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=BFLOAT16_TOLERANCE)
    assert np.abs(result - expected).mean() < 0.1 * BFLOAT16_TOLERANCE


def test_float32_works_on_a_device_for_which_pytorch_knows_no_other_precision(
    model_path: Path, slices: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PyTorch 2.4 on Apple's graphics processors; this machine need not have one."""

    def unknown(device: str, *arguments: object, **options: object) -> None:
        raise RuntimeError(f"User specified an unsupported autocast device_type '{device}'")

    expected = TorchPredictor(model_path, precision="float32").predict(slices)
    monkeypatch.setattr(torch, "autocast", unknown)
    np.testing.assert_array_equal(TorchPredictor(model_path, precision="float32").predict(slices), expected)


def test_the_result_does_not_depend_on_the_batch_size(model_path: Path, slices: np.ndarray) -> None:
    alone = TorchPredictor(model_path, batch_size=1).predict(slices)
    for batch_size in (2, 5, 64):
        together = TorchPredictor(model_path, batch_size=batch_size).predict(slices)
        np.testing.assert_allclose(together, alone, atol=BFLOAT16_TOLERANCE)


def test_a_scan_of_few_slices_is_computed_in_float32_unless_another_format_was_asked_for(
    model_path: Path, slices: np.ndarray
) -> None:
    chosen = TorchPredictor(model_path)
    assert chosen.for_scan(60) is chosen
    of_few = chosen.for_scan(1)
    assert of_few.precision == "float32"
    expected = TorchPredictor(model_path, precision="float32").predict(slices)
    np.testing.assert_array_equal(of_few.predict(slices), expected)
    asked_for = TorchPredictor(model_path, precision="bfloat16")
    assert asked_for.for_scan(1) is asked_for


@pytest.mark.parametrize(("batch_size", "expected"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (8, [5])])
def test_progress_counts_up_to_all_slices(
    model_path: Path, slices: np.ndarray, batch_size: int, expected: list[int]
) -> None:
    counts: list[int] = []
    TorchPredictor(model_path, batch_size=batch_size).predict(slices, counts.append)
    assert counts == expected


def test_what_the_progress_callback_raises_stops_the_run(model_path: Path, slices: np.ndarray) -> None:
    counts: list[int] = []

    def cancel(done: int) -> None:
        counts.append(done)
        if done >= 2:
            raise KeyboardInterrupt

    predictor = TorchPredictor(model_path, batch_size=1)
    with pytest.raises(KeyboardInterrupt):
        predictor.predict(slices, cancel)
    assert counts == [1, 2]
    assert predictor.predict(slices).shape == slices.shape, "a predictor can be used again after that"


def test_no_slices_give_no_result_and_no_progress(model_path: Path) -> None:
    counts: list[int] = []
    assert TorchPredictor(model_path).predict(np.empty((0, 48, 64), np.float32), counts.append).shape == (0, 48, 64)
    assert counts == []


def test_logits_at_half_size_are_averaged_with_those_at_full_size(network: HighRes2DNet, slices: np.ndarray) -> None:
    batch = torch.from_numpy(slices)[:, None]
    with torch.no_grad():
        full, half, both = (mean_logits(network, batch, scales) for scales in ((1,), (2,), (1, 2)))
    torch.testing.assert_close(full, network(batch), atol=1e-4, rtol=1e-4)
    assert half.shape == full.shape
    assert (half - full).abs().max() > 0.1
    torch.testing.assert_close(both, (full + half) / 2, atol=1e-5, rtol=1e-5)


def test_a_broken_model_file_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"nothing of use")
    with pytest.raises(ModelError, match=r"broken\.safetensors"):
        TorchPredictor(tmp_path / "broken.safetensors")


def test_slices_keep_their_plain_order_on_apples_graphics_processors() -> None:
    """PyTorch computes wrong gradients there of others."""
    assert memory_order(torch.device("mps")) == torch.contiguous_format
    assert memory_order(torch.device("cuda")) == memory_order(torch.device("cpu")) == torch.channels_last


def test_a_full_memory_is_told_from_other_errors() -> None:
    with pytest.raises(RuntimeError) as too_large:
        torch.empty(1 << 60)
    with pytest.raises(RuntimeError) as other:
        torch.zeros(2) @ torch.zeros(3)
    assert is_out_of_memory(too_large.value)
    assert not is_out_of_memory(other.value)


_LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from LungSegResNetLib.network.torch_predictor import TorchPredictor

predictor = TorchPredictor(sys.argv[1], batch_size=256, precision="float32")
slices = np.random.default_rng(0).random((256, 48, 64), np.float32)
predictor.predict(slices[:2])
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (300 << 20), used + (300 << 20)))
probability = predictor.predict(slices)
print(predictor.batch_size, bool(np.isfinite(probability).all()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can limit the memory of a process so")
def test_batches_shrink_until_they_fit_into_memory(model_path: Path) -> None:
    command = [sys.executable, "-c", _LIMITED, str(model_path)]
    for _ in range(4):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        # Where oneDNN below PyTorch is the one that gets no memory, it crashes: about once in ten runs.
        if result.returncode != -signal.SIGSEGV:
            break
    assert result.returncode == 0, result.stderr
    batch_size, finite = result.stdout.split()
    assert 1 <= int(batch_size) < 256
    assert finite == "True"


def test_a_pass_has_the_slices_that_half_of_the_free_memory_holds() -> None:
    assert slices_in(0) == 1
    assert slices_in(2 << 30) == 12
    assert slices_in(80 << 30) == 64


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is an Apple GPU here")
def test_a_graphics_processor_that_cannot_be_used_is_one_sentence(model_path: Path, slices: np.ndarray) -> None:
    with pytest.raises(DeviceError, match="cannot use the mps device"):
        TorchPredictor(model_path, "mps")
    predictor = TorchPredictor(model_path)
    predictor.device = torch.device("mps")  # as if it failed after loading
    with pytest.raises(DeviceError, match="cannot use the mps device"):
        predictor.predict(slices)
