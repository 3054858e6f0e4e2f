"""Whether a DICOM file is damaged, as a copy that broke off leaves it, or merely something else than a CT."""

from __future__ import annotations

import re
from pathlib import Path

_HEAD_BYTES = 2048
_TAGS_BYTES = 1 << 16  # what comes before the pixels, private tags included, is rarely longer
_MARK_END = 132
# The file's own class, in its meta information or in its data, in little or big endian, with and without value
# representation; others that it tells are those of the images it refers to.
_OWN_CLASS = re.compile(rb"(?:\x02\x00\x02\x00|\x08\x00\x16\x00|\x00\x08\x00\x16)....([0-9.]+)", re.DOTALL)
_COMPRESSED_PIXELS = re.compile(rb"\xe0\x7f\x10\x00O[BW]\x00\x00\xff\xff\xff\xff")
_FRAGMENT, _END_OF_FRAGMENTS = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_END_OF_JPEG = b"\xff\xd9"
_CT_CLASS = re.compile(rb"1\.2\.840\.10008\.5\.1\.4\.1\.1\.2(\.\d)?")


def may_be_damaged_ct(path: Path) -> bool:
    """Whether a file that cannot be opened as an image claims to be CT, or is too damaged to tell what it is.

    Reports, contours and key objects say that they are something else. Raises OSError if it cannot be opened.
    """
    with path.open("rb") as file:
        own = _OWN_CLASS.search(file.read(_HEAD_BYTES))
    return own is None or _CT_CLASS.fullmatch(own[1]) is not None


def lacks_beginning(path: Path) -> bool:
    """Whether a file is too short for the mark of DICOM, or has nothing but zeros there.

    Raises OSError if it cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(_MARK_END)
    return len(head) < _MARK_END or not any(head)


def naming(path: Path) -> tuple[Path, str]:
    """What the names of all slices in a folder share: the folder and the ending, unless that is part of a UID."""
    ending = path.suffix.lower()
    return path.parent, "" if ending[1:].isdigit() else ending


def mentions_uid(path: Path, uid: str) -> bool:
    """Whether a UID stands at the beginning of a file, whose end may be lost. Raises OSError if it cannot be opened."""
    with path.open("rb") as file:
        return bool(uid) and bool(re.search(re.escape(uid.encode()) + rb"(?![0-9.])", file.read(_TAGS_BYTES)))


def lacks_end_of_jpeg(path: Path) -> bool:
    """Whether the last fragment of pixels compressed as JPEG is cut off or blank at its end.

    Raises OSError if it cannot be opened.
    """
    content = path.read_bytes()
    place = max((found.end() for found in _COMPRESSED_PIXELS.finditer(content)), default=0)  # an icon comes before
    last = b""
    while content[place : place + 4] == _FRAGMENT:
        begin = place + 8
        place = begin + int.from_bytes(content[place + 4 : begin], "little")
        last = content[begin:place]
    is_whole = content[place : place + 4] in (_END_OF_FRAGMENTS, b"")
    return not is_whole or not last.rstrip(b"\0").endswith(_END_OF_JPEG)
