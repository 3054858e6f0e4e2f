"""Imports OpenVINO without its telemetry.

``import openvino`` reports itself to a web service where the package ``openvino_telemetry``, which is installed with
it, can be imported. Segmenting sends nothing anywhere, so OpenVINO is made to find no such package; it provides for
that case itself.
"""

from __future__ import annotations

import sys

_TELEMETRY = "openvino_telemetry"

# A package that has been imported is there already; None in its place stands for one that is not installed.
_hide = "openvino" not in sys.modules and _TELEMETRY not in sys.modules
if _hide:
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
try:
    import openvino
    from openvino import opset13 as opset
finally:
    if _hide:
        del sys.modules[_TELEMETRY]

__all__ = ["openvino", "opset"]
