"""Threads that share a network, and what takes its place when its graphics card fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from predictors import StandIn

from LungSegResNetLib.jobs import shared_engine as module
from LungSegResNetLib.jobs.shared_engine import shared_engine
from LungSegResNetLib.network.engines import EngineSettings, LoadedEngine


class OneAtATime(StandIn):
    """A predictor that fails when two threads are in it."""

    def __init__(self) -> None:
        super().__init__()
        self._free = threading.Lock()

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None] = lambda done: None) -> np.ndarray:
        if not self._free.acquire(blocking=False):
            raise AssertionError("another thread is here")
        time.sleep(0.05)
        self._free.release()
        return slices


def test_threads_take_turns_with_a_network_and_with_what_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    processor = LoadedEngine(OneAtATime(), "cpu", "")
    card = LoadedEngine(OneAtATime(), "cuda", "", lambda: processor)
    monkeypatch.setattr(module, "cached_engine", lambda settings: card)
    on_card = shared_engine(EngineSettings())
    assert on_card.on_processor is not None
    slices = np.zeros((1, 2, 2), np.float32)
    for engine in (on_card, on_card.on_processor()):
        with ThreadPoolExecutor(3) as threads:
            assert len(list(threads.map(engine.predictor.predict, [slices] * 3))) == 3
            # As a scan is segmented: with the predictor that suits its number of slices.
            for_scans = [engine.predictor.for_scan(count).predict for count in (1, 1, 100)]
            assert len(list(threads.map(lambda predict: predict(slices), for_scans))) == 3


def test_a_network_is_loaded_for_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    free, engine = threading.Lock(), LoadedEngine(OneAtATime(), "cpu", "")

    def load(settings: EngineSettings) -> LoadedEngine:
        if not free.acquire(blocking=False):
            raise AssertionError("another thread loads it")
        time.sleep(0.05)
        free.release()
        return engine

    monkeypatch.setattr(module, "cached_engine", load)
    with ThreadPoolExecutor(3) as threads:
        assert len(list(threads.map(shared_engine, [EngineSettings()] * 3))) == 3
