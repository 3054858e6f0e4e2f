"""What both packages do, as a digest that changes with their code."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import LungSegResNetLib
import LungSegResNetTrainingLib


@cache
def own_code_digest() -> str:
    """Digest of the code of both packages as it is installed."""
    return code_digest([Path(package.__path__[0]) for package in (LungSegResNetLib, LungSegResNetTrainingLib)])


@cache
def reading_digest() -> str:
    """Digest of the code that reads and checks cases."""
    library, training = (Path(package.__path__[0]) for package in (LungSegResNetLib, LungSegResNetTrainingLib))
    return code_digest([library / "files", training / "data"])


def code_digest(folders: Sequence[Path]) -> str:
    """SHA-256 of names and contents of all Python files in the folders and below; line endings do not count."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            code = path.read_bytes().replace(b"\r\n", b"\n")
            digest.update(f"{path.relative_to(folder.parent).as_posix()}\n{len(code)}\n".encode() + code)
    return digest.hexdigest()
