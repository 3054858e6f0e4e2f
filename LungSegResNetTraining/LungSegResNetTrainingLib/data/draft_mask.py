"""Lungs without a network: threshold, airways out, closing. The draft a reader corrects, and the baseline to beat.

The steps follow the semi-automatic references of the article (Pulmonary Toolkit): they find aerated lung well and
miss dense disease, which is what a reader has to add by hand.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from LungSegResNetLib.boxes import bounding_box
from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.labels import LEFT_LUNG, RIGHT_LUNG
from LungSegResNetLib.lungs.laterality import body_midline
from LungSegResNetLib.lungs.postprocessing import clean_mask
from LungSegResNetLib.lungs.preprocessing import body_middle

from .draft_airways import find_airways

# Half way between lung (-850) and soft tissue (0): the border the human eye sees in a lung window. What is denser, a
# threshold cannot tell from the chest wall.
LUNG_HU = -420.0
_SMOOTHING_MM = 0.7
_CLOSING_MM = 7.5
_MIN_SHARE = 0.1  # of the largest part: smaller ones are stomach, bowel or oesophagus
_MIN_SHARE_SINGLE_SLICE = 0.02
GAS_HU = -960.0  # bowel gas is pure air, lung never is
_BODY_OPENING_MM = 6.0


def draft_lungs(ct: CTVolume) -> np.ndarray:
    """Labels 0, 1 = right lung, 2 = left lung (uint8, the shape of ``ct.hu``) by threshold and region growing.

    Raises
    ------
    InputError : nothing in the scan looks like aerated lung.
    """
    spacing = ct.spacing_zyx
    middle = body_middle(ct.hu, spacing)
    smooth = _smooth(ct.hu, spacing)
    air = _inside_body(smooth < LUNG_HU, spacing)
    airways = find_airways(smooth, air, spacing, middle)
    lungs = _lung_parts(air & ~airways, smooth)
    if not lungs.any():
        raise InputError(f"No aerated lung was found in {ct.source}; draw its mask by hand or leave the scan out.")
    labels = clean_mask(lungs, spacing, body_midline(ct.hu, spacing, middle))
    return _close(labels, airways, spacing)


def large_air_in_body(hu: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """The large parts of air that the body encloses, with the airways that join them (bool, the shape of ``hu``)."""
    smooth = _smooth(hu, spacing)
    return _lung_parts(_inside_body(smooth < LUNG_HU, spacing), smooth)


def _smooth(hu: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """The scan with its in-plane noise damped (float32); slices are too far apart to be averaged."""
    sigma = [_SMOOTHING_MM / s for s in spacing[1:]]
    return ndimage.gaussian_filter(hu.astype(np.float32), (0.0, *sigma), truncate=3.0)


def _inside_body(air: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Air that the body encloses in its slice; what reaches the edge of the field or lies in the table is outside."""
    steps = [max(1, round(_BODY_OPENING_MM / 2 / s)) for s in spacing[1:]]
    tissue = np.empty_like(air)
    for z, section in enumerate(air):
        parts, _ = ndimage.label(section)
        edge = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
        tissue[z] = ~np.isin(parts, edge[edge > 0])
    # Table, blankets and tubes hang on the body by thin bridges, which a coarse opening breaks.
    coarse = tissue[:, :: steps[0], :: steps[1]]
    coarse = ndimage.binary_opening(coarse, np.ones((1, 3, 3), bool))
    parts, count = ndimage.label(coarse)
    if count == 0:
        return np.zeros_like(air)
    body = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    body = ndimage.binary_dilation(body, np.ones((1, 3, 3), bool))
    fine = np.repeat(np.repeat(body, steps[0], axis=1), steps[1], axis=2)[:, : air.shape[1], : air.shape[2]]
    return air & tissue & fine


def _lung_parts(air: np.ndarray, hu: np.ndarray) -> np.ndarray:
    """The large parts of air in the body; pure gas is bowel, unless it is the largest part of all."""
    parts, count = ndimage.label(air)
    if count == 0:
        return air
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    share = _MIN_SHARE if air.shape[0] > 1 else _MIN_SHARE_SINGLE_SLICE
    keep = sizes >= share * sizes.max()
    for part in np.flatnonzero(keep):
        if part != np.argmax(sizes) and np.median(hu[parts == part]) < GAS_HU:
            keep[part] = False
    return keep[parts]


def _close(labels: np.ndarray, airways: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Each lung closed in its slices by a disc, so that vessels and nodules at its border belong to it."""
    closed = labels.copy()
    margin = [int(np.ceil(_CLOSING_MM / s)) + 1 for s in spacing[1:]]
    for label in (RIGHT_LUNG, LEFT_LUNG):
        for z, section in enumerate(labels == label):
            box = bounding_box(section)
            if box is None:
                continue
            padded = np.pad(section[box], [(m, m) for m in margin])
            near = ndimage.distance_transform_edt(~padded, sampling=spacing[1:]) <= _CLOSING_MM
            inside = ndimage.distance_transform_edt(near, sampling=spacing[1:]) > _CLOSING_MM
            inside = inside[margin[0] : -margin[0], margin[1] : -margin[1]]
            target = closed[z][box]
            target[inside & (target == 0) & ~airways[z][box]] = label
    return closed
