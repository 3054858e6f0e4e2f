"""Whether the result of an earlier run is that of the same scan, made in the same way."""

from __future__ import annotations

from pathlib import Path

from .mask_options import MaskOptions
from .summary_file import Origin, Row


def made_from(scan: str, files: str, network: str, options: MaskOptions) -> Origin:
    """The origin of a result; texts are as in `Origin`."""
    origin: Origin = {"scan": scan, "files": files, "network": network, "smoothing_mm": options.smoothing_mm}
    if options.one_segment:
        origin["one_segment"] = True
    return origin


def is_of_same_files(summary: Row, origin: Origin) -> bool:
    """Whether a summary is of the same scan, whose files are as they were; False where it does not tell."""
    kept = summary.get("made_from")
    return kept is not None and kept["scan"] == origin["scan"] and kept["files"] == origin["files"]


def difference(summary: Row, origin: Origin, source: Path) -> str:
    """How the result of a summary was made, in words, where that is not from ``origin``; else empty.

    Summaries of older versions name the scan's file only. Their results are taken for those of the file at the same
    place, whatever the network and the smoothing were.
    """
    kept, scan = summary.get("made_from"), summary.get("input", "")
    if kept is None:
        return "" if scan and Path(scan).absolute() == source.absolute() else f"from another scan ({scan})"
    if not is_of_same_files(summary, origin):
        return f"from another scan, or the files of this one changed since then ({scan})"
    if kept["network"] != origin["network"]:
        return "with another network"
    if kept["smoothing_mm"] != origin["smoothing_mm"]:
        return f"with a smoothing of {kept['smoothing_mm']:g} mm"
    if kept.get("one_segment", False) != origin.get("one_segment", False):
        return "as one segment" if kept.get("one_segment") else "as two segments"
    return ""
