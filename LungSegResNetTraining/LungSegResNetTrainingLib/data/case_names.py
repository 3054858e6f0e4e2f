"""What the names of files and folders tell: whether a CT or a mask, and of which case."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence

from .dicom_kinds import CT, MASK

_CT_NAME = re.compile(r"(?P<case>.+?)[_-]ct$", re.I)
_CHANNEL_NAME = re.compile(r"(?P<case>.+?)_0000$")  # nnU-Net numbers the channels of an image, not its mask
_MASK_NAME = re.compile(r"(?P<case>.+?)[_-](lungs?|masks?|seg|segmentation|labels?)$", re.I)
_LONG_MASK_NAME = re.compile(r"(?P<case>.+?)([_-]ct)?([_-]lungs?)?[_-](lungs?|masks?|seg|segmentation|labels?)$", re.I)
_NAMED_MASK = "masks?|segs?|segmentations?|labels?"
_MASK_WORDS = f"{_NAMED_MASK}|lungs?|ptk|rtstruct|rtss|rs|lobes?|overlays?"
_MASK_WORD = re.compile(f"(^|[^a-z])({_MASK_WORDS})([^a-z]|$)", re.I)
_KINDS = {MASK: re.compile(_MASK_WORDS), CT: re.compile("cts?|images?|imgs?|scans?|volumes?|dicom")}
_HUMP = re.compile("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+|\d+")


def says_mask(stem: str) -> bool:
    """Whether a name has a word of masks in it, as ``lungs_1``, ``LungMask`` and ``PTKLeftAndRightLungs`` have.

    ``LungCT`` and ``CTLung`` are CTs.
    """
    if _MASK_WORD.search(stem):
        return True
    words = _words(_parted(stem))
    kinds = _kinds(words).values()
    return MASK in kinds and (CT not in kinds or any(re.fullmatch(_NAMED_MASK, word) for word in words))


def case_of_ct(stem: str) -> str | None:
    """The case of a CT whose name ends with ``_ct``; None for other names."""
    match = _CT_NAME.match(stem)
    return match["case"] if match else None


def case_names_of_ct(stem: str) -> list[str]:
    """What the case of a CT may be called: as the CT, or without ``_ct`` or nnU-Net's ``_0000``."""
    return [stem, *(match["case"] for pattern in (_CT_NAME, _CHANNEL_NAME) if (match := pattern.match(stem)))]


def case_names_of_mask(stem: str) -> list[str]:
    """What the case of a mask may be called, by a name such as ``<case>_lungs`` or ``<case>_ct_mask``."""
    return [match["case"] for pattern in (_MASK_NAME, _LONG_MASK_NAME) if (match := pattern.match(stem))]


def case_names_beside_ct(stem: str) -> list[str]:
    """As `case_names_of_mask`, of a mask that may also be called as its CT."""
    return [stem, *case_names_of_mask(stem)]


def folder_of_many(name: str) -> tuple[str, str] | None:
    """What a folder such as ``Masks`` or ``imagesTr`` holds of many cases, ``ct`` or ``mask``, and the other words of
    its name (``tr``); None where it does not say."""
    for text in (_parted(name), name):
        words = _words(text)
        if kinds := _kinds(words):
            return MASK if MASK in kinds.values() else CT, " ".join(word for word in words if word not in kinds)
    return None


def alike(name: str) -> str:
    """Equal for names that differ only in capital letters, or in how Unicode puts letters together."""
    return unicodedata.normalize("NFC", name).casefold()


class CaseNames:
    """Names of cases, to look a case up by what a file says of it."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        count = Counter(map(alike, self._names))
        self._alike = {alike(name): name for name in self._names if count[alike(name)] == 1}
        self._beginnings = tuple(name + mark for name in count for mark in "_-")

    def first(self, names: Sequence[str]) -> str | None:
        """The first of ``names`` that is one of these, else the first that exactly one of these is like."""
        same = [name for name in names if name in self._names]
        return next(iter(same + [self._alike[key] for key in map(alike, names) if key in self._alike]), None)

    def begin(self, stem: str) -> bool:
        """Whether a name begins with that of a case, as that of its vessels does."""
        return alike(stem).startswith(self._beginnings)


def _parted(name: str) -> str:
    """A name with its words parted that begin with capital letters, as in ``LungMask``."""
    return _HUMP.sub("_", name)


def _words(name: str) -> list[str]:
    return _WORD.findall(alike(name))


def _kinds(words: Sequence[str]) -> dict[str, str]:
    """The words that tell a CT or a mask, and which."""
    return {word: kind for kind, known in _KINDS.items() for word in words if known.fullmatch(word)}
