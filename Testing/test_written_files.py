"""What a user has is never half written: the libraries write files through ``atomic.write_atomically`` only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
LIBRARIES = [REPOSITORY / name / f"{name}Lib" for name in ("LungSegResNet", "LungSegResNetTraining")]
# What a call writes to is the object it is made on, or one of its arguments.
ON_OBJECT = {"write_text", "write_bytes"}
ON_ARGUMENT = {"save", "savefig", "print_png", "WriteImage", "write_csv", "write_rows_into", "save_png"}
# The file that `write_atomically` gives, several of them, and memory.
SAFE = {"temporary", "files", "buffer"}
# Functions that are given such a file under another name, a log that only grows, and what is no file of anybody.
EXCEPTIONS = {
    ("tables.py", "path.write_bytes"),
    ("drawing.py", "picture.save"),
    ("writing.py", "sitk.WriteImage"),
    ("progress.py", "self.path.open"),
    ("program.py", "Path(os.devnull).open"),
}


def opens_for_writing(call: ast.Call) -> bool:
    modes = (*call.args[:2], *(word.value for word in call.keywords if word.arg == "mode"))
    return any(isinstance(mode, ast.Constant) and set("wax+") & set(str(mode.value)) for mode in modes)


def names_in(*nodes: ast.expr) -> set[str]:
    return {name.id for node in nodes for name in ast.walk(node) if isinstance(name, ast.Name)}


def unsafe_writes(tree: ast.Module) -> Iterator[str]:
    """Calls that write to something else than a file of `write_atomically`, and other things that are called so."""
    given = [
        item.optional_vars
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        for item in node.items
        if "write_atomically" in names_in(item.context_expr)
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "temporary" and isinstance(node.ctx, ast.Store):
            if node not in given:
                yield node.id
        elif isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
            on_object = isinstance(function, ast.Attribute) and (
                name in ON_OBJECT or (name == "open" and opens_for_writing(node))
            )
            places = [function] if on_object else node.args if name in ON_ARGUMENT else None
            if places is not None and not names_in(*places) & SAFE:
                yield ast.unparse(function)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda path: path.name)
def test_files_are_written_through_a_temporary_one(library: Path) -> None:
    files = [file for file in library.rglob("*.py") if file.name != "atomic.py"]
    found = {(file.name, call) for file in files for call in unsafe_writes(ast.parse(file.read_text(encoding="utf-8")))}
    assert found - EXCEPTIONS == set()


@pytest.mark.parametrize(
    "code",
    [
        "path.write_text('half')",
        "path.open('w')",
        "path.open(mode='ab')",
        "numpy.save(path, array)",
        "write_csv(path, columns, rows)",
        "for temporary in [path]: temporary.write_text('half')",
    ],
)
def test_a_file_that_may_stay_half_written_is_found(code: str) -> None:
    assert list(unsafe_writes(ast.parse(code)))
    inside = "with write_atomically(path, overwrite=True) as temporary: temporary.write_text('whole')"
    assert not list(unsafe_writes(ast.parse(inside)))
