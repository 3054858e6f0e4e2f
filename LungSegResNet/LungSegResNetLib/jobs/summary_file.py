"""The summary that a folder run keeps of a case, as a file and in memory; imports nothing that takes time."""

from __future__ import annotations

import json
from pathlib import Path, PureWindowsPath
from typing import Any, NotRequired, TypedDict

SUMMARY_ENDING = ".summary.json"


class Origin(TypedDict):
    """What a result was made from, and how.

    ``scan`` and ``files`` are as in ``FolderCase``, the same after the input folder was moved; ``network`` is the
    digest of the network file. What is not required is not told by older versions.
    """

    scan: str
    files: str
    network: str
    smoothing_mm: float
    one_segment: NotRequired[bool]


class Row(TypedDict, total=False):
    """What is known of a case; which of it is there depends on ``status``, one of `case_status`.

    A case that is done has all fields of ``CaseSummary``, too.
    """

    case: str
    status: str
    error: str
    input: str
    outputs: list[str]
    made_from: Origin
    run: str
    starts: int
    machine: str
    process: int
    slices: int
    warnings: list[str]
    measurements: list[dict[str, Any]]


def read_summary(path: Path) -> Row:
    """What a file says that may be a summary; nothing if there is none that can be read or it is something else."""
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return row if _is_summary(row) else {}


def mask_names(row: Row) -> set[str]:
    """Names of the files that a summary tells of."""
    return {file_name(path) for path in row.get("outputs", ())}


def file_name(path: str) -> str:
    """The name of a file whose path a summary tells, which may have been written on Windows."""
    return PureWindowsPath(path).name


def is_one_segment(row: Row) -> bool:
    """Whether the masks that a summary tells of have both lungs as one segment."""
    origin = row.get("made_from")
    return bool(origin and origin.get("one_segment", False))


def _is_summary(row: Any) -> bool:
    """Whether all that is asked of a summary is of its kind, where it is there; other programs may use its name."""
    if not isinstance(row, dict):
        return False
    outputs, starts, origin = row.get("outputs", []), row.get("starts", 1), row.get("made_from")
    return (
        isinstance(row.get("status"), str)
        and isinstance(row.get("input", ""), str)
        and isinstance(outputs, list)
        and all(isinstance(path, str) for path in outputs)
        and isinstance(starts, int)
        and (origin is None or _is_origin(origin))
    )


def _is_origin(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("smoothing_mm"), int | float):
        return False
    texts = all(isinstance(value.get(key), str) for key in ("scan", "files", "network"))
    return texts and isinstance(value.get("one_segment", False), bool)
