"""Stored results know the code that they were made with."""

from __future__ import annotations

from pathlib import Path

import pytest

import LungSegResNetLib
import LungSegResNetTrainingLib
from LungSegResNetTrainingLib.evaluation.code_digest import code_digest, modules_behind

_FILES = {
    "Lib/__init__.py": "",
    "Lib/labels.py": "RIGHT = 1\n",
    "Lib/lungs/__init__.py": "",
    "Lib/lungs/cleaning.py": "from ..labels import RIGHT\n\nLEAST_ML = 1.0  # stray\n",
    "Lib/panel.py": "TITLE = 'Lungs'\n",
    "Tools/__init__.py": '"""Tools."""\n',
    "Tools/judge.py": "import json\nimport Lib.lungs.cleaning\ndef judge():\n    from . import late\n    return late\n",
    "Tools/late.py": "LATE = 1\n",
}


def packages(folder: Path, **changed: str) -> tuple[Path, ...]:
    """Two packages; ``changed`` are other contents of files, named without folder and ending."""
    for name, text in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(changed.get(path.stem, text), encoding="utf-8")
    return folder / "Lib", folder / "Tools"


def test_a_digest_is_of_the_modules_that_are_imported_from_wherever() -> None:
    roots = [Path(package.__path__[0]) for package in (LungSegResNetLib, LungSegResNetTrainingLib)]
    found = modules_behind("LungSegResNetTrainingLib.evaluation.judging", roots)
    processing = {"lungs.postprocessing", "lungs.runs", "figures.metrics", "files.hounsfield", "network.engines"}
    assert {f"LungSegResNetLib.{name}" for name in processing} <= found.keys()
    assert "LungSegResNetTrainingLib.data.dicom_labels" in found  # imported in a function
    assert not {"LungSegResNetTrainingLib.evaluation.report", "LungSegResNetLib.command_line.main"} & found.keys()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("cleaning", "from ..labels import RIGHT\n\nLEAST_ML = 2.0\n"),
        ("labels", "RIGHT = 2\n"),
        ("late", "LATE = 2\n"),
    ],
)
def test_a_change_of_what_is_computed_changes_the_digest(file: str, text: str, tmp_path: Path) -> None:
    before, after = packages(tmp_path / "a"), packages(tmp_path / "b", **{file: text})
    assert code_digest("Tools.judge", before) != code_digest("Tools.judge", after)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("cleaning", '"""Cleans."""\n\nfrom ..labels import RIGHT\n# Smaller is stray.\nLEAST_ML = (1.0)\n'),
        ("panel", "TITLE = 'Segment'\n"),
    ],
)
def test_words_and_other_modules_leave_the_digest_as_it_is(file: str, text: str, tmp_path: Path) -> None:
    before, after = packages(tmp_path / "a"), packages(tmp_path / "b", **{file: text})
    assert code_digest("Tools.judge", before) == code_digest("Tools.judge", after)
