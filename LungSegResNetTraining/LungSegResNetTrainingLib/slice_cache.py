"""Training slices on disk: every case once at 1 mm in plane, memory mapped, so that a data set may outgrow memory."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.labels import LEFT_LUNG, RIGHT_LUNG
from LungSegResNetLib.preprocessing import BODY_HU, SLICE_SHAPE, SliceFrame, body_box

from .cases import Case

# Values of the cached label slices.
OUTSIDE, BODY, RIGHT, LEFT = 0, 1, 2, 3
PIXEL_MM = 1.0
_LAYOUT = 1  # raised when what is stored changes, so that old caches are left aside


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
    """

    name: str
    hu: np.ndarray
    labels: np.ndarray
    spacing_z: float
    frame: SliceFrame
    lung_slices: np.ndarray


def cache_case(case: Case, folder: Path) -> CachedCase:
    """Open the case from the cache in ``folder``, or read its files and add it.

    Raises
    ------
    InputError : a file cannot be read, CT and mask differ in size, or the mask has other label values.
    """
    paths = {part: folder / f"{case.name}-{_key(case)}.{part}.npy" for part in ("hu", "labels", "meta")}
    if not all(path.is_file() for path in paths.values()):
        hu, labels, spacing_z = _prepare(case)
        box = body_box(hu, (spacing_z, PIXEL_MM, PIXEL_MM))
        for part, array in {"hu": hu, "labels": labels, "meta": np.array([spacing_z, *box])}.items():
            with write_atomically(paths[part], overwrite=True) as temporary:
                np.save(temporary, array)
    meta = np.load(paths["meta"])
    labels = np.load(paths["labels"], mmap_mode="r")
    return CachedCase(
        name=case.name,
        hu=np.load(paths["hu"], mmap_mode="r"),
        labels=labels,
        spacing_z=float(meta[0]),
        frame=SliceFrame.around(tuple(meta[1:]), SLICE_SHAPE),
        lung_slices=np.flatnonzero((labels >= RIGHT).any(axis=(1, 2))),
    )


def _key(case: Case) -> str:
    """Names a state of the case's files, so that a changed CT or mask is read anew."""
    files = [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in (case.ct, case.mask)]
    return hashlib.sha256(json.dumps([_LAYOUT, *files]).encode()).hexdigest()[:16]


def _prepare(case: Case) -> tuple[np.ndarray, np.ndarray, float]:
    """HU and labels of a case at 1 mm in plane."""
    ct, lungs = _read(case, case.ct), _read(case, case.mask)
    if ct.geometry.size != lungs.geometry.size:
        raise InputError(
            f"CT and mask of case {case.name} differ in size: {ct.geometry.size} and {lungs.geometry.size} voxels."
        )
    if lungs.hu.any() and not np.isin(lungs.hu, (RIGHT_LUNG, LEFT_LUNG)).any():
        raise InputError(
            f"The mask of case {case.name} has neither {RIGHT_LUNG} (right lung) nor {LEFT_LUNG} (left lung)."
        )
    dz, dy, dx = ct.spacing_zyx
    zoom = (1.0, dy / PIXEL_MM, dx / PIXEL_MM)
    hu, lung = ct.hu, lungs.hu
    if max(abs(z - 1.0) for z in zoom) > 1e-3:
        hu = ndimage.zoom(hu.astype(np.float32), zoom, order=1, grid_mode=True, mode="nearest")
        lung = ndimage.zoom(lung, zoom, order=0, grid_mode=True, mode="nearest")
    labels = np.stack([_body(section) for section in hu]).astype(np.uint8)
    labels[lung == RIGHT_LUNG] = RIGHT
    labels[lung == LEFT_LUNG] = LEFT
    return np.rint(hu).astype(np.int16), labels, float(dz)


def _read(case: Case, path: Path) -> CTVolume:
    try:
        return CTVolume.from_sitk(sitk.ReadImage(str(path)), case.name)
    except RuntimeError as error:
        raise InputError(f"{path} of case {case.name} cannot be read as a 3D image.") from error


def _body(section: np.ndarray) -> np.ndarray:
    """Body of one slice, lungs and bowel gas included."""
    opened = ndimage.binary_opening(section > BODY_HU, iterations=3)
    return ndimage.binary_fill_holes(opened)
