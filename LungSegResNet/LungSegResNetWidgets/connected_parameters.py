"""The parameter node that a panel shows and observes while it is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import vtk


class ParameterNodeConnection:
    """Connects the widgets of a module with the wrapper of its parameter node.

    Up to Slicer 5.10 a connected wrapper is never freed and goes on to observe its node, so there must not be many: the
    same wrapper serves all visits, as long as the node is the same.

    Parameters
    ----------
    widget : the module's, with ``ui`` and the methods of `VTKObservationMixin`.
    onConnected : is called when the widgets have been connected.
    onModified : is called after that, and as an observer when the parameters change.

    Attributes
    ----------
    node : the wrapper that is shown; None while there is none, as while the scene closes.
    """

    def __init__(self, widget: Any, onConnected: Callable[[], None], onModified: Callable[..., None]) -> None:
        self.node: Any = None
        self._widget = widget
        self._onConnected = onConnected
        self._onModified = onModified
        self._wrapper: Any = None
        self._guiTag: Any = None

    def connect(self, wrapper: Any) -> None:
        """Show and observe the node of this wrapper."""
        wrapper = self._same(wrapper)
        self.disconnect()
        self.node = wrapper
        # Of the node itself: VTKObservationMixin would keep every wrapper that it observed. The low priority has VTK
        # call it last, and what the next line adds after what the wrapper added when it was made, not before.
        observed = (wrapper.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onModified)
        self._widget.addObserver(*observed, priority=-1.0)
        self._guiTag = wrapper.connectGui(self._widget.ui)
        self._onConnected()
        self._onModified()

    def disconnect(self) -> None:
        """Show none."""
        if self.node:
            self.node.disconnectGui(self._guiTag)
            self._widget.removeObserver(self.node.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onModified)
            self.node = None

    def _same(self, wrapper: Any) -> Any:
        """The wrapper of the same node that was given before, if there is one, brought up to date; else this one."""
        before = self._wrapper
        if before is None or before.parameterNode is not wrapper.parameterNode:
            self._wrapper = wrapper
        elif any(getattr(before, name) != getattr(wrapper, name) for name in wrapper.allParameters):
            before.parameterNode.Modified()  # it reads again: chosen nodes of a loaded scene come without this event
        return self._wrapper
