"""Which device a network runs on, and why."""

from __future__ import annotations

import ctypes
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import DeviceError


@dataclass(frozen=True)
class DeviceChoice:
    """A PyTorch device (``cuda``, ``mps`` or ``cpu``) and the reason for it in plain words."""

    device: str
    reason: str


def may_have_graphics_card() -> bool:
    """Whether PyTorch might find a graphics processor here, told from the drivers, without loading PyTorch.

    Loading PyTorch takes longer than segmenting a scan with OpenVINO may take.
    """
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if Path("/dev/kfd").exists():  # AMD's driver
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def choose_device(wanted: str = "auto") -> DeviceChoice:
    """The PyTorch device to use for ``auto``, ``cuda``, ``mps`` or ``cpu``.

    Raises
    ------
    DeviceError : the device asked for is not there or, as ``gpu``, none of PyTorch's, or PyTorch is not installed.
    """
    if wanted == "gpu":
        raise DeviceError("Intel graphics need the engine OpenVINO; choose it, or another device.")
    try:
        import torch
    except ImportError as error:
        raise DeviceError("PyTorch is not installed; install it with: pip install 'lungsegresnet[torch]'.") from error
    except OSError as error:  # a library of PyTorch's own
        raise DeviceError(f"PyTorch is installed but cannot be loaded ({error}); install it again.") from error
    has_cuda = torch.cuda.is_available()
    has_mps = torch.backends.mps.is_available()
    if wanted == "cuda" and not has_cuda:
        raise DeviceError("No CUDA GPU can be used here; choose the device auto or cpu.")
    if wanted == "mps" and not has_mps:
        raise DeviceError("No Apple GPU (MPS) can be used here; choose the device auto or cpu.")
    if wanted != "auto":
        return DeviceChoice(wanted, "asked for")
    if has_cuda:
        return DeviceChoice("cuda", f"CUDA GPU found ({torch.cuda.get_device_name()})")
    if has_mps:
        return DeviceChoice("mps", "Apple GPU found")
    return DeviceChoice("cpu", "no GPU found")


def device_name(device: str) -> str:
    """What the maker calls a device (``cuda``, ``mps``, ``cpu``) that is in use; other names stand for themselves."""
    if device == "cpu":
        return processor_name()
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    return "Apple GPU" if device == "mps" else device


def processor_name() -> str:
    """What the maker calls the processor, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), "") or platform.processor() or platform.machine()
