"""A run from its data set on: which slices a step draws, and how the machine is used."""

from __future__ import annotations

import multiprocessing
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from synthetic_thorax import Thorax
from training_cases import write_case

from LungSegResNetTrainingLib.slices.augmentation import training_slice
from LungSegResNetTrainingLib.training import run_options, sampling
from LungSegResNetTrainingLib.training.parallel import Processes
from LungSegResNetTrainingLib.training.progress import Progress
from LungSegResNetTrainingLib.training.reporting import LinesReporter, NullTrainingReporter
from LungSegResNetTrainingLib.training.run_cases import TrainingCases, prepare_cases
from LungSegResNetTrainingLib.training.run_options import RunOptions, default_workers
from LungSegResNetTrainingLib.training.settings import RECOMMENDED
from LungSegResNetTrainingLib.training.training_job import train

pytestmark = pytest.mark.usefixtures("without_curves")

_SETTINGS = replace(RECOMMENDED, steps=4, batch_size=2, slice_shape=(32, 40))


class Stopped(Exception):
    pass


class StopsAfter(NullTrainingReporter):
    def __init__(self, step: int | None = None) -> None:
        super().__init__()
        self._step = step
        self.warnings: list[str] = []

    def warning(self, text: str, case: str = "") -> None:
        self.warnings.append(text)

    def step(self, progress: Progress) -> None:
        if progress.step == self._step:
            raise Stopped


@pytest.fixture
def cases(tmp_path: Path) -> TrainingCases:
    for noise, name in enumerate("abc", start=5):
        write_case(tmp_path / "data", name, (6.0, 6.0, 20.0), thorax=Thorax(noise=float(noise)))
    prepared = prepare_cases(tmp_path / "data", tmp_path / "cache", _SETTINGS.slice_shape)
    return prepared.divided([replace(case, split="train") for case in prepared.cases])


def _log(cases: TrainingCases, run: Path, stop_after: int | None = None) -> list[str]:
    options = RunOptions(workers=0, checkpoint_every=0.0)
    train(cases, _SETTINGS, run, options, Processes(), StopsAfter(stop_after))
    lines = (run / "progress.csv").read_text(encoding="utf-8").splitlines()[1:]
    return [line.split(",")[1] for line in lines]


def test_a_list_that_is_sorted_anew_while_a_run_is_interrupted_changes_no_draw(
    cases: TrainingCases, tmp_path: Path
) -> None:
    losses = _log(cases, tmp_path / "whole")
    turned = cases.in_order(["c", "b", "a"])
    assert [case.name for case in turned.cases] == [one.cached.name for one in turned.prepared] == ["c", "b", "a"]
    assert _log(turned, tmp_path / "turned") != losses
    with pytest.raises(Stopped):
        _log(cases, tmp_path / "interrupted", stop_after=2)
    assert _log(turned, tmp_path / "interrupted") == losses


@pytest.mark.parametrize(
    ("device", "cores", "processes", "start_method", "workers"),
    [
        ("cpu", 12, None, "fork", 6),
        ("cuda", 12, None, "fork", 11),
        ("cuda", 12, "4", "fork", 2),
        ("cuda", 128, None, "fork", 16),
        ("cuda", 128, None, "spawn", 4),
        ("cpu", 1, None, "spawn", 1),
        ("cuda", 2, "8", "fork", 1),
    ],
)
def test_processes_that_train_side_by_side_share_the_cores_for_their_slices(
    monkeypatch: pytest.MonkeyPatch, device: str, cores: int, processes: str | None, start_method: str, workers: int
) -> None:
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda: start_method)
    monkeypatch.setattr(run_options, "cores", lambda: cores)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if processes:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    assert default_workers(device) == workers


def test_a_run_that_waits_for_its_slices_says_what_would_help(
    cases: TrainingCases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(*arguments: Any) -> Any:
        time.sleep(0.2)
        return training_slice(*arguments)

    monkeypatch.setattr(sampling, "training_slice", slowly)
    reporter = StopsAfter()
    train(cases, replace(_SETTINGS, steps=1), tmp_path / "run", RunOptions(workers=0), Processes(), reporter)
    assert re.fullmatch(
        r"[1-9]\d % of the time went into waiting for slices; more loading processes \(--workers\) would help\.",
        reporter.warnings[-1],
    )


@pytest.mark.parametrize(("seconds_left", "told"), [(600.0, "10 min left"), (29.0, "0 min left")])
def test_a_line_tells_how_many_minutes_are_left(
    capsys: pytest.CaptureFixture[str], seconds_left: float, told: str
) -> None:
    LinesReporter().step(Progress(10, 100, 0.5, 2.0, seconds_left=seconds_left))
    assert capsys.readouterr().out == f"step 10/100  loss 0.5000  2.0 slices/s  {told}\n"
