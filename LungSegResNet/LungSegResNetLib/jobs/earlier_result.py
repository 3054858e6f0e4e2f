"""Whether the result of an earlier run is that of the same scan, made in the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ONE_SEGMENT = "one_segment"


def made_from(scan: str, files: str, network: str, smoothing_mm: float, one_segment: bool = False) -> dict[str, Any]:
    """What a summary keeps of the origin of its result.

    Parameters
    ----------
    scan, files : as in ``FolderCase``; the same after the input folder was moved.
    network : digest of the network file.
    smoothing_mm, one_segment : as in ``run_case``.
    """
    origin = {"scan": scan, "files": files, "network": network, "smoothing_mm": smoothing_mm}
    return origin | ({ONE_SEGMENT: True} if one_segment else {})  # not told by older versions


def is_origin(value: Any) -> bool:
    """Whether a value is what `made_from` gives."""
    if not isinstance(value, dict) or not isinstance(value.get("smoothing_mm"), int | float):
        return False
    texts = all(isinstance(value.get(key), str) for key in ("scan", "files", "network"))
    return texts and isinstance(value.get(ONE_SEGMENT, False), bool)


def difference(summary: dict[str, Any], origin: dict[str, Any], source: Path) -> str:
    """How the result of a summary was made, in words, where that is not from ``origin``; else empty.

    Summaries of older versions name the scan's file only. Their results are taken for those of the file at the same
    place, whatever the network and the smoothing were.
    """
    kept, scan = summary.get("made_from"), summary.get("input", "")
    if kept is None:
        return "" if scan and Path(scan).absolute() == source.absolute() else f"from another scan ({scan})"
    if kept["scan"] != origin["scan"] or kept["files"] != origin["files"]:
        return f"from another scan, or the files of this one changed since then ({scan})"
    if kept["network"] != origin["network"]:
        return "with another network"
    if kept["smoothing_mm"] != origin["smoothing_mm"]:
        return f"with a smoothing of {kept['smoothing_mm']:g} mm"
    if kept.get(ONE_SEGMENT, False) != origin.get(ONE_SEGMENT, False):
        return "as one segment" if kept.get(ONE_SEGMENT) else "as two segments"
    return ""
