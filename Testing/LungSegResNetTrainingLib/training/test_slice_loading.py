"""What is told of processes that prepare slices when they end, or when their run does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from LungSegResNetLib.errors import DeviceError
from LungSegResNetTrainingLib.training.slice_loading import _tell_unless_the_run_ended, explain_lost_workers


@pytest.fixture(autouse=True)
def _hook_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)


def test_a_worker_tells_nothing_of_a_run_that_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    for error in (ConnectionResetError("gone"), EOFError(), ValueError("of the worker")):
        _tell_unless_the_run_ended(type(error), error, None)
    assert capsys.readouterr().err == "ValueError: of the worker\n"


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(104, "Connection reset by peer"),  # the pipe breaks before PyTorch knows
        BrokenPipeError(32, "Broken pipe"),
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_worker_that_dies_while_slices_are_taken_from_it_ends_the_run_with_a_sentence(error: Exception) -> None:
    def slices() -> Iterator[int]:
        yield 1
        raise error

    with pytest.raises(DeviceError, match="was ended from outside"), explain_lost_workers():
        list(slices())


def test_a_lost_worker_that_pytorch_notices_late_is_not_told_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loader:
        def __init__(self, error: Exception) -> None:
            self._error = error

        def __del__(self) -> None:
            raise self._error

    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.append(unraisable.exc_value))
    with pytest.raises(DeviceError), explain_lost_workers():
        raise BrokenPipeError(32, "Broken pipe")
    another = ValueError("of something else")
    for error in (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), another):
        Loader(error)
    assert told == [another]


def test_another_error_of_a_step_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes do not match"), explain_lost_workers():
        raise RuntimeError("shapes do not match")


_WORKER = """
import sys, time
from LungSegResNetTrainingLib.training import slice_loading
slice_loading._LONGEST_END_SECONDS = float(sys.argv[2])
slice_loading._prepare_worker(0)
print("running", flush=True)
time.sleep(float(sys.argv[1]))
sys.exit(3)  # done with its work
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no request to end")
@pytest.mark.parametrize(("work_seconds", "longest_seconds", "is_done"), [(600.0, 1.0, False), (0.5, 300.0, True)])
def test_a_request_to_end_leaves_a_worker_time_for_its_work_but_not_forever(
    work_seconds: float, longest_seconds: float, is_done: bool
) -> None:
    command = [sys.executable, "-c", _WORKER, str(work_seconds), str(longest_seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "running\n"
            process.terminate()
            assert process.wait(60) == (3 if is_done else -signal.SIGALRM)
        finally:
            process.kill()


_RUN = """
import multiprocessing, signal, sys, time
from training_cases import small_case
from LungSegResNetTrainingLib.training import slice_loading
from LungSegResNetTrainingLib.training.parallel import Processes
from LungSegResNetTrainingLib.training.settings import RECOMMENDED

def hang(deaf):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    deaf.set()
    time.sleep(600)

if __name__ == "__main__":
    slice_loading._LONGEST_END_SECONDS = 1.0
    slice_loading.slice_loader([small_case()], RECOMMENDED, 0, 1, Processes())
    deaf = multiprocessing.Event()
    process = multiprocessing.get_context("fork").Process(target=hang, args=(deaf,), daemon=True)
    process.start()
    deaf.wait()
    print(process.pid)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no request to end")
def test_a_run_ends_though_a_process_that_prepares_slices_is_deaf_to_requests() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _RUN]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=True)
    assert not psutil.pid_exists(int(done.stdout))
