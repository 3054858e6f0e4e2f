"""The number format in which PyTorch convolves fastest on a processor."""

from __future__ import annotations

import functools
import time

import torch
from torch.nn import functional

_SLICES = (2, 16, 108, 148)  # half-size slices in the network's first block
_RUNS = 5


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
    return "bfloat16" if seconds_of_convolution(torch.bfloat16) < seconds_of_convolution(torch.float32) else "float32"


def seconds_of_convolution(dtype: torch.dtype) -> float:
    """The shortest of a few runs of one of the network's convolutions in a number format, in seconds."""
    slices = torch.zeros(_SLICES, dtype=dtype).to(memory_format=torch.channels_last)
    weight = torch.zeros(16, 16, 3, 3, dtype=dtype).to(memory_format=torch.channels_last)
    shortest = float("inf")
    with torch.inference_mode():
        for _ in range(_RUNS):
            begun = time.perf_counter()
            functional.conv2d(slices, weight, padding=1)
            shortest = min(shortest, time.perf_counter() - begun)
    return shortest
