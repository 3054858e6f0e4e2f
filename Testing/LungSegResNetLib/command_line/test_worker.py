"""The command line as a child: it does command after command while its input is open, and ends when that is closed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
from synthetic_thorax import Thorax

from LungSegResNetLib.command_line import worker

PACKAGES = Path(__file__).resolve().parents[3] / "LungSegResNet"
MODULE = "LungSegResNetLib.command_line.worker"


class Child:
    """A worker as another program has it; ``code`` instead of the module where a test needs it otherwise."""

    def __init__(self, *code: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *(code or ("-m", MODULE))],
            cwd=PACKAGES,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def events(self, last: str = "end") -> list[dict[str, Any]]:
        """What it tells up to the next event of the kind ``last``; text that is no event has the key ``text`` only."""
        assert self.process.stderr is not None
        found: list[dict[str, Any]] = []
        for line in filter(str.strip, self.process.stderr):
            found.append(json.loads(line) if line.startswith("{") else {"event": "", "text": line.strip()})
            if found[-1]["event"] == last:
                return found
        raise AssertionError(f"the process ended before it told '{last}': {found}")

    def do(self, *arguments: str) -> dict[str, Any]:
        """Do a command; returns the last event."""
        self.send(json.dumps(arguments))
        return self.events()[-1]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def child() -> Iterator[Child]:
    started = Child()
    yield started
    started.close()


def write_scan(path: Path, spacing: float) -> str:
    sitk.WriteImage(Thorax().scan(spacing=(2.0, 2.0, spacing))[0], str(path))
    return str(path)


def test_the_second_command_gives_the_same_mask_in_the_same_process(child: Child, tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "ct.nrrd", 20.0)
    summaries = []
    for name in ("cold.nrrd", "warm.nrrd"):
        end = child.do("segment", scan, str(tmp_path / name), "--json", "--progress", "json")
        assert end["exit_code"] == 0
        summaries.append(json.loads(end["output"]))
    cold, warm = summaries
    assert (tmp_path / "cold.nrrd").read_bytes() == (tmp_path / "warm.nrrd").read_bytes()
    assert {key: cold[key] for key in cold.keys() - {"seconds", "outputs"}} == {
        key: warm[key] for key in warm.keys() - {"seconds", "outputs"}
    }


def test_a_problem_of_the_input_is_told_and_the_next_command_is_done(child: Child, tmp_path: Path) -> None:
    child.send(json.dumps(["segment", str(tmp_path / "nowhere"), str(tmp_path / "lungs.nrrd"), "--progress", "json"]))
    *_others, error, end = child.events()
    assert (error["event"], error["exit_code"], end["exit_code"]) == ("error", 3, 3)
    assert "nowhere" in error["text"]
    assert child.do("info")["exit_code"] == 0


@pytest.mark.parametrize("request_line", ["segment ct.nrrd lungs.nrrd", '{"command": "segment"}', '["info", 3]', ""])
def test_a_request_that_is_none_is_answered_with_a_sentence(child: Child, request_line: str) -> None:
    child.send(request_line)
    error, end = child.events()
    assert (error["event"], end["exit_code"]) == ("error", 2)
    assert "JSON list" in error["text"]
    assert child.do("--version")["output"].startswith("LungSegResNet ")


def test_wrong_options_are_told_as_in_a_terminal_and_the_next_command_is_done(child: Child) -> None:
    child.send(json.dumps(["segment", "--colour", "blue"]))
    *lines, end = child.events()
    assert end["exit_code"] == 2
    assert "usage: lungsegresnet segment" in lines[0]["text"]
    assert child.do("info")["exit_code"] == 0


def test_closing_its_input_ends_it_in_the_middle_of_a_command_and_leaves_no_file(child: Child, tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "ct.nrrd", 2.0)
    child.send(json.dumps(["segment", scan, str(tmp_path / "lungs.nrrd"), "--progress", "json"]))
    child.events(last="progress")
    assert child.process.stdin is not None
    child.process.stdin.close()
    # Half a second on an idle machine; tests may share theirs with other work.
    child.process.wait(timeout=5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct.nrrd"]


def test_closing_its_input_ends_it_while_it_waits(child: Child) -> None:
    assert child.do("--version")["exit_code"] == 0
    assert child.process.stdin is not None
    child.process.stdin.close()
    child.process.wait(timeout=5)


@pytest.mark.parametrize("program", [MODULE, "LungSegResNetTrainingLib.command_line.worker"])
def test_it_ends_though_something_would_hold_it_up_when_python_unloads(program: str) -> None:
    held_up = (
        f"import atexit, runpy, time; atexit.register(time.sleep, 60); runpy.run_module('{program}', None, '__main__')"
    )
    started = Child("-c", held_up)
    assert started.do("--version")["exit_code"] == 0
    assert started.process.stdin is not None
    started.process.stdin.close()
    assert started.process.wait(timeout=10) == 0
    started.close()


@pytest.fixture
def coded(request: pytest.FixtureRequest) -> Iterator[Child]:
    """A worker with a command line or a patience of its own."""
    started = Child("-c", f"import {MODULE} as worker; {request.param}")
    yield started
    started.close()


# A disk that does not answer, as far as Python can tell.
_STUCK = (
    "import threading, time, LungSegResNetLib.jobs.case_job as job; "
    "tell = threading.Timer(0.5, worker._send, kwargs={'event': 'stuck'}); "
    "job.read_ct = lambda *_, **__: tell.start() or time.sleep(60)"
)


@pytest.mark.parametrize("coded", [f"{_STUCK}; worker.serve(worker.main)"], indirect=True)
def test_a_case_that_cannot_be_interrupted_is_as_if_it_had_not_begun_when_the_input_is_closed(
    coded: Child, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "a.nrrd", 20.0)
    folders = [str(tmp_path / "in"), str(tmp_path / "out")]
    coded.send(json.dumps(["segment-folder", *folders, "--processes", "1", "--progress", "json"]))
    coded.events(last="stuck")
    assert json.loads((tmp_path / "out" / "a.summary.json").read_text())["status"] == "started"
    assert coded.process.stdin is not None
    coded.process.stdin.close()
    assert coded.process.wait(timeout=5) == 130
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["results.csv"]


def test_libraries_are_not_held_for_long_where_loaded_ones_cannot_be_replaced() -> None:
    assert worker.idle_seconds_on("win32") <= 60
    assert worker.idle_seconds_on("linux") == worker.idle_seconds_on("darwin") == 600


@pytest.mark.parametrize("coded", ["worker.serve(worker.main, idle_seconds=0.2)"], indirect=True)
def test_it_ends_by_itself_after_a_time_without_a_command(coded: Child) -> None:
    assert coded.process.wait(timeout=30) == 0


@pytest.mark.parametrize("coded", ["worker.serve(lambda arguments: print('before') or 1 // 0)"], indirect=True)
def test_an_unexpected_failure_is_told_with_its_reason_and_is_its_last_command(coded: Child) -> None:
    coded.send("[]")
    *lines, end = coded.events()
    assert (end["exit_code"], end["output"]) == (1, "before\n")
    assert lines[-1]["text"].startswith("ZeroDivisionError")
    assert coded.process.wait(timeout=5) == 0


@pytest.mark.parametrize("coded", ["worker.serve(lambda arguments: int(arguments[0]))"], indirect=True)
@pytest.mark.parametrize("last", [6, 130])
def test_a_lack_of_memory_and_a_stop_are_its_last_command_and_other_failures_are_not(coded: Child, last: int) -> None:
    for exit_code in (0, 2, 3, 4, 5, 7, last):
        assert coded.do(str(exit_code))["exit_code"] == exit_code
    assert coded.process.wait(timeout=5) == 0
