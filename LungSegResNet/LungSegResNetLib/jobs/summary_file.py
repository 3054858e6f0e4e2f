"""The summary of a case, and that which a folder run keeps of it as a file; imports nothing that takes time."""

from __future__ import annotations

import json
from pathlib import Path, PureWindowsPath
from typing import Any, TypedDict

SUMMARY_ENDING = ".summary.json"


class SliceToCheck(TypedDict):
    """A slice that is likely wrong.

    ``slice`` counts from 1 as `CTVolume.native_slice` does, not as the scanner did; ``position`` says where it lies,
    ``reason`` why it is listed, and ``point_lps_mm`` is the place to see. A higher ``score`` is a greater doubt.
    """

    slice: int
    position: str
    score: float
    reason: str
    point_lps_mm: list[float]


class CaseSummary(TypedDict):
    """What happened to a case; all of it goes into ``--json`` and into the summary that a folder run keeps of it.

    ``input`` and ``outputs`` are paths, ``model`` has name and version, ``why`` says why this engine on this device,
    ``seconds`` are those of each step, and ``measurements`` rows of `measurements_as_json`.
    """

    program: str
    input: str
    outputs: list[str]
    model: dict[str, str]
    engine: str
    device: str
    precision: str
    why: str
    smoothing_mm: float
    slices: int
    seconds: dict[str, float]
    warnings: list[str]
    slices_to_check: list[SliceToCheck]
    measurements: list[dict[str, Any]]


class Origin(TypedDict):
    """What a result was made from, and how.

    ``scan`` and ``files`` are as in ``FolderCase``, the same after the input folder was moved; ``network`` is the
    digest of the network file.
    """

    scan: str
    files: str
    network: str
    smoothing_mm: float
    one_segment: bool


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
    slices_to_check: list[SliceToCheck]
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
    return origin is not None and origin["one_segment"]


def slices_to_check_of(row: Row) -> list[SliceToCheck]:
    """The slices to check that a summary tells of; none where it tells of none or in another form."""
    slices = row.get("slices_to_check")
    return slices if isinstance(slices, list) and all(map(_is_slice, slices)) else []


def measurements_of(row: Row) -> list[dict[str, Any]]:
    """The measurements that a summary tells of; none where it tells of none or in another form."""
    rows = row.get("measurements")
    if not isinstance(rows, list) or not all(map(_is_measurement, rows)):
        return []
    return rows if all(list(one) == list(rows[0]) for one in rows) else []


def _is_measurement(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("region"), str):
        return False
    figures = [one for key, one in value.items() if key != "region"]
    return "volume_ml" in value and "mean_hu" in value and all(isinstance(one, int | float | None) for one in figures)


def _is_slice(value: Any) -> bool:
    point = value.get("point_lps_mm") if isinstance(value, dict) else None
    if not isinstance(point, list) or len(point) != 3 or not all(isinstance(mm, int | float) for mm in point):
        return False
    texts = all(isinstance(value.get(key), str) for key in ("position", "reason"))
    return texts and isinstance(value.get("slice"), int) and isinstance(value.get("score"), int | float)


def _is_summary(row: Any) -> bool:
    """Whether all that is asked of a summary is of its kind, where it is there; other programs may use its name."""
    if not isinstance(row, dict):
        return False
    outputs, numbers, origin = row.get("outputs", []), ("starts", "process"), row.get("made_from")
    return (
        isinstance(row.get("status"), str)
        and isinstance(row.get("input", ""), str)
        and isinstance(outputs, list)
        and all(isinstance(path, str) for path in outputs)
        and all(isinstance(row.get(key, 1), int) for key in numbers)
        and (origin is None or _is_origin(origin))
    )


def _is_origin(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("smoothing_mm"), int | float):
        return False
    texts = all(isinstance(value.get(key), str) for key in ("scan", "files", "network"))
    return texts and isinstance(value.get("one_segment"), bool)
