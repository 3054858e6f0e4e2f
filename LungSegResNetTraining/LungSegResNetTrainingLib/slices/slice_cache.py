"""Training slices on disk: every case once at 1 mm in plane, read as needed, so that a data set may outgrow memory."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.labels import LEFT_LUNG, RIGHT_LUNG
from LungSegResNetLib.lungs.preprocessing import BODY_HU, SliceFrame, body_box
from LungSegResNetLib.network.architecture import SLICE_SHAPE

from ..code_digest import reading_digest
from ..data.case_files import files_of_case
from ..data.case_reading import read_case
from ..data.cases import OK, Case
from ..data.pair_check import PairVerdict, check_pair
from .stored_array import StoredArray

# Values of the cached label slices.
OUTSIDE, BODY, RIGHT, LEFT = 0, 1, 2, 3
PIXEL_MM = 1.0
_NAME_LENGTH = 50  # letters of a case's name in those of its files: of the 255 bytes that a name may have, at most 200
_LAYOUT = 2  # raised when what is stored changes, so that old caches are left aside

_FINE = PairVerdict(OK, ())


@dataclass(frozen=True)
class CachedCase:
    """One case of the cache; arrays are read from disk as they are indexed.

    Attributes
    ----------
    hu : int16 (slices, rows, columns), pixels of 1 mm.
    labels : uint8, same shape: 0 outside the body, 1 body, 2 right lung, 3 left lung.
    spacing_z : distance of slices in mm.
    frame : what the network is shown of this case when nothing is augmented.
    lung_slices : indices of slices with lung.
    verdict : whether CT and mask belong together.
    """

    name: str
    hu: np.ndarray | StoredArray
    labels: np.ndarray | StoredArray
    spacing_z: float
    frame: SliceFrame
    lung_slices: np.ndarray
    verdict: PairVerdict = _FINE


def cache_case(case: Case, folder: Path, slice_shape: tuple[int, int] = SLICE_SHAPE) -> CachedCase:
    """Open the case from the cache in ``folder``, or read its files and add it.

    Parameters
    ----------
    slice_shape : rows and columns of the network's slices.

    Raises
    ------
    InputError : a file cannot be read, the mask does not belong to the CT, or it has other label values.
    OutputError : the cache cannot be written.
    """
    stem = re.sub(r"[^\w.-]", "_", case.name)[:_NAME_LENGTH] + "-" + _key(case)
    hu_path, labels_path, facts_path = (folder / f"{stem}.{part}" for part in ("hu.npy", "labels.npy", "json"))
    facts = _stored_facts(hu_path, labels_path, facts_path)
    if facts is None:
        hu, labels, facts = _prepare(case)
        for path, array in ((hu_path, hu), (labels_path, labels)):
            with write_atomically(path, overwrite=True) as temporary:
                np.save(temporary, array)
        with write_atomically(facts_path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(facts), encoding="utf-8")
    shape = tuple(facts["shape"])
    return CachedCase(
        name=case.name,
        hu=StoredArray(hu_path, shape),
        labels=StoredArray(labels_path, shape),
        spacing_z=facts["spacing_z"],
        frame=SliceFrame.around(tuple(facts["body_box"]), slice_shape),
        lung_slices=np.array(facts["lung_slices"], int),
        verdict=PairVerdict(facts["status"], tuple(facts["reasons"]), mean_hu=facts["mean_hu"]).after(case.accepted),
    )


def _stored_facts(hu_path: Path, labels_path: Path, facts_path: Path) -> dict[str, Any] | None:
    """What is stored of a case; None if it is not there as a whole, for which a crash of the machine is enough."""
    try:
        facts = json.loads(facts_path.read_text(encoding="utf-8"))
        for path, kind in ((hu_path, np.int16), (labels_path, np.uint8)):
            stored = np.load(path, mmap_mode="r")
            if (stored.shape, stored.dtype) != (tuple(facts["shape"]), np.dtype(kind)):
                return None
        return facts
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def _key(case: Case) -> str:
    """Names a state of the case's files and of the code that reads and checks them: others are read anew."""
    files = [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in files_of_case(case)]
    return hashlib.sha256(json.dumps([_LAYOUT, reading_digest(), *files]).encode()).hexdigest()[:16]


def _prepare(case: Case) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """HU and labels of a case at 1 mm in plane, and what else is known about it."""
    ct, mask = read_case(case)
    verdict = check_pair(ct, mask.labels, mask.left_out)
    dz, dy, dx = ct.spacing_zyx
    zoom = (dy / PIXEL_MM, dx / PIXEL_MM)
    native = max(abs(z - 1.0) for z in zoom) <= 1e-3
    rows, columns = ct.hu.shape[1:] if native else (round(n * z) for n, z in zip(ct.hu.shape[1:], zoom, strict=True))
    hu = np.empty((len(ct.hu), rows, columns), np.int16)
    labels = np.empty(hu.shape, np.uint8)
    for z, (section, lungs) in enumerate(zip(ct.hu, mask.labels, strict=True)):
        # Right and left are resampled as the densities are; values in between tell where their borders run.
        parts = [section, lungs == RIGHT_LUNG, lungs == LEFT_LUNG]
        if not native:
            parts = [_resampled(part, zoom) for part in parts]
        values, right, left = (part.astype(np.float32) for part in parts)
        labels[z] = _body(values)
        lung = right + left > 0.5
        labels[z][lung & (right >= left)] = RIGHT
        labels[z][lung & (right < left)] = LEFT
        hu[z] = np.rint(values)
    facts = {
        "shape": hu.shape,
        "spacing_z": float(dz),
        "body_box": [float(edge) for edge in body_box(hu, (dz, PIXEL_MM, PIXEL_MM))],
        "lung_slices": np.flatnonzero((labels >= RIGHT).any(axis=(1, 2))).tolist(),
        "status": verdict.status,
        "reasons": verdict.reasons,
        "mean_hu": verdict.mean_hu,
    }
    return hu, labels, facts


def _resampled(section: np.ndarray, zoom: tuple[float, float]) -> np.ndarray:
    """A slice (float32) with other pixels; both grids share the outer edges of their first pixels."""
    return ndimage.zoom(section.astype(np.float32), zoom, order=1, grid_mode=True, mode="nearest")


def _body(section: np.ndarray) -> np.ndarray:
    """Body of one slice, lungs and bowel gas included."""
    opened = ndimage.binary_opening(section > BODY_HU, iterations=3)
    return ndimage.binary_fill_holes(opened)
