"""The network that was loaded last, kept for the next scan of the same process."""

from __future__ import annotations

import os
from pathlib import Path

from ..digests import file_digest
from ..errors import ModelError
from ..network.engines import EngineSettings, LoadedEngine, load_engine
from ..network.model_file import default_model_path

_kept: dict[tuple[EngineSettings, str], LoadedEngine] = {}


def kept_engine(settings: EngineSettings) -> LoadedEngine:
    """The engine of the call before if settings and content of the network file are the same, else a new one.

    There is never more than one: the old one is given up before another is loaded. Raises as `load_engine` does.
    """
    key = (settings, network_digest(settings.model))
    if key not in _kept:
        _kept.clear()
        _kept[key] = load_engine(settings)
    return _kept[key]


def network_digest(model: str | os.PathLike[str] | None) -> str:
    """SHA-256 of a network file, None being the shipped one. Raises ModelError if there is no such file."""
    path = Path(model or default_model_path())
    try:
        return file_digest(path)
    except FileNotFoundError:
        raise ModelError(f"There is no network file at {path}.") from None
    except OSError as error:
        raise ModelError(f"The network file {path} cannot be read ({error.strerror}).") from error
