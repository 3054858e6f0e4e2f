"""``make run`` with stubs: a Python that can make no environment, and paths with signs of the shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(os.name == "nt" or not shutil.which("make"), reason="there is no make")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    return tmp_path


def stub(path: Path, *lines: str) -> None:
    """A program of the shell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines, "")), encoding="utf-8")
    path.chmod(0o755)


def make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **environment}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_an_environment_that_could_not_be_made_is_removed_and_what_lacks_is_said(clone: Path) -> None:
    # As the Python of Debian without python3-venv: it makes the folder before it fails.
    stub(clone / "python", '[ "$2" = venv ] || exit 0', 'mkdir -p "$3/bin" && touch "$3/bin/python" && exit 1')
    for _ in range(2):
        run = make(clone, "run", "PYTHON=./python")
        assert run.returncode != 0
        assert "install it first: sudo apt install python3-venv" in run.stdout
        assert not (clone / ".venv").exists()


@pytest.mark.parametrize("by", ["argument", "environment"])
@pytest.mark.parametrize(
    "path", ["plain.nii", "O'Neil's scan", "a $HOME $(HOME) $$ `pwd`", "'; touch hacked; '", '"a"']
)
def test_the_path_of_a_ct_is_handed_over_as_it_was_given(path: str, by: str, clone: Path) -> None:
    stub(clone / ".venv" / "bin" / "python")
    stub(clone / ".venv" / "bin" / "lungsegresnet", 'printf "%s\\n" "$2"')
    (clone / ".venv" / "run.stamp").touch()
    run = make(clone, "run", f"CT={path}") if by == "argument" else make(clone, "run", CT=path)
    assert (run.stdout, run.returncode) == (f"{path}\n", 0)
    assert not (clone / "hacked").exists()
