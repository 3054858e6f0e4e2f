"""The files that Slicer's build and the Extensions Index read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import update_cmake_lists
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("module", update_cmake_lists.MODULES, ids=lambda path: path.name)
def test_a_module_lists_all_its_files(module: Path) -> None:
    written = (module / "CMakeLists.txt").read_text(encoding="utf-8")
    assert written == update_cmake_lists.updated(module), "run Testing/update_cmake_lists.py"


def test_the_extension_builds_every_module() -> None:
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    assert re.findall(r"add_subdirectory\((.*?)\)", text) == [module.name for module in update_cmake_lists.MODULES]


def test_no_file_of_a_module_replaces_that_of_another_when_slicer_installs_them_into_one_folder() -> None:
    names = [
        name
        for module in update_cmake_lists.MODULES
        for listed in update_cmake_lists.listed_files(module).values()
        for name in listed
    ]
    assert len(names) == len(set(names))


def test_the_entry_for_the_extensions_index_has_the_keys_of_its_schema() -> None:
    # Keys and required keys of slicer-extension-catalog-entry-schema-v1.0.1.
    allowed = {
        "$schema",
        "build_dependencies",
        "build_subdirectory",
        "category",
        "enabled",
        "scm_revision",
        "scm_url",
        "tier",
    }
    entry = json.loads((REPOSITORY / "LungSegResNet.json").read_text(encoding="utf-8"))
    assert set(entry) <= allowed
    assert {"$schema", "category", "scm_url"} <= set(entry)
    assert re.fullmatch(r"https://github\.com/[^/]+/SlicerLungSegResNet\.git", entry["scm_url"])
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    depends = re.search(r'set\(EXTENSION_DEPENDS "(.*?)"\)', text)
    assert depends is not None
    assert depends[1] == (" ".join(entry["build_dependencies"]) or "NA")


@pytest.mark.parametrize(
    "icon",
    [
        "Resources/LungSegResNet.png",
        "LungSegResNet/Resources/Icons/LungSegResNet.png",
        "LungSegResNetTraining/Resources/Icons/LungSegResNetTraining.png",
    ],
)
def test_icons_have_the_size_that_slicer_asks_for(icon: str) -> None:
    with Image.open(REPOSITORY / icon) as picture:
        assert picture.size == (128, 128)
