"""The number format of training: bfloat16 products where the device multiplies them in hardware."""

from __future__ import annotations

import torch

from LungSegResNetLib.torch_predictor import cpu_precision


def autocast(device: torch.device) -> torch.autocast:
    """Context in which convolutions run in bfloat16 (CUDA, and CPUs that have it); elsewhere it changes nothing."""
    if device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16)
    return torch.autocast("cpu", torch.bfloat16, enabled=device.type == "cpu" and cpu_precision() == "bfloat16")
