"""How sharp reconstruction kernels are, by the names that manufacturers give them."""

from __future__ import annotations

import math
import re

# GE and Philips use words and letters; Siemens (B31f, Br40d) and Canon (FC08, FC52) numbers that grow with sharpness.
_WORDS = {
    "SOFT": 20,
    "STANDARD": 30,
    "CHEST": 35,
    "DETAIL": 50,
    "LUNG": 60,
    "BONE": 70,
    "BONEPLUS": 80,
    "EDGE": 90,
    "A": 20,
    "B": 30,
    "C": 45,
    "D": 60,
    "L": 65,
    "E": 70,
}
_NUMBERED = re.compile(r"[A-Z]{1,2}(\d\d)")


def sharpness(kernel: str) -> float:
    """Rank of a ConvolutionKernel value, lower is softer; infinity where the name is not known.

    Ranks compare kernels of one manufacturer.
    """
    name = kernel.split("\\")[0].strip().upper()
    if name in _WORDS:
        return _WORDS[name]
    numbered = _NUMBERED.match(name)
    return float(numbered[1]) if numbered else math.inf
