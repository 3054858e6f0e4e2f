"""The folder of a run belongs to one process at a time, for as long as that lives."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from training_cases import write_data_set

from LungSegResNetLib.errors import UsageError
from LungSegResNetTrainingLib.command_line.main import main
from LungSegResNetTrainingLib.training import run_lock
from LungSegResNetTrainingLib.training.run_lock import held_run, is_held


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the folder ``run``."""
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from LungSegResNetTrainingLib.training.run_lock import held_run

        with held_run(Path(sys.argv[1])):
            print("held", flush=True)
            sys.stdin.read()
    """)
    command = [sys.executable, "-c", program, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_killed_process_frees_the_folder(
    holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "_PATIENCE_SECONDS", 0.2)
    assert is_held(tmp_path / "run")
    with pytest.raises(UsageError, match=r"Another process trains in .*run; wait for it"), held_run(tmp_path / "run"):
        pass
    holder.kill()
    holder.wait()
    assert not is_held(tmp_path / "run")
    with held_run(tmp_path / "run"):
        assert is_held(tmp_path / "run")


def test_the_end_of_a_process_that_is_ending_is_waited_for(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    timer = threading.Timer(1.0, holder.kill)
    timer.start()
    with held_run(tmp_path / "run"):
        assert not timer.is_alive()


def test_a_folder_without_a_run_is_not_held_and_stays_as_it_is(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    assert not is_held(tmp_path / "missing")
    assert not list(tmp_path.iterdir())


def test_training_in_a_folder_in_which_another_process_trains_is_refused(
    holder: subprocess.Popen[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run_lock, "_PATIENCE_SECONDS", 0.2)
    data = write_data_set(tmp_path / "data", {"a": "train", "b": "train"})
    command = ["fit", str(data), "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"), "--device", "cpu"]
    command += ["--steps", "1", "--batch-size", "2", "--slice-shape", "32", "40", "--workers", "0"]
    assert main(command) == UsageError.exit_code
    assert "Another process trains in" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.lock"]
    holder.kill()
    holder.wait()
    assert main(command) == 0
    assert (tmp_path / "run" / "network.safetensors").is_file()
