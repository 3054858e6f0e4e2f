"""The lines of text with which MetaImage and NRRD files begin."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

METAIMAGE_ENDINGS = (".mha", ".mhd")
NRRD_ENDINGS = (".nrrd", ".nhdr")
_LONGEST_LINE = 1 << 16
_NUMBERED = re.compile(r"([^%]*%\d*d[^%]*?)\s+(-?\d+)\s+(-?\d+)\s+([1-9]\d*)(\s+\d+)?")


def read_fields(stream: BinaryIO, ending: str) -> dict[str, str]:
    """Fields of a header by their names, in lower case and without spaces; the stream stands behind it afterwards.

    Where several files hold the voxels, it stands before their names. Bytes that are no UTF-8 are kept as in paths.
    """
    metaimage = ending.lower() in METAIMAGE_ENDINGS
    fields: dict[str, str] = {}
    while line := stream.readline(_LONGEST_LINE):
        if not line.strip() and not metaimage:
            break
        key, _, value = _decoded(line).partition("=" if metaimage else ":")
        key = key.strip().lower().replace(" ", "")
        fields[key] = value.strip()
        if key == "elementdatafile" or (key == "datafile" and _is_list(fields[key])):
            break
    return fields


def has_voxel_size(path: Path) -> bool:
    """False if a MetaImage or NRRD file lacks the distance of its voxels, for which the library takes 1 mm."""
    with path.open("rb") as stream:
        fields = read_fields(stream, path.suffix)
    told = " ".join(fields.get(key, "") for key in ("elementspacing", "elementsize", "spacings", "spacedirections"))
    return bool(told.strip()) and "nan" not in told.lower()


def has_axes(path: Path) -> bool:
    """False if a MetaImage file lacks the directions of its axes, for which the library takes those of LPS."""
    with path.open("rb") as stream:
        fields = read_fields(stream, path.suffix)
    return any(fields.get(key) for key in ("transformmatrix", "rotation", "orientation"))


def voxel_file_names(path: Path) -> list[str]:
    """The files that hold the voxels, as a header names them; none where they follow in the file itself."""
    with path.open("rb") as stream:
        fields = read_fields(stream, path.suffix)
        place = fields.get("elementdatafile", fields.get("datafile", ""))
        if _is_list(place):
            return [_decoded(line).strip() for line in stream if line.strip()]
    if not place or place.upper() == "LOCAL":
        return []
    if numbered := _NUMBERED.fullmatch(place):
        first, last, step = (int(number) for number in numbered.groups()[1:4])
        return [numbered[1] % number for number in range(first, last + 1, step)]
    return [place]


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _is_list(place: str) -> bool:
    return place.upper() == "LIST" or place.upper().startswith("LIST ")
