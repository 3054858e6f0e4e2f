"""``slicer.parameterNodeWrapper``: typed fields kept in a parameter node and shown in widgets.

Fields are node classes, str, int, float or bool, plain or ``Annotated``; widgets carry the property
``SlicerParameterName``. Texts in the node are written as Slicer's serializers write them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, get_type_hints

import qt
import slicer
import vtk


@dataclass(frozen=True)
class Choice:
    choices: list[Any]


@dataclass(frozen=True)
class WithinRange:
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Minimum:
    minimum: float


_PROPERTY = "SlicerParameterName"
_READ: dict[type, Callable[[str], Any]] = {str: str, int: int, float: float, bool: lambda text: text == "True"}


class _Field:
    def __init__(self, name: str, hint: Any, default: Any) -> None:
        self.name = name
        self.kind = getattr(hint, "__origin__", hint)
        self.annotations = getattr(hint, "__metadata__", ())
        self.isNode = self.kind not in _READ
        choice = next((a for a in self.annotations if isinstance(a, Choice)), None)
        self.choices = choice.choices if choice else None
        if default is None and not self.isNode:
            default = self.choices[0] if self.choices else self.kind()
        self.default = default

    def check(self, value: Any) -> None:
        if self.isNode:
            if value is not None and not value.IsA(self.kind.__name__):
                raise ValueError(f"{self.name} must be a {self.kind.__name__}")
            return
        if not isinstance(value, self.kind):
            raise TypeError(f"{self.name} must be {self.kind.__name__}, not {value!r}")
        for annotation in self.annotations:
            if isinstance(annotation, Choice) and value not in annotation.choices:
                raise ValueError(f"{value!r} is none of {annotation.choices}")
            if isinstance(annotation, WithinRange) and not annotation.minimum <= value <= annotation.maximum:
                raise ValueError(f"{value!r} lies outside of {annotation}")

    def read(self, node: Any) -> Any:
        if self.isNode:
            return node.GetNodeReference(self.name)
        if not node.HasParameter(self.name):  # as after the scene was closed
            self.write(node, self.default)
        text = node.GetParameter(self.name)
        return _READ[self.kind](text) if text or self.kind is str else self.default

    def write(self, node: Any, value: Any) -> None:
        self.check(value)
        if self.isNode:
            node.SetNodeReferenceID(self.name, value.GetID() if value else None)
        else:
            node.SetParameter(self.name, str(value))


class _Connector:
    """Reads, writes and watches one widget."""

    def __init__(self, widget: Any, field: _Field) -> None:
        self.widget, self.field = widget, field
        kind = type(widget)
        fits = {
            slicer.qMRMLNodeComboBox: field.isNode,
            qt.QCheckBox: field.kind is bool,
            qt.QSpinBox: field.kind is int,
            qt.QDoubleSpinBox: field.kind is float,
            qt.QComboBox: field.choices is not None,
            qt.QLineEdit: field.kind is str,
        }
        if not fits.get(kind, False):
            raise RuntimeError(f"Slicer cannot bind the parameter {field.name} to a {kind.__name__}")
        if kind is qt.QComboBox:
            widget.clear()
            widget.addItems([str(choice) for choice in field.choices])
        for annotation in field.annotations:
            if isinstance(annotation, WithinRange):
                widget.setRange(annotation.minimum, annotation.maximum)

    @property
    def changed(self) -> Any:
        return {
            slicer.qMRMLNodeComboBox: lambda: self.widget.currentNodeChanged,
            qt.QCheckBox: lambda: self.widget.toggled,
            qt.QSpinBox: lambda: self.widget.valueChanged,
            qt.QDoubleSpinBox: lambda: self.widget.valueChanged,
            qt.QComboBox: lambda: self.widget.currentIndexChanged,
            qt.QLineEdit: lambda: self.widget.textChanged,
        }[type(self.widget)]()

    def read(self) -> Any:
        widget = self.widget
        return {
            slicer.qMRMLNodeComboBox: lambda: widget.currentNode(),
            qt.QCheckBox: lambda: widget.checked,
            qt.QSpinBox: lambda: widget.value,
            qt.QDoubleSpinBox: lambda: widget.value,
            qt.QComboBox: lambda: self.field.choices[widget.currentIndex],
            qt.QLineEdit: lambda: widget.text,
        }[type(widget)]()

    def write(self, value: Any) -> None:
        widget = self.widget
        if isinstance(widget, slicer.qMRMLNodeComboBox):
            widget.setCurrentNode(value)
        elif isinstance(widget, qt.QCheckBox):
            widget.checked = value
        elif isinstance(widget, (qt.QSpinBox, qt.QDoubleSpinBox)):
            widget.value = value
        elif isinstance(widget, qt.QComboBox):
            widget.currentIndex = self.field.choices.index(value)
        elif widget.text != value:
            widget.text = value


class _Wrapper:
    """What a decorated class becomes."""

    allParameters: dict[str, _Field] = {}  # noqa: RUF012

    def __init__(self, parameterNode: Any) -> None:
        self.parameterNode = parameterNode
        self._connections: dict[int, list[tuple[_Connector, Any]]] = {}
        self._nextTag = 0
        self._updating = False
        self._values: dict[str, Any] = {}
        for field in self.allParameters.values():
            if not field.isNode and not parameterNode.HasParameter(field.name):
                field.write(parameterNode, field.default)
        self._readAll()
        weak = weakref.ref(self)
        self._observer = parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: weak()._readAll())

    def __del__(self) -> None:
        self.parameterNode.RemoveObserver(self._observer)

    def _readAll(self) -> None:
        """Values are kept; the node tells of changes, but not of a chosen node that comes with a loaded scene."""
        self._values = {name: field.read(self.parameterNode) for name, field in self.allParameters.items()}

    def _write(self, field: _Field, value: Any) -> None:
        wasModified = self.StartModify()
        try:
            field.write(self.parameterNode, value)
            self._values[field.name] = field.read(self.parameterNode)
        finally:
            self.EndModify(wasModified)

    def default(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(value=self.allParameters[name].default)

    def connectGui(self, gui: Any) -> int:
        connectors = []
        for widget in vars(gui).values():
            name = widget.property(_PROPERTY)
            if name:
                connectors.append(_Connector(widget, self.allParameters[name]))
        connections = []
        for connector in connectors:
            connector.write(self._values[connector.field.name])

            def onChanged(*_: Any, connector: _Connector = connector) -> None:
                if not self._updating:
                    self._write(connector.field, connector.read())

            connector.changed.connect(onChanged)
            connections.append((connector, onChanged))

        self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._updateGui())
        self._nextTag += 1
        self._connections[self._nextTag] = connections
        return self._nextTag

    def _updateGui(self) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            for connections in self._connections.values():
                for connector, _onChanged in connections:
                    connector.write(self._values[connector.field.name])
        finally:
            self._updating = False

    def disconnectGui(self, tag: Any) -> None:
        """As in Slicer 5.10, what observes the node stays, and with it this wrapper."""
        for connector, onChanged in self._connections.pop(tag, []):
            connector.changed.disconnect(onChanged)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def StartModify(self) -> int:
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified: int) -> None:
        self.parameterNode.EndModify(wasModified)


def _access(field: _Field) -> property:
    return property(lambda self: self._values[field.name], lambda self, value: self._write(field, value))


def parameterNodeWrapper(classtype: type) -> type:
    """Decorator of a class with annotated fields."""
    hints = get_type_hints(classtype, include_extras=True)
    fields = {name: _Field(name, hint, getattr(classtype, name, None)) for name, hint in hints.items()}
    members = {name: _access(field) for name, field in fields.items()}
    members |= {"allParameters": fields, "__doc__": classtype.__doc__, "__module__": classtype.__module__}
    return type(classtype.__name__, (_Wrapper,), members)
