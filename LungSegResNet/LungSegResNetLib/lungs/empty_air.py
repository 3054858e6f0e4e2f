"""Air inside a lung mask that has no lung tissue in it: a bulla, which is lung, or a pneumothorax, which is none."""

from __future__ import annotations

import numpy as np

from ..boxes import bounding_box
from .slab_morphology import opened_by_disc, packed, unpacked
from .slicewise import over_slabs

_BLOCK_MM = 2.0  # in plane; means of such blocks are compared, because noise makes voxels of lung as light as air
_EMPTY_HU = -950
_RADIUS_MM = 10.0  # of a disc that airways and holes of emphysema have no room for, also if values are 60 HU too low
_APART_MM = 2.5  # of slices that are looked at


def empty_air_ml(hu: np.ndarray, mask: np.ndarray, spacing_zyx: tuple[float, float, float]) -> np.ndarray:
    """Millilitres of air without lung tissue under each label of a lung mask, shape (3,).

    Parameters
    ----------
    hu : the scan (z, y, x).
    mask : uint8 labels 0, 1 = right lung, 2 = left lung, with the shape of ``hu``.
    spacing_zyx : voxel size in mm.
    """
    planes = max(1, int(_APART_MM / spacing_zyx[0] + 1e-3))
    rows, columns = (max(1, round(_BLOCK_MM / mm)) for mm in spacing_zyx[1:])
    radius = max(1, round(_RADIUS_MM / max(rows * spacing_zyx[1], columns * spacing_zyx[2])))

    def blocks_of(slab: np.ndarray, labels: np.ndarray) -> np.ndarray:
        box = bounding_box(labels)
        if box is None:
            return np.zeros(3, np.int64)
        slab, labels = slab[box], labels[box]
        height, width = (labels.shape[1] // rows * rows, labels.shape[2] // columns * columns)
        voxels = [np.s_[:, y:height:rows, x:width:columns] for y in range(rows) for x in range(columns)]
        side = labels[voxels[0]]
        total = np.zeros(side.shape, np.float32)
        inside = side > 0
        for some in voxels:
            total += slab[some]
            inside &= labels[some] == side
        empty = packed(inside & (total < _EMPTY_HU * len(voxels)))
        if not empty.any():
            return np.zeros(3, np.int64)
        return np.bincount(side[unpacked(opened_by_disc(empty, radius), len(side))], minlength=3)

    blocks = np.sum(over_slabs(blocks_of, hu[::planes], mask[::planes]), axis=0)
    return blocks * planes * rows * columns * float(np.prod(spacing_zyx)) / 1000.0
