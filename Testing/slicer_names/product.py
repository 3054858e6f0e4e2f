"""The files of the modules that name things of Slicer: module files, ``...Widgets`` folders and ``.ui`` files."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MODULES = tuple(sorted(path.parent for path in REPOSITORY.glob("LungSegResNet*/CMakeLists.txt")))
_CLASS = re.compile(r"(?:vtk|qMRML|qSlicer|ctk|Q)[A-Z]\w+")


def python_files(module: Path) -> list[Path]:
    """What runs in Slicer's application: the module's own file and its widgets."""
    return [module / f"{module.name}.py", *sorted(module.glob("*Widgets/**/*.py"))]


def ui_files(module: Path) -> list[Path]:
    return sorted(module.glob("Resources/UI/*.ui"))


@dataclass(frozen=True)
class UiWidget:
    """A widget of a ``.ui`` file with its own properties; ``parameter`` is its SlicerParameterName.

    ``buddy`` is the widget that the keyboard goes to from a label; empty: none.
    """

    kind: str
    name: str
    properties: tuple[str, ...]
    parameter: str
    buddy: str


@dataclass(frozen=True)
class UiConnection:
    """A connection that a ``.ui`` file makes; sender and receiver are names of widgets."""

    sender: str
    signal: str
    receiver: str
    slot: str


def read_ui(path: Path) -> tuple[list[UiWidget], list[UiConnection]]:
    """All widgets and connections of a ``.ui`` file."""
    root = ElementTree.parse(path).getroot()
    widgets = []
    for element in root.iter("widget"):
        properties = {item.get("name", ""): item for item in element.findall("property")}
        parameter = properties.pop("SlicerParameterName", None)
        buddy = properties.pop("buddy", None)  # set by whoever loads the file
        own = tuple(name for name, item in properties.items() if item.get("stdset") != "0")
        text = "" if parameter is None else parameter.findtext("string", "")
        other = "" if buddy is None else buddy.findtext("cstring", "")
        widgets.append(UiWidget(element.get("class", ""), element.get("name", ""), own, text, other))
    connections = [
        UiConnection(*(item.findtext(key, "") for key in ("sender", "signal", "receiver", "slot")))
        for item in root.iter("connection")
    ]
    return widgets, connections


def texts_of_ui(path: Path) -> list[str]:
    """All texts of a ``.ui`` file, among them the node types of selectors."""
    return [item.text or "" for item in ElementTree.parse(path).getroot().iter("string")]


def is_class_of_node(text: str) -> bool:
    """True for a text that is the name of a class of MRML nodes, and nothing else."""
    return re.fullmatch(r"vtkMRML\w*Node", text) is not None


def named_classes() -> set[str]:
    """Every word in the files that looks like a class of VTK, MRML, Qt or ctk."""
    found: set[str] = set()
    for module in MODULES:
        for path in [*python_files(module), *ui_files(module)]:
            found.update(_CLASS.findall(path.read_text(encoding="utf-8")))
    return found


def own_words(files: Iterable[Path]) -> set[str]:
    """Every name that these Python files define: functions, classes, arguments, fields and attributes of ``self``."""
    words: set[str] = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                words.add(node.name)
            elif isinstance(node, ast.arg):
                words.add(node.arg)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                words.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
                words.add(node.attr)
    return words


def is_self(node: ast.expr) -> bool:
    """True for ``self`` in the text of a method."""
    return isinstance(node, ast.Name) and node.id == "self"


def parameter_fields(files: Iterable[Path]) -> dict[str, str]:
    """Fields of the classes with ``@parameterNodeWrapper`` or ``@parameterPack``, with their type as it is written."""
    fields = {}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any("parameter" in ast.unparse(item) for item in node.decorator_list):
                fields |= {
                    item.target.id: ast.unparse(item.annotation)
                    for item in node.body
                    if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
                }
    return fields
