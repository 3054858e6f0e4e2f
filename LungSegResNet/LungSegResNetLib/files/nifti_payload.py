"""Does a NIfTI file hold all the voxels its header promises? SimpleITK reads and writes cut-off ones without a word."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

_CHUNK = 1 << 20
_GZIP_MARK = b"\x1f\x8b"


def is_complete(path: Path) -> bool:
    """False if the file ends before its last voxel or its compressed data are damaged."""
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP_MARK
    try:
        with gzip.open(path) if compressed else path.open("rb") as stream:
            header = stream.read(540)
            length = len(header)
            while chunk := stream.read(_CHUNK):
                length += len(chunk)
        return length >= _promised_length(header)
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error):
        return False


def _promised_length(header: bytes) -> int:
    """Bytes of header and voxels (https://nifti.nimh.nih.gov: nifti1.h, nifti2.h)."""
    for order in "<>":
        (header_size,) = struct.unpack_from(order + "i", header)
        if header_size == 348:
            dimensions = struct.unpack_from(order + "8h", header, 40)
            bits, offset = *struct.unpack_from(order + "h", header, 72), *struct.unpack_from(order + "f", header, 108)
            break
        if header_size == 540:
            dimensions = struct.unpack_from(order + "8q", header, 16)
            bits, offset = *struct.unpack_from(order + "h", header, 14), *struct.unpack_from(order + "q", header, 168)
            break
    else:
        return 0  # not NIfTI: the reader has its own opinion
    voxels = 1
    for size in dimensions[1 : 1 + dimensions[0]]:
        voxels *= max(size, 1)
    return int(offset) + voxels * bits // 8
