"""Whether compressed voxels of MetaImage and NRRD files are undamaged.

SimpleITK checks their length at most, and hands over what is left of damaged ones without a word.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import BinaryIO

from .text_headers import METAIMAGE_ENDINGS, NRRD_ENDINGS, read_fields

_CHUNK = 1 << 20


def is_undamaged(path: Path) -> bool:
    """False if the voxels of a MetaImage or NRRD file are compressed as zlib or gzip do it, and end too early or do not
    fit their checksum; other files are not looked at."""
    ending = path.suffix.lower()
    if ending not in (*METAIMAGE_ENDINGS, *NRRD_ENDINGS):
        return True
    with path.open("rb") as stream:
        place = _place(stream, ending)
        if place is None:
            return True
        if place == "":
            return _inflates(stream)
    voxels = path.parent / place
    if not voxels.is_file():
        return True  # a missing file is for SimpleITK to name, and several have no check
    with voxels.open("rb") as stream:
        return _inflates(stream)


def _place(stream: BinaryIO, ending: str) -> str | None:
    """File of the compressed voxels, "" behind the header of this one, None if there are none to check."""
    fields = read_fields(stream, ending)
    if ending in METAIMAGE_ENDINGS:
        if fields.get("compresseddata", "").lower() != "true":
            return None
        place = fields.get("elementdatafile", "")
        return "" if place.upper() == "LOCAL" else place
    if fields.get("encoding", "").lower() not in ("gzip", "gz") or not {"byteskip", "lineskip"}.isdisjoint(fields):
        return None
    return fields.get("datafile", "")


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
