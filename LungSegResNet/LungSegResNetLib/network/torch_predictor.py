"""Runs a network with PyTorch: network slices in, lung probabilities out."""

from __future__ import annotations

import contextlib
import copy
import functools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..errors import DeviceError
from .architecture import STAGES
from .cpu_memory import keep_freed_memory
from .cpu_precision import cpu_precision
from .model_file import ModelCard, load_model, weights_do_not_fit
from .network import HighRes2DNet, ResidualBlock, unpadded
from .passes import FEW_SLICES, LUNG_IN_VIEW, fine_view, split_scales

_LAYERS_ALIVE = 10  # results of layers with the most channels that are in memory together, workspace included
_SLICE_BYTES = 80 << 20  # of those in half precision for a slice of 216 x 296
_MOST_SLICES = 64


def build_network(card: ModelCard, weights: dict[str, np.ndarray], source: str) -> HighRes2DNet:
    """The network of a model file in evaluation mode. Raises ModelError if weights and architecture do not match."""
    try:
        network = HighRes2DNet(**card.config)
        _load_weights(network, weights)
    except (TypeError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise weights_do_not_fit(source, reason) from error
    return network.eval()


def memory_order(device: torch.device) -> torch.memory_format:
    """The memory order in which a device computes convolutions fastest: channels last.

    Not on Apple's: PyTorch was seen to read weights there as if they were in plain order, without an error, and to
    compute wrong gradients of batch norm (https://github.com/pytorch/pytorch/issues/192212 and 175189).
    """
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def on_device(network: HighRes2DNet, device: torch.device) -> HighRes2DNet:
    """Move a network to a device, in its `memory_order`."""
    return convert_conv2d_weight_memory_format(network.to(device), memory_order(device))


def without_norms(network: HighRes2DNet) -> HighRes2DNet:
    """Fold every batch norm that follows a convolution into it, in place; for inference only.

    The norm at the start of a block stays, because the shortcut takes its input, too.
    """
    for own in network.own.values():
        assert isinstance(own, HighRes2DNet)
        without_norms(own)
    network.stem = _fused(network.stem)
    network.head = _fused(network.head)
    for block in network.blocks:
        assert isinstance(block, ResidualBlock)
        block.conv1 = fuse_conv_bn_eval(block.conv1, block.norm2)
        block.register_module("norm2", nn.Identity())
    return network


def _fused(layers: nn.Sequential) -> nn.Sequential:
    result: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            convolution = result.pop()
            assert isinstance(convolution, nn.Conv2d)
            result.append(fuse_conv_bn_eval(convolution, layer))
        else:
            result.append(layer)
    return nn.Sequential(*result)


def mean_logits(network: HighRes2DNet, slices: torch.Tensor, scales: tuple[int, ...]) -> torch.Tensor:
    """Logits (n, classes, h, w), float32, of slices (n, 1, h, w), averaged over passes at 1/scale of the size."""
    total: torch.Tensor | None = None
    order = memory_order(slices.device)
    for scale in scales:
        shrunk = functional.avg_pool2d(slices, scale) if scale > 1 else slices
        logits = network.at(scale)(shrunk.contiguous(memory_format=order)).float()
        if scale > 1:
            logits = functional.interpolate(logits, size=slices.shape[-2:], mode="bilinear", align_corners=False)
        total = logits if total is None else total + logits
    assert total is not None, "a model card has at least one scale"
    return total / len(scales)


class TorchPredictor:
    """A loaded network on a device; ``predict`` may be called for any number of scans.

    Where the coarser passes see no lung, the finest one is spared; on the processor it sees no more of a slice than
    the lungs and a margin.

    Parameters
    ----------
    model_path : network file.
    device : ``cuda``, ``mps`` or ``cpu`` (see ``devices.choose_device``).
    batch_size : slices per pass; it is halved when the device runs out of memory.
    precision : ``float32``, ``bfloat16`` or ``float16``; None is the fastest on the device.
    lung_in_view : probability in the coarser passes above which a slice gets the finest one; below 0 all slices do,
        and as a whole.

    Raises
    ------
    ModelError : the network file cannot be used.
    DeviceError : the graphics processor cannot be used.
    """

    engine = "torch"

    def __init__(
        self,
        model_path: str | os.PathLike[str],
        device: str = "cpu",
        batch_size: int = 4,
        precision: str | None = None,
        lung_in_view: float = LUNG_IN_VIEW,
    ) -> None:
        self.card, weights = load_model(model_path)
        if device == "cpu":
            keep_freed_memory()
        self._lung_in_view = lung_in_view
        self.device = torch.device(device)
        self.batch_size = batch_size
        network = build_network(self.card, weights, Path(model_path).name)
        try:
            self._network = on_device(without_norms(network), self.device)
        except RuntimeError as error:
            raise _device_error(self.device, error) from error
        _, finest = split_scales(self.card.scales)
        self._finest = functools.cache(functools.partial(unpadded, self._network.at(finest)))
        fastest = "float32" if device == "mps" else "float16" if device == "cuda" else cpu_precision()
        self.precision = precision or fastest
        self._may_change = precision is None

    def for_scan(self, slices: int) -> TorchPredictor:
        """Itself, or for a few slices, unless a precision was asked for, one that works in float32."""
        if not self._may_change or slices > FEW_SLICES:
            return self
        in_float32 = copy.copy(self)  # on the same weights
        in_float32.precision = "float32"
        return in_float32

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None] = lambda done: None) -> np.ndarray:
        """Lung probability (n, h, w), float32, of scaled slices (n, h, w), float32.

        ``on_slices_done`` gets the number of finished slices after each batch; what it raises ends the run.

        Raises
        ------
        DeviceError : not even a single slice fits into the device's memory, or the graphics processor fails.
        """
        probability = np.empty(slices.shape, np.float32)
        done = 0
        while done < len(slices):
            batch = torch.from_numpy(slices[done : done + self.batch_size])[:, None]
            try:
                result = self._forward(batch)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    if self.device.type == "cpu":
                        raise
                    raise _device_error(self.device, error) from error
                if self.batch_size == 1:
                    raise DeviceError(
                        f"The {self.device.type} device has too little free memory for a single slice; "
                        "close other programs or choose another device."
                    ) from error
                self.batch_size = max(1, self.batch_size // 2)
                continue
            probability[done : done + len(batch)] = result
            done += len(batch)
            on_slices_done(done)
        return probability

    def _forward(self, batch: torch.Tensor) -> np.ndarray:
        dtype = getattr(torch, self.precision)
        # In float32 without autocast, which PyTorch 2.4 does not know for every device.
        shorter = contextlib.nullcontext() if dtype == torch.float32 else torch.autocast(self.device.type, dtype)
        with torch.inference_mode(), shorter:
            slices = batch.to(self.device)
            # Ask for the memory of the finest pass first: here its lack is an error, in the middle of oneDNN a crash.
            torch.empty(
                (len(slices), _LAYERS_ALIVE * STAGES[-1][0], *slices.shape[-2:]), dtype=dtype, device=self.device
            )
            coarse, finest = split_scales(self.card.scales)
            if not coarse:
                return _lung_probability(mean_logits(self._network, slices, (finest,))).cpu().numpy()
            logits = mean_logits(self._network, slices, coarse)
            probability = _lung_probability(logits).cpu().numpy()
            weight = 1 / (len(coarse) + 1)  # each pass has the same in the mean
            seen = np.flatnonzero(probability.max(axis=(1, 2)) > self._lung_in_view)
            if self.device.type == "cpu" and finest == 1:
                for number in seen:
                    view = fine_view(probability[number], self._lung_in_view)
                    part = slice(number, number + 1)
                    fine = mean_logits(self._finest(*view.unpadded), slices[part, :, *view.shown], (finest,))
                    fine = logits[part, :, *view.inner].lerp(fine, weight)
                    probability[part, *view.inner] = _lung_probability(fine).numpy()
            elif len(seen):
                # All of the batch, since kernels are made for its size.
                fine = logits.lerp(mean_logits(self._network, slices, (finest,)), weight)
                probability[seen] = _lung_probability(fine).cpu().numpy()[seen]
            return probability


def _device_error(device: torch.device, error: RuntimeError) -> DeviceError:
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    return DeviceError(f"PyTorch cannot use the {device.type} device ({reason}); choose the device cpu.")


def _lung_probability(logits: torch.Tensor) -> torch.Tensor:
    """Probability (n, h, w) of class 1, from logits (n, classes, h, w)."""
    return torch.softmax(logits, dim=1)[:, 1]


def fitting_batch_size(device: str) -> int:
    """Slices per pass that suit a device, as far as its free memory is known.

    Raises DeviceError if a graphics card cannot be used.
    """
    if device == "cuda":
        try:
            free_bytes, _ = torch.cuda.mem_get_info()
        except RuntimeError as error:
            raise _device_error(torch.device(device), error) from error
        return slices_in(free_bytes)
    return 4 if device == "cpu" else 16


def slices_in(free_bytes: int) -> int:
    """Slices per pass that need at most half of so much memory."""
    return int(min(max(free_bytes // (2 * _SLICE_BYTES), 1), _MOST_SLICES))


# oneDNN, which computes convolutions on the processor, names no reason when it gets no memory.
_NO_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "bad_alloc",
    "bad allocation",  # on Windows
    "invalid buffer size",  # larger than Metal gives at all
    "could not create a primitive",
)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether PyTorch ran out of memory; CPU and MPS say so only in the text of a plain ``RuntimeError``."""
    text = str(error).lower()
    return any(words in text for words in _NO_MEMORY)


def _load_weights(network: HighRes2DNet, weights: dict[str, np.ndarray]) -> None:
    """Strict loading, but for the batch counters of batch norm, which network files leave out."""
    result = network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=False)
    missing = [name for name in result.missing_keys if not name.endswith("num_batches_tracked")]
    if missing or result.unexpected_keys:
        raise ValueError(f"missing {missing or 'nothing'}, unexpected {result.unexpected_keys or 'nothing'}")
