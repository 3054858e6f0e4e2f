"""A node whose changes a panel follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import vtk


class WatchedNode:
    """Observes one node at a time, and keeps none in memory, as VTKObservationMixin would.

    Parameters
    ----------
    observers : what is called with the node and the event's name, by event.
    """

    def __init__(self, observers: dict[Any, Callable[..., None]]) -> None:
        self._observers = observers
        self._node = vtk.vtkWeakReference()
        self._tags: list[int] = []

    @property
    def node(self) -> Any:
        """The node; None if there is none, or it is gone."""
        return self._node.Get()

    def watch(self, node: Any) -> None:
        """Observe this node, or none, in place of the one before."""
        before = self.node
        if node is before:
            return
        for tag in self._tags if before else []:
            before.RemoveObserver(tag)
        self._node.Set(node)
        self._tags = [node.AddObserver(*observer) for observer in self._observers.items()] if node else []
