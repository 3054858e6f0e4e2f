"""Choices of a panel that are about the user's work, not about a scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class KeptChoices:
    """Carries fields of a parameter node over the closing of a scene, which sets them back."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._values: dict[str, Any] = {}

    def keep(self, parameters: Any) -> None:
        """Remember the choices; the scene is about to be closed."""
        self._values = {name: getattr(parameters, name) for name in self._names}

    def bringBack(self, parameters: Any) -> None:
        """Put them into the parameter node of the empty scene."""
        for name, value in self._values.items():
            setattr(parameters, name, value)
