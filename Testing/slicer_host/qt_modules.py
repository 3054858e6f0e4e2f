"""The modules ``qt`` and ``ctk`` as PythonQt offers them: ``button.enabled``, ``button.connect("clicked()", f)``."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

_QT = (QtCore, QtGui, QtWidgets)
# Virtual functions, which Qt itself calls by these names on Python classes; and a static function.
_STAY_METHODS = {
    ("QWidget", "sizeHint"),
    ("QWidget", "minimumSizeHint"),
    ("QProgressBar", "text"),
    ("QTimer", "singleShot"),
}


def _with_property(base: type, name: str) -> property:
    """A Python property on top of a Qt property's own getter and setter."""
    capital = name[0].upper() + name[1:]
    getter = next(
        (
            found
            for candidate in (name, f"is{capital}", f"has{capital}")
            if callable(found := getattr(base, candidate, None)) and not isinstance(found, property)
        ),
        None,
    )
    setter = getattr(base, f"set{capital}", None)

    def get(self: Any) -> Any:
        return getter(self) if getter else QtCore.QObject.property(self, name)

    def put(self: Any, value: Any) -> None:
        if setter:
            setter(self, value)
        else:
            QtCore.QObject.setProperty(self, name, value)

    return property(get, put)


def _signal(sender: QtCore.QObject, signature: str) -> Any:
    """The signal that ``"clicked(bool)"`` names; AttributeError where Qt does not know it, as a typing error shows."""
    name, arguments = signature.rstrip(")").split("(", 1)
    wanted = QtCore.QMetaObject.normalizedSignature(f"{name}({arguments})").toStdString()
    meta = sender.metaObject()
    known = any(
        meta.method(index).methodSignature().toStdString() == wanted
        for index in range(meta.methodCount())
        if meta.method(index).methodType() == QtCore.QMetaMethod.MethodType.Signal
    )
    if not known:
        raise AttributeError(f"{type(sender).__name__} has no signal {signature}")
    return getattr(sender, name)


def connect(sender: QtCore.QObject, signature: str, receiver: Callable[..., Any]) -> bool:
    """PythonQt's ``sender.connect("signal(type)", receiver)``."""
    _signal(sender, signature).connect(receiver)
    return True


def disconnect(sender: QtCore.QObject, signature: str, receiver: Callable[..., Any]) -> bool:
    """PythonQt's ``sender.disconnect("signal(type)", receiver)``."""
    _signal(sender, signature).disconnect(receiver)
    return True


def _pass_on(cls: type, **arguments: Any) -> None:
    """PySide looks for ``connect`` in the class of an object only, not in its bases."""
    super(QtCore.QObject, cls).__init_subclass__(**arguments)
    cls.connect, cls.disconnect = connect, disconnect  # type: ignore[attr-defined]


def make_qt() -> types.ModuleType:
    """Create the module ``qt`` with all classes of QtCore, QtGui and QtWidgets."""
    qt = types.ModuleType("qt")
    qt.Qt = QtCore.Qt  # type: ignore[attr-defined]
    classes = [getattr(module, name) for module in _QT for name in dir(module) if not name.startswith("_")]
    for cls in classes:
        if not isinstance(cls, type):
            continue
        if issubclass(cls, QtCore.QObject):
            # PySide answers ``connect`` itself unless the class is a Python one.
            methods = {"connect": connect, "disconnect": disconnect, "__module__": "qt"}
            methods["__init_subclass__"] = classmethod(_pass_on)
            try:
                setattr(qt, cls.__name__, type(cls.__name__, (cls,), methods))
            except TypeError:
                setattr(qt, cls.__name__, cls)
        else:
            setattr(qt, cls.__name__, cls)
    for cls in classes:
        if isinstance(cls, type) and issubclass(cls, QtCore.QObject):
            meta = cls.staticMetaObject
            for index in range(meta.propertyOffset(), meta.propertyCount()):
                name = meta.property(index).name()
                if (cls.__name__, name) not in _STAY_METHODS:
                    setattr(cls, name, _with_property(cls, name))
    QtCore.QObject.name = property(lambda self: self.objectName, lambda self, name: self.setObjectName(name))
    for runnable in (QtWidgets.QDialog, QtWidgets.QMenu, QtWidgets.QMessageBox):
        runnable.exec_ = runnable.exec
    sys.modules["qt"] = qt
    return qt


def make_ui_loader(qt: types.ModuleType, custom: dict[str, type]) -> None:
    """Give ``qt`` a QUiLoader that makes widgets of its own classes and of ``custom``."""

    class QUiLoader(QtUiTools.QUiLoader):
        def createWidget(self, className: str, parent: Any = None, name: str = "") -> Any:
            made = (custom.get(className) or getattr(qt, className))(parent)
            made.setObjectName(name)
            return made

    qt.QUiLoader = QUiLoader  # type: ignore[attr-defined]
