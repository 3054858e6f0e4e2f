"""Opens an image file (NIfTI, NRRD, MetaImage) with SimpleITK and says in one sentence what is wrong with it."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import SimpleITK as sitk

from ..errors import InputError, unreadable
from .library_errors import raise_if_out_of_memory, reason_of
from .library_paths import UnusableNameError, library_path
from .nifti_files import GZIP_MARK, is_complete, unreadable_kind
from .sform_reader import SformReader
from .text_headers import METAIMAGE_ENDINGS, NRRD_ENDINGS, has_axes
from .voxel_damage import is_undamaged, lacks_voxels

NIFTI_ENDINGS = (".nii", ".nii.gz")
CT_ENDINGS = (*NIFTI_ENDINGS, *NRRD_ENDINGS, *METAIMAGE_ENDINGS)
_SPACES_OF_PATIENTS = ("left-posterior-superior", "right-anterior-superior", "left-anterior-superior")
_MOST_VOXELS = 1 << 40
_quiet_lock = threading.Lock()
_switches: list[bool] = []  # what each thread that is quiet now has found; the first one is what to go back to


def has_mixed_ending(path: Path) -> bool:
    """Whether the ending of a NIfTI file is written in capital and in small letters, which its library refuses."""
    ending = next((e for e in NIFTI_ENDINGS if path.name.lower().endswith(e)), "")
    written = path.name[len(path.name) - len(ending) :]
    return written not in (ending, ending.upper())


def open_image_file(path: Path) -> sitk.ImageFileReader:
    """A reader that has read the header of an image file; ``read_voxels`` gets the rest.

    Raises
    ------
    InputError : the file is missing, empty, forbidden, of another format or of an impossible size.
    """
    try:
        if not path.exists():
            raise InputError(f"There is no file or folder {path}.")
        if not path.name.lower().endswith(CT_ENDINGS):
            raise InputError(
                f"{path.name} has an unknown file name ending; readable are DICOM, {', '.join(CT_ENDINGS)}."
            )
        with path.open("rb") as file:  # SimpleITK would call a file damaged that it may not open
            start = file.read(len(GZIP_MARK))
        if not start:
            raise InputError(f"{path.name} is empty (0 bytes); copy or export it again.")
        if has_mixed_ending(path):
            raise InputError(
                f"{path.name} has an ending in mixed upper and lower case, which cannot be read; rename it."
            )
        if start == GZIP_MARK and path.suffix.lower() == ".nii":
            raise InputError(f"{path.name} is compressed; rename it to {path.name}.gz.")
    except OSError as error:
        raise unreadable(path, error) from error
    reader = sitk.ImageFileReader()
    if path.name.lower().endswith(METAIMAGE_ENDINGS):
        reader.SetImageIO("MetaImageIO")  # which is not found by endings in capital letters
    try:
        reader.SetFileName(library_path(path))
        with _quiet_library():
            reader.ReadImageInformation()
    except UnusableNameError as error:
        raise InputError(f"{path.name} cannot be read: {error}.") from error
    except RuntimeError as error:
        if "orthonormal" not in str(error):
            raise _damaged(path, error) from error
        reader = SformReader(path)
    # Where no form tells how the voxels lie, nothing is mirrored.
    if path.name.lower().endswith(NIFTI_ENDINGS) and min(reader.GetSpacing()[:3]) < 0 and has_orientation(reader):
        reader = SformReader(path)
    if not 0 < math.prod(reader.GetSize()) <= _MOST_VOXELS:
        size = " x ".join(map(str, reader.GetSize()))
        raise InputError(f"{path.name} is damaged: its header gives an impossible size of {size} voxels.")
    return reader


def read_voxels(reader: sitk.ImageFileReader) -> sitk.Image:
    """The image of an opened file as 3D (2D: one slice). Raises InputError if the file is damaged or cut off."""
    path = Path(reader.GetFileName())
    if lacks_voxels(path) or (path.name.lower().endswith(NIFTI_ENDINGS) and not is_complete(path)):
        raise InputError(
            f"{path.name} is cut off: it holds fewer voxels than its header says; copy or export it again."
        )
    with ThreadPoolExecutor(1) as helper:
        undamaged = helper.submit(is_undamaged, path)
        try:
            with _quiet_library():
                image = reader.Execute()
        except RuntimeError as error:
            raise_if_out_of_memory(error)
            raise _damaged(path, error) from error
        if not undamaged.result():
            raise InputError(
                f"{path.name} is damaged or cut off: its voxels cannot be unpacked; copy or export it again."
            )
    while image.GetDimension() > 3:
        image = image[..., 0]
    return sitk.JoinSeries(image) if image.GetDimension() == 2 else image


def require_one_value_per_voxel(reader: sitk.ImageFileReader) -> None:
    """Raises InputError for pictures in colour, time series and complex numbers."""
    name = Path(reader.GetFileName()).name
    points = math.prod(reader.GetSize()[3:])
    components = reader.GetNumberOfComponents()
    if components in (3, 4) and reader.GetPixelID() == sitk.sitkVectorUInt8:
        raise InputError(f"{name} is a colour picture, neither a CT in Hounsfield units nor a mask of labels.")
    if points * components > 1:
        raise InputError(f"{name} contains {points * components} time points; save one of them as a 3D volume.")
    if reader.GetPixelID() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise InputError(f"{name} holds complex numbers, neither Hounsfield units nor labels.")


def has_orientation(reader: sitk.ImageFileReader) -> bool:
    """Whether an opened file says how the patient lies; for one that does not, ITK takes its axes for LPS."""
    name = Path(reader.GetFileName()).name.lower()
    keys = set(reader.GetMetaDataKeys())
    if name.endswith(NIFTI_ENDINGS):
        codes = [reader.GetMetaData(key) for key in ("qform_code", "sform_code") if key in keys]
        return not codes or any(code != "0" for code in codes)
    if name.endswith(NRRD_ENDINGS):
        return "NRRD_space" in keys and reader.GetMetaData("NRRD_space").startswith(_SPACES_OF_PATIENTS)
    return has_axes(Path(reader.GetFileName()))


def segment_headers(reader: sitk.ImageFileReader) -> list[dict[str, str]]:
    """Name, label value, layer and tags of each segment that 3D Slicer stored in a ``.seg.nrrd`` file."""
    keys = set(reader.GetMetaDataKeys())
    segments: list[dict[str, str]] = []
    while f"Segment{len(segments)}_ID" in keys:
        prefix = f"Segment{len(segments)}_"
        segments.append({key[len(prefix) :]: reader.GetMetaData(key) for key in keys if key.startswith(prefix)})
    return segments


@contextmanager
def _quiet_library() -> Iterator[None]:
    """Without what SimpleITK writes to standard error itself, which is for events or sentences.

    The switch is that of the whole process: of several threads the first turns it off, and the last puts it back.
    """
    with _quiet_lock:
        _switches.append(sitk.ProcessObject.GetGlobalWarningDisplay())
        sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        with _quiet_lock:
            before = _switches.pop()  # whoever goes last gets the first one
            if not _switches:
                sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _damaged(path: Path, error: RuntimeError) -> InputError:
    if kind := unreadable_kind(path):
        return InputError(f"{path.name} {kind}")
    return InputError(
        f"{path.name} cannot be read: it is damaged, cut off or not what its ending says ({reason_of(error)})."
    )
