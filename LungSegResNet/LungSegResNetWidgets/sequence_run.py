"""All frames of a sequence (4D CT), one run after another, into a sequence of segmentations."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from .frames import ShownFrame, browserOf
from .lung_segments import noteRoi, placeWithVolume, writeLungs
from .node_names import freeName
from .segmentation_run import RunResult, RunSettings, RunSummary, SegmentationRun


class _FrameRun(SegmentationRun):
    """A run whose result is a segmentation node outside of the scene; ``volumeNode`` is a frame, outside of it, too."""

    def _take(self, labels: Any, region: Any, summary: RunSummary) -> RunResult:
        node = slicer.vtkMRMLSegmentationNode()
        node.SetReferenceImageGeometryParameterFromVolumeNode(self.volumeNode)
        if region is not None:
            part = np.where(region.inside, labels[region.box], 0)
            labels = np.zeros_like(labels)
            labels[region.box] = part
        summary = self._withRowsOfNow(summary)
        writeLungs(node, self.volumeNode, labels, self._settings.isOneSegment)
        return RunResult(self.volumeNode, node, summary, None, self._frame)


class SequenceRun:
    """Segments each frame that the browser of ``volumeNode`` has, into a new sequence that the browser shows with it.

    Callbacks as of `SegmentationRun`; events have the keys ``frame`` (from 1) and ``frames``, too. Nothing in the scene
    changes before the run ends. If a frame fails, those before it are kept: they are the result, with its ``problem``.
    """

    def __init__(
        self,
        volumeNode: Any,
        settings: RunSettings,
        onEvent: Callable[[dict[str, Any]], None],
        onDone: Callable[[RunResult], None],
        onFailed: Callable[[str], None],
    ) -> None:
        self.volumeNode = volumeNode
        self._settings = settings
        self._onEvent = onEvent
        self._onDone = onDone
        self._onFailed = onFailed
        self._browser = browserOf(volumeNode)
        self._sequence = self._browser.GetSequenceNode(volumeNode)
        self._count = self._sequence.GetNumberOfDataNodes()
        self._results: list[RunResult] = []
        self._run: _FrameRun | None = None
        self._begun = 0.0

    def start(self) -> None:
        """Start with the first frame.

        Raises
        ------
        RuntimeError : a sentence for the user, as of `SegmentationRun.start`.
        """
        self._begun = time.monotonic()
        self._startFrame()

    def cancel(self) -> None:
        """Stop; the scene stays as it is."""
        if self._run:
            self._run.cancel()

    def cancelAndWait(self) -> None:
        """`cancel` when Slicer quits."""
        if self._run:
            self._run.cancelAndWait()

    def _startFrame(self) -> None:
        frame = self._sequence.GetNthDataNode(len(self._results))
        self._run = _FrameRun(frame, None, self._settings, self._handle, self._onFrameDone, self._onFrameFailed)
        self._run.start()

    def _handle(self, event: dict[str, Any]) -> None:
        number = len(self._results) + 1
        left = event.get("seconds_left")
        if left is not None:
            passed = time.monotonic() - self._begun
            # Each frame to come takes as long as those that are done, or as this one.
            whole = passed / (number - 1) if number > 1 else passed + left
            event = {**event, "seconds_left": left + (self._count - number) * whole}
        self._onEvent({**event, "frame": number, "frames": self._count})

    def _onFrameDone(self, result: RunResult) -> None:
        self._results.append(result)
        if reason := self._whyNotImported():
            self._onFailed(reason)
        elif len(self._results) == self._count:
            self._onDone(self._import())
        else:
            try:
                self._startFrame()
            except RuntimeError as error:
                self._onFrameFailed(str(error))

    def _whyNotImported(self) -> str:
        if self._sequence.GetScene() is None or self._browser.GetScene() is None:
            return _("The sequence was removed from the scene, so the run was stopped.")
        if self._sequence.GetNumberOfDataNodes() != self._count:
            return _("The frames of the sequence have changed, so the run was stopped; start it again.")
        return ""

    def _onFrameFailed(self, sentence: str) -> None:
        done = len(self._results)
        if done == self._count:  # what failed is the import of them all
            self._onFailed(sentence)
            return
        text = _("Frame {number} of {all}: {sentence}")
        sentence = text.format(number=done + 1, all=self._count, sentence=sentence)
        if not done or self._whyNotImported():
            self._onFailed(sentence)
            return
        text = _("{sentence} {done} of {all} frames are done and kept; the others have no lungs yet.")
        try:
            result = self._import()
            self._onDone(replace(result, problem=text.format(sentence=sentence, done=done, all=self._count)))
        except Exception:  # whoever waits has to hear of the end in any case
            logging.exception("The frames that are done could not be kept.")
            self._onFailed(sentence)

    def _import(self) -> RunResult:
        """Bring the segmentations into the scene, beside the volume and in step with it."""
        shown = min(self._shownNumber(), len(self._results) - 1)
        summary = self._summary(shown)  # should it fail, the scene is as it was
        name = freeName(_("{ct} lungs").format(ct=self.volumeNode.GetName()))
        sequence = slicer.vtkMRMLSequenceNode()
        sequence.SetName(freeName(_("{lungs} sequence").format(lungs=name)))
        sequence.SetIndexName(self._sequence.GetIndexName())
        sequence.SetIndexUnit(self._sequence.GetIndexUnit())
        sequence.SetIndexType(self._sequence.GetIndexType())
        for number in range(self._count):
            lungs = self._results[number].segmentationNode if number < len(self._results) else self._noLungs(number)
            lungs.SetName(name)
            sequence.SetDataNodeAtValue(lungs, self._sequence.GetNthIndexValue(number))
        if shown != self._shownNumber():
            self._show(shown)
        slicer.mrmlScene.AddNode(sequence)
        self._browser.AddSynchronizedSequenceNode(sequence)
        # Corrections of a frame are kept when another one is shown.
        self._browser.SetSaveChanges(sequence, True)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(self._browser)
        proxy = self._browser.GetProxyNode(sequence)
        self._browser.SetOverwriteProxyName(sequence, False)
        proxy.SetName(name)
        placeWithVolume(proxy, self.volumeNode)
        noteRoi(proxy, self._settings.roi)
        return RunResult(self.volumeNode, proxy, summary, None, ShownFrame(self.volumeNode))

    def _noLungs(self, number: int) -> Any:
        """A segmentation for a frame that was not done; without it, the browser would show that of another frame."""
        node = slicer.vtkMRMLSegmentationNode()
        node.SetReferenceImageGeometryParameterFromVolumeNode(self._sequence.GetNthDataNode(number))
        return node

    def _summary(self, shown: int) -> RunSummary:
        """Of all frames that are done; measurements and slices to check are those of frame ``shown``, from 0."""
        summaries = [result.summary for result in self._results]
        frames: dict[str, list[int]] = {}  # by warning
        for number, summary in enumerate(summaries, 1):
            for text in summary["warnings"]:
                frames.setdefault(text, []).append(number)
        return {
            **summaries[shown],
            "slices": sum(summary["slices"] for summary in summaries),
            "frames": len(summaries),
            "seconds": {"total": time.monotonic() - self._begun},
            "warnings": [self._warning(text, numbers) for text, numbers in frames.items()],
        }

    def _warning(self, text: str, numbers: list[int]) -> str:
        """A warning with the frames that it is about."""
        where = _("Frame {number}: {text}")
        if len(numbers) > 1:
            where = _("{count} of {all} frames, first frame {number}: {text}")
        return where.format(count=len(numbers), all=self._count, number=numbers[0], text=text)

    def _show(self, number: int) -> None:
        """Show a frame; the browser counts in its master sequence."""
        master, value = self._browser.GetMasterSequenceNode(), self._sequence.GetNthIndexValue(number)
        self._browser.SetPlaybackActive(False)
        self._browser.SetSelectedItemNumber(master.GetItemNumberFromIndexValue(value, False))

    def _shownNumber(self) -> int:
        """Index of the frame that is shown; the browser counts in its master sequence, which may have other items."""
        master = self._browser.GetMasterSequenceNode()
        value = master.GetNthIndexValue(max(0, self._browser.GetSelectedItemNumber()))
        return max(0, self._sequence.GetItemNumberFromIndexValue(value, False))
