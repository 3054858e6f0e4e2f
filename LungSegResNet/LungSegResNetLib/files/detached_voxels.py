"""Files beside a header file, in which its voxels lie."""

from __future__ import annotations

from pathlib import Path

_HEADER_ENDINGS = (".mhd", ".nhdr", ".hdr")
_VOXEL_ENDINGS = (".raw", ".raw.gz", ".zraw", ".img", ".img.gz")


def voxel_files(header: Path) -> list[Path]:
    """The voxel files of a MetaImage, NRRD or Analyze header that bear its name; none for other files."""
    if not header.name.lower().endswith(_HEADER_ENDINGS):
        return []
    paths = [header.with_suffix(ending) for ending in _VOXEL_ENDINGS]
    return [path for path in paths if path.is_file()]
