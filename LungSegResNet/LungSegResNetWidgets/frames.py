"""Frames of a sequence (4D CT) that is shown in a volume, one at a time."""

from __future__ import annotations

from typing import Any

import slicer

FRAMES = ("current frame", "all frames")


def browserOf(volumeNode: Any) -> Any:
    """The sequence browser that shows its frames in this volume; None where the volume is a single scan."""
    if volumeNode is None:
        return None
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(volumeNode)
    return browser if browser is not None and browser.GetSequenceNode(volumeNode) is not None else None


def frameNumber(volumeNode: Any) -> int:
    """Number of the frame that the volume shows now, from 1; 0 for a single scan."""
    browser = browserOf(volumeNode)
    return browser.GetSelectedItemNumber() + 1 if browser else 0


class ShownFrame:
    """The frame that ``volumeNode`` shows now; its browser may move on while the frame is worked on.

    A single scan has one frame, which is always shown.
    """

    def __init__(self, volumeNode: Any) -> None:
        self._browser = browserOf(volumeNode)
        self._number = self._browser.GetSelectedItemNumber() if self._browser else 0

    def show(self) -> None:
        """Show this frame again, so that what becomes of it is seen with it and kept with it."""
        browser = self._browser
        if browser is None or browser.GetScene() is None:
            return
        browser.SetPlaybackActive(False)
        if browser.GetSelectedItemNumber() != self._number:
            browser.SetSelectedItemNumber(self._number)
            slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
