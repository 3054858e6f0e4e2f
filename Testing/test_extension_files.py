"""The files that Slicer's build and the Extensions Index read."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import set_github_owner
import update_cmake_lists
import yaml
from PIL import Image

from LungSegResNetLib.network.model_file import default_model_path, read_card

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("*/Resources/Models/*.md")])


@pytest.mark.parametrize("module", update_cmake_lists.MODULES, ids=lambda path: path.name)
def test_a_module_lists_all_its_files(module: Path) -> None:
    written = (module / "CMakeLists.txt").read_text(encoding="utf-8")
    assert written == update_cmake_lists.updated(module), "run Testing/update_cmake_lists.py"


def test_the_extension_builds_every_module_and_its_tests() -> None:
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    names = [module.name for module in update_cmake_lists.MODULES]
    assert re.findall(r"add_subdirectory\((.*?)\)", text) == [*names, "Testing"]


@pytest.mark.parametrize("module", update_cmake_lists.MODULES, ids=lambda path: path.name)
def test_the_build_and_the_workflow_run_the_self_test_of_a_module(module: Path) -> None:
    cmake = (module / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "slicer_add_python_unittest(SCRIPT ${MODULE_NAME}.py)" in cmake
    assert f"class {module.name}Test(ScriptedLoadableModuleTest)" in (module / f"{module.name}.py").read_text("utf-8")
    workflow = (REPOSITORY / ".github/workflows/slicer.yml").read_text(encoding="utf-8")
    assert f"runUnitTest(['{module.name}'], '{module.name}')" in workflow


def test_the_model_card_says_what_its_sources_say() -> None:
    models = REPOSITORY / "LungSegResNet/Resources/Models"
    card = (models / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert (models / "section.md").read_text(encoding="utf-8").strip() in card
    limits = (models / "limits.txt").read_text(encoding="utf-8").splitlines()
    assert len(limits) > 5
    assert list(read_card(default_model_path()).limits) == limits
    listed = "\n".join(f"- {limit}" for limit in limits)
    assert f"\n\n## Known failures and limits\n\n{listed}\n\n## Figures " in card


@pytest.mark.parametrize("name", ["tests.yml", "slicer.yml"])
def test_a_workflow_can_be_read_and_names_files_that_exist(name: str) -> None:
    text = (REPOSITORY / ".github/workflows" / name).read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert all(job["steps"] and job["timeout-minutes"] for job in workflow["jobs"].values())
    named = re.findall(r"(?<![\w/.])(?:Testing|LungSegResNet\w*)/[\w./]+", text)
    assert named
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_the_workflow_runs_slicer_on_a_display_and_leaves_packages_to_the_modules() -> None:
    """Slicer connects to a display before it looks at its options, even at the one that asks for its version."""
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/slicer.yml").read_text(encoding="utf-8"))
    scripts = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    commands = [line for script in scripts for line in script.splitlines() if "Slicer/Slicer" in line]
    assert len(commands) >= 4
    assert [line for line in commands if not line.startswith("xvfb-run ")] == []
    assert not any("pip install" in script for script in scripts)


def test_no_file_of_a_module_replaces_that_of_another_when_slicer_installs_them_into_one_folder() -> None:
    names = [
        name
        for module in update_cmake_lists.MODULES
        for listed in update_cmake_lists.listed_files(module).values()
        for name in listed
    ]
    assert len(names) == len(set(names))


# Keys, types and required keys of slicer-extension-catalog-entry-schema-v1.0.1.
ENTRY_SCHEMA = {
    "type": "object",
    "required": ["$schema", "category", "scm_url"],
    "additionalProperties": False,
    "properties": {
        **{key: {"type": "string"} for key in ("$schema", "category", "scm_url", "scm_revision", "build_subdirectory")},
        "scm_type": {"enum": ["git", "local"]},
        "build_dependencies": {"type": "array", "items": {"type": "string"}},
        "enabled": {"type": "boolean"},
        "tier": {"type": "integer", "minimum": 1, "maximum": 5},
    },
}


def test_the_entry_for_the_extensions_index_fits_its_schema() -> None:
    jsonschema.Draft7Validator.check_schema(ENTRY_SCHEMA)
    jsonschema.validate(entry_for_the_index(), ENTRY_SCHEMA, jsonschema.Draft7Validator)


@pytest.mark.parametrize("change", [{"tier": 6}, {"tier": "1"}, {"homepage": "x"}, {"category": None}])
def test_an_entry_that_does_not_fit_the_schema_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(entry_for_the_index() | change, ENTRY_SCHEMA, jsonschema.Draft7Validator)


def test_all_files_name_one_owner_of_the_repository_and_a_script_sets_it(tmp_path: Path) -> None:
    assert len(set().union(*set_github_owner.owners().values())) == 1
    for name in set_github_owner.FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    set_github_owner.set_owner("another-clinic", tmp_path)
    for name, owners in set_github_owner.owners(tmp_path).items():
        assert owners == ({"another-clinic"} if set_github_owner.owners()[name] else set()), name
    with pytest.raises(ValueError, match="owner"):
        set_github_owner.set_owner("no/owner", tmp_path)


def test_the_entry_and_the_build_agree_on_dependencies_and_pictures_are_there() -> None:
    entry = entry_for_the_index()
    assert re.fullmatch(r"https://github\.com/[\w-]+/SlicerLungSegResNet\.git", entry["scm_url"])
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    depends = re.search(r'set\(EXTENSION_DEPENDS "(.*?)"\)', text)
    assert depends is not None
    assert depends[1] == (" ".join(entry["build_dependencies"]) or "NA")
    pictures = re.findall(r"raw\.githubusercontent\.com/[\w-]+/SlicerLungSegResNet/main/([\w./]+)", text)
    assert len(pictures) >= 2
    assert [path for path in pictures if not (REPOSITORY / path).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_links_of_a_page_lead_to_files_and_headings_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'<img src="([^"]+)"', text):
        path, _, heading = target.partition("#")
        if "://" in target:
            continue
        found = (page.parent / path) if path else page
        assert found.exists(), target
        assert not heading or heading in headings_of(found), target


def headings_of(page: Path) -> set[str]:
    """Anchors that GitHub gives the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def entry_for_the_index() -> dict[str, Any]:
    """What LungSegResNet.json says."""
    entry: dict[str, Any] = json.loads((REPOSITORY / "LungSegResNet.json").read_text(encoding="utf-8"))
    return entry


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
