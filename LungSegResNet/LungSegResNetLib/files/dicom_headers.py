"""What a folder of DICOM files holds: one header per file, gathered into series."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError

_TAGS = {
    "image_type": "0008|0008",
    "sop_class": "0008|0016",
    "sop_instance": "0008|0018",
    "modality": "0008|0060",
    "description": "0008|103e",
    "thickness": "0018|0050",
    "kernel": "0018|1210",
    "series_uid": "0020|000e",
    "series_number": "0020|0011",
    "acquisition": "0020|0012",
    "instance": "0020|0013",
    "phase": "0020|0100",
    "position": "0020|0032",
    "orientation": "0020|0037",
    "colours": "0028|0002",
    "spacing": "0028|0030",
}
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
# Values of the image type; the enhanced CT object says MAXIMUM and MINIMUM.
_PROJECTIONS = {"MIP", "MINIP", "MIN IP", "MAX IP", "MIN_IP", "MAX_IP", "MAXIMUM", "MINIMUM", "PROJECTION IMAGE"}
# Data elements of a multi-frame header as stored in little endian, with and without value representation.
_ELEMENT = rb"(?:DS..|....)([-+0-9.eE \\]+)"
_FRAME_POSITION = re.compile(rb"\x20\x00\x32\x00" + _ELEMENT, re.DOTALL)
_FRAME_ORIENTATION = re.compile(rb"\x20\x00\x37\x00" + _ELEMENT, re.DOTALL)
_PIXEL_SPACING = re.compile(rb"\x28\x00\x30\x00" + _ELEMENT, re.DOTALL)
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
_LONGEST_HEADER = 64 << 20


@dataclass(frozen=True)
class Header:
    """What is needed of one DICOM image file, without its pixels.

    Attributes
    ----------
    size : columns, rows, frames.
    spacing : distance of columns and of rows in mm; None where the file does not tell.
    orientation : direction cosines of rows and of columns; None where the file does not tell.
    positions : LPS position of each frame's first pixel in mm, empty where the file does not tell.
    tags : text of the values in ``_TAGS``, empty where absent.
    """

    path: Path
    size: tuple[int, int, int]
    spacing: tuple[float, float] | None
    orientation: tuple[float, ...] | None
    positions: tuple[tuple[float, ...], ...]
    tags: dict[str, str] = field(repr=False)

    @property
    def grid(self) -> tuple[object, ...]:
        """What all slices of one stack have in common."""
        orientation = tuple(round(value, 3) for value in self.orientation or ())
        return self.size[:2], orientation, tuple(round(value, 4) for value in self.spacing or ())

    @property
    def is_localizer(self) -> bool:
        return "LOCALIZER" in self.tags["image_type"].upper()

    @property
    def is_projection(self) -> bool:
        """True for maximum and minimum intensity projections."""
        return not _PROJECTIONS.isdisjoint(self.tags["image_type"].upper().split("\\"))


@dataclass(frozen=True)
class SeriesInfo:
    """One series of a folder: what a person needs to choose.

    Attributes
    ----------
    number : position in the folder's list, from 1.
    plane : ``axial``, ``coronal``, ``sagittal`` or ``unknown``.
    kind : ``original``, ``derived`` (projections, reformats), ``localizer`` or ``secondary capture``.
    thickness_mm : nominal slice thickness as the file has it, empty where absent; so is ``kernel``.
    """

    number: int
    uid: str
    description: str
    modality: str
    slices: int
    plane: str
    kind: str
    kernel: str
    thickness_mm: str

    def __str__(self) -> str:
        return (
            f"{self.number}: {self.description or 'no description'} ({self.modality or 'no modality'}, "
            f"{self.plane}, {self.kind}, {self._reconstruction}, UID ...{self.uid[-8:]})"
        )

    @property
    def brief(self) -> str:
        """For a sentence: its name, number and reconstruction."""
        name = f"'{self.description}'" if self.description else "one without description"
        return f"{name} (number {self.number}, {self._reconstruction})"

    @property
    def _reconstruction(self) -> str:
        thickness = f"{float(self.thickness_mm):g} mm" if _numbers(self.thickness_mm) else "thickness unknown"
        return f"{self.slices} slices, {thickness}, kernel {self.kernel or 'unknown'}"


@dataclass(frozen=True)
class Series:
    """A series and the headers of its files."""

    info: SeriesInfo
    headers: tuple[Header, ...] = field(repr=False)


def list_series(folder: str | os.PathLike[str], *, recursive: bool = True) -> list[SeriesInfo]:
    """All image series of ``folder``, ordered by series number; ``recursive`` searches its subfolders, too.

    Raises
    ------
    InputError : there is no such folder or no DICOM image in it.
    """
    return [series.info for series in scan_folder(folder, recursive=recursive)[0]]


def scan_folder(folder: str | os.PathLike[str], *, recursive: bool = True) -> tuple[list[Series], list[Path]]:
    """The series of ``list_series`` with their headers, and the CT and MR files that are too damaged to be opened."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    headers: dict[tuple[object, ...], Header] = {}
    damaged = []
    for path in sorted(folder.rglob("*") if recursive else folder.iterdir()):
        if not path.is_file() or not may_be_dicom(path):
            continue
        header = read_header(path)
        if header is not None:
            headers.setdefault(_identity(header), header)
        elif _says_it_is_an_image(path):
            damaged.append(path)
    if not headers:
        if damaged:
            raise InputError(
                f"The DICOM files in {folder} are damaged or cut off (for example {damaged[0].name}); copy them again."
            )
        raise InputError(f"There is no DICOM image in {folder}.")
    by_uid: dict[str, list[Header]] = {}
    for header in headers.values():
        by_uid.setdefault(header.tags["series_uid"], []).append(header)
    ordered = sorted(by_uid.items(), key=lambda item: (_whole_number(item[1][0].tags["series_number"]), item[0]))
    return [_series(number, uid, group) for number, (uid, group) in enumerate(ordered, start=1)], damaged


def read_header(path: Path) -> Header | None:
    """Header of a DICOM image file; None if the file is something else or cannot be opened."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    tags = {
        name: reader.GetMetaData(key).encode("utf-8", "replace").decode().strip(" \0")
        if reader.HasMetaDataKey(key)
        else ""
        for name, key in _TAGS.items()
    }
    columns, rows, frames = (*reader.GetSize(), 1)[:3]
    if frames > 1:
        spacing, orientation, positions = _frame_geometry(path, frames)
    else:
        # GDCM knows where each kind of file keeps these, but invents values where there are none.
        x, y = reader.GetSpacing()[:2]
        spacing = (x, y) if tags["spacing"] else None
        orientation = _numbers(tags["orientation"], 6)
        position = _numbers(tags["position"], 3)
        positions = (position,) if position else ()
    return Header(path, (columns, rows, frames), spacing, orientation, positions, tags)


def series_of_file(path: Path) -> Series:
    """A single file as a series of its own. Raises InputError if it is not a DICOM image."""
    header = read_header(path)
    if header is None:
        raise InputError(f"{path.name} cannot be read as a DICOM image: it is damaged, cut off or holds no image.")
    return _series(1, header.tags["series_uid"], [header])


def _identity(header: Header) -> tuple[object, ...]:
    """Equal for the same image copied twice into a folder.

    Some programs that remove names give all files one identifier, so that the place counts, too.
    """
    uid = header.tags["sop_instance"]
    return (uid, header.positions, header.tags["instance"]) if uid else (header.path,)


def _series(number: int, uid: str, headers: list[Header]) -> Series:
    """Gather files; scouts and odd sizes that scanners put into the same series are left aside."""
    slices = [header for header in headers if not header.is_localizer] or headers
    grids: dict[tuple[object, ...], list[Header]] = {}
    for header in slices:
        grids.setdefault(header.grid, []).append(header)
    largest = max(grids.values(), key=lambda group: sum(header.size[2] for header in group))
    first = largest[0].tags
    info = SeriesInfo(
        number,
        uid,
        first["description"],
        first["modality"],
        sum(header.size[2] for header in largest),
        _plane(largest[0].orientation),
        _kind(largest[0]),
        first["kernel"],
        first["thickness"],
    )
    return Series(info, tuple(largest))


def _plane(orientation: tuple[float, ...] | None) -> str:
    if orientation is None:
        return "unknown"
    normal = np.abs(np.cross(orientation[:3], orientation[3:]))
    return ("sagittal", "coronal", "axial")[int(normal.argmax())]


def _kind(header: Header) -> str:
    if header.tags["sop_class"].startswith(_SECONDARY_CAPTURE):
        return "secondary capture"
    if header.is_localizer:
        return "localizer"
    return "derived" if "DERIVED" in header.tags["image_type"].upper() else "original"


def _frame_geometry(
    path: Path, frames: int
) -> tuple[tuple[float, float] | None, tuple[float, ...] | None, tuple[tuple[float, ...], ...]]:
    """Spacing, orientation and positions of a multi-frame file's frames, in the order of its frames.

    SimpleITK gives no access to the per-frame sequences, and GDCM takes frames for evenly spaced and ascending.
    """
    with path.open("rb") as file:
        head = file.read(_LONGEST_HEADER).split(_PIXEL_DATA, 1)[0]
    positions = [_numbers(text.decode(), 3) for text in _FRAME_POSITION.findall(head)]
    orientations = {_numbers(text.decode(), 6) for text in _FRAME_ORIENTATION.findall(head)}
    spacings = {_numbers(text.decode(), 2) for text in _PIXEL_SPACING.findall(head)}
    if len(positions) != frames or None in positions or len(orientations) != 1 or len(spacings) != 1:
        return None, None, ()
    spacing = spacings.pop()
    # DICOM gives the distance of rows (y) first.
    return (spacing[1], spacing[0]) if spacing else None, orientations.pop(), tuple(p for p in positions if p)


def _numbers(text: str, count: int = 1) -> tuple[float, ...] | None:
    try:
        values = tuple(float(part) for part in text.split("\\"))
    except ValueError:
        return None
    return values if len(values) == count and bool(np.isfinite(values).all()) else None


def _whole_number(text: str) -> int:
    return int(text) if text.lstrip("-").isdigit() else 0


def may_be_dicom(path: Path) -> bool:
    """True for files with the DICOM mark; files from before 1993 lack it and are known by their endings only.

    Raises InputError if the file cannot be opened.
    """
    if path.name.upper() == "DICOMDIR":
        return False
    return has_dicom_mark(path) or path.suffix.lower() in (".dcm", ".ima", ".dicom")


def has_dicom_mark(path: Path) -> bool:
    """True if the file begins as a DICOM file does."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}).") from error


def _says_it_is_an_image(path: Path) -> bool:
    """True for a file that claims to be CT or MR, so that reports and contours in the folder are no alarm."""
    with path.open("rb") as file:
        return re.search(rb"1\.2\.840\.10008\.5\.1\.4\.1\.1\.[24](\.\d)?[\x00 ]", file.read(2048)) is not None
