"""The passes of a network, compiled by OpenVINO for a device."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .folding import FoldedNetwork
from .openvino_graph import build_graph
from .openvino_library import openvino as ov
from .passes import WHOLE_FRAME

# Given a graph, what runs it on the device.
Compile = Callable[[ov.Model], ov.CompiledModel]


class Passes:
    """Compiled passes over batches of slices (n, 1, h, w), float32, n always the same.

    Parameters
    ----------
    compile_graph : may be called from any thread.
    slices : n, h and w of a batch.
    scales : of the passes; the first is shown whole slices.
    quantized : see ``build_graph``.
    crops : all but the first are shown boxes of any size.
    """

    def __init__(
        self,
        compile_graph: Compile,
        network: FoldedNetwork,
        slices: tuple[int, int, int],
        scales: tuple[int, ...],
        quantized: bool,
        crops: bool,
    ) -> None:
        self._compile = compile_graph
        in_boxes = {scale: crops and number > 0 for number, scale in enumerate(scales)}
        shapes = {scale: (slices[0], -1, -1) if boxes else slices for scale, boxes in in_boxes.items()}
        self._graphs = {
            scale: functools.partial(build_graph, network, shape, scale, quantized) for scale, shape in shapes.items()
        }
        self._compiled: dict[tuple[int, tuple[bool, bool]], ov.CompiledModel] = {}
        self._one_thread = threading.Lock()
        # What most slices need: with its margin a box of a coarse pass reaches from the front to the back of the frame.
        usual = [self.compiled(scale, (boxes and scale == 1, boxes)) for scale, boxes in in_boxes.items()]
        self.lanes = [Lane(self) for _ in range(usual[-1].get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))]

    def compiled(self, scale: int, unpadded: tuple[bool, bool]) -> ov.CompiledModel:
        """Of `PassView.unpadded`; compiled when it is first needed, which takes as long as a slice or two."""
        with self._one_thread:
            if (scale, unpadded) not in self._compiled:
                self._compiled[scale, unpadded] = self._compile(self._graphs[scale](unpadded))
            return self._compiled[scale, unpadded]


@dataclass
class Lane:
    """Runs the passes for one batch at a time; there are as many as suit the device."""

    passes: Passes
    _requests: dict[tuple[int, tuple[bool, bool]], ov.InferRequest] = field(default_factory=dict)

    def run(self, scale: int, batch: np.ndarray, unpadded: tuple[bool, bool] = WHOLE_FRAME.unpadded) -> np.ndarray:
        """Logits (n, classes, h, w) of the pass at 1/scale, without the margin where that is left out."""
        key = scale, unpadded
        if key not in self._requests:
            self._requests[key] = self.passes.compiled(*key).create_infer_request()
        return self._requests[key].infer({0: batch})[0]
