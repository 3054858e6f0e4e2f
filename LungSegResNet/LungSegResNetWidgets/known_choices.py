"""Choices of a loaded scene that this version does not know, as those of a later version may be."""

from __future__ import annotations

from typing import Any


def withKnownChoices(parameters: Any) -> Any:
    """The same wrapper of a parameter node, with the default where Slicer could not show a text or a number."""
    for name in parameters.allParameters:
        value = getattr(parameters, name)
        if not isinstance(value, str | int | float):
            continue
        try:
            setattr(parameters, name, value)
        except ValueError:
            setattr(parameters, name, parameters.default(name).value)
    return parameters
