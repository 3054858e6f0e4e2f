"""The number format of training: bfloat16 products where the device is faster in them."""

from __future__ import annotations

import torch

from LungSegResNetLib.network.cpu_precision import cpu_precision


def autocast(device: torch.device) -> torch.autocast:
    """Context in which convolutions run in bfloat16 (newer CUDA cards and CPUs); elsewhere it changes nothing.

    bfloat16 has the range of float32, so that losses need no scaling, as they would in float16.
    """
    if device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16, enabled=torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.autocast("cpu", torch.bfloat16, enabled=device.type == "cpu" and cpu_precision() == "bfloat16")
