"""The network as an OpenVINO graph, built from the weights of a network file.

No ONNX file stands between the two: building the graph takes milliseconds, cannot get out of step with the weights,
and runs a network somebody has just trained as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .architecture import BLOCKS_PER_STAGE
from .folding import FoldedNetwork
from .openvino_library import openvino as ov
from .openvino_library import opset as ops


def build_graph(
    network: FoldedNetwork,
    slices: tuple[int, int, int],
    scales: tuple[int, ...],
    quantized: bool = False,
    unpadded: tuple[bool, bool] = (False, False),
) -> ov.Model:
    """Graph with input (n, 1, h, w) and output (n, classes, h, w), both float32.

    Parameters
    ----------
    slices : n, h and w; with -1 for h and w a graph with the one scale 1 takes slices of any size.
    scales : the output is the sum of the logits of passes at 1/scale of the size.
    quantized : the 3 x 3 convolutions between the first and the 1 x 1 layers work on 8-bit integers.
    unpadded : for rows and columns, whether the last stage gets no border of zeros: then the output lacks
        ``LAST_STAGE_REACH`` pixels on both sides, and the rest is as it would be with them. Only for the one scale 1.
    """
    count, height, width = slices
    images = ops.parameter([count, 1, height, width], np.float32)
    passes = []
    for scale in scales:
        if scale == 1:
            passes.append(_logits(images, network.at(scale), quantized, unpadded))
            continue
        shrunk = ops.avg_pool(images, [scale, scale], [0, 0], [0, 0], [scale, scale], exclude_pad=False)
        passes.append(
            ops.interpolate(
                _logits(shrunk, network.at(scale), quantized),
                _integers(height, width),
                "linear_onnx",
                "sizes",
                axes=_integers(2, 3),
                coordinate_transformation_mode="half_pixel",
            )
        )
    total = passes[0]
    for logits in passes[1:]:
        total = ops.add(total, logits)
    return ov.Model([total], [images], "lungs")


def _logits(
    x: ov.Node, network: FoldedNetwork, quantized: bool, unpadded: tuple[bool, bool] = (False, False)
) -> ov.Node:
    x = ops.relu(convolution(x, *network.stem))
    for number, block in enumerate(network.blocks):
        is_last_stage = number >= len(network.blocks) - BLOCKS_PER_STAGE
        lost = [block.dilation if is_last_stage and without else 0 for without in unpadded]
        border = [block.dilation - pixels for pixels in lost]
        y = ops.relu(ops.add(ops.multiply(x, _per_channel(block.scale)), _per_channel(block.shift)))
        y = ops.relu(convolution(y, block.kernel1, block.bias1, block.dilation, quantized, border))
        y = convolution(y, block.kernel2, None, block.dilation, quantized, border)
        if any(block.padding):
            before, after = block.padding
            nothing = ops.constant(np.float32(0))
            x = ops.pad(x, _integers(0, before, 0, 0), _integers(0, after, 0, 0), "constant", nothing)
        for axis, pixels in enumerate(lost, start=2):
            if pixels:  # by each of two convolutions
                x = ops.slice(x, _integers(2 * pixels), _integers(-2 * pixels), _integers(1), _integers(axis))
        x = ops.add(y, x)
    for layer in network.head[:-1]:
        x = ops.relu(convolution(x, *layer))
    return convolution(x, *network.head[-1])


def convolution(
    x: ov.Node,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    dilation: int = 1,
    quantized: bool = False,
    border: Sequence[int] | None = None,
) -> ov.Node:
    """Convolution that keeps the size, unless rows and columns get another ``border`` of zeros.

    ``quantized`` rounds an input of 0..1 and the weights to 8 bits.
    """
    weights = ops.constant(kernel.astype(np.float32))
    if quantized:
        x = ops.fake_quantize(x, *(_scalar(limit) for limit in (0, 1, 0, 1)), levels=256)
        largest = np.maximum(np.abs(kernel).max(axis=(1, 2, 3), keepdims=True), 1e-12).astype(np.float32)
        low, high = ops.constant(-largest), ops.constant(largest)
        weights = ops.fake_quantize(weights, low, high, low, high, levels=255)
    if border is None:
        border = [dilation * (kernel.shape[-1] // 2)] * 2
    result = ops.convolution(x, weights, [1, 1], border, border, [dilation, dilation])
    return result if bias is None else ops.add(result, _per_channel(bias))


def _per_channel(values: np.ndarray) -> ov.Node:
    return ops.constant(values.reshape(1, -1, 1, 1).astype(np.float32))


def _scalar(value: float) -> ov.Node:
    return ops.constant(np.full((1, 1, 1, 1), value, np.float32))


def _integers(*values: int) -> ov.Node:
    return ops.constant(np.array(values, np.int64))
