"""What both engines know of the network's shape without loading either of them (see ``network.py``)."""

from __future__ import annotations

STAGES = ((16, 1), (32, 2), (64, 4))  # channels, dilation
BLOCKS_PER_STAGE = 3
NORM_EPSILON = 1e-5
PENULTIMATE_CHANNELS = 80
