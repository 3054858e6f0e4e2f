"""The fastest arithmetic a device has that leaves the mask as it is."""

from __future__ import annotations

import platform

import numpy as np

from .openvino_graph import convolution
from .openvino_library import openvino as ov
from .openvino_library import opset as ops

_CAPABILITY_HINTS = {"BF16": "bf16", "FP16": "f16"}
_HINT_NAMES = {"bf16": "bfloat16", "f16": "float16", "f32": "float32"}


def device_precision(core: ov.Core, device: str) -> str:
    """``int8``, ``bfloat16``, ``float16`` or ``float32`` for OpenVINO's ``CPU`` or ``GPU``.

    8-bit integers on x86 processors that add their products exactly (VNNI, AMX), which are several times as fast
    as anything else there; otherwise the shortest floating-point format that the device multiplies.
    """
    if device == "CPU" and platform.machine().lower() in ("x86_64", "amd64") and adds_bytes_exactly(core):
        return "int8"
    return _HINT_NAMES[_short_float(core, device)]


def float_hint(core: ov.Core, device: str, precision: str) -> str:
    """Value of INFERENCE_PRECISION_HINT for a precision; what is not 8-bit in ``int8`` takes the short format."""
    if precision == "int8":
        return _short_float(core, device)
    return next(hint for hint, name in _HINT_NAMES.items() if name == precision)


def adds_bytes_exactly(core: ov.Core) -> bool:
    """Whether sums of 8-bit products are right: processors without VNNI cut them off at 16 bits.

    OpenVINO does not tell, so a convolution of the largest numbers is tried (milliseconds).
    """
    channels = 64
    image = ops.parameter([1, channels, 8, 8], np.float32)
    kernel = np.ones((channels, channels, 3, 3), np.float32)
    graph = ov.Model([convolution(image, kernel, None, quantized=True)], [image], "probe")
    settings = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": "1"}
    result = core.compile_model(graph, "CPU", settings)(np.ones((1, channels, 8, 8), np.float32))[0]
    return bool(np.allclose(result[..., 1:-1, 1:-1], 9 * channels, rtol=0.01))


def _short_float(core: ov.Core, device: str) -> str:
    capabilities = core.get_property(device, "OPTIMIZATION_CAPABILITIES")
    return next((hint for name, hint in _CAPABILITY_HINTS.items() if name in capabilities), "f32")
