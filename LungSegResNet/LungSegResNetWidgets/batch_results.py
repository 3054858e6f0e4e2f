"""What a run over a folder of scans left in its folder: the list of cases, and each of them in the scene."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.figures.tables import read_rows

from .segmentation_nodes import addVolume, placeWithVolume, writeLungs


@dataclass(frozen=True)
class BatchCase:
    """A case of the table; ``error`` says why it failed."""

    name: str
    status: str
    error: str


def resultsFile(folder: str) -> Path:
    """The table of all cases."""
    return Path(folder) / "results.csv"


def casesIn(folder: str) -> list[BatchCase]:
    """Cases of earlier runs into this folder; empty where there was none."""
    try:
        rows = read_rows(resultsFile(folder), ("case", "status", "error"))
    except InputError:
        return []
    return [BatchCase(row["case"], row["status"], row["error"]) for row in rows]


def showResult(folder: Path, name: str) -> tuple[Any, Any]:
    """Load CT and lungs of a case and show them; returns volume node and segmentation node.

    Raises
    ------
    LungSegError : a file is not there any more or cannot be read.
    """
    from LungSegResNetLib.files.mask_reading import mask_on_ct
    from LungSegResNetLib.files.reading import read_ct, read_mask

    try:
        summary = json.loads((folder / f"{name}.summary.json").read_text(encoding="utf-8"))
        source, mask = summary["input"], summary["outputs"][0]
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise InputError(f"The results of {name} are not complete any more; start the run again.") from error
    # Not Slicer's own readers: the scan is shown as it was segmented.
    ct, _warnings = read_ct(source, when_in_doubt="choose", recursive=False)  # as the run read it
    labels, _warnings = mask_on_ct(read_mask(mask), ct)
    volumeNode = addVolume(ct, name)
    segmentationNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", _("{ct} lungs").format(ct=name))
    placeWithVolume(segmentationNode, volumeNode)
    writeLungs(segmentationNode, volumeNode, labels)
    slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)
    return volumeNode, segmentationNode
