"""The faster number format is taken, and asked for only where the processor has a choice."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.nn import functional

from LungSegResNetLib.network import cpu_precision as module


@pytest.fixture
def capabilities(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What PyTorch says that the processor has; to be filled by the test."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    module.cpu_precision.cache_clear()
    yield found
    module.cpu_precision.cache_clear()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_format_is_timed_by_the_quickest_of_several_convolutions_in_it(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    convolve, clock, seconds = functional.conv2d, [0.0], itertools.cycle([4.0, 1.5, 3.0])
    formats = []

    def timed(*arguments: Any, **options: Any) -> torch.Tensor:
        clock[0] += next(seconds)
        result = convolve(*arguments, **options)
        formats.append(result.dtype)
        return result

    monkeypatch.setattr(functional, "conv2d", timed)
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])
    assert module.seconds_of_convolution(dtype) == 1.5
    assert set(formats) == {dtype}


@pytest.mark.parametrize(("bfloat16", "expected"), [(0.5, "bfloat16"), (2.0, "float32")])
def test_where_both_formats_are_there_the_faster_one_is_taken(
    capabilities: dict[str, Any], monkeypatch: pytest.MonkeyPatch, bfloat16: float, expected: str
) -> None:
    capabilities.update(avx512_bf16=True)
    seconds = {torch.bfloat16: bfloat16, torch.float32: 1.0}
    monkeypatch.setattr(module, "seconds_of_convolution", seconds.__getitem__)
    assert module.cpu_precision() == expected


@pytest.mark.parametrize(("names", "expected"), [((), "float32"), (("avx512_bf16", "amx_bf16"), "bfloat16")])
def test_nothing_is_timed_where_there_is_no_question(
    capabilities: dict[str, Any], monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], expected: str
) -> None:
    capabilities.update(dict.fromkeys(names, True))
    monkeypatch.setattr(module, "seconds_of_convolution", lambda dtype: pytest.fail("timed"))
    assert module.cpu_precision() == expected


def test_an_older_pytorch_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    module.cpu_precision.cache_clear()
    assert module.cpu_precision() == "float32"
    module.cpu_precision.cache_clear()
