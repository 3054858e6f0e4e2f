"""The faster number format is taken, and asked for only where the processor has a choice."""

from __future__ import annotations

from collections.abc import Container, Iterator
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


@pytest.mark.parametrize("interrupted", [(), range(12), range(20, 40)], ids=["quiet", "at first", "later"])
@pytest.mark.parametrize("faster", [torch.float32, torch.bfloat16])
def test_the_format_of_the_quickest_convolution_is_taken_whoever_else_takes_the_processor_for_a_while(
    capabilities: dict[str, Any], monkeypatch: pytest.MonkeyPatch, faster: torch.dtype, interrupted: Container[int]
) -> None:
    capabilities.update(avx512_bf16=True)
    convolve, clock = functional.conv2d, [0.0]
    formats: list[torch.dtype] = []

    def timed(*arguments: Any, **options: Any) -> torch.Tensor:
        result = convolve(*arguments, **options)
        clock[0] += (1.0 if result.dtype == faster else 2.0) + (5.0 if len(formats) in interrupted else 0.0)
        formats.append(result.dtype)
        return result

    monkeypatch.setattr(functional, "conv2d", timed)
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])
    assert module.cpu_precision() == str(faster).removeprefix("torch.")
    assert set(formats) == {torch.float32, torch.bfloat16}


def test_threads_that_wait_for_a_busy_processor_do_not_decide(
    capabilities: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    capabilities.update(avx512_bf16=True)
    convolve, clock = functional.conv2d, [0.0]

    def timed(*arguments: Any, **options: Any) -> torch.Tensor:
        result = convolve(*arguments, **options)
        alone = 1.0 if result.dtype == torch.bfloat16 else 2.0
        clock[0] += alone if torch.get_num_threads() == 1 else 20.0 - alone
        return result

    monkeypatch.setattr(functional, "conv2d", timed)
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert module.cpu_precision() == "bfloat16"
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("names", "expected"), [((), "float32"), (("avx512_bf16", "amx_bf16"), "bfloat16")])
def test_nothing_is_timed_where_there_is_no_question(
    capabilities: dict[str, Any], monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], expected: str
) -> None:
    capabilities.update(dict.fromkeys(names, True))
    monkeypatch.setattr(module, "fastest_format", lambda formats: pytest.fail("timed"))
    assert module.cpu_precision() == expected


def test_an_older_pytorch_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    module.cpu_precision.cache_clear()
    assert module.cpu_precision() == "float32"
    module.cpu_precision.cache_clear()
