"""How many slices OpenVINO runs side by side on a processor."""

from __future__ import annotations

from collections.abc import Mapping

from .openvino_library import openvino as ov

# Each needs 70 to 90 MiB for its intermediate results; with so many, a scan of 1,000 slices needs 2.6 GiB (by hand).
MOST_LANES = 8


class FewLanes:
    """Compiles graphs for the processor, for at most ``MOST_LANES`` lanes, which share all threads.

    Parameters
    ----------
    settings : of OpenVINO; they choose the threads.
    """

    def __init__(self, core: ov.Core, settings: Mapping[str, str | int]) -> None:
        self._core = core
        self._settings = dict(settings)

    def __call__(self, graph: ov.Model) -> ov.CompiledModel:
        """The compiled graph; only the first is compiled anew where there would be more lanes."""
        compiled = self._core.compile_model(graph, "CPU", self._settings)
        if compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") <= MOST_LANES:
            return compiled
        self._settings["PERFORMANCE_HINT_NUM_REQUESTS"] = lanes_for(compiled.get_property("INFERENCE_NUM_THREADS"))
        return self._core.compile_model(graph, "CPU", self._settings)


def lanes_for(threads: int) -> int:
    """Lanes, at most ``MOST_LANES``, that get the same number of threads, so that hardly any thread is left over."""
    threads_a_lane = -(-threads // MOST_LANES)
    return max(1, threads // threads_a_lane)
