"""Finds slices that a series has more than once, as sending it again with new identifiers leaves them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import SimpleITK as sitk

from .dicom_image import Header, along_normal
from .slice_positions import shared_places


def without_repeats(headers: Sequence[Header], read: Callable[[Header], sitk.Image]) -> tuple[Header, ...]:
    """The headers without those of later files with the pixels of an earlier one at the same place.

    ``read`` gives the pixels of a file. Only files that share a place are read, those of one place at a time; files
    with several frames are left as they are.
    """
    if any(header.size[2] > 1 for header in headers):
        return tuple(headers)
    repeated = set[int]()
    for place in shared_places(along_normal(headers)):
        kept: list[np.ndarray] = []
        for index in place:
            pixels = sitk.GetArrayFromImage(read(headers[index]))
            if any(np.array_equal(pixels, others) for others in kept):
                repeated.add(index)
            else:
                kept.append(pixels)
    return tuple(header for index, header in enumerate(headers) if index not in repeated)
