"""Slicer's own Python files in the place of those of this host: its folder ``Base/Python/slicer``."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

NAMES = ("i18n", "ScriptedLoadableModule", "parameterNodeWrapper")
_WIDGET = re.compile(r"\b(slicer|ctk)\.(q(?:MRML|Slicer)\w+|ctk\w+)")


def load(folder: Path, slicer: ModuleType, ctk: ModuleType) -> None:
    """Import the modules of ``NAMES`` from ``folder`` as Slicer has them.

    Kinds of widgets that the host does not make, but that these files ask for, become classes without an instance.
    """
    for path in folder.glob("parameterNodeWrapper/*.py"):
        for package, name in _WIDGET.findall(path.read_text(encoding="utf-8")):
            owner = slicer if package == "slicer" else ctk
            if not hasattr(owner, name):
                setattr(owner, name, type(name, (), {}))
    for name in NAMES:
        path = folder / name / "__init__.py"
        path = path if path.is_file() else folder / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"slicer.{name}", path)
        if spec is None or spec.loader is None:
            raise FileNotFoundError(path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        setattr(slicer, name, module)
        spec.loader.exec_module(module)
