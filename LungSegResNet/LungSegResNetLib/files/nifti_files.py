"""NIfTI files beside SimpleITK: voxels, read once and slice by slice, and what a header lacks or says twice.

SimpleITK reads and writes cut-off files without a word, and holds a scan as a whole.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import InputError

_CHUNK = 1 << 20
GZIP_MARK = b"\x1f\x8b"
_SMALLEST_HEADER_BYTES, _HEADER_BYTES = 348, 540
_LONGEST_FILE = 1 << 40
_DAMAGES = (EOFError, zlib.error, gzip.BadGzipFile, struct.error)
_MILLIMETRES = (0, 2)  # unknown counts as such
# Data types by their NIfTI code; files of other types are left to SimpleITK.
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}


@dataclass(frozen=True)
class NiftiHeader:
    """What a NIfTI header says of the voxels behind it (https://nifti.nimh.nih.gov: nifti1.h, nifti2.h).

    Attributes
    ----------
    qform : sign of the third axis, b, c and d of the quaternion, place of the first voxel; None where its code is 0.
    sform : rows of the matrix (3, 4); None where its code is 0.
    """

    byte_order: str
    code: int
    bits: int
    dimensions: tuple[int, ...]
    pixel_mm: tuple[float, ...]
    offset: int
    slope: float
    intercept: float
    in_mm: bool
    qform: tuple[float, ...] | None
    sform: tuple[float, ...] | None

    @classmethod
    def of(cls, content: bytes) -> NiftiHeader | None:
        """None if this is no NIfTI header. Raises struct.error if it is cut off or damaged."""
        for order in "<>":

            def values(form: str, place: int, order: str = order) -> tuple:
                return struct.unpack_from(order + form, content, place)

            (size,) = values("i", 0)
            if size == _SMALLEST_HEADER_BYTES:
                dimensions, (code, bits), numbers = values("8h", 40), values("2h", 70), values("3f", 108)
                pixel, units, forms, matrix = values("8f", 76), values("b", 123), values("2h", 252), values("12f", 280)
                quaternion = values("6f", 256)
            elif size == _HEADER_BYTES:
                dimensions, (code, bits), pixel = values("8q", 16), values("2h", 12), values("8d", 104)
                numbers = (*values("q", 168), *values("2d", 176))
                units, forms, matrix = values("i", 500), values("2i", 344), values("12d", 400)
                quaternion = values("6d", 352)
            else:
                continue
            if not abs(numbers[0]) < _LONGEST_FILE:  # or no number
                raise struct.error("the voxels lie in no file")
            sizes = tuple(max(n, 1) for n in dimensions[1 : 1 + dimensions[0]])
            slope, intercept = numbers[1:]
            in_mm, own = units[0] & 7 in _MILLIMETRES, pixel[1 : 1 + len(sizes)]
            qform = (pixel[0], *quaternion) if forms[0] > 0 else None
            sform = matrix if forms[1] > 0 else None
            return cls(order, code, bits, sizes, own, int(numbers[0]), slope, intercept, in_mm, qform, sform)
        return None

    @property
    def end(self) -> int:
        """Bytes of header and voxels."""
        return self.offset + math.prod(self.dimensions) * self.bits // 8

    @property
    def has_voxel_size(self) -> bool:
        """False if a size of the voxels is missing, for which the libraries take 1 mm without a word."""
        return all(math.isfinite(mm) and mm != 0 for mm in self.pixel_mm[:3])

    @property
    def has_negative_size(self) -> bool:
        """Whether a size of the voxels is below 0, for which some programs mirror the image."""
        return any(mm < 0 for mm in self.pixel_mm[:3])

    @property
    def sform_lps(self) -> np.ndarray | None:
        """Steps from voxel to voxel, a column for each axis, and the first voxel's place, in mm (3, 4) in LPS, by the
        sform; None without one.

        Libraries differ in which of the two geometries of a file they take; SimpleITK takes none with sheared axes.
        """
        if self.sform is None or not self.in_mm:
            return None
        return _in_lps(np.array(self.sform).reshape(3, 4))

    @property
    def qform_lps(self) -> np.ndarray | None:
        """As ``sform_lps``, by the qform and the sizes of the voxels; None also where a size is not above 0."""
        if self.qform is None or not self.in_mm or len(self.pixel_mm) < 3 or not min(self.pixel_mm[:3]) > 0:
            return None
        sign, *imaginary = self.qform[:4]
        axes = _rotation(np.array(imaginary))
        axes[:, 2] *= -1.0 if sign < 0 else 1.0
        return _in_lps(np.column_stack([axes * self.pixel_mm[:3], self.qform[4:]]))


def _rotation(imaginary: np.ndarray) -> np.ndarray:
    """Matrix (3, 3) of a unit quaternion, of which b, c and d are given and a is not below 0."""
    squares = float(imaginary @ imaginary)
    if squares > 1.0:  # by rounding
        imaginary, squares = imaginary / math.sqrt(squares), 1.0
    b, c, d = imaginary
    across = np.array([[0.0, -d, c], [d, 0.0, -b], [-c, b, 0.0]])
    return np.eye(3) + 2.0 * (math.sqrt(1.0 - squares) * across + across @ across)


def _in_lps(ras: np.ndarray) -> np.ndarray | None:
    matrix = ras * [[-1.0], [-1.0], [1.0]]
    return matrix if np.isfinite(matrix).all() else None


def is_complete(path: Path) -> bool:
    """False if the file ends before its last voxel or its compressed data are damaged."""
    try:
        with _opened(path) as stream:
            content = stream.read(_HEADER_BYTES)
            length = len(content) + _rest(stream)
        header = NiftiHeader.of(content)
        return header is None or length >= header.end  # what is not NIfTI is for the reader to judge
    except _DAMAGES:
        return False


def unreadable_kind(path: Path) -> str | None:
    """How a sentence about a file goes on that is healthy, but of a kind that SimpleITK does not read."""
    try:
        with _opened(path) as stream:
            content = stream.read(_HEADER_BYTES)
    except (OSError, *_DAMAGES):
        return None
    if content[: len(GZIP_MARK)] == GZIP_MARK:
        return "is compressed twice; unpack it once."
    if len(content) == _HEADER_BYTES and content[4:8] == b"n+2\0":
        return "is a NIfTI-2 file, which cannot be read; save it as NIfTI-1 or NRRD."
    return None


def read_nifti_header(path: Path) -> NiftiHeader | None:
    """None where there is none that can be understood; reading the voxels will tell."""
    try:
        with _opened(path) as stream:
            return NiftiHeader.of(stream.read(_HEADER_BYTES))
    except _DAMAGES:
        return None


def read_slices(path: Path, size: tuple[int, ...]) -> Iterator[np.ndarray] | None:
    """Slices (y, x) of a 3D NIfTI file of ``size`` (x, y, z), from first to last, with its rescale applied.

    Equal to what SimpleITK reads; None for kinds of files that are left to it. A file that turns out to be cut off or
    damaged raises InputError while it is read.
    """
    header = read_nifti_header(path)
    if header is None or header.code not in _TYPES or len(size) != 3:
        return None
    if math.prod(header.dimensions) != math.prod(size) or header.dimensions[:3] != size:
        return None
    if header.offset < _SMALLEST_HEADER_BYTES:
        return None  # voxels behind the header, wherever it says that they begin
    if not (math.isfinite(header.slope) and math.isfinite(header.intercept)):
        return None
    return _slices(path, header)


def _slices(path: Path, header: NiftiHeader) -> Iterator[np.ndarray]:
    columns, rows, planes = header.dimensions[:3]
    kind = np.dtype(header.byte_order + _TYPES[header.code])
    wanted = columns * rows * kind.itemsize
    try:
        with _opened(path) as stream:
            stream.seek(header.offset)
            for _ in range(planes):
                content = stream.read(wanted)
                if len(content) < wanted:
                    raise EOFError
                yield _rescaled(np.frombuffer(content, kind).reshape(rows, columns), header)
            _rest(stream)  # the checksum stands at the end
    except _DAMAGES as error:
        raise InputError(
            f"{path.name} is cut off: it holds fewer voxels than its header says; copy or export it again."
        ) from error


def _rescaled(section: np.ndarray, header: NiftiHeader) -> np.ndarray:
    """A slope of 0 counts as 1."""
    slope, intercept = header.slope or 1.0, header.intercept
    if (slope, intercept) == (1.0, 0.0):
        return section
    if slope == 1.0 and intercept.is_integer() and section.dtype.itemsize <= 2 and abs(intercept) < 1e6:
        return section.astype(np.int32) + int(intercept)
    if section.dtype == np.float64:
        return section * slope + intercept
    return (section.astype(np.float32).astype(np.float64) * slope + intercept).astype(np.float32)


def _opened(path: Path) -> BinaryIO:
    """The file's content, uncompressed."""
    with path.open("rb") as file:
        compressed = file.read(2) == GZIP_MARK
    return gzip.open(path) if compressed else path.open("rb")  # type: ignore[return-value]


def _rest(stream: BinaryIO) -> int:
    """Number of bytes that are left in a stream."""
    length = 0
    while chunk := stream.read(_CHUNK):
        length += len(chunk)
    return length
