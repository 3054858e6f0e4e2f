"""Whether the result of an earlier run is that of the same scan, made in the same way."""

from __future__ import annotations

from .mask_options import MaskOptions
from .summary_file import Origin, Row


def made_from(scan: str, files: str, network: str, options: MaskOptions) -> Origin:
    """The origin of a result; texts are as in `Origin`."""
    return {
        "scan": scan,
        "files": files,
        "network": network,
        "smoothing_mm": options.smoothing_mm,
        "one_segment": options.one_segment,
    }


def is_of_same_files(summary: Row, origin: Origin) -> bool:
    """Whether a summary is of the same scan, whose files are as they were; False where it does not tell."""
    kept = summary.get("made_from")
    return kept is not None and kept["scan"] == origin["scan"] and kept["files"] == origin["files"]


def difference(summary: Row, origin: Origin) -> str:
    """How the result of a summary was made, in words, where that is not from ``origin``; else empty."""
    if not is_of_same_files(summary, origin):
        return f"from another scan, or the files of this one changed since then ({summary.get('input', '')})"
    kept = summary["made_from"]
    if kept["network"] != origin["network"]:
        return "with another network"
    if kept["smoothing_mm"] != origin["smoothing_mm"]:
        return f"with a smoothing of {kept['smoothing_mm']:g} mm"
    if kept["one_segment"] != origin["one_segment"]:
        return "as one segment" if kept["one_segment"] else "as two segments"
    return ""
