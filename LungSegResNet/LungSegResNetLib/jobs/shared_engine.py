"""The network of a process whose threads do a case each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from ..network.engines import EngineSettings, LoadedEngine
from ..network.predictor import Predictor
from .engine_cache import cached_engine

_loading = threading.Lock()
_turn = threading.Lock()


def shared_engine(settings: EngineSettings) -> LoadedEngine:
    """As `cached_engine`, for any thread: while one lets the network run, the others read, measure and write."""
    return _loaded(partial(cached_engine, settings))


def _loaded(load: Callable[[], LoadedEngine]) -> LoadedEngine:
    """An engine that works in turns, and so does what takes its place."""
    with _loading:
        engine = load()
    instead = engine.on_processor and partial(_loaded, engine.on_processor)
    return replace(engine, predictor=_OneAtATime(engine.predictor), on_processor=instead)


class _OneAtATime:
    """A predictor that works for one thread at a time."""

    def __init__(self, predictor: Predictor) -> None:
        self.card = predictor.card
        self.engine = predictor.engine
        self.precision = predictor.precision
        self.batch_size = predictor.batch_size
        self._predictor = predictor

    def for_scan(self, slices: int) -> Predictor:
        """As the predictor's own, in turns, too."""
        with _turn:
            return _OneAtATime(self._predictor.for_scan(slices))

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None] = lambda done: None) -> np.ndarray:
        """As the predictor's own."""
        with _turn:
            return self._predictor.predict(slices, on_slices_done)
