"""Names of new nodes, by which a user tells them apart in lists."""

from __future__ import annotations

import slicer


def freeName(name: str) -> str:
    """The name, with a number if it is taken; the scene alone would number a name that was in use before, too."""
    return slicer.mrmlScene.GenerateUniqueName(name) if slicer.mrmlScene.GetFirstNodeByName(name) else name
