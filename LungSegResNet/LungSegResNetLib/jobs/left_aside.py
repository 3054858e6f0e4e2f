"""Folders of which a run segmented one of several series: its end says so, because there are fewer masks than scans."""

from __future__ import annotations

from collections.abc import Iterable

from ..files.dicom_choice import names_left_aside, names_strangers
from ..wording import counted
from .summary_file import Row


def left_aside_text(rows: Iterable[Row]) -> str:
    """Such as ``2 folders with series left aside; see the warnings; ``; empty where there are none."""
    warnings = [[text for text in row.get("warnings", ()) if names_left_aside(text)] for row in rows]
    if not (count := sum(map(bool, warnings))):
        return ""
    strangers = sum(any(map(names_strangers, texts)) for texts in warnings)
    whose = f" ({strangers} with another patient or study)" if strangers else ""
    return f"{counted(count, 'folder')} with series left aside{whose}; see the warnings; "
