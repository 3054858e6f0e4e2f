"""The file ``names.txt``: for each class or Python module its bases and its names, without any text of a source.

A section begins with ``[class] base base``. A line is a name; ``.name`` is a property, which is read without brackets,
``!name(type)`` a signal. What follows a name is the class of what it gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PATH = Path(__file__).with_name("names.txt")


@dataclass
class Section:
    """Names of one class: methods and constants with the class they give ("" if unknown), properties, signals."""

    bases: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    signals: set[str] = field(default_factory=set)

    def add(self, name: str, gives: str = "") -> None:
        """Add a name; a class that is known already stays."""
        self.names[name] = self.names.get(name) or gives


class NameList:
    """All sections, by name."""

    def __init__(self, sections: dict[str, Section]) -> None:
        self.sections = sections

    def __contains__(self, name: str) -> bool:
        return name in self.sections

    def lineage(self, name: str) -> Iterator[Section]:
        """The section of a class and those of its bases."""
        section = self.sections.get(name)
        if section:
            yield section
            for base in section.bases:
                yield from self.lineage(base)

    def has(self, name: str, attribute: str) -> bool:
        """True if the class, or one it derives from, has this method, constant, property or signal."""
        return any(
            attribute in section.names
            or attribute in section.properties
            or any(signal.split("(")[0] == attribute for signal in section.signals)
            for section in self.lineage(name)
        )

    def is_property(self, name: str, attribute: str) -> bool:
        return any(attribute in section.properties for section in self.lineage(name))

    def has_signal(self, name: str, signature: str) -> bool:
        return any(signature in section.signals for section in self.lineage(name))

    def gives(self, name: str, attribute: str) -> str:
        """Class of what the attribute gives; empty if it is not known."""
        for section in self.lineage(name):
            if found := section.names.get(attribute) or section.properties.get(attribute):
                return found
        return ""

    def vocabulary(self) -> set[str]:
        """Every name of every section."""
        words: set[str] = set(self.sections)
        for section in self.sections.values():
            words.update(section.names, section.properties, (signal.split("(")[0] for signal in section.signals))
        return words


def read(path: Path = PATH) -> NameList:
    """Read the list."""
    sections: dict[str, Section] = {}
    section = Section()
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        first, *rest = line.split()
        if line.startswith("["):
            name, _, bases = line[1:].partition("]")
            section = sections.setdefault(name, Section(bases=bases.split()))
        elif first.startswith("!"):
            section.signals.add(line[1:])
        elif first.startswith("."):
            section.properties[first[1:]] = " ".join(rest)
        else:
            section.names[first] = " ".join(rest)
    return NameList(sections)


def write(sections: dict[str, Section], header: list[str], path: Path = PATH) -> None:
    """Write the list, sorted."""
    lines = [f"# {line}".rstrip() for line in header]
    for name, section in sorted(sections.items()):
        lines += ["", " ".join([f"[{name}]", *section.bases])]
        lines += [f"{key} {gives}".rstrip() for key, gives in sorted(section.names.items())]
        lines += [f".{key} {gives}".rstrip() for key, gives in sorted(section.properties.items())]
        lines += [f"!{signal}" for signal in sorted(section.signals)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
