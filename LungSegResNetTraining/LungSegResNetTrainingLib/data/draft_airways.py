"""Trachea and main bronchi by region growing, with a guard against leaking into the lungs.

The threshold is raised step by step until the volume explodes, as in the adaptive region growing of Kiraly et al.,
"Three-dimensional human airway segmentation methods for clinical virtual bronchoscopy", Acad Radiol 2002;9:1153.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_GRID_MM = 1.2
_TRACHEA_MM2 = (40.0, 900.0)
_TRACHEA_ASIDE_MM = 40.0  # from the body's midplane; a goitre or a large tumour pushes the trachea aside
_TRACHEA_LENGTH_MM = 20.0
_TRACHEA_HU = -850.0
_ELONGATION = 2.2
_GROWING_HU = range(-960, -780, 20)
_LEAK_RATIO = 1.6  # a step that swells the airways by more has broken through a bronchial wall
_LARGEST_ML = 120.0
_BRONCHUS_RADIUS_MM = 3.5  # bronchi thinner than this already run inside the lung
_WALL_MM = 1.8


def find_airways(
    hu: np.ndarray, air: np.ndarray, spacing_zyx: tuple[float, float, float], midline_mm: float
) -> np.ndarray:
    """Mask (bool) of the air in trachea and main bronchi with their walls; empty where no trachea is seen.

    Parameters
    ----------
    hu : smoothed scan (z, y, x).
    air : voxels below the lung threshold inside the body.
    midline_mm : where the body's midplane lies, in mm from the centre of the first column.
    """
    steps = [max(1, round(_GRID_MM / s)) for s in spacing_zyx[1:]]
    coarse_hu = hu[:, :: steps[0], :: steps[1]]
    spacing = (spacing_zyx[0], spacing_zyx[1] * steps[0], spacing_zyx[2] * steps[1])
    seed = _trachea(coarse_hu, air[:, :: steps[0], :: steps[1]], spacing, midline_mm)
    if not seed.any():
        return np.zeros(air.shape, bool)
    grown = _grow(coarse_hu, seed, spacing)
    # Opening keeps what is as wide as a main bronchus; walls come on top.
    depth = ndimage.distance_transform_edt(np.pad(grown, ((0, 0), (1, 1), (1, 1))), sampling=(1e6, *spacing[1:]))
    wide = depth[:, 1:-1, 1:-1] >= _BRONCHUS_RADIUS_MM
    reach = _BRONCHUS_RADIUS_MM + _WALL_MM
    tube = np.stack([ndimage.distance_transform_edt(~s, sampling=spacing[1:]) <= reach if s.any() else s for s in wide])
    tube |= ndimage.binary_dilation(seed, np.ones((1, 3, 3), bool))
    fine = np.repeat(np.repeat(tube, steps[0], axis=1), steps[1], axis=2)
    return fine[:, : air.shape[1], : air.shape[2]]


def _trachea(hu: np.ndarray, air: np.ndarray, spacing: tuple[float, float, float], midline_mm: float) -> np.ndarray:
    """The longest upright chain of round air-filled sections near the midplane."""
    candidates = np.zeros(air.shape, bool)
    pixel = spacing[1] * spacing[2]
    for z, section in enumerate(air):
        parts, count = ndimage.label(section)
        if count == 0:
            continue
        areas = np.bincount(parts.ravel(), minlength=count + 1)[1:] * pixel
        for n, place in enumerate(ndimage.find_objects(parts), start=1):
            if not _TRACHEA_MM2[0] <= areas[n - 1] <= _TRACHEA_MM2[1]:
                continue
            rows, columns = (s.stop - s.start for s in place)
            height, width = rows * spacing[1], columns * spacing[2]
            aside = abs((place[1].start + columns / 2) * spacing[2] - midline_mm)
            round_enough = max(height, width) <= _ELONGATION * min(height, width)
            filled = areas[n - 1] >= 0.5 * height * width
            part = parts[place] == n
            if aside < _TRACHEA_ASIDE_MM and round_enough and filled and hu[z][place][part].min() < _TRACHEA_HU:
                candidates[z][place] |= part
    chains, count = ndimage.label(candidates)
    if count == 0:
        return candidates
    lengths = np.array([(place[0].stop - place[0].start) * spacing[0] for place in ndimage.find_objects(chains)])
    best = int(np.argmax(lengths))
    if lengths[best] < min(_TRACHEA_LENGTH_MM, len(air) * spacing[0]):
        return np.zeros(air.shape, bool)
    return chains == best + 1


def _grow(hu: np.ndarray, seed: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Air joined to the seed at the highest threshold that does not leak; the seed alone if every one leaks."""
    voxel_ml = float(np.prod(spacing)) / 1000.0
    grown = seed
    volume = np.count_nonzero(seed) * voxel_ml
    for threshold in _GROWING_HU:
        parts, count = ndimage.label(hu < threshold)
        joined = np.zeros(count + 1, bool)
        joined[np.unique(parts[seed])] = True
        joined[0] = False
        larger = joined[parts] | seed
        ml = np.count_nonzero(larger) * voxel_ml
        if ml > _LARGEST_ML or ml > _LEAK_RATIO * volume:
            break
        grown, volume = larger, ml
    return grown
