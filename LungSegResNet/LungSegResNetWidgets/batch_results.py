"""What a run over a folder of scans left in its folder: the list of cases, and each of them in the scene."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.jobs.results_table import RESULTS
from LungSegResNetLib.jobs.summary_file import (
    SUMMARY_ENDING,
    Row,
    is_one_segment,
    measurements_of,
    read_summary,
    slices_to_check_of,
)
from LungSegResNetLib.labels import LUNG_SEGMENTS
from LungSegResNetLib.tables import read_rows

from .check_panel import keepSlices
from .ct_tables import MEASUREMENTS, keepTable
from .shown_cases import addCase, caseInScene, lungsOfCase, showAlone


@dataclass(frozen=True)
class BatchCase:
    """A case of the table; ``notes`` say why it failed, or are the warnings about it."""

    name: str
    status: str
    notes: str


def resultsFile(folder: str) -> Path:
    """The table of all cases."""
    return Path(folder) / RESULTS


def casesIn(folder: str) -> list[BatchCase]:
    """Cases of earlier runs into this folder; empty where there was none."""
    try:
        rows = read_rows(resultsFile(folder), ("case", "status", "error"))
    except InputError:
        return []
    return [BatchCase(row["case"], row["status"], row["error"] or row.get("warnings", "")) for row in rows]


def showResult(folder: Path, name: str) -> tuple[Any, Any]:
    """Show CT and lungs of a case, loaded unless they are in the scene; returns volume node and segmentation node.

    The case that was shown before stays until `removeOtherCases`.

    Raises
    ------
    LungSegError : a file is not there any more or cannot be read.
    """
    summary = read_summary(folder / f"{name}{SUMMARY_ENDING}")
    try:
        source, mask = summary["input"], summary["outputs"][0]
    except LookupError as error:
        raise InputError(f"The results of {name} are not complete any more; start the run again.") from error
    files = _stateOfFiles(summary, mask)
    volumeNode = caseInScene(files)
    if volumeNode is None:
        volumeNode = _load(name, files, source, mask, summary)
        if slices := slices_to_check_of(summary):
            keepSlices(volumeNode, lungsOfCase(volumeNode), slices)
    showAlone(volumeNode)
    return volumeNode, lungsOfCase(volumeNode)


def _stateOfFiles(summary: Row, mask: str) -> str:
    """Is another text for another case, and after another run or a change of the mask; empty if it cannot be read."""
    try:
        return hashlib.sha256(f"{summary}\n{mask} {file_digest(Path(mask))}".encode()).hexdigest()
    except OSError:
        return ""  # which reading the mask explains better


def _load(name: str, files: str, source: str, mask: str, summary: Row) -> Any:
    from LungSegResNetLib.files.mask_reading import mask_on_ct, read_mask_file
    from LungSegResNetLib.files.reading import read_ct

    # Not Slicer's own readers: the scan is shown as it was segmented.
    ct, _warnings = read_ct(source, when_in_doubt="choose", recursive=False)  # as the run read it
    labels, _warnings = mask_on_ct(read_mask_file(mask).labels, ct)
    isOneSegment = is_one_segment(summary)
    volumeNode = addCase(files, ct, labels, name, _("{ct} lungs").format(ct=name), isOneSegment)
    if rows := _measurementsOf(summary, ct, labels, isOneSegment):
        keepTable(MEASUREMENTS, rows, volumeNode, lungsOfCase(volumeNode))
    return volumeNode


def _measurementsOf(summary: Row, ct: CTVolume, labels: np.ndarray, isOneSegment: bool) -> list[dict[str, Any]]:
    """Rows of the run, as its lungs are shown; none where CT or mask were changed since.

    That they were is seen by volumes and by the mean density, in a tenth of the time that measuring takes.
    """
    both = labels > 0
    regions = [both] if isOneSegment else [*(labels == lung.label for lung in LUNG_SEGMENTS), both]
    rows = measurements_of(summary)[-len(regions) :]
    if len(rows) < len(regions) or not both.any():
        return []
    found = [*(np.count_nonzero(inside) * ct.voxel_ml for inside in regions), ct.hu[both].mean(dtype=np.float64)]
    told = [*(row["volume_ml"] for row in rows), rows[-1]["mean_hu"]]
    return rows if None not in told and np.allclose(told, found) else []
