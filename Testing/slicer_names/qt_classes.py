"""Names of Qt's own classes as PythonQt shows them: Qt 5.15's meta-objects, and PythonQt's generated wrappers."""

from __future__ import annotations

import re
from typing import Any

from .cpp_headers import GitFiles
from .name_list import Section

_WRAPPERS = "generated_cpp_515/"


class QtClasses:
    """PythonQt's wrappers of a git directory, and the Qt 5 of PyQt5 in this Python."""

    def __init__(self, pythonqt: GitFiles) -> None:
        from PyQt5 import QtCore, QtGui, QtWidgets

        self._modules = (QtCore, QtGui, QtWidgets)
        self._metaobject = QtCore.QMetaMethod
        self._wrappers: dict[str, str] = {}
        for path in pythonqt.paths:
            if path.startswith(_WRAPPERS) and path.endswith(".h") and re.search("qt_(core|gui)", path):
                for name, body in re.findall(
                    r"^class PythonQtWrapper_(\w+)\b[^\n]*\n(.*?)^};", pythonqt.text(path), re.S | re.M
                ):
                    self._wrappers[name] = body
        decorators = pythonqt.text("src/PythonQtStdDecorators.h")
        self._everywhere = set(re.findall(r"\b(\w+)\s*\(\s*QObject\s*\*\s*\w+", decorators)) | {
            "className",
            "delete",
            "inherits",
        }
        self._static = re.findall(r"\bstatic_(Q\w+?)_(\w+)\(", decorators)

    def read_class(self, name: str) -> Section | None:
        """Names of a class; None if PythonQt does not wrap it."""
        if name not in self._wrappers:
            return None
        body = self._wrappers[name]
        section = Section()
        for first, title in re.findall(r"([\w:>*]+)\s+(\w+)\s*\(", body):
            if title.startswith("static_"):
                section.add(title.split("_", 2)[2], _class_of(first))
            elif not title.startswith(("py_q_", "new_", "delete_", "py_get", "py_set", "operator", "QWidget")):
                section.add(title, _class_of(first))
        for enum in re.findall(r"enum\s*\w+\s*{(.*?)}", body, re.S):
            section.names |= dict.fromkeys(re.findall(r"(\w+)\s*=", enum), "")
        section.names |= {title: "" for owner, title in self._static if owner == name}
        cls = next((found for module in self._modules if (found := getattr(module, name, None))), None)
        if cls is not None:
            section.bases = [base.__name__ for base in cls.__bases__ if base.__name__.startswith("Q")]
            if hasattr(cls, "staticMetaObject"):
                self._read_metaobject(cls.staticMetaObject, section)
        if name == "QObject":
            section.names |= dict.fromkeys(self._everywhere, "")
        return section

    def _read_metaobject(self, meta: Any, section: Section) -> None:
        for index in range(meta.propertyOffset(), meta.propertyCount()):
            section.properties[meta.property(index).name()] = _class_of(meta.property(index).typeName())
        for index in range(meta.methodOffset(), meta.methodCount()):
            method = meta.method(index)
            signature = bytes(method.methodSignature()).decode()
            if method.methodType() == self._metaobject.Signal:
                section.signals.add(signature)
            elif method.access() == self._metaobject.Public:
                section.add(signature.split("(")[0], _class_of(method.typeName()))
        for index in range(meta.enumeratorOffset(), meta.enumeratorCount()):
            enum = meta.enumerator(index)
            section.names |= {enum.key(key): "" for key in range(enum.keyCount())}


def _class_of(kind: str) -> str:
    found = re.fullmatch(r"(Q[A-Z]\w+)\s*\*?", kind.strip())
    return found[1] if found else ""
