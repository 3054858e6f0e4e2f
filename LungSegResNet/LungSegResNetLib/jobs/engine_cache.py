"""The network that was loaded last, kept for the next scan of the same process."""

from __future__ import annotations

from ..network.engines import EngineSettings, LoadedEngine, load_engine
from ..network.model_file import network_digest

_kept: dict[tuple[EngineSettings, str], LoadedEngine] = {}


def cached_engine(settings: EngineSettings) -> LoadedEngine:
    """The engine of the call before if settings and content of the network file are the same, else a new one.

    There is never more than one: the old one is given up before another is loaded. Raises as `load_engine` does.
    """
    key = (settings, network_digest(settings.model))
    if key not in _kept:
        _kept.clear()
        _kept[key] = load_engine(settings)
    return _kept[key]
