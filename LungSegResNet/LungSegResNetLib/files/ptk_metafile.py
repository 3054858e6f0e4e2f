"""Recognises the MetaImage masks of the Pulmonary Toolkit (PTK), which do not say where they lie in the patient."""

from __future__ import annotations

from pathlib import Path

from .text_headers import read_fields

_AXES: dict[tuple[float, ...], str] = {
    (0, 1, 0, 1, 0, 0, 0, 0, 1): "axial",
    (1, 0, 0, 0, 0, -1, 0, 1, 0): "coronal",
}
# PTK passes its offset as the text "0 0 0": where MATLAB prints its characters as numbers, they become 48 and 32.
_NO_OFFSET = ((0.0, 0.0, 0.0), (48.0, 32.0, 48.0))


def ptk_axes(path: Path) -> str | None:
    """``axial`` or ``coronal``: the axes of a .mhd header that has those that PTK writes, and no origin; else None.

    Raises OSError if a .mhd file cannot be opened.
    """
    if path.suffix.lower() != ".mhd":
        return None
    with path.open("rb") as file:
        header = read_fields(file, path.suffix)
    has_no_origin = (_numbers(header.get("offset", "")) or _NO_OFFSET[0]) in _NO_OFFSET
    return _AXES.get(_numbers(header.get("transformmatrix", ""))) if has_no_origin else None


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(value) for value in text.split())
    except ValueError:
        return ()
