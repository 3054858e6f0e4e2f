"""Whether the voxels of MetaImage and NRRD files are all there and undamaged.

SimpleITK checks the length of compressed ones at most, and hands over what is left of damaged ones without a word. Of
plain ones that are cut off, MetaImage's library writes to standard error by itself and names a reason at random.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import BinaryIO

from .text_headers import METAIMAGE_ENDINGS, NRRD_ENDINGS, read_fields, voxel_file_names

_CHUNK = 1 << 20
_BYTES = {"char": 1, "uchar": 1, "short": 2, "ushort": 2, "int": 4, "uint": 4, "float": 4, "double": 8}


def lacks_voxels(path: Path) -> bool:
    """True if plain voxels of a MetaImage file take fewer bytes than its header says; else, and where it cannot be
    told, the library finds out."""
    ending = path.suffix.lower()
    if ending not in METAIMAGE_ENDINGS:
        return False
    fields, voxels, begin = _header_and_voxels(path, ending)
    size = _BYTES.get(fields.get("elementtype", "").lower().removeprefix("met_"))
    counts = [*fields.get("dimsize", "").split(), fields.get("elementnumberofchannels", "1")]
    if size is None or voxels is None or _are_compressed(fields, ending) or not all(n.isdecimal() for n in counts):
        return False
    return voxels.stat().st_size - begin < size * math.prod(map(int, counts))


def is_undamaged(path: Path) -> bool:
    """False if the voxels of a MetaImage or NRRD file are compressed as zlib or gzip do it, and end too early or do not
    fit their checksum; other files are not looked at."""
    ending = path.suffix.lower()
    if ending not in (*METAIMAGE_ENDINGS, *NRRD_ENDINGS):
        return True
    fields, voxels, begin = _header_and_voxels(path, ending)
    if voxels is None or not _are_compressed(fields, ending):
        return True
    with voxels.open("rb") as stream:
        stream.seek(begin)
        return _inflates(stream)


def _header_and_voxels(path: Path, ending: str) -> tuple[dict[str, str], Path | None, int]:
    """Fields of the header, the file that holds the voxels, and where they begin in it.

    No file where it is missing, which is for SimpleITK to name, or where there are several, which have no check.
    """
    with path.open("rb") as stream:
        fields = read_fields(stream, ending)
        begin = stream.tell()
    names = voxel_file_names(path)
    if not names:
        return fields, path, begin
    voxels = path.parent / names[0]
    return fields, voxels if len(names) == 1 and voxels.is_file() else None, 0


def _are_compressed(fields: dict[str, str], ending: str) -> bool:
    """Whether the voxels are compressed from their first byte on."""
    if ending in METAIMAGE_ENDINGS:
        return fields.get("compresseddata", "").lower() == "true"
    return fields.get("encoding", "").lower() in ("gzip", "gz") and {"byteskip", "lineskip"}.isdisjoint(fields)


def _inflates(stream: BinaryIO) -> bool:
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # zlib or gzip, as the first bytes say
    try:
        while not inflater.eof and (chunk := stream.read(_CHUNK)):
            while chunk:
                inflater.decompress(chunk, _CHUNK)
                chunk = inflater.unconsumed_tail
    except zlib.error:
        return False
    return inflater.eof
