"""What a run over a folder of scans left in its folder: the list of cases, and each of them in the scene."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
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
from .shown_cases import addCase, caseInScene, filesInScene, lungsOfCase, showAlone


@dataclass(frozen=True)
class BatchCase:
    """A case of the table; ``notes`` say why it failed, or are the warnings about it."""

    name: str
    status: str
    notes: str


@dataclass(frozen=True)
class ReadResult:
    """A case as it was read.

    Attributes
    ----------
    files : as of `addCase`.
    ctAndLabels : None where the case was in the scene already.
    measurements : rows of the run; none where CT or mask were changed since.
    """

    name: str
    summary: Row
    files: str
    ctAndLabels: tuple[CTVolume, np.ndarray] | None = None
    measurements: Sequence[dict[str, Any]] = ()


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


def readerOfResult(folder: Path, name: str) -> Callable[[], ReadResult]:
    """A function that reads CT and lungs of a case, unless they are in the scene; any thread may call it.

    It raises LungSegError where a file is not there any more or cannot be read.
    """
    inScene = filesInScene()

    def read() -> ReadResult:
        summary = read_summary(folder / f"{name}{SUMMARY_ENDING}")
        try:
            source, mask = summary["input"], summary["outputs"][0]
        except LookupError as error:
            raise InputError(f"The results of {name} are not complete any more; start the run again.") from error
        files = _stateOfFiles(summary, mask)
        if files in inScene:
            return ReadResult(name, summary, files)
        ctAndLabels = _read(source, mask)
        return ReadResult(name, summary, files, ctAndLabels, _measurementsOf(summary, *ctAndLabels))

    return read


def showResult(result: ReadResult) -> tuple[Any, Any]:
    """Show CT and lungs of a case; returns volume node and segmentation node.

    The case that was shown before stays until `removeOtherCases`.

    Raises
    ------
    LungSegError : the case was in the scene when it was read, and has left it since.
    """
    name, summary, volumeNode = result.name, result.summary, caseInScene(result.files)
    if volumeNode is None:
        if result.ctAndLabels is None:
            raise InputError(_("{name} was removed from the scene just now; show it again.").format(name=name))
        lungsName = _("{ct} lungs").format(ct=name)
        volumeNode = addCase(result.files, *result.ctAndLabels, name, lungsName, is_one_segment(summary))
        if result.measurements:
            keepTable(MEASUREMENTS, result.measurements, volumeNode, lungsOfCase(volumeNode))
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


def _read(source: str, mask: str) -> tuple[CTVolume, np.ndarray]:
    from LungSegResNetLib.files.mask_reading import mask_on_ct, read_mask_file
    from LungSegResNetLib.files.reading import read_ct

    # Not Slicer's own readers: the scan is shown as it was segmented.
    ct, _warnings = read_ct(source, when_in_doubt="choose", recursive=False)  # as the run read it
    labels, _warnings = mask_on_ct(read_mask_file(mask).labels, ct)
    return ct, labels


def _measurementsOf(summary: Row, ct: CTVolume, labels: np.ndarray) -> list[dict[str, Any]]:
    """Rows of the run, as its lungs are shown; none where CT or mask were changed since.

    That they were is seen by volumes and by the mean density, in a tenth of the time that measuring takes.
    """
    both = labels > 0
    regions = [both] if is_one_segment(summary) else [*(labels == lung.label for lung in LUNG_SEGMENTS), both]
    rows = measurements_of(summary)[-len(regions) :]
    if len(rows) < len(regions) or not both.any():
        return []
    found = [*(np.count_nonzero(inside) * ct.voxel_ml for inside in regions), ct.hu[both].mean(dtype=np.float64)]
    told = [*(row["volume_ml"] for row in rows), rows[-1]["mean_hu"]]
    return rows if None not in told and np.allclose(told, found) else []
