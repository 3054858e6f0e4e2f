"""What a user chooses in the selectors of nodes, where several nodes have the same name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def takeChoicesOf(selectors: list[Any], parameters: Callable[[], Any]) -> None:
    """Put each node that is chosen into the parameter that its selector is bound to.

    The binding alone would miss one that has the name of the node before: Qt 6 tells of new texts only.
    """
    for selector in selectors:
        name = selector.property("SlicerParameterName")

        def onChosen(node: Any, name: str = name) -> None:
            shown = parameters()
            if shown and getattr(shown, name) is not node:
                setattr(shown, name, node)

        selector.connect("nodeActivated(vtkMRMLNode*)", onChosen)
