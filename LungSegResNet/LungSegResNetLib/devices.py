"""Which device and engine a network runs on, and why."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import DeviceError

DEVICES = ("auto", "cuda", "mps", "cpu")


@dataclass(frozen=True)
class DeviceChoice:
    """A PyTorch device (``cuda``, ``mps`` or ``cpu``) and the reason for it in plain words."""

    device: str
    reason: str


def choose_device(wanted: str = "auto") -> DeviceChoice:
    """The device to use for ``auto``, ``cuda``, ``mps`` or ``cpu``.

    Raises
    ------
    DeviceError : the device asked for is not there, or PyTorch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise DeviceError("PyTorch is not installed; install it with: pip install 'lungsegresnet[torch]'.") from error
    has_cuda = torch.cuda.is_available()
    has_mps = torch.backends.mps.is_available()
    if wanted == "cuda" and not has_cuda:
        raise DeviceError("No CUDA graphics card can be used here; choose --device cpu or auto.")
    if wanted == "mps" and not has_mps:
        raise DeviceError("No Apple graphics processor (MPS) can be used here; choose --device cpu or auto.")
    if wanted != "auto":
        return DeviceChoice(wanted, "asked for")
    if has_cuda:
        return DeviceChoice("cuda", f"CUDA graphics card found ({torch.cuda.get_device_name()})")
    if has_mps:
        return DeviceChoice("mps", "Apple graphics processor found")
    return DeviceChoice("cpu", "no graphics card found")
