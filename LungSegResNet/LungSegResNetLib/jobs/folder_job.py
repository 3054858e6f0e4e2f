"""A folder of CTs: find the cases, segment each, go on after failures and interruptions, keep one CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..atomic import write_atomically
from ..errors import InputError, LungSegError, OutputError
from ..files.reading import CT_ENDINGS
from ..network.engines import LoadedEngine
from .case_job import Outputs, run_case
from .reporting import CaseEvent, Reporter

_SUMMARY_ENDING = ".summary.json"


@dataclass(frozen=True)
class FolderCase:
    """A CT file or DICOM folder, and its name: the path below the input folder without ending, with ``/``."""

    name: str
    path: Path


def find_cases(folder: Path, output: Path) -> list[FolderCase]:
    """All CT files and DICOM folders below ``folder``, sorted by name; the output folder is left out.

    Raises
    ------
    InputError : the folder is not there or has no case.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    cases: dict[str, FolderCase] = {}
    output = output.resolve()
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.resolve().is_relative_to(output):
            continue
        ending = next((e for e in CT_ENDINGS if path.name.lower().endswith(e)), None)
        if ending:
            name = path.relative_to(folder).as_posix()[: -len(ending)]
            # Two files that differ by ending only keep it in their names.
            name = name if name not in cases else path.relative_to(folder).as_posix()
            cases[name] = FolderCase(name, path)
        elif _is_dicom(path):
            relative = path.parent.relative_to(folder).as_posix()
            name = folder.resolve().name if relative == "." else relative
            cases[name] = FolderCase(name, path.parent)
    if not cases:
        raise InputError(f"There is no CT (DICOM, {', '.join(CT_ENDINGS)}) below {folder}.")
    return list(cases.values())


def run_folder(
    cases: Sequence[FolderCase],
    output: Path,
    engine: LoadedEngine,
    reporter: Reporter,
    *,
    ending: str = ".seg.nrrd",
    smoothing_mm: float = 0.0,
    overwrite: bool = False,
) -> list[dict[str, Any]]:
    """Segment each case into ``output``; returns a row per case with ``case``, ``status`` and what was measured.

    ``status`` is ``done``, ``already done`` (by an earlier run) or ``failed`` with ``error``. Each case leaves its mask
    and a summary; ``results.csv`` is made anew from all summaries after each case, so that shards can share it.
    """
    rows = []
    for number, case in enumerate(cases, 1):
        mask = output / f"{case.name}{ending}"
        summary = output / f"{case.name}{_SUMMARY_ENDING}"
        row = None if overwrite else _finished(summary, mask)
        if row is None:
            reporter.case(CaseEvent(case.name, number, len(cases), "running"))
            row = _run_one(case, mask, engine, reporter, smoothing_mm, overwrite)
            _write_json(summary, row)
            write_results(output)
        reporter.case(CaseEvent(case.name, number, len(cases), row["status"], row.get("error", "")))
        rows.append(row)
    write_results(output)
    return rows


def write_results(output: Path) -> Path:
    """Write ``results.csv`` from all summaries below ``output``: a row a case, volumes and densities with units."""
    table = []
    for path in sorted(output.rglob(f"*{_SUMMARY_ENDING}")):
        row = json.loads(path.read_text(encoding="utf-8"))
        flat: dict[str, Any] = {"case": row["case"], "status": row["status"], "error": row.get("error", "")}
        flat |= {"input": row["input"], "slices": row.get("slices", ""), "warnings": " ".join(row.get("warnings", []))}
        for lung in row.get("measurements", []):
            flat |= {f"{lung['region']} {key}": value for key, value in lung.items() if key != "region"}
        table.append(flat)
    columns = list(dict.fromkeys(key for row in table for key in row))
    target = output / "results.csv"
    with (
        write_atomically(target, overwrite=True) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(table)
    return target


def _run_one(
    case: FolderCase, mask: Path, engine: LoadedEngine, reporter: Reporter, smoothing_mm: float, overwrite: bool
) -> dict[str, Any]:
    try:
        summary = run_case(
            case.path, Outputs(masks=(mask,)), engine, reporter, smoothing_mm=smoothing_mm, overwrite=overwrite
        )
    except LungSegError as error:
        # A full disk or a forbidden folder would fail every case: say so at once.
        if isinstance(error, OutputError) and not mask.exists():
            raise
        return {"case": case.name, "status": "failed", "error": str(error), "input": str(case.path)}
    return {"case": case.name, "status": "done", **summary.as_json()}


def _finished(summary: Path, mask: Path) -> dict[str, Any] | None:
    """Row of an earlier run whose mask is there; None if the case has to be done."""
    try:
        row = json.loads(summary.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return {**row, "status": "already done"} if row.get("status") == "done" and mask.is_file() else None


def _write_json(path: Path, values: dict[str, Any]) -> None:
    with write_atomically(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(values, indent=2), encoding="utf-8")


def _is_dicom(path: Path) -> bool:
    """The magic word at byte 128, or the usual ending of files that lack it."""
    if path.suffix.lower() == ".dcm":
        return True
    if path.suffix:
        return False
    with path.open("rb") as file:
        file.seek(128)
        return file.read(4) == b"DICM"
