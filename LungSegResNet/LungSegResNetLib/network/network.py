"""The residual network of the article: NiftyNet's HighRes3DNet in two dimensions.

Li et al., "On the compactness, efficiency, and representation of 3D convolutional networks", IPMI 2017.
As in NiftyNet: pre-activation residual blocks, channels added to a shortcut as zeros on both sides, no
convolution bias, batch normalisation also on the logits, He initialisation.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from .architecture import (
    BLOCKS_PER_STAGE,
    CLASSES,
    IN_CHANNELS,
    NORM_EPSILON,
    PENULTIMATE_CHANNELS,
    STAGES,
    shortcut_padding,
)


class ResidualBlock(nn.Module):
    """Two times (batch norm, ReLU, dilated 3 x 3 convolution), added to the block's input.

    Input (n, in_channels, h, w), output (n, out_channels, h, w); missing shortcut channels are zeros. Convolutions
    that were set to get no border (see ``unpadded``) make the output smaller.
    """

    def __init__(self, in_channels: int, out_channels: int, dilation: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels, NORM_EPSILON)
        self.conv1 = _conv(in_channels, out_channels, 3, dilation)
        self.norm2 = nn.BatchNorm2d(out_channels, NORM_EPSILON)
        self.conv2 = _conv(out_channels, out_channels, 3, dilation)
        self.padding = shortcut_padding(in_channels, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv1(functional.relu(self.norm1(x)))
        y = self.conv2(functional.relu(self.norm2(y)))
        if any(self.padding):
            x = functional.pad(x, (0, 0, 0, 0, *self.padding))
        if x.shape[2:] != y.shape[2:]:
            top, left = ((before - after) // 2 for before, after in zip(x.shape[2:], y.shape[2:], strict=True))
            x = x[:, :, top : top + y.shape[2], left : left + y.shape[3]]
        return y + x


class HighRes2DNet(nn.Module):
    """Residual network for slices: (n, in_channels, h, w) in, logits (n, classes, h, w) out.

    With one input channel and two classes it has 274,132 parameters, a receptive field of 87 x 87 pixels,
    and takes 17.4 GMAC for a slice of 216 x 296. ``penultimate_channels=None`` leaves out the 1 x 1 layer
    before the classifier (the 20-layer variant of Li et al.; NiftyNet has it).

    Passes at 1/scale of the size use the same weights, but for those of ``own_scales``, for each of which there is
    another network of this kind in ``own``: what a lung looks like in detail is not what it looks like from afar.
    """

    def __init__(
        self,
        in_channels: int = IN_CHANNELS,
        classes: int = CLASSES,
        penultimate_channels: int | None = PENULTIMATE_CHANNELS,
        own_scales: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "in_channels": in_channels,
            "classes": classes,
            "penultimate_channels": penultimate_channels,
        }
        if own_scales:
            self.config["own_scales"] = sorted(own_scales)
        channels = STAGES[0][0]
        self.stem = nn.Sequential(_conv(in_channels, channels, 3), nn.BatchNorm2d(channels, NORM_EPSILON), nn.ReLU())
        blocks = []
        for out_channels, dilation in STAGES:
            for _ in range(BLOCKS_PER_STAGE):
                blocks.append(ResidualBlock(channels, out_channels, dilation))
                channels = out_channels
        self.blocks = nn.Sequential(*blocks)
        head: list[nn.Module] = []
        if penultimate_channels is not None:
            head += [
                _conv(channels, penultimate_channels, 1),
                nn.BatchNorm2d(penultimate_channels, NORM_EPSILON),
                nn.ReLU(),
            ]
            channels = penultimate_channels
        head += [_conv(channels, classes, 1), nn.BatchNorm2d(classes, NORM_EPSILON)]
        self.head = nn.Sequential(*head)
        self.apply(_he_initialise)
        alone = (in_channels, classes, penultimate_channels)
        self.own = nn.ModuleDict({str(scale): HighRes2DNet(*alone) for scale in sorted(own_scales)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.stem(x)))

    def at(self, scale: int) -> HighRes2DNet:
        """The network of the pass at 1/scale of the size: this one, unless that pass has weights of its own."""
        if str(scale) not in self.own:
            return self
        own = self.own[str(scale)]
        assert isinstance(own, HighRes2DNet)
        return own


def unpadded(network: HighRes2DNet, rows: bool, columns: bool) -> HighRes2DNet:
    """The same network, on the same weights, whose last stage gets no border of zeros in rows, in columns or in both.

    Its output lacks ``LAST_STAGE_REACH`` pixels on both sides there, and the rest is as it would be with them.
    """
    result = copy.deepcopy(network, {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())})
    for block in result.blocks[-BLOCKS_PER_STAGE:].children():
        for layer in (block.conv1, block.conv2):
            assert isinstance(layer, nn.Conv2d)
            layer.padding = (0 if rows else layer.dilation[0], 0 if columns else layer.dilation[1])
    return result


def _conv(in_channels: int, out_channels: int, kernel: int, dilation: int = 1) -> nn.Conv2d:
    padding = dilation * (kernel // 2)
    return nn.Conv2d(in_channels, out_channels, kernel, padding=padding, dilation=dilation, bias=False)


def _he_initialise(module: nn.Module) -> None:
    """Truncated normal with standard deviation sqrt(2 / fan_in), as NiftyNet's ``he_normal``."""
    if isinstance(module, nn.Conv2d):
        fan_in = module.weight[0].numel()
        std = (2.0 / fan_in) ** 0.5
        # A normal cut at two standard deviations keeps 0.8796 of its spread.
        nn.init.trunc_normal_(module.weight, std=std / 0.8796, a=-2 * std / 0.8796, b=2 * std / 0.8796)
