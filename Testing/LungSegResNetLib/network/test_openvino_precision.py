"""Old processors cut off sums of 8-bit products; oneDNN can be told to take this one for such a processor."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

_ASK = """
from LungSegResNetLib.network.openvino_library import openvino
from LungSegResNetLib.network.openvino_precision import adds_bytes_exactly, device_precision
core = openvino.Core()
print(adds_bytes_exactly(core), device_precision(core, "CPU"))
"""

pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="x86 processors only")


def _answer(**environment: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-c", _ASK], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return result.stdout.split()


def test_processors_without_exact_byte_sums_do_not_get_int8() -> None:
    exact, precision = _answer(ONEDNN_MAX_CPU_ISA="AVX2")
    assert exact == "False"
    assert precision != "int8"


def test_the_choice_follows_the_processor() -> None:
    exact, precision = _answer()
    assert (precision == "int8") == (exact == "True")
