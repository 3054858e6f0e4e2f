"""The wrapper of a parameter node that a panel is connected with."""

from __future__ import annotations

from typing import Any


class ConnectedParameters:
    """Gives a panel the same wrapper at each visit, as long as the node is the same.

    Up to Slicer 5.10 a connected wrapper is never freed and goes on to observe its node, so there must not be many.
    """

    def __init__(self) -> None:
        self._wrapper: Any = None

    def same(self, wrapper: Any) -> Any:
        """The wrapper of the same node that was given before, if there is one, brought up to date; else this one."""
        before = self._wrapper
        if before is None or before.parameterNode is not wrapper.parameterNode:
            self._wrapper = wrapper
        elif any(getattr(before, name) != getattr(wrapper, name) for name in wrapper.allParameters):
            before.parameterNode.Modified()  # it reads again: chosen nodes of a loaded scene come without this event
        return self._wrapper
