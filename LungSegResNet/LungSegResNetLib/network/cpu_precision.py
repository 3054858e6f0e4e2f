"""The number format in which PyTorch convolves fastest on a processor."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence

import torch
from torch.nn import functional

from .torch_threads import one_thread

_SLICES = (2, 16, 108, 148)  # half-size slices in the network's first block
_WEIGHTS = (16, 16, 3, 3)
_RUNS = 25


@functools.cache
def cpu_precision() -> str:
    """``bfloat16`` or ``float32``, whichever this processor computes faster.

    Matrix units (AMX) are always faster in bfloat16. AVX-512 BF16 is on some processors and slower than float32 on
    others, so that both formats are timed there, once in a process. Processors that have neither, and older releases
    of PyTorch, which cannot tell, get ``float32``.
    """
    if not hasattr(torch.cpu, "get_capabilities"):
        return "float32"
    capabilities = torch.cpu.get_capabilities()
    if capabilities.get("amx_bf16"):
        return "bfloat16"
    if not capabilities.get("avx512_bf16"):
        return "float32"
    return fastest_format((torch.bfloat16, torch.float32))


def fastest_format(formats: Sequence[torch.dtype]) -> str:
    """Name of the number format in which the quickest of many runs of one of the network's convolutions was shortest.

    The formats take turns, so that another process that takes the processor for some milliseconds slows all of them,
    and they have one thread: beside other work, several would all wait for their turns on the cores, whatever they do.
    """
    shortest = dict.fromkeys(formats, float("inf"))
    slices = {dtype: torch.zeros(_SLICES, dtype=dtype).to(memory_format=torch.channels_last) for dtype in formats}
    weights = {dtype: torch.zeros(_WEIGHTS, dtype=dtype).to(memory_format=torch.channels_last) for dtype in formats}
    with torch.inference_mode(), one_thread():
        for _ in range(_RUNS):
            for dtype in formats:
                begun = time.perf_counter()
                functional.conv2d(slices[dtype], weights[dtype], padding=1)
                shortest[dtype] = min(shortest[dtype], time.perf_counter() - begun)
    return str(min(formats, key=shortest.__getitem__)).removeprefix("torch.")
