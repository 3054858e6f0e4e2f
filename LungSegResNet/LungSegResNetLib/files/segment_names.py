"""Which lung a segment or structure is, by the name that a person or a program gave it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..labels import LEFT_LUNG, LUNG_SEGMENTS, RIGHT_LUNG

BOTH_SIDES = 3
_LUNG_CODE = "^39607008^"
_RIGHT = {"right", "r", "rt", "re", "rechts", "rechte", "rechter", "droit"}
_LEFT = {"left", "l", "lt", "li", "links", "linke", "linker", "gauche"}
# Parts the words of LungRight, R-Lung and rightlung before they are compared.
_JOINTS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LUNG = re.compile(r"lung(enflügel|en|e|s)?|poumons?", re.I)
_LOBES = {"upper": "upper", "superior": "upper", "middle": "middle", "lower": "lower", "inferior": "lower"}
_LOBES_OF = {RIGHT_LUNG: {"upper", "middle", "lower"}, LEFT_LUNG: {"upper", "lower"}}
# Names with any other word (tumour in the right lung, lung minus GTV) are something else than a lung or its lobe.
_WHOLE = {"whole", "entire", "total", "both", "bilateral", "parenchyma", "and", "und"}
_FILLERS = {"a", "of", "the", "ct", "mask", "label", "segment", "segmentation", "seg", "structure", "contour", "roi"}
_VERSIONS = {
    "copy",
    "new",
    "old",
    "v",
    "version",
    "final",
    "draft",
    "corrected",
    "edited",
    "revised",
    "smoothed",
    "eval",
}
_MAKERS = {
    "manual",
    "auto",
    "automatic",
    "reference",
    "ground",
    "truth",
    "gt",
    "predicted",
    "prediction",
    "checked",
    "ai",
}
_HARMLESS = _WHOLE | _FILLERS | _VERSIONS | _MAKERS
_UNTOLD = _FILLERS | {"lung"}


@dataclass(frozen=True)
class NamedLung:
    """A lung or one of its lobes.

    Attributes
    ----------
    label : 1 right, 2 left, 3 both lungs in one.
    lobe : ``upper``, ``middle`` or ``lower``; empty for the whole lung.
    """

    label: int
    lobe: str = ""


def lung_of_name(name: str) -> NamedLung | None:
    """The lung or lobe with this name, in English, German or French; None for anything else."""
    words = _words(name)
    lungs = {word for word in words if _LUNG.fullmatch(word)}
    lobes = {_LOBES[word] for word in words if word in _LOBES}
    if not (lungs or "lobe" in words) or words - lungs - _LOBES.keys() - {"lobe"} - _RIGHT - _LEFT - _HARMLESS:
        return None
    right, left = bool(words & _RIGHT), bool(words & _LEFT)
    label = BOTH_SIDES if right == left else RIGHT_LUNG if right else LEFT_LUNG
    if not lobes and "lobe" not in words:
        return NamedLung(label)
    return NamedLung(label, lobes.pop()) if len(lobes) == 1 and lobes <= _LOBES_OF.get(label, set()) else None


def lung_of_segment(name: str, terminology: str) -> NamedLung | None:
    """The lung or lobe that a segment of 3D Slicer is, by name and ``TerminologyEntry``; None for anything else.

    The name counts first, because the terminology stays as it was when a segment is renamed.
    """
    return lung_of_terminology(name, terminology) or lung_of_name(name)


def lung_of_terminology(name: str, terminology: str) -> NamedLung | None:
    """The lung that the terminology tells of a segment whose name tells nothing, as "Segment_1" and "lung" do."""
    if _words(name) <= _UNTOLD:
        # Fields: context, category, type, type modifier; then a region, which is the lung of a tumour in it, too.
        kind, modifier = (*terminology.split("~"), "", "", "", "")[2:4]
        for lung in LUNG_SEGMENTS:
            if _LUNG_CODE in kind and f"^{lung.laterality_code}^" in modifier:
                return NamedLung(lung.label)
    return None


def lungs_among(segments: Sequence[NamedLung | None]) -> list[int | None]:
    """Label of the lung that each segment of a file belongs to; None for what is no lung.

    A lobe is not a lung: lobes count where a file has all those of their lung, and has it not as a whole.
    """
    whole = {lung.label for lung in segments if lung and not lung.lobe}
    lobes = {(lung.label, lung.lobe) for lung in segments if lung}
    joined = {
        label
        for label, needed in _LOBES_OF.items()
        if label not in whole and all((label, lobe) in lobes for lobe in needed)
    }
    return [lung.label if lung and (not lung.lobe or lung.label in joined) else None for lung in segments]


def _words(name: str) -> set[str]:
    """Words of a name in lower case, without numbers."""
    spaced = _LUNG.sub(r" \g<0> ", _JOINTS.sub(" ", name))
    return set(re.findall(r"[^\W\d_]+", spaced.lower()))
