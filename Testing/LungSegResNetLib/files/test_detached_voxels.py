"""Which files beside a header hold its voxels, as SimpleITK reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LungSegResNetLib.files.detached_voxels import voxel_files

VOXELS = np.arange(2 * 3 * 4, dtype="<i2").reshape(2, 3, 4)
METAIMAGE = "ObjectType = Image\nNDims = 3\nDimSize = 4 3 2\nElementType = MET_SHORT\nElementDataFile = "
NRRD = "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 3 2\nencoding: raw\nendian: little\ndata file: "


@pytest.mark.parametrize(
    ("name", "place", "files"),
    [
        ("ct.mhd", f"{METAIMAGE}voxels of the scan.bin\n", ["voxels of the scan.bin"]),
        ("ct.mhd", f"{METAIMAGE}part%02d.raw 1 2 1\n", ["part01.raw", "part02.raw"]),
        ("ct.mhd", f"{METAIMAGE}LIST\nlow.raw\nhigh.raw\n", ["low.raw", "high.raw"]),
        ("ct.nhdr", f"{NRRD}deep/voxels.bin\n", ["deep/voxels.bin"]),
        ("ct.nrrd", f"{NRRD}voxels.bin\n\n", ["voxels.bin"]),
        ("ct.nhdr", f"{NRRD}part%d.raw 4 6 2\n", ["part4.raw", "part6.raw"]),
        ("ct.nhdr", f"{NRRD}LIST\nlow.raw\nhigh.raw\n", ["low.raw", "high.raw"]),
    ],
)
def test_voxels_lie_in_the_files_that_the_header_names(tmp_path: Path, name: str, place: str, files: list[str]) -> None:
    header = tmp_path / name
    header.write_text(place)
    (tmp_path / "ct.raw").write_bytes(b"of another scan")
    for file, part in zip(files, np.split(VOXELS, len(files)), strict=True):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(part.tobytes())
    assert voxel_files(header) == [tmp_path / file for file in files]
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(header))), VOXELS)


@pytest.mark.parametrize("name", ["ct.mha", "ct.nrrd", "ct.nii.gz"])
def test_a_file_with_its_own_voxels_has_no_other(tmp_path: Path, name: str) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(tmp_path / name))
    (tmp_path / "ct.raw").write_bytes(b"of another scan")
    assert voxel_files(tmp_path / name) == []


def test_an_analyze_header_has_the_voxels_that_bear_its_name(tmp_path: Path) -> None:
    for name in ("ct.hdr", "ct.img"):
        (tmp_path / name).write_bytes(b"some bytes")
    assert voxel_files(tmp_path / "ct.hdr") == [tmp_path / "ct.img"]


@pytest.mark.parametrize("place", ["%s%d.raw 1 2 1", "100%z%d.raw 1 2 1"])
def test_a_pattern_that_numbers_no_files_names_none(tmp_path: Path, place: str) -> None:
    (tmp_path / "ct.mhd").write_text(f"{METAIMAGE}{place}\n")
    assert voxel_files(tmp_path / "ct.mhd") == []
