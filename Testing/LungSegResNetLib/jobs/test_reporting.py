"""What a run tells of how far it is."""

from __future__ import annotations

import io
import json
import time

import pytest

from LungSegResNetLib.jobs.reporting import BarReporter, CaseEvent, JsonReporter


def test_the_time_left_is_that_of_the_slices_that_are_left_and_begins_anew_with_a_stage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    reporter = JsonReporter(stream)
    for seconds, done in ((0.0, 0), (4.0, 2), (4.0, 8)):
        now[0] += seconds
        reporter.progress(done, 10)
    reporter.stage("segment")
    reporter.progress(5, 10)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["seconds_left"] for event in events if event["event"] == "progress"] == [None, 16.0, 2.0, None]


def test_the_bar_stands_where_the_slices_are() -> None:
    stream = io.StringIO()
    reporter = BarReporter(stream)
    for done in (0, 3, 5, 8):
        reporter.progress(done, 8)
    reporter.close()
    assert "8/8" in stream.getvalue().split("\r")[-1]


def test_the_bar_says_why_a_case_failed() -> None:
    stream = io.StringIO()
    reporter = BarReporter(stream)
    reporter.case(CaseEvent("ward/a", 1, 2, "failed", "It is no CT."))
    reporter.close()
    assert "warning: ward/a: It is no CT." in stream.getvalue()
