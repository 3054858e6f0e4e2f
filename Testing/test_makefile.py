"""The Makefile with stubs: what it installs, a Python that can make no environment, paths with signs of the shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
(TORCH,) = re.findall(r"^TORCH := (torch==\S+)$", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

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


@pytest.fixture
def installed(clone: Path) -> Callable[[str], list[str]]:
    """Makes a target with a Python that only writes down how it was called; gives what pip was asked to install."""
    for name in ("python", "lungsegresnet"):
        stub(clone / ".venv" / "bin" / name, 'echo "$@" >> calls.txt')

    def made(target: str) -> list[str]:
        calls = clone / "calls.txt"
        calls.unlink(missing_ok=True)
        run = make(clone, target, "CT=scan.nii")
        assert run.returncode == 0, run.stderr
        pip = "-m pip install --quiet "
        lines = calls.read_text(encoding="utf-8").splitlines()
        return [line.removeprefix(pip) for line in lines if line.startswith(pip)]

    return made


def test_segmenting_installs_no_pytorch(installed: Callable[[str], list[str]]) -> None:
    assert installed("run") == ["-e .[openvino]"]
    assert installed("run") == []


def test_training_installs_pytorch_and_what_segmenting_needs(installed: Callable[[str], list[str]]) -> None:
    assert installed("run") == ["-e .[openvino]"]
    assert installed("train-smoke") == [f"{TORCH} -e .[train,openvino]"]
    assert installed("run") == installed("train-smoke") == []


def test_tests_install_all_that_other_targets_need(installed: Callable[[str], list[str]]) -> None:
    assert installed("test") == [f"{TORCH} -e .[dev,slicer]"]
    assert installed("run") == installed("train-smoke") == []
    assert installed("benchmark") == [f"{TORCH} -e .[benchmark]"]
