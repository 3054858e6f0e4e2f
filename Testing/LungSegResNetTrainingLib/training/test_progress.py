from __future__ import annotations

import time

import pytest

from LungSegResNetTrainingLib.training.progress import Clock


def test_time_and_waiting_are_those_of_the_steps_since_a_run_went_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    clock = Clock(first_step=90, steps=100, batch_size=2)
    for waiting, working in ((1.0, 3.0), (2.0, 2.0)):
        now[0] += waiting
        clock.slices_are_there()
        now[0] += working
        clock.step_is_done()
        clock.waits_for_slices()
    progress = clock.progress(92, 0.5, None)
    assert progress.seconds_left == pytest.approx(8.0 / 2 * 8)
    assert progress.waiting_share == pytest.approx(3.0 / 8)
    assert progress.slices_per_second == pytest.approx(2 / 2.0)
