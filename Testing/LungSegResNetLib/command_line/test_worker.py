"""The command line as a child: it works while its input is open, and ends when that is closed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import SimpleITK as sitk
from synthetic_thorax import Thorax

PACKAGES = Path(__file__).resolve().parents[3] / "LungSegResNet"


@pytest.fixture
def started(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A segmentation of the phantom in its own process, with its files in ``tmp_path``."""
    sitk.WriteImage(Thorax().scan(spacing=(2.0, 2.0, 2.0))[0], str(tmp_path / "ct.nrrd"))
    arguments = ["segment", str(tmp_path / "ct.nrrd"), str(tmp_path / "lungs.nrrd"), "--progress", "json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "LungSegResNetLib.command_line.worker", *arguments],
        cwd=PACKAGES,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()


def wait_for_slices(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line)["event"] == "progress":
            return
    raise AssertionError("the process ended before it segmented a slice")


def test_closing_its_input_ends_it_and_leaves_no_file(started: subprocess.Popen[str], tmp_path: Path) -> None:
    wait_for_slices(started)
    assert started.stdin is not None
    started.stdin.close()
    # Half a second on an idle machine; tests may share theirs with other work.
    assert started.wait(timeout=5) == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct.nrrd"]


def test_it_does_what_the_command_line_does_while_its_input_is_open() -> None:
    command = [sys.executable, "-m", "LungSegResNetLib.command_line.worker", "--version"]
    with subprocess.Popen(command, cwd=PACKAGES, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.read().startswith("LungSegResNet ")
        assert process.wait() == 0
