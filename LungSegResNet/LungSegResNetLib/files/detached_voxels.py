"""Files beside a header file, in which its voxels lie."""

from __future__ import annotations

import os
from pathlib import Path

from .text_headers import METAIMAGE_ENDINGS, NRRD_ENDINGS, voxel_file_names

_HEADER_ENDINGS = (".mhd", ".nhdr", ".hdr")
_VOXEL_ENDINGS = (".raw", ".raw.gz", ".zraw", ".img", ".img.gz")


def voxel_files(header: Path) -> list[Path]:
    """The voxel files of a MetaImage, NRRD or Analyze header that are there; none for other files.

    They are those that it names. Where it names none, as in Analyze, they are those that bear its name.
    """
    ending = header.suffix.lower()
    paths: list[Path] = []
    if ending in (*METAIMAGE_ENDINGS, *NRRD_ENDINGS):
        try:
            paths = [header.parent / name for name in voxel_file_names(header)]
        except OSError:  # reading the scan says why
            return []
    if not paths and ending in _HEADER_ENDINGS:
        paths = [header.with_suffix(voxels) for voxels in _VOXEL_ENDINGS]
    return [path for path in paths if os.path.isfile(path)]
