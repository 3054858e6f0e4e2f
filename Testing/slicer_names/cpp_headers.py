"""Names in C++ headers of a git directory: public methods of VTK classes, what Qt's meta-object knows of Qt classes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from .name_list import Section

_GETS_AND_SETS = re.compile(r"^vtk\w*?(Get|Set|Boolean)\w*Macro\s*\(\s*(\w+)(?:\s*,\s*(\w+))?")
_METHOD = re.compile(r"([\w:>]+)(?:\s+|\s*([*&])\s*)(?:const\s+)?([A-Za-z]\w*)\s*\(")
# What stands before a statement without a semicolon of its own.
_PREFIX = re.compile(
    r"\s*(?:(?P<access>public|protected|private|signals|Q_SIGNALS)(?P<slots>\s+(?:slots|Q_SLOTS))?\s*:(?!:)"
    r"|Q_OBJECT\b|QVTK_OBJECT\b|Q_(?:PROPERTY|ENUMS?|FLAGS?|INTERFACES|CLASSINFO)\s*\((?:[^()]|\([^()]*\))*\);?)"
)
_PROPERTY = re.compile(r"Q_PROPERTY\s*\(\s*([\w:]+(?:<.*?>)?)\s*(\*?)\s*(\w+)\s+(?:READ|MEMBER)")
_DECORATOR = re.compile(r"^\s+(\w+)\s*(\*?)\s*(\w+)\((q\w+|ctk\w+|vtk\w+)\s*\*\s*\w+", re.MULTILINE)


class GitFiles:
    """Files of one commit in a git directory, without a work tree."""

    def __init__(self, folder: Path, commit: str) -> None:
        self._command = ["git", "-C", str(folder)]
        self._commit = commit
        self.paths = self._git("ls-tree", "-r", "--name-only", commit).splitlines()
        self._by_name: dict[str, str] = {}
        for path in self.paths:
            self._by_name.setdefault(path.rsplit("/", 1)[-1], path)

    def _git(self, *arguments: str) -> str:
        done = subprocess.run([*self._command, *arguments], check=True, capture_output=True)
        return done.stdout.decode("utf-8", "replace")

    def text(self, path: str) -> str:
        return self._git("show", f"{self._commit}:{path}")

    def header_of(self, name: str) -> str:
        """Text of the header of a class; empty if there is none."""
        path = self._by_name.get(f"{name}.h")
        return self.text(path) if path else ""


def read_class(header: str, name: str) -> Section | None:
    """Names of a class in the text of its header; None if it is not defined there."""
    text = re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', header)
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    start = re.search(rf"\bclass\s+(?:\w+\s+)?{name}\s*(?:final\s*)?(?::([^{{;]*))?{{", text)
    if not start:
        return None
    bases = re.findall(r"public\s+(?:virtual\s+)?(\w+)", start[1] or "")
    section = Section(bases=[base for base in bases if base != "QVTKObject"])
    access = "private"
    for statement in _statements(text[start.end() :]):
        while found := _PREFIX.match(statement):
            if found["access"]:
                access = found["access"] + (" slots" if found["slots"] else "")
            elif property_ := _PROPERTY.search(found[0]):
                kind, pointer, title = property_.groups()
                section.properties[title] = _class_of(kind, bool(pointer))
            statement = statement[found.end() :]
        _read_statement(statement.strip(), access, name, section)
    return section


def _read_statement(statement: str, access: str, name: str, section: Section) -> None:
    is_qt = name.startswith(("q", "ctk"))
    if access.startswith("public") and (
        enum := re.match(r"enum\s*(?:class\s+)?\w*\s*(?::\s*\w+\s*)?{(.*)}", statement, re.DOTALL)
    ):
        for item in enum[1].split(","):
            if title := re.match(r"\s*(\w+)", item):
                section.add(title[1])
        return
    macro = _GETS_AND_SETS.match(statement)
    if macro and access == "public":
        what, title, kind = macro.groups()
        if what == "Boolean":
            section.names |= {f"{title}On": "", f"{title}Off": ""}
        else:
            section.add(f"{what}{title}", (kind or "") if "Object" in macro[0] or "New" in macro[0] else "")
        return
    if statement.startswith("vtkMRMLCopyContent") and access == "public":
        section.names |= {"CopyContent": "", "HasCopyContent": ""}
        return
    if access in ("signals", "Q_SIGNALS"):
        if found := re.match(r"(?:virtual\s+)?void\s+(\w+)\s*\((.*)\)", statement, re.DOTALL):
            section.signals.update(_signatures(found[1], found[2]))
        return
    callable_from_python = access == "public slots" or (
        access == "public" and (not is_qt or "Q_INVOKABLE" in statement)
    )
    method = _METHOD.search(
        re.sub(r"\b(?:Q_INVOKABLE|virtual|static|inline|explicit|VTK_\w+(?:\(.*?\))?)\s+", "", statement)
    )
    if callable_from_python and method and method[3] not in (name, "operator"):
        section.add(method[3], _class_of(method[1], method[2] == "*"))


def _class_of(kind: str, is_pointer: bool) -> str:
    return kind if is_pointer and re.match(r"(vtk|q|ctk|Q)[A-Z]\w*|vtkSegment", kind) else ""


def _signatures(name: str, arguments: str) -> set[str]:
    """As Qt normalises them; arguments with a default value may be missing."""
    kinds, found = [], set()
    for argument in filter(None, (part.strip() for part in re.sub(r"\s+", " ", arguments).split(","))):
        if "=" in argument:
            found.add(f"{name}({','.join(kinds)})")
        kind = re.sub(r"\bconst\b|=.*", "", argument).strip()
        words = re.match(r"((?:unsigned |long )?[\w:]+(?:<.*>)?)\s*([*]*)", kind)
        kinds.append((words[1].strip() + words[2]) if words else kind)
    return found | {f"{name}({','.join(kinds)})"}


def _statements(body: str) -> list[str]:
    """The statements up to the closing brace of the class; bodies of functions are left out, those of enums not."""
    statements, current, depth, start = [], "", 0, ""
    for character in body:
        if character == "{":
            if depth == 0:
                start = current
            depth += 1
        elif character == "}":
            depth -= 1
            if depth < 0:
                break
            if depth == 0 and not re.search(r"\benum\b", start):
                statements.append(start)
                current = ""
                continue
        elif character == ";" and depth == 0:
            statements.append(current)
            current = ""
            continue
        current += character
    return statements


def decorated(files: GitFiles) -> dict[str, dict[str, str]]:
    """Functions that a source gives Python besides a class's own, by class, with the class they give."""
    found: dict[str, dict[str, str]] = {}
    for path in files.paths:
        if path.endswith("PythonQtDecorators.h"):
            for kind, pointer, name, owner in _DECORATOR.findall(files.text(path)):
                found.setdefault(owner, {})[name] = _class_of(kind, bool(pointer))
            for owner, name in re.findall(r"\bstatic_(\w+?)_(\w+)\(", files.text(path)):
                found.setdefault(owner, {})[name] = ""
    return found
