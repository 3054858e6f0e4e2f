"""Series whose slices lie in several folders of an archive, each of which a folder run takes for a scan."""

from __future__ import annotations

import contextlib
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from ..files.dicom_image import Header, read_header


def warnings_of_spread_series(first_files: Mapping[Path, Path]) -> dict[Path, str]:
    """A sentence for each folder whose series goes on in another one.

    By one header of each folder, it goes on where files of one series and grid lie at different places. Copies of a
    scan, and its phases in folders of their own, begin at the same place.

    Parameters
    ----------
    first_files : a DICOM file of each folder.
    """
    series = defaultdict[tuple[str, str], dict[Path, Header]](dict)
    for folder, path in first_files.items():
        with contextlib.suppress(InputError, OSError):  # reading the case says why
            if (header := read_header(path)) and header.tags["modality"] == "CT" and not header.is_localizer:
                series[header.tags["study_uid"], header.tags["series_uid"]][folder] = header
    return {
        folder: text
        for (_, uid), folders in series.items()
        if uid and len(folders) > 1
        for folder, text in _warnings(folders).items()
    }


def _warnings(folders: dict[Path, Header]) -> dict[Path, str]:
    first = next(iter(folders.values()))
    places = {folder: header.positions[:1] for folder, header in folders.items() if header.fits_grid_of(first)}
    at_place = Counter(places.values())
    if len(at_place) == 1:
        return {}
    common = os.path.commonpath(places)
    texts = {}
    for folder, place in places.items():
        other = next(other for other in places if places[other] != place)
        more = len(places) - at_place[place] - 1
        texts[folder] = (
            f"The series of this folder continues in {other}{f' and {more} more' if more else ''}; if these are parts "
            f"of one scan, give their common folder, {common}, to 'segment'."
        )
    return texts
