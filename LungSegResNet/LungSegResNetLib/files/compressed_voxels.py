"""Whether compressed voxels of MetaImage and NRRD files are undamaged.

SimpleITK checks their length at most, and hands over what is left of damaged ones without a word.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import BinaryIO

METAIMAGE_ENDINGS = (".mha", ".mhd")
NRRD_ENDINGS = (".nrrd", ".nhdr")
_CHUNK = 1 << 20
_LONGEST_HEADER_LINE = 1 << 16


def is_undamaged(path: Path) -> bool:
    """False if the voxels of a MetaImage or NRRD file are compressed as zlib or gzip do it, and end too early or do not
    fit their checksum; other files are not looked at."""
    if path.suffix.lower() not in (*METAIMAGE_ENDINGS, *NRRD_ENDINGS):
        return True
    with path.open("rb") as stream:
        place = _place_of_metaimage(stream) if path.suffix.lower() in METAIMAGE_ENDINGS else _place_of_nrrd(stream)
        if place is None:
            return True
        if place == "":
            return _inflates(stream)
    voxels = path.parent / place
    if not voxels.is_file():
        return True  # a missing file is for SimpleITK to name, and several have no check
    with voxels.open("rb") as stream:
        return _inflates(stream)


def _place_of_metaimage(stream: BinaryIO) -> str | None:
    """File of the compressed voxels, "" behind the header of this one, None if there are none to check."""
    fields: dict[str, str] = {}
    while "ElementDataFile" not in fields and (line := stream.readline(_LONGEST_HEADER_LINE)):
        key, _, value = line.decode("latin-1").partition("=")
        fields[key.strip()] = value.strip()
    if fields.get("CompressedData", "").lower() != "true":
        return None
    place = fields.get("ElementDataFile", "")
    return "" if place.upper() == "LOCAL" else place


def _place_of_nrrd(stream: BinaryIO) -> str | None:
    """As `_place_of_metaimage`."""
    fields: dict[str, str] = {}
    while line := stream.readline(_LONGEST_HEADER_LINE).strip():
        key, _, value = line.decode("latin-1").partition(":")
        fields[key.strip().lower().replace(" ", "")] = value.strip()
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
