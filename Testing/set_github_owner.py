"""Name the owner on GitHub wherever the repository's address is written: ``python Testing/set_github_owner.py OWNER``.

Slicer's build and the Extensions Index read addresses as plain text, so that each has to be written out.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
FILES = (
    "CMakeLists.txt",
    "LungSegResNet.json",
    "CITATION.cff",
    "README.md",
    "docs/command_line.md",
    "LungSegResNet/LungSegResNet.py",
    "LungSegResNetTraining/LungSegResNetTraining.py",
)
ADDRESS = re.compile(r"(https://(?:raw\.githubusercontent|github)\.com)/([\w.-]+)/SlicerLungSegResNet\b")


def owners(folder: Path = REPOSITORY) -> dict[str, set[str]]:
    """The owners that each file names."""
    return {name: {found[1] for found in ADDRESS.findall(_read(folder / name))} for name in FILES}


def set_owner(owner: str, folder: Path = REPOSITORY) -> None:
    """Write the owner into all files; ValueError if GitHub knows no such name."""
    if not re.fullmatch(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}", owner):
        raise ValueError(f"{owner!r} cannot be the name of an owner on GitHub")
    for name in FILES:
        text = ADDRESS.sub(rf"\1/{owner}/SlicerLungSegResNet", _read(folder / name))
        (folder / name).write_text(text, encoding="utf-8")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    set_owner(sys.argv[1])
