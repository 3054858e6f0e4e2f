"""The number format of training: bfloat16 products where the device is faster in them."""

from __future__ import annotations

import torch

from LungSegResNetLib.network.cpu_precision import cpu_precision


def fastest_precision(device: torch.device) -> str:
    """``bfloat16`` (newer CUDA cards and CPUs) or ``float32``, whichever suits the device."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return cpu_precision() if device.type == "cpu" else "float32"


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Context in which convolutions run in a number format; with float32 it changes nothing.

    bfloat16 has the range of float32, so that losses need no scaling, as they would in float16.
    """
    kind = "cuda" if device.type == "cuda" else "cpu"
    return torch.autocast(kind, torch.bfloat16, enabled=precision == "bfloat16")
