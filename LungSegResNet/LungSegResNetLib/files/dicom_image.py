"""What one DICOM image file tells without its pixels."""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from .dicom_damage import lacks_end_of_jpeg
from .library_paths import UnusableNameError, library_path

_TAGS = {
    "image_type": "0008|0008",
    "sop_class": "0008|0016",
    "sop_instance": "0008|0018",
    "modality": "0008|0060",
    "description": "0008|103e",
    "patient": "0010|0020",
    "thickness": "0018|0050",
    "kernel": "0018|1210",
    "study_uid": "0020|000d",
    "series_uid": "0020|000e",
    "series_number": "0020|0011",
    "acquisition": "0020|0012",
    "instance": "0020|0013",
    "phase": "0020|0100",
    "position": "0020|0032",
    "orientation": "0020|0037",
    "colours": "0028|0002",
    "spacing": "0028|0030",
    "photometric": "0028|0004",
    "bits": "0028|0100",
    "intercept": "0028|1052",
    "slope": "0028|1053",
}
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
# Values of the image type; the enhanced CT object says MAXIMUM and MINIMUM.
_PROJECTIONS = {"MIP", "MINIP", "MIN IP", "MAX IP", "MIN_IP", "MAX_IP", "MAXIMUM", "MINIMUM", "PROJECTION IMAGE"}
# The functional groups, shared and of each frame, of an enhanced object; before them, an icon may have pixel data, too.
_FUNCTIONAL_GROUPS = re.compile(rb"\x00\x52[\x29\x30]\x92")
# Data elements of them as stored in little endian, with and without value representation.
_ELEMENT = rb"(?:DS..|....)([-+0-9.eE \\]+)"
_FRAME_POSITION = re.compile(rb"\x20\x00\x32\x00" + _ELEMENT, re.DOTALL)
_FRAME_ORIENTATION = re.compile(rb"\x20\x00\x37\x00" + _ELEMENT, re.DOTALL)
_PIXEL_SPACING = re.compile(rb"\x28\x00\x30\x00" + _ELEMENT, re.DOTALL)
_THICKNESS = re.compile(rb"\x18\x00\x50\x00" + _ELEMENT, re.DOTALL)
_SLOPE = re.compile(rb"\x28\x00\x53\x10" + _ELEMENT, re.DOTALL)
_INTERCEPT = re.compile(rb"\x28\x00\x52\x10" + _ELEMENT, re.DOTALL)
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
_LONGEST_HEADER = 64 << 20
_FILE_META_BYTES = 4096
_FILE_META_LENGTH = 140  # where the length of the rest of the file's meta information stands
_TRANSFER_SYNTAX = re.compile(rb"\x02\x00\x10\x00UI..([0-9.]+)", re.DOTALL)
_DEFLATED = "1.2.840.10008.1.2.1.99"  # all that comes behind the meta information is compressed
_UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
_JPEG = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70))
# Both shift a pixel at the far edge of a matrix of 512 by half a pixel at most.
_SPACING_TOLERANCE = 1e-3  # relative
_COSINE_TOLERANCE = 1e-3
# Ten times what cosines are off that were cut to three decimals.
_LENGTH_TOLERANCE = 0.01
_RIGHT_ANGLE_TOLERANCE = math.sin(math.radians(1.0))


@dataclass(frozen=True)
class Header:
    """What is needed of one DICOM image file, without its pixels.

    Attributes
    ----------
    size : columns, rows, frames.
    spacing : distance of columns and of rows in mm; None where the file does not tell or it is not above 0.
    orientation : direction cosines of rows and of columns, at right angles; None where the file does not tell.
    positions : LPS position of each frame's first pixel in mm, empty where the file does not tell.
    tags : text of the values in ``_TAGS``, empty where absent.
    rescales : slope and intercept to Hounsfield units of each frame of an enhanced object whose frames differ in them;
        else empty.
    """

    path: Path
    size: tuple[int, int, int]
    spacing: tuple[float, float] | None
    orientation: tuple[float, ...] | None
    positions: tuple[tuple[float, ...], ...]
    tags: dict[str, str] = field(repr=False)
    rescales: tuple[tuple[float, float], ...] = ()

    def fits_grid_of(self, other: Header) -> bool:
        """True if both have one matrix, pixel spacing, orientation and colour, as all slices of a stack have."""
        return (
            self.size[:2] == other.size[:2]
            and self.is_coloured == other.is_coloured
            and _close(self.spacing, other.spacing, relative=_SPACING_TOLERANCE)
            and _close(self.orientation, other.orientation, absolute=_COSINE_TOLERANCE)
        )

    @property
    def is_coloured(self) -> bool:
        return self.tags["colours"] not in ("", "1")

    @property
    def is_inverted(self) -> bool:
        """Whether high values are shown dark; the library turns such values round, so that they are no densities."""
        return self.tags["photometric"] == "MONOCHROME1"

    @property
    def rescale(self) -> tuple[float, float] | None:
        """Slope and intercept to Hounsfield units of a file with one frame; None where it tells neither."""
        if not self.tags["intercept"] and not self.tags["slope"]:
            return None
        slope, intercept = numbers_in(self.tags["slope"]), numbers_in(self.tags["intercept"])
        return (slope or (1.0,))[0], (intercept or (0.0,))[0]

    @property
    def lacks_pixels(self) -> bool:
        """True for a file too small for its pixels, and for one compressed as JPEG that ends too early.

        The library would leave such pixels what memory held before, or make them up; of other compressed files it
        notices. Raises OSError if it cannot be opened.
        """
        bits = int(self.tags["bits"]) if self.tags["bits"].isdecimal() else 0
        if self.path.stat().st_size >= math.prod(self.size) * bits // 8:
            return False
        with self.path.open("rb") as file:
            syntax = _transfer_syntax(file.read(_FILE_META_BYTES))
        return syntax in _UNCOMPRESSED or (syntax in _JPEG and lacks_end_of_jpeg(self.path))

    @property
    def has_places(self) -> bool:
        """True if the file tells where all of its frames lie."""
        return self.orientation is not None and len(self.positions) == self.size[2]

    @property
    def plane(self) -> str:
        """``axial``, ``coronal``, ``sagittal`` or ``unknown``."""
        if self.orientation is None:
            return "unknown"
        normal = np.abs(np.cross(self.orientation[:3], self.orientation[3:]))
        return ("sagittal", "coronal", "axial")[int(normal.argmax())]

    @property
    def kind(self) -> str:
        """``original``, ``derived`` (projections, reformats), ``localizer`` or ``secondary capture``."""
        if self.tags["sop_class"].startswith(SECONDARY_CAPTURE):
            return "secondary capture"
        if self.is_localizer:
            return "localizer"
        return "derived" if "DERIVED" in self.tags["image_type"].upper() else "original"

    @property
    def is_localizer(self) -> bool:
        return "LOCALIZER" in self.tags["image_type"].upper()

    @property
    def is_projection(self) -> bool:
        """True for maximum and minimum intensity projections."""
        return not _PROJECTIONS.isdisjoint(self.tags["image_type"].upper().split("\\"))


def along_normal(headers: Sequence[Header], reference: Header | None = None) -> list[float]:
    """Position of each frame in mm along the normal of the plane of ``reference``, else of the first header."""
    orientation = (reference or headers[0]).orientation
    assert orientation is not None, "checked before"
    normal = np.cross(orientation[:3], orientation[3:])
    return [float(np.dot(normal, position)) for header in headers for position in header.positions]


def dicom_reader(path: Path) -> sitk.ImageFileReader:
    """A reader of a DICOM file. Raises InputError for a name that cannot be handed to the library."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    try:
        reader.SetFileName(library_path(path))
    except UnusableNameError as error:
        raise InputError(f"{path.name} cannot be read: {error}.") from error
    return reader


def read_header(path: Path) -> Header | None:
    """Header of a DICOM image file; None if the file is something else or cannot be opened.

    Raises InputError for a name that cannot be handed to the library.
    """
    reader = dicom_reader(path)
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
    groups = _functional_groups(path) if frames > 1 or not tags["position"] else b""
    if frames > 1 or groups:
        spacing, orientation, positions = _frame_geometry(groups, frames)
        thickness = _THICKNESS.search(groups)
        tags["thickness"] = tags["thickness"] or (thickness[1].decode().strip() if thickness else "")
    else:
        # GDCM knows where each kind of file keeps these, but invents values where there are none or they are wrong.
        x, y = reader.GetSpacing()[:2]
        told = numbers_in(tags["spacing"], 2) or numbers_in(tags["spacing"], 1)  # one value stands for both
        spacing = (x, y) if told and min(told) > 0 else None
        orientation = _axes_in(tags["orientation"])
        position = numbers_in(tags["position"], 3)
        positions = (position,) if position else ()
    return Header(path, (columns, rows, frames), spacing, orientation, positions, tags, _frame_rescales(groups))


def numbers_in(text: str, count: int = 1) -> tuple[float, ...] | None:
    """The ``count`` finite numbers of a DICOM value with backslashes; None if it is anything else."""
    try:
        values = tuple(float(part) for part in text.split("\\"))
    except ValueError:
        return None
    return values if len(values) == count and bool(np.isfinite(values).all()) else None


def whole_number_in(text: str) -> int:
    """The number of an integer string; 0 where it is none."""
    try:
        return int(text)
    except ValueError:
        return 0


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


def _transfer_syntax(head: bytes) -> str:
    """What the beginning of a file says of how it is stored."""
    found = _TRANSFER_SYNTAX.search(head[:_FILE_META_BYTES])
    return found[1].decode() if found else _UNCOMPRESSED[0]


def _functional_groups(path: Path) -> bytes:
    """The functional groups of an enhanced object as stored; empty for others.

    SimpleITK gives no access to them, and GDCM takes frames for evenly spaced and ascending.
    """
    with path.open("rb") as file:
        head = file.read(_LONGEST_HEADER)
    if _transfer_syntax(head) == _DEFLATED:
        (rest,) = struct.unpack_from("<I", head, _FILE_META_LENGTH)
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            head = inflater.decompress(head[_FILE_META_LENGTH + 4 + rest :], _LONGEST_HEADER)
        except zlib.error:  # damaged behind what the library has read so far
            return b""
    begin = _FUNCTIONAL_GROUPS.search(head)
    return head[begin.start() :].split(_PIXEL_DATA, 1)[0] if begin else b""


def _frame_geometry(
    groups: bytes, frames: int
) -> tuple[tuple[float, float] | None, tuple[float, ...] | None, tuple[tuple[float, ...], ...]]:
    """Spacing, orientation and positions of the frames of an enhanced object, in the order of its frames."""
    positions = [numbers_in(text.decode(), 3) for text in _FRAME_POSITION.findall(groups)]
    orientations = {_axes_in(text.decode()) for text in _FRAME_ORIENTATION.findall(groups)}
    spacings = {numbers_in(text.decode(), 2) for text in _PIXEL_SPACING.findall(groups)}
    if len(positions) != frames or None in positions or len(orientations) != 1 or len(spacings) != 1:
        return None, None, ()
    spacing = spacings.pop()
    # DICOM gives the distance of rows (y) first.
    told = (spacing[1], spacing[0]) if spacing and min(spacing) > 0 else None
    return told, orientations.pop(), tuple(p for p in positions if p)


def _frame_rescales(groups: bytes) -> tuple[tuple[float, float], ...]:
    """Slope and intercept of each frame of an enhanced object; empty where all have the same."""
    slopes, intercepts = (
        [numbers_in(text.decode()) or (0.0,) for text in rescale.findall(groups)] for rescale in (_SLOPE, _INTERCEPT)
    )
    if len({*slopes}) <= 1 and len({*intercepts}) <= 1:
        return ()
    return tuple((slope, intercept) for (slope,), (intercept,) in zip(slopes, intercepts, strict=False))


def _axes_in(text: str) -> tuple[float, ...] | None:
    """Direction cosines of rows and of columns, without the error of rounding; None if they are no axes.

    Positions along their normal would be too short by as much as the axes are.
    """
    values = numbers_in(text, 6)
    if values is None:
        return None
    row, column = np.array(values).reshape(2, 3)
    lengths = np.linalg.norm((row, column), axis=1)
    if np.abs(lengths - 1).max() > _LENGTH_TOLERANCE or abs(row @ column) > _RIGHT_ANGLE_TOLERANCE:
        return None
    row /= lengths[0]
    column -= (row @ column) * row
    column /= np.linalg.norm(column)
    return (*row.tolist(), *column.tolist())


def _close(
    first: tuple[float, ...] | None, second: tuple[float, ...] | None, *, relative: float = 0.0, absolute: float = 0.0
) -> bool:
    if first is None or second is None:
        return first is second
    return all(math.isclose(a, b, rel_tol=relative, abs_tol=absolute) for a, b in zip(first, second, strict=True))
