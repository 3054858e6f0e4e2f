"""The network that was loaded last, kept for the next scan of the same process."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..network.engines import EngineSettings, LoadedEngine, load_engine
from ..network.model_file import default_model_path

_kept: dict[tuple[EngineSettings, str], LoadedEngine] = {}


def kept_engine(settings: EngineSettings) -> LoadedEngine:
    """The engine of the call before if settings and content of the network file are the same, else a new one.

    There is never more than one: the old one is given up before another is loaded. Raises as `load_engine` does.
    """
    key = (settings, _digest(Path(settings.model or default_model_path())))
    if key not in _kept:
        _kept.clear()
        _kept[key] = load_engine(settings)
    return _kept[key]


def _digest(path: Path) -> str:
    if not path.is_file():
        return ""  # loading says so
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
