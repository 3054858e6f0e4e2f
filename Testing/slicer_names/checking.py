"""Names in the modules' files that are not in the list of what Slicer has.

Where the class of an object can be told, its members are held against that class; elsewhere a member has to be a
word of the list, of Python or of this project, so that a misspelt one is found, too.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import sys
import types
import unittest
from pathlib import Path

from . import product
from .name_list import NameList
from .types_of import MODULE, MODULE_WIDGET, UI, UNKNOWN, Types, TypesOf, attributes_of

_SLICER_MODULES = ("qt", "ctk", "slicer", "vtk")
_OWN_MODULES = {module.name.lower() for module in product.MODULES}
_PYTHON_PACKAGES = ("numpy", "packaging", "SimpleITK")


class Checker:
    """Checks files against the list; what is wrong comes as "file:line: sentence"."""

    def __init__(self, names: NameList, module: Path) -> None:
        self._names = names
        read = [product.read_ui(path)[0] for path in product.ui_files(module)]
        self._widgets = {widget.name: widget.kind for widgets in read for widget in widgets}
        files = [path for folder in product.MODULES for path in folder.rglob("*.py")]
        own = product.parameter_fields(product.python_files(module))
        self._parameters = set(own)
        self._fields = {name: kind for name, kind in own.items() if kind in names}
        self._words = names.vocabulary() | product.own_words(files) | set(self._widgets) | _python_words()

    def python(self, path: Path, text: str | None = None) -> list[str]:
        """Problems of a Python file; ``text`` instead of what the file has."""
        tree = ast.parse(path.read_text(encoding="utf-8") if text is None else text)
        problems: list[tuple[int, str]] = []
        outer = self._imports(tree, problems)
        words = self._words | _words_of_imports(tree)
        self._check(tree, outer, {}, words, problems)
        return [f"{path.name}:{line}: {problem}" for line, problem in sorted(set(problems))]

    def ui(self, path: Path) -> list[str]:
        """Problems of a ``.ui`` file."""
        widgets, connections = product.read_ui(path)
        kinds = {widget.name: widget.kind for widget in widgets}
        problems = []
        for widget in widgets:
            if widget.kind not in self._names:
                problems.append(f"{widget.name} is a {widget.kind}, which Slicer does not have")
            problems += [
                f"{widget.name}: {widget.kind} has no property {name}"
                for name in widget.properties
                if not self._names.is_property(widget.kind, name)
            ]
            if widget.buddy and (widget.kind != "QLabel" or widget.buddy not in kinds):
                problems.append(f"{widget.name}: {widget.buddy} cannot be its buddy")
            if widget.parameter and widget.parameter not in self._parameters:
                problems.append(f"{widget.name}: there is no parameter {widget.parameter}")
        problems += filter(None, (self._class_in_text(text) for text in product.texts_of_ui(path)))
        for connection in connections:
            if not self._names.has_signal(kinds.get(connection.sender, ""), connection.signal):
                problems.append(f"{connection.sender} has no signal {connection.signal}")
            if not self._names.has(kinds.get(connection.receiver, ""), connection.slot.split("(")[0]):
                problems.append(f"{connection.receiver} has no slot {connection.slot}")
        return [f"{path.name}: {problem}" for problem in problems]

    def _imports(self, tree: ast.Module, problems: list[tuple[int, str]]) -> dict[str, Types]:
        variables: dict[str, Types] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                variables |= {
                    alias.name: frozenset({alias.name}) for alias in node.names if alias.name in _SLICER_MODULES
                }
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "slicer":
                for alias in node.names:
                    given = self._names.gives(node.module, alias.name)
                    if alias.name in self._names:
                        given = alias.name
                    elif not self._names.has(node.module, alias.name):
                        problems.append((node.lineno, f"{node.module} has no {alias.name}"))
                    variables[alias.asname or alias.name] = frozenset({given}) if given else UNKNOWN
        return variables

    def _check(
        self,
        scope: ast.AST,
        outer: dict[str, Types],
        attributes: dict[str, Types],
        words: set[str],
        problems: list[tuple[int, str]],
    ) -> None:
        """Check one scope, then those inside it."""
        types_of = TypesOf(self._names, self._widgets, self._fields, outer, attributes)
        if isinstance(scope, (ast.FunctionDef, ast.Lambda)):
            types_of.enter(scope)
        elif isinstance(scope, ast.ClassDef):
            attributes = attributes_of(scope, types_of)
        waiting = list(ast.iter_child_nodes(scope))
        while waiting:
            node = waiting.pop()
            if isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
                self._check(node, types_of.variables, attributes, words, problems)
                continue
            waiting += ast.iter_child_nodes(node)
            if isinstance(node, ast.Attribute):
                problem = self._member(node, types_of(node.value), words)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                problem = self._called(node, node.func, types_of(node.func.value))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                problem = self._class_in_text(node.value)
            else:
                problem = ""
            if problem:
                problems.append((node.lineno, problem))

    def _member(self, node: ast.Attribute, owners: Types, words: set[str]) -> str:
        name = node.attr
        if not owners and name not in words:
            return f".{name} is no name of Slicer, Python or this project"
        for owner in owners:
            if owner == UI:
                known = name in self._widgets
            elif owner.startswith(MODULE):
                known = self._names.has("qSlicerLoadableModule", name)
            elif owner.startswith(MODULE_WIDGET):
                known = self._names.has("qSlicerScriptedLoadableModuleWidget", name)
            elif owner == "slicer.modules" and name in _OWN_MODULES:
                known = True
            elif owner in _SLICER_MODULES:
                known = name in self._names or self._names.has(owner, name)
            else:
                known = self._names.has(owner, name)
            if not known:
                return f"{'the .ui file' if owner == UI else owner} has no {name}"
        return ""

    def _class_in_text(self, text: str) -> str:
        """Nodes are made and looked for by the name of their class."""
        wrong = product.is_class_of_node(text) and text not in self._names
        return f"Slicer has no class {text}" if wrong else ""

    def _called(self, node: ast.Call, function: ast.Attribute, owners: Types) -> str:
        owners = frozenset(owner for owner in owners if owner in self._names)
        # A static function is reached through the class, where a property of the same name is not in the way.
        through_class = isinstance(function.value, ast.Attribute) and function.value.attr in owners
        if not through_class and any(self._names.is_property(owner, function.attr) for owner in owners):
            return f"{function.attr} is a property, so it is not called"
        first = node.args[0] if node.args else None
        if function.attr in ("connect", "disconnect") and isinstance(first, ast.Constant) and "(" in str(first.value):
            senders = owners or self._names.sections
            if not any(self._names.has_signal(sender, first.value) for sender in senders):
                return f"{' or '.join(sorted(owners)) or 'no class'} has the signal {first.value}"
        return ""


def _python_words() -> set[str]:
    kinds = (
        str,
        bytes,
        int,
        float,
        list,
        dict,
        set,
        tuple,
        frozenset,
        BaseException,
        OSError,
        type,
        Path,
        unittest.TestCase,
    )
    return set(dir(builtins)).union(*(dir(kind) for kind in kinds), {"__name__", "__file__", "__dataclass_fields__"})


def _words_of_imports(tree: ast.Module) -> set[str]:
    """What the modules of Python that a file imports have, and the classes in them."""
    words: set[str] = set()
    for node in ast.walk(tree):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            modules = [node.module or ""]
        for name in modules:
            if name.split(".")[0] in (*sys.stdlib_module_names, *_PYTHON_PACKAGES):
                module = importlib.import_module(name)
                words.update(dir(module))
                for title in dir(module):
                    # ``getattr``, since numpy imports parts of itself only when they are asked for.
                    if isinstance(member := getattr(module, title, None), (type, types.ModuleType)):
                        words.update(dir(member))
    return words


def problems_of(module: Path, names: NameList) -> list[str]:
    """What is wrong in all files of a module."""
    checker = Checker(names, module)
    found = [problem for path in product.python_files(module) for problem in checker.python(path)]
    return found + [problem for path in product.ui_files(module) for problem in checker.ui(path)]
