"""Write the lists of files in a module's CMakeLists.txt anew from its folder.

Slicer's build fails where a listed file is missing, and leaves out of the package what is not listed.
"""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
MODULES = tuple(sorted(path.parent for path in REPOSITORY.glob("LungSegResNet*/CMakeLists.txt")))


def listed_files(folder: Path) -> dict[str, list[str]]:
    """What belongs into ``MODULE_PYTHON_SCRIPTS`` and ``MODULE_PYTHON_RESOURCES``, relative to the module's folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    names = [path.relative_to(folder).as_posix() for path in files]
    return {
        "MODULE_PYTHON_SCRIPTS": [name for name in names if name.endswith(".py") and not name.startswith("Resources/")],
        "MODULE_PYTHON_RESOURCES": [name for name in names if name.startswith("Resources/") and "/." not in name],
    }


def updated(folder: Path) -> str:
    """Text of the module's CMakeLists.txt with lists as the folder has them."""
    text = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
    for variable, names in listed_files(folder).items():
        lines = "".join(f"  {name}\n" for name in names)
        text = re.sub(rf"set\({variable}\n.*?  \)", f"set({variable}\n{lines}  )", text, flags=re.DOTALL)
    return text


def main() -> None:
    """Write the files that differ from their folders."""
    for folder in MODULES:
        text = updated(folder)
        if text != (folder / "CMakeLists.txt").read_text(encoding="utf-8"):
            (folder / "CMakeLists.txt").write_text(text, encoding="utf-8")
            print(f"{folder.name}/CMakeLists.txt was written")


if __name__ == "__main__":
    main()
