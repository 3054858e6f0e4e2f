"""Masks as the Pulmonary Toolkit (PTK) exports them to files without usable geometry: .mhd, .nii and .mat.

PTK writes no origin, so such a mask can only be laid onto the CT it was drawn on: same size, same spacing, and
the axes PTK is known to write.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.image_files import open_image_file, read_voxels
from LungSegResNetLib.files.library_paths import UnusableNameError, library_path
from LungSegResNetLib.files.ptk_metafile import ptk_axes
from LungSegResNetLib.files.text_headers import voxel_file_names
from LungSegResNetLib.lungs.densities import BORDER_HU
from LungSegResNetLib.lungs.preprocessing import BODY_HU

from .read_mask import MaskOnCt

_SPACING_TOLERANCE = 0.01  # relative
_COARSE_MM = 3.0
_PAIR = (".hdr", ".img")


def read_ptk_metafile(path: Path, ct: CTVolume) -> MaskOnCt:
    """Values of a PTK .mhd/.raw pair (see `ptk_axes`) on the CT's grid.

    Raises
    ------
    InputError : the files cannot be read, or size or spacing differ from the CT's.
    """
    voxels = voxel_file_names(path)
    if missing := [name for name in voxels if not os.path.isfile(path.parent / name)]:
        raise InputError(
            f"The mask {path} cannot be read: it names {missing[0]} as the file of its voxels, which is missing; if "
            "that was renamed, give it back this name."
        )
    array, spacing = _voxels(path)
    if ptk_axes(path) == "axial":
        # Stored fastest along y, then x, then z upwards.
        array = array.transpose(0, 2, 1)
        spacing = (spacing[0], spacing[2], spacing[1])
    else:
        # Thick coronal slices: the voxels run along x, then z downwards, then y, but the header names the sizes
        # (and spacings) of z, x, y.
        columns, slices = array.shape[1:]
        array = array.reshape(array.shape[0], slices, columns).transpose(1, 0, 2)[::-1]
        spacing = (spacing[2], spacing[0], spacing[1])
    _require_grid(path, array.shape, spacing, ct)
    return MaskOnCt(array, "PTK MetaImage", ("PTK writes no origin; the mask was given the CT's geometry.",))


def is_formless_nifti(path: Path) -> bool:
    """Whether a NIfTI (or Analyze) file says nothing about where its axes point, as those of PTK do."""
    reader = _opened(path)
    codes = [reader.GetMetaData(k) for k in ("qform_code", "sform_code") if reader.HasMetaDataKey(k)]
    return all(int(code) == 0 for code in codes)


def read_formless_nifti(path: Path, ct: CTVolume) -> MaskOnCt:
    """Values of a NIfTI without orientation on the CT's grid.

    PTK stores the axes as right-anterior-superior, some of its branches as left-posterior-superior: the order is
    taken whose lungs lie on the air inside the body.

    Raises
    ------
    InputError : the file cannot be read, or size or spacing differ from the CT's.
    """
    array, spacing = _voxels(path)
    _require_grid(path, array.shape, spacing, ct)
    orders = {"RAS": array[:, ::-1, ::-1], "LPS": array}
    coarse = tuple(slice(None, None, max(1, round(_COARSE_MM / s))) for s in ct.spacing_zyx)
    hu = ct.hu[coarse]
    air = hu < BORDER_HU
    inside = air & _filled_body(hu)

    def fit(order: str) -> tuple[int, int]:
        # The turned lungs of a patient who lies off centre may hold more air outside than dense ones inside. All air
        # decides only where the field of view cuts every lung, so that the body encloses none.
        mask = orders[order][coarse] != 0
        return int(np.count_nonzero(inside & mask)), int(np.count_nonzero(air & mask))

    order = max(orders, key=fit)
    note = f"The file has no orientation; its axes were taken as {order}, which fits the CT, and given its geometry."
    return MaskOnCt(orders[order], "NIfTI without orientation (PTK)", (note,))


def read_ptk_mat(path: Path, ct: CTVolume) -> MaskOnCt:
    """Values of a PTK .mat export (variable ``image``: rows, columns, slices downwards) on the CT's grid.

    Raises
    ------
    InputError : the file cannot be read, has no such variable, or its size differs from the CT's.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        image = loadmat(str(path), variable_names=["image"]).get("image")
    except NotImplementedError as error:
        raise InputError(f"{path.name} is a MATLAB 7.3 file; save it again with the option -v7.") from error
    except (MatReadError, OSError, ValueError, TypeError) as error:
        raise InputError(f"The mask {path} cannot be read as a MATLAB file.") from error
    if not isinstance(image, np.ndarray) or image.dtype.kind not in "buif" or image.ndim not in (2, 3):
        raise InputError(f"{path.name} has no variable 'image' with the voxels of a mask, as PTK saves it.")
    array = np.atleast_3d(image).transpose(2, 0, 1)[::-1]
    _require_grid(path, array.shape, None, ct)
    return MaskOnCt(array, "PTK MATLAB matrix", ("A .mat file has no geometry; the mask was given the CT's.",))


def _filled_body(hu: np.ndarray) -> np.ndarray:
    """The body in each slice with all that it encloses; thin things, such as the surface of the table, stay out."""
    return np.stack([ndimage.binary_fill_holes(ndimage.binary_opening(section > BODY_HU)) for section in hu])


def _voxels(path: Path) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Array and spacing of a 3D file in its own index order, slowest axis first."""
    reader = _opened(path)
    if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
        raise InputError(f"The mask {path} is not a volume with one value per voxel.")
    image = read_voxels(reader)
    return sitk.GetArrayFromImage(image), image.GetSpacing()[::-1]


def _opened(path: Path) -> sitk.ImageFileReader:
    """A reader that has read the header; of a pair of .hdr and .img, which other readers do not take, it is whole."""
    if not path.name.lower().endswith(_PAIR):
        return open_image_file(path)
    reader = sitk.ImageFileReader()
    try:
        reader.SetFileName(library_path(path))
        reader.ReadImageInformation()
        header = {key: float(reader.GetMetaData(key)) for key in ("bitpix", "vox_offset")}
        size = path.with_suffix(".img").stat().st_size
    except UnusableNameError as error:
        raise InputError(f"The mask {path.name} cannot be read: {error}.") from error
    except (RuntimeError, OSError) as error:
        raise InputError(f"The mask {path} cannot be read; a part of it is missing or damaged.") from error
    if size < header["vox_offset"] + math.prod(reader.GetSize()) * header["bitpix"] / 8:
        raise InputError(f"The mask {path} is cut off: its .img file holds fewer voxels than its header says.")
    return reader


def _require_grid(path: Path, shape: tuple[int, ...], spacing: tuple[float, float, float] | None, ct: CTVolume) -> None:
    """Refuse a mask without geometry that does not have exactly the CT's voxels."""
    if shape != ct.hu.shape:
        raise InputError(
            f"The mask {path.name} has {_times(shape)} voxels and its CT {_times(ct.hu.shape)} (slices x rows x "
            "columns); export it from PTK at the size of the whole scan."
        )
    if spacing is not None and not np.allclose(spacing, ct.spacing_zyx, rtol=_SPACING_TOLERANCE):
        raise InputError(
            f"The voxels of the mask {path.name} measure {_times(spacing)} mm and those of its CT "
            f"{_times(ct.spacing_zyx)} mm; it was drawn on another scan."
        )


def _times(values: tuple[float, ...]) -> str:
    return " x ".join(f"{v:.4g}" for v in values)
