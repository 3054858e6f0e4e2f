"""The module ``qt`` of PythonQt itself, as Slicer has it, from the extension module of the folder ``pythonqt``."""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

_kept: list[Any] = []  # Qt widgets that are Python classes live as long as Python knows them


def make_qt() -> types.ModuleType:
    """Create the module ``qt`` with all that PythonQt wraps; QApplication is there already."""
    importlib.import_module("pythonqt")
    qt = types.ModuleType("qt")
    for kit in ("Core", "Gui", "Network", "UiTools"):
        vars(qt).update(
            {k: v for k, v in vars(importlib.import_module(f"PythonQt.Qt{kit}")).items() if not k.startswith("_")}
        )
    sys.modules["qt"] = qt
    return qt


def make_ui_loader(qt: types.ModuleType, custom: dict[str, type]) -> None:
    """Give ``qt`` a QUiLoader that makes widgets of ``custom``, too."""
    base = qt.QUiLoader

    class QUiLoader(base):
        def createWidget(self, className: str, parent: Any = None, name: str = "") -> Any:
            if className not in custom:
                return base.createWidget(self, className, parent, name)
            made = custom[className](parent)
            made.setObjectName(name)
            _kept.append(made)
            return made

    qt.QUiLoader = QUiLoader  # type: ignore[attr-defined]
