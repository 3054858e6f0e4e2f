"""Names in Slicer's own Python files."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .name_list import Section


def module_names(text: str) -> set[str]:
    """What a module defines, or imports from elsewhere, at its top level; also below ``if`` and ``try``."""
    names: set[str] = set()
    for node in _top(ast.parse(text).body):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(alias.asname or alias.name.split(".")[0] for alias in node.names if alias.name != "*")
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(target.id for target in targets if isinstance(target, ast.Name))
    return names


def _top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            yield from _top([*node.body, *getattr(node, "orelse", []), *getattr(node, "handlers", [])])
        elif isinstance(node, ast.ExceptHandler):
            yield from _top(node.body)


def classes(text: str) -> dict[str, Section]:
    """Methods and attributes of each class of a Python file."""
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            section = Section(bases=[base.id for base in node.bases if isinstance(base, ast.Name)])
            for part in ast.walk(node):
                if isinstance(part, ast.FunctionDef):
                    section.add(part.name)
                elif (
                    isinstance(part, ast.Attribute)
                    and isinstance(part.ctx, ast.Store)
                    and isinstance(part.value, ast.Name)
                    and part.value.id == "self"
                ):
                    section.add(part.attr)
            found[node.name] = section
    return found


def attributes_set_by_name(text: str) -> set[str]:
    """What a Python file sets by calling a function with an object and a name, as ``setattr`` is called."""
    return {
        node.args[1].value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and len(node.args) == 3 and isinstance(node.args[1], ast.Constant)
        if isinstance(node.args[1].value, str) and node.args[1].value.isidentifier()
    }
