"""What is told of processes that prepare slices when they end, or when their run does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from LungSegResNetLib.errors import DeviceError
from LungSegResNetTrainingLib.training.slice_loading import _tell_unless_the_run_ended, lost_workers_told


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

    with pytest.raises(DeviceError, match="was ended from outside"), lost_workers_told():
        list(slices())


def test_another_error_of_a_step_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes do not match"), lost_workers_told():
        raise RuntimeError("shapes do not match")
