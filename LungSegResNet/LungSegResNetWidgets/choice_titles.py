"""What combo boxes show of choices, in the user's language; the parameter node keeps a word that is always the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slicer.i18n import tr as _


def showTitles(comboBox: Any, titles: Mapping[str, str]) -> None:
    """Show titles in place of choices, which the parameter node writes into a combo box when it is connected.

    It knows them by their places after that, so that texts may be others.
    """
    for index in range(comboBox.count):
        text = comboBox.itemText(index)
        comboBox.setItemText(index, titles.get(text, text))


def deviceTitles() -> dict[str, str]:
    """Of the devices that the network runs on."""
    return {
        "auto": _("automatic"),
        "cuda": _("NVIDIA GPU"),
        "mps": _("Apple GPU"),
        "cpu": _("CPU"),
    }
