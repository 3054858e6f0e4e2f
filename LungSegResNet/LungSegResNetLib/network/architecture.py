"""What is known of the network, and of the slices it is made for, without loading an engine (see ``network.py``)."""

from __future__ import annotations

STAGES = ((16, 1), (32, 2), (64, 4))  # channels, dilation
BLOCKS_PER_STAGE = 3
NORM_EPSILON = 1e-5
PENULTIMATE_CHANNELS = 80

SLICE_SHAPE = (216, 296)  # rows (anterior-posterior), columns (left-right), as in the article
HU_WINDOW = (-1024.0, 600.0)  # what a slice shows as 0..1
