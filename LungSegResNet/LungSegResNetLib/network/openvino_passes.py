"""The passes of a network, compiled by OpenVINO for a device: the coarser ones together, and the finest one."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .folding import FoldedNetwork
from .openvino_graph import build_graph
from .openvino_library import openvino as ov

# Given a graph, what runs it on the device.
Compile = Callable[[ov.Model], ov.CompiledModel]


class Passes:
    """Compiled passes over batches of slices (n, 1, h, w), float32, n always the same.

    Parameters
    ----------
    compile_graph : may be called from any thread.
    slices : n, h and w of a batch.
    coarse, finest : scales of the passes; there may be no coarser ones.
    quantized : see ``build_graph``.
    crops : the finest pass is shown boxes of any size.
    """

    def __init__(
        self,
        compile_graph: Compile,
        network: FoldedNetwork,
        slices: tuple[int, int, int],
        coarse: tuple[int, ...],
        finest: int,
        quantized: bool,
        crops: bool,
    ) -> None:
        self._compile = compile_graph
        shown = (slices[0], -1, -1) if crops else slices
        self._finest_graph = functools.partial(build_graph, network, shown, (finest,), quantized)
        self._finest: dict[tuple[bool, bool], ov.CompiledModel] = {}
        self._one_thread = threading.Lock()
        self.coarse = compile_graph(build_graph(network, slices, coarse, quantized)) if coarse else None
        most = self.finest((crops, crops))  # what most slices need
        self.lanes = [Lane(self) for _ in range(most.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))]

    def finest(self, unpadded: tuple[bool, bool]) -> ov.CompiledModel:
        """Of ``FineView.unpadded``; compiled when it is first needed, which takes as long as a slice or two."""
        with self._one_thread:
            if unpadded not in self._finest:
                self._finest[unpadded] = self._compile(self._finest_graph(unpadded))
            return self._finest[unpadded]


@dataclass
class Lane:
    """Runs the passes for one batch at a time; there are as many as suit the device."""

    passes: Passes
    _finest: dict[tuple[bool, bool], ov.InferRequest] = field(default_factory=dict)

    @functools.cached_property
    def _coarse(self) -> ov.InferRequest | None:
        return self.passes.coarse.create_infer_request() if self.passes.coarse else None

    def coarse(self, batch: np.ndarray) -> np.ndarray | None:
        """Sum of the logits (n, classes, h, w) of the coarser passes; None where there are none."""
        return self._coarse.infer({0: batch})[0] if self._coarse else None

    def finest(self, batch: np.ndarray, unpadded: tuple[bool, bool] = (False, False)) -> np.ndarray:
        """Logits of the finest pass, without the margin where that is left out."""
        if unpadded not in self._finest:
            self._finest[unpadded] = self.passes.finest(unpadded).create_infer_request()
        return self._finest[unpadded].infer({0: batch})[0]
