"""The files that results are written to, and whether they can be without harm to what is read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..atomic import refuse_existing, refuse_unwritable
from ..errors import UsageError
from ..files.detached_voxels import voxel_files
from ..files.dicom_image import may_be_dicom
from ..files.places import place
from ..files.writing import MASK_ENDINGS, has_mask_ending, refuse_other_ending
from ..network.model_file import NETWORK_ENDINGS
from ..tables import refuse_other_endings

# Names of new folders may have any other, such as the identifiers of DICOM.
_MEDICAL = (".mhd", ".nhdr", ".hdr", ".img", ".raw", ".dcm", ".ima", ".mnc", ".mgh", ".mgz", ".mrb", ".mrml")
_SURFACES = (".stl", ".obj", ".ply", ".glb", ".gltf", ".3mf", ".vtk", ".vtp", ".vti", ".vtu")
_TABLES = (".csv", ".tsv", ".json", ".xls", ".xlsx", ".txt", ".pdf", ".html", ".xml", ".npy", ".npz", ".mat", ".h5")
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".svg")
_ARCHIVES = (".gz", ".bz2", ".xz", ".zip", ".7z", ".tar")
_ENDINGS_OF_FILES = (*_MEDICAL, *_SURFACES, *_TABLES, *_PICTURES, *_ARCHIVES, *NETWORK_ENDINGS)


@dataclass(frozen=True)
class Outputs:
    """Files a case is written to; every field is optional."""

    masks: tuple[Path, ...] = ()
    measurements: tuple[Path, ...] = ()
    overlay: Path | None = None

    @classmethod
    def at(cls, target: str | os.PathLike[str]) -> Outputs:
        """Outputs for OUTPUT of the command line: a mask file by its ending, or a folder that gets everything.

        Raises
        ------
        UsageError : the target has the ending of a kind of file in which no mask can be written.
        """
        path = Path(target)
        if has_mask_ending(path):
            refuse_other_ending(path)
            return cls(masks=(path,))
        if path.suffix.lower() in _ENDINGS_OF_FILES and not os.path.isdir(path):
            raise UsageError(f"Masks cannot be written as '{path.suffix}'; use {', '.join(MASK_ENDINGS)} or a folder.")
        return cls(
            masks=(path / "lungs.seg.nrrd", path / "lungs.nii.gz"),
            measurements=(path / "measurements.csv", path / "measurements.json"),
            overlay=path / "overlay.png",
        )

    def paths(self) -> list[Path]:
        """All files in the order in which they are written."""
        return [*self.masks, *self.measurements, *([self.overlay] if self.overlay else [])]

    def check(self, source: str | os.PathLike[str], overwrite: bool, masks_read: Sequence[Path] = ()) -> None:
        """Before any work: can the results of the CT at ``source``, and of masks of it, be written here?

        Raises
        ------
        UsageError : a table or the picture has an ending in which none can be written, two files are the same one, or a
            file is the CT itself, one of its DICOM files, or a mask that is read.
        OutputExistsError : a file is there already and may not be replaced.
        OutputError : a folder cannot be written.
        """
        refuse_other_endings(*self.measurements)
        if self.overlay and self.overlay.suffix.lower() != ".png":
            raise UsageError(f"The picture is written as .png, not as '{self.overlay.suffix}' ({self.overlay.name}).")
        ct = Path(source)
        voxels = voxel_files(ct)
        read = [file for mask in masks_read for file in (mask, *voxel_files(mask))]
        places: set[Path] = set()
        for path in self.paths():
            if _are_one(path, ct):
                raise UsageError(f"{path} is the CT itself; choose another name for the result.")
            if any(_are_one(path, file) for file in read):
                raise UsageError(f"{path} is a mask that is read; choose another name for the result.")
            if _is_part(path, ct) or any(_are_one(path, file) for file in voxels):
                raise UsageError(f"{path} is one of the files of the CT; choose another name for the result.")
            if place(path) in places:
                raise UsageError(f"Two results would be written to {path}; give each a name of its own.")
            places.add(place(path))
        refuse_existing(*self.paths(), overwrite=overwrite)
        refuse_unwritable(*self.paths())


def _are_one(path: Path, read: Path) -> bool:
    return place(path) == place(read) or (os.path.exists(path) and os.path.exists(read) and path.samefile(read))


def _is_part(path: Path, ct: Path) -> bool:
    """Whether a file that exists would be replaced among the DICOM files of the CT's folder."""
    if not os.path.isdir(ct) or not os.path.exists(path):
        return False
    return place(path).is_relative_to(place(ct)) and may_be_dicom(path)
