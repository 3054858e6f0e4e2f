"""What a module does, as a digest: it changes with the code of the module and of all own modules behind it."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def code_digest(module: str, packages: tuple[Path, ...]) -> str:
    """SHA-256 of the code of `modules_behind`; comments, docstrings and layout do not count.

    Other versions of Python may give another digest for the same code.
    """
    digest = hashlib.sha256()
    for name, code in sorted(modules_behind(module, packages).items()):
        digest.update(f"{name}\n{ast.dump(_without_docstrings(code))}\n".encode())
    return digest.hexdigest()


def modules_behind(module: str, packages: Sequence[Path]) -> dict[str, ast.Module]:
    """Code of a module and of all that it imports, also within functions, by full name; modules of ``packages``
    (their folders) only. Nothing is run. What has no source there is left out."""
    found: dict[str, ast.Module] = {}
    to_do = [module]
    while to_do:
        name = to_do.pop()
        path = _source(name, packages)
        if path is None or name in found:
            continue
        found[name] = ast.parse(path.read_bytes())
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        to_do += _imported(found[name], package)
    return found


def _source(name: str, packages: Sequence[Path]) -> Path | None:
    top, *below = name.split(".")
    places = [package.joinpath(*below) for package in packages if package.name == top]
    files = [path for place in places for path in (place / "__init__.py", place.with_name(f"{place.name}.py"))]
    return next(filter(Path.is_file, files), None)


def _imported(code: ast.Module, package: str) -> Iterator[str]:
    """Full names that may be modules: a name that is imported from a package may be one of its modules."""
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*parents, *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _without_docstrings(code: ast.Module) -> ast.Module:
    for node in ast.walk(code):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return code
