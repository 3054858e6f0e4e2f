"""Voxels that are read slice by slice are those that SimpleITK reads."""

from __future__ import annotations

import gzip
import io
import struct

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.nifti_files import read_slices
from LungSegResNetLib.files.reading import read_ct

SIZE = (5, 4, 3)


@pytest.mark.parametrize("kind", ["<i2", ">i2", "<u2", "u1", "<i4", ">f4", "<f8", "<u4", ">i8", "<u8"])
@pytest.mark.parametrize("rescale", [(0.0, 7.0), (1.0, 0.0), (1.0, -1024.0), (0.7, 0.3)])
def test_every_type_and_rescale_is_read_as_simpleitk_does(kind, rescale, tmp_path):
    values = np.arange(60, dtype=kind).reshape(SIZE)
    header = nibabel.Nifti1Header(endianness=">" if kind.startswith(">") else "<")
    header.set_data_dtype(np.dtype(kind))
    image = nibabel.Nifti1Image(values, np.diag([0.7, 0.7, 2.5, 1.0]), header)
    path = tmp_path / "scan.nii.gz"
    image.to_filename(path)
    _set_rescale(path, rescale)

    slices = read_slices(path, SIZE)

    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    np.testing.assert_array_equal(np.stack(list(slices)), expected)


def test_types_that_no_scanner_stores_are_left_to_simpleitk(tmp_path):
    nibabel.Nifti1Image(np.zeros(SIZE, np.complex64), np.eye(4)).to_filename(tmp_path / "scan.nii")
    assert read_slices(tmp_path / "scan.nii", SIZE) is None


def _set_rescale(path, rescale):
    """nibabel clears the rescale when it writes, so the bytes of the header are set."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    order = nibabel.Nifti1Header.from_fileobj(io.BytesIO(content)).endianness
    struct.pack_into(order + "2f", content, 112, *rescale)
    path.write_bytes(gzip.compress(content))


def test_voxels_whose_place_the_header_does_not_tell_are_left_to_simpleitk(tmp_path):
    path = tmp_path / "scan.nii"
    nibabel.Nifti1Image(np.arange(60, dtype=np.int16).reshape(SIZE), np.eye(4)).to_filename(path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, 108, 0.0)
    path.write_bytes(content)
    assert read_slices(path, SIZE) is None


@pytest.mark.parametrize("place", [1e15, 1e30])
def test_voxels_that_lie_behind_the_end_of_any_file_are_called_cut_off(place, tmp_path):
    path = tmp_path / "scan.nii"
    nibabel.Nifti1Image(np.arange(60, dtype=np.int16).reshape(SIZE), np.eye(4)).to_filename(path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, 108, place)
    path.write_bytes(content)
    with pytest.raises(InputError, match="cut off"):
        read_ct(path)
