"""What is known of the network, and of the slices it is made for, without loading an engine (see ``network.py``)."""

from __future__ import annotations

from typing import Any

STAGES = ((16, 1), (32, 2), (64, 4))  # channels, dilation
BLOCKS_PER_STAGE = 3
LAST_STAGE_REACH = 2 * BLOCKS_PER_STAGE * STAGES[-1][1]  # pixels on each side that its 3 x 3 convolutions see
NORM_EPSILON = 1e-5
IN_CHANNELS, CLASSES, PENULTIMATE_CHANNELS = 1, 2, 80  # of a config that does not tell

SLICE_SHAPE = (216, 296)  # rows (anterior-posterior), columns (left-right), as in the article
HU_WINDOW = (-1024.0, 600.0)  # what a slice shows as 0..1


def whole_config(config: dict[str, Any]) -> dict[str, Any]:
    """The config of a network file, and what it does not tell."""
    defaults: dict[str, Any] = {
        "in_channels": IN_CHANNELS,
        "classes": CLASSES,
        "penultimate_channels": PENULTIMATE_CHANNELS,
        "own_scales": (),
    }
    return defaults | config


def shortcut_padding(in_channels: int, out_channels: int) -> tuple[int, int]:
    """Zero channels before and after those of a block's input, which is added to its output."""
    missing = out_channels - in_channels
    return missing // 2, missing - missing // 2
