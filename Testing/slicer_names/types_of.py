"""Which class an expression of a module's file gives, as far as it can be told without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from .name_list import NameList
from .product import is_self

Types = frozenset[str]
UNKNOWN: Types = frozenset()
UI = "ui"
MODULE = "module "  # followed by the name of a module, as of ``slicer.modules.plots``
MODULE_WIDGET = "panel of module "
# What the arguments of these functions name is what they give.
_MAKERS = {"AddNewNodeByClass", "CreateNodeByClass", "GetFirstNodeByClass", "GetNthNodeByClass", "GetFirstNode"}
# What variables of these names hold throughout the modules.
_CONVENTIONS = {
    "volumeNode": "vtkMRMLScalarVolumeNode",
    "segmentationNode": "vtkMRMLSegmentationNode",
    "tableNode": "vtkMRMLTableNode",
}


class TypesOf:
    """Types of the expressions inside one function, or at the top of a file.

    Parameters
    ----------
    widgets : classes of the widgets of the module's ``.ui`` files.
    fields : classes of the fields of parameter nodes.
    outer : variables from outside: imports.
    attributes : attributes of ``self``.
    """

    def __init__(
        self,
        names: NameList,
        widgets: dict[str, str],
        fields: dict[str, str],
        outer: dict[str, Types],
        attributes: dict[str, Types],
    ) -> None:
        self._names, self._widgets, self._fields = names, widgets, fields
        self.variables = dict(outer)
        self._attributes = attributes

    def enter(self, function: ast.FunctionDef | ast.Lambda) -> None:
        """Take the arguments of a function and what it assigns."""
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
            self.variables[argument.arg] = self._annotated(argument)
        assigned = list(_assignments(function))
        for _again in range(3):
            found: dict[str, list[Types]] = {}
            for target, values in assigned:
                types = [self(value) for value in values if not _is_none(value)]
                found.setdefault(target, []).append(_union(types) if values else UNKNOWN)
            self.variables |= {name: _union(types) for name, types in found.items()}

    def _annotated(self, argument: ast.arg) -> Types:
        if argument.arg == UI:
            return frozenset({UI})
        text = ast.unparse(argument.annotation).removesuffix(" | None") if argument.annotation else ""
        name = text.rsplit(".", 1)[-1]
        if name in self._names:
            return frozenset({name})
        convention = _CONVENTIONS.get(argument.arg)
        return frozenset({convention}) if convention else UNKNOWN

    def __call__(self, node: ast.expr) -> Types:
        if isinstance(node, ast.Name):
            return self.variables.get(node.id, frozenset({UI}) if node.id == UI else UNKNOWN)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.IfExp):
            return _union([self(part) for part in (node.body, node.orelse) if not _is_none(part)])
        if isinstance(node, ast.NamedExpr):
            return self(node.value)
        return UNKNOWN

    def _attribute(self, node: ast.Attribute) -> Types:
        if is_self(node.value) and node.attr in self._attributes:
            return self._attributes[node.attr]
        if node.attr in (UI, "_ui"):
            return frozenset({UI})
        if node.attr in self._fields:
            return frozenset({self._fields[node.attr]})
        return _union([self._member(kind, node.attr) for kind in self(node.value)])

    def _member(self, kind: str, attribute: str) -> Types:
        if kind == UI:
            return frozenset({self._widgets[attribute]}) if attribute in self._widgets else UNKNOWN
        if kind in ("qt", "ctk", "vtk", "slicer") and attribute in self._names:
            return frozenset({attribute})
        if kind == "slicer.modules":
            return frozenset({MODULE + attribute})
        given = self._names.gives(kind, attribute)
        return frozenset({given}) if given else UNKNOWN

    def _call(self, node: ast.Call) -> Types:
        if isinstance(node.func, ast.Attribute):
            first = node.args[0] if node.args else None
            if node.func.attr in _MAKERS and isinstance(first, ast.Constant) and first.value in self._names:
                return frozenset({first.value})
            owner = next(iter(self(node.func.value)), "")
            if owner.startswith(MODULE) and node.func.attr in ("logic", "widgetRepresentation"):
                return self._of_module(owner.removeprefix(MODULE), node.func.attr)
            if owner.startswith(MODULE_WIDGET) and node.func.attr == "self":
                wanted = f"{owner.removeprefix(MODULE_WIDGET)}widget"
                return frozenset(name for name in self._names.sections if name.lower() == wanted)
        return self(node.func)

    def _of_module(self, module: str, function: str) -> Types:
        if function == "widgetRepresentation":
            return frozenset({MODULE_WIDGET + module})
        logic = self._names.gives("slicer.modules", module)
        return frozenset({logic}) if logic else UNKNOWN


def attributes_of(cls: ast.ClassDef, types_of: TypesOf) -> dict[str, Types]:
    """Types of the attributes that a class's methods give ``self``."""
    found: dict[str, list[Types]] = {}
    for node in ast.walk(cls):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and is_self(target.value) and not _is_none(node.value):
                    found.setdefault(target.attr, []).append(types_of(node.value))
    return {name: known for name, types in found.items() if (known := _union(types))}


def _union(types: Iterable[Types]) -> Types:
    """All of them; unknown if one is."""
    types = list(types)
    return frozenset().union(*types) if all(types) else UNKNOWN


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _assignments(function: ast.AST) -> Iterable[tuple[str, list[ast.expr]]]:
    """Variables with what is assigned to them; nothing for what cannot be followed."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _pairs(target, [node.value])
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            yield from _pairs(node.target, [node.value])
        elif isinstance(node, (ast.For, ast.comprehension)):
            literal = isinstance(node.iter, (ast.Tuple, ast.List))
            yield from _pairs(node.target, node.iter.elts if literal else [])
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            yield from _pairs(node.optional_vars, [])


def _pairs(target: ast.expr, values: list[ast.expr]) -> Iterable[tuple[str, list[ast.expr]]]:
    if isinstance(target, ast.Name):
        yield target.id, values
    elif isinstance(target, (ast.Tuple, ast.List)):
        rows = [value.elts for value in values if isinstance(value, (ast.Tuple, ast.List))]
        fits = len(rows) == len(values) and all(len(row) == len(target.elts) for row in rows)
        for index, part in enumerate(target.elts):
            yield from _pairs(part, [row[index] for row in rows] if fits else [])
