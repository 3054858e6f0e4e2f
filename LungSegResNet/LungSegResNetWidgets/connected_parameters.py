"""The parameter node that a panel shows and observes while it is open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        self._guiObservers: Sequence[int] = ()

    def connect(self, wrapper: Any) -> None:
        """Show and observe the node of this wrapper."""
        wrapper = self._same(wrapper)
        self.disconnect()
        self.node = wrapper
        # Of the node itself: VTKObservationMixin would keep every wrapper that it observed. The low priority has VTK
        # call it last, and what the next line adds after what the wrapper added when it was made, not before.
        observed = (wrapper.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onModified)
        self._widget.addObserver(*observed, priority=-1.0)
        self._connectGui()
        self._onConnected()
        self._onModified()

    def disconnect(self) -> None:
        """Show none."""
        if self.node:
            self.node.disconnectGui(self._guiTag)
            for tag in self._guiObservers:
                self.node.parameterNode.RemoveObserver(tag)
            self._widget.removeObserver(self.node.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onModified)
            self.node = None

    def _connectGui(self) -> None:
        """Up to Slicer 5.10, what this has the wrapper observe stays for good, and writes all widgets once more.

        VTK numbers the observers of an object, so those that came between two others are known.
        """
        node = self.node.parameterNode
        mark = (vtk.vtkCommand.UserEvent, lambda *_: None)
        first = node.AddObserver(*mark)
        self._guiTag = self.node.connectGui(self._widget.ui)
        last = node.AddObserver(*mark)
        self._guiObservers = range(first + 1, last)
        for tag in (first, last):
            node.RemoveObserver(tag)

    def _same(self, wrapper: Any) -> Any:
        """The wrapper of the same node that was given before, if there is one, brought up to date; else this one."""
        before = self._wrapper
        if before is None or before.parameterNode is not wrapper.parameterNode:
            self._wrapper = wrapper
        elif any(getattr(before, name) != getattr(wrapper, name) for name in wrapper.allParameters):
            before.parameterNode.Modified()  # it reads again: chosen nodes of a loaded scene come without this event
        return self._wrapper
