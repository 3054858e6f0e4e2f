"""Shared by the tests of the training library."""

from __future__ import annotations

import pytest


@pytest.fixture
def without_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process draw no curves, each of which takes as long as a step; test_fit.py and test_run_records.py
    test those that are drawn."""
    monkeypatch.setattr("LungSegResNetTrainingLib.training.run_records.draw_curves", lambda path, logged: None)
