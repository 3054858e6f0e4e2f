from __future__ import annotations

import numpy as np
import torch
from network_files import seen_network
from torch.nn import functional

from LungSegResNetLib.network.folding import fold


def test_the_folded_network_computes_the_same_as_the_network_it_came_from() -> None:
    network = seen_network()
    # Batch norms may turn a channel around or switch it off.
    with torch.no_grad():
        network.blocks[1].norm1.weight[:2] *= -1
        network.blocks[1].norm1.weight[2] = 0
    folded = fold(network.config, {name: value.numpy() for name, value in network.state_dict().items()})
    x = torch.rand(1, 1, 48, 64)
    with torch.no_grad():
        expected = network(x)
        tensors = [torch.from_numpy(value) for value in folded.stem]
        x = functional.conv2d(x, *tensors, padding=1).relu()
        for block in folded.blocks:
            parts = (block.scale, block.shift, block.kernel1, block.bias1, block.kernel2)
            scale, shift, kernel1, bias1, kernel2 = (torch.from_numpy(np.ascontiguousarray(part)) for part in parts)
            y = (x * scale[:, None, None] + shift[:, None, None]).relu()
            assert y.max() <= 1, "activations lie between 0 and 1"
            y = functional.conv2d(y, kernel1, bias1, padding=block.dilation, dilation=block.dilation).relu()
            assert y.max() <= 1
            y = functional.conv2d(y, kernel2, padding=block.dilation, dilation=block.dilation)
            x = y + functional.pad(x, (0, 0, 0, 0, *block.padding))
        for number, layer in enumerate(folded.head):
            kernel, bias = (torch.from_numpy(value) for value in layer)
            x = functional.conv2d(x if number == 0 else x.relu(), kernel, bias)
    torch.testing.assert_close(x, expected, atol=1e-3, rtol=1e-4)
