"""Who may import whom: folders of a library form layers, and no library knows of Slicer."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
LIBRARIES = [REPOSITORY / name / f"{name}Lib" for name in ("LungSegResNet", "LungSegResNetTraining")]
OF_SLICER = {"slicer", "qt", "ctk", "vtk", "LungSegResNetWidgets", "LungSegResNetTrainingWidgets"}


def imported(file: Path, library: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, wherever in it."""
    place = file.relative_to(library.parent).parts[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(place[: len(place) + 1 - node.level]) + "." if node.level else ""
            yield from ([start + node.module] if node.module else [start + alias.name for alias in node.names])


def layers(library: Path) -> dict[str, set[str]]:
    """What each folder of a library, and each file beside them, imports of the others."""
    found: dict[str, set[str]] = {}
    for file in library.rglob("*.py"):
        own = file.relative_to(library).with_suffix("").parts[0]
        others = {name.split(".")[1] for name in imported(file, library) if name.startswith(f"{library.name}.")}
        found.setdefault(own, set()).update(others - {own, "__version__"})
    return found


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda path: path.name)
def test_folders_of_a_library_do_not_import_each_other_in_a_circle(library: Path) -> None:
    graph = layers(library)
    assert len(graph) > 5
    assert len(list(TopologicalSorter(graph).static_order())) >= len(graph)  # raises CycleError for a circle


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda path: path.name)
def test_a_library_imports_nothing_of_slicer_and_nothing_of_what_is_above_it(library: Path) -> None:
    above = OF_SLICER if library is LIBRARIES[1] else OF_SLICER | {LIBRARIES[1].name}
    imports = {(file.name, name.split(".")[0]) for file in library.rglob("*.py") for name in imported(file, library)}
    assert ("prediction.py" if library is LIBRARIES[0] else "aggregation.py", "numpy") in imports
    assert [pair for pair in imports if pair[1] in above] == []
