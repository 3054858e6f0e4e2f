"""Reference masks in DICOM: colour pictures as PTK exports them, DICOM segmentations and structure sets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from LungSegResNetLib.ct_volume import CTVolume, Geometry
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.dicom_image import SECONDARY_CAPTURE
from LungSegResNetLib.files.mask_reading import left_out_on_ct, mask_on_ct
from LungSegResNetLib.files.other_segments import OtherSegments, left_out_note, numbered
from LungSegResNetLib.files.segment_names import BOTH_SIDES, NamedLung, lung_of_name, lungs_among
from LungSegResNetLib.labels import LEFT_LUNG, RIGHT_LUNG

from .dicom_kinds import SEGMENTATIONS, STRUCTURE_SET
from .read_mask import MaskOnCt
from .structure_sets import read_structure_set
from .system_files import users_files

if TYPE_CHECKING:
    from highdicom.seg import Segmentation

# The colours MATLAB once gave to the values 0 to 7, as PTK paints labels with them.
_PTK_COLORS = np.array(
    [(0, 0, 0), (0, 0, 255), (0, 127, 0), (255, 0, 0), (0, 191, 191), (191, 0, 191), (191, 191, 0), (64, 64, 64)]
)
_COLOR_TOLERANCE = 40
_SPACING_TOLERANCE = 0.01

# In names of what is no whole lung, whatever its code says.
_PARTS_OF_LUNG = re.compile(r"lobe|lobus|gtv|ctv|ptv|itv|tum|nodul|lesion|vessel|minus|opt|ring|prv|avoid|cavit", re.I)

# Name and lung of each structure by its number.
_Structures = dict[int, tuple[str, NamedLung | None]]


def read_dicom_mask(path: Path, ct: CTVolume) -> MaskOnCt:
    """A DICOM mask (one file, or its folder) on the CT's grid.

    Raises
    ------
    InputError : there is no mask of a known kind, it cannot be read, or its structures are neither lungs nor all lobes
        of one.
    """
    files = _mask_files(path)
    first = files[0]
    kind = str(first.get("SOPClassUID", ""))
    if kind == SECONDARY_CAPTURE:
        values, notes = _from_colors(_series_of(first, files, path), ct, path.name)
        return MaskOnCt(values, "PTK colour DICOM", tuple(notes))
    structures = _lungs_of_segments(first) if kind in SEGMENTATIONS else _lungs_of_rois(first)
    chosen, has_sides = _choose_lungs(structures, path.name)
    if kind in SEGMENTATIONS:
        others = {number: name for number, (name, _) in structures.items() if number not in chosen}
        values, notes, left_out = _from_segmentation(first, chosen, others, ct, path.name)
        return MaskOnCt(values, "DICOM segmentation", tuple(notes), has_sides, left_out)
    values, notes = read_structure_set(first, chosen, ct, path.name)
    return MaskOnCt(values, "structure set (RTSTRUCT)", tuple(notes), has_sides)


def referenced_series(path: Path) -> set[str]:
    """SeriesInstanceUIDs of the scans that a segmentation or structure set says it was drawn on; none where it does
    not say, or cannot be read, which reading it explains better."""
    try:
        mask = _mask_files(path)[0]
    except InputError:
        return set()
    of_segmentation = list(mask.get("ReferencedSeriesSequence", []))
    of_structures = [
        series
        for frame in mask.get("ReferencedFrameOfReferenceSequence", [])
        for study in frame.get("RTReferencedStudySequence", [])
        for series in study.get("RTReferencedSeriesSequence", [])
    ]
    return {str(series.get("SeriesInstanceUID", "")) for series in of_segmentation + of_structures}


def _mask_files(path: Path) -> list[Dataset]:
    """Headers of the mask files at ``path``, those of one kind; the pixels are read later."""
    known = (SECONDARY_CAPTURE, *SEGMENTATIONS, STRUCTURE_SET)
    files = [path] if path.is_file() else users_files(path)
    found = [header for header in _headers(files) if str(header.get("SOPClassUID", "")) in known]
    if not found:
        raise InputError(f"{path} holds no DICOM mask: neither a segmentation, a structure set nor colour pictures.")
    series = {(str(h.SOPClassUID), str(h.get("SeriesInstanceUID", ""))) for h in found}
    if len(series) > 1 or (len(found) > 1 and str(found[0].SOPClassUID) != SECONDARY_CAPTURE):
        raise InputError(f"{path} holds several DICOM masks; give the file of the one that is meant.")
    return found


def _series_of(first: Dataset, files: list[Dataset], path: Path) -> list[Dataset]:
    """All slices of a colour series, also where one of its files was named."""
    if path.is_dir():
        return files
    series = first.get("SeriesInstanceUID", "")
    headers = _headers(users_files(path.parent, recursive=False))
    return [header for header in headers if header.get("SeriesInstanceUID", "") == series]


def _headers(files: Iterable[Path]) -> Iterator[Dataset]:
    """Headers of those files that are DICOM."""
    for file in files:
        with suppress(InvalidDicomError, OSError, EOFError, ValueError):
            yield pydicom.dcmread(file, stop_before_pixels=True)


def _from_colors(slices: list[Dataset], ct: CTVolume, source: str) -> tuple[np.ndarray, list[str]]:
    try:
        rows, columns = (np.array(slices[0].ImageOrientationPatient[n : n + 3], float) for n in (0, 3))
        normal = np.cross(rows, columns)
        depth = np.array([np.dot(normal, np.array(s.ImagePositionPatient, float)) for s in slices])
        order = np.argsort(depth)
        array = np.stack([_labels_of_colors(slices[n], source) for n in order])
        x, y, z = (float(v) for v in slices[order[0]].ImagePositionPatient)
        row_mm, column_mm = (float(v) for v in slices[0].PixelSpacing)
        thickness = float(slices[0].get("SpacingBetweenSlices") or slices[0].SliceThickness)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"The slices of {source} do not fit together or lack their position: {error}.") from error
    steps = np.diff(depth[order])
    if len(steps) and np.ptp(steps) > 0.1 * max(thickness, 0.1):
        raise InputError(f"Slices of the mask {source} are missing or double: their distances vary.")
    image = sitk.GetImageFromArray(array)
    direction = np.stack([rows, columns, normal], axis=1)
    spacing = (column_mm, row_mm, float(np.median(steps)) if len(steps) else thickness)
    Geometry(image.GetSize(), spacing, (x, y, z), tuple(direction.ravel().tolist())).apply_to(image)
    image, moved = _moved_onto(image, ct)
    values, warnings = mask_on_ct(image, ct)
    return values, [*moved, *warnings]


def _labels_of_colors(header: Dataset, source: str) -> np.ndarray:
    """Label of every pixel of one colour slice: the value whose colour is nearest."""
    try:
        pixels = pydicom.dcmread(header.filename).pixel_array
    except (OSError, EOFError, ValueError, AttributeError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"A slice of the mask {source} is damaged or compressed in an unknown way.") from error
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise InputError(f"The pictures of {source} have no colours, so they are not a mask that PTK exported.")
    colors, index = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    far = np.abs(colors[:, None].astype(int) - _PTK_COLORS[None]).max(axis=2)
    if far.min(axis=1).max() > _COLOR_TOLERANCE:
        strange = tuple(int(v) for v in colors[np.argmax(far.min(axis=1))])
        raise InputError(f"The mask {source} has the colour {strange}, which PTK gives to no lung or lobe.")
    return far.argmin(axis=1).astype(np.uint8)[index.reshape(pixels.shape[:2])]


def _lungs_of_segments(dataset: Dataset) -> _Structures:
    """The coded type speaks where the name does not."""
    structures = {}
    for segment in dataset.get("SegmentSequence", []):
        code = next(iter(segment.get("SegmentedPropertyTypeCodeSequence", [])), Dataset())
        modifier = next(iter(code.get("SegmentedPropertyTypeModifierCodeSequence", [])), Dataset())
        name = str(segment.get("SegmentLabel", ""))
        named = lung_of_name(name)
        coded = f"{code.get('CodeMeaning', '')} {modifier.get('CodeMeaning', '')}"
        by_code = None if _PARTS_OF_LUNG.search(name) else lung_of_name(coded)
        lung = by_code if named is None or (named.label == BOTH_SIDES and by_code is not None) else named
        structures[int(segment.SegmentNumber)] = (name, lung)
    return structures


def _lungs_of_rois(dataset: Dataset) -> _Structures:
    names = {int(roi.ROINumber): str(roi.get("ROIName", "")) for roi in dataset.get("StructureSetROISequence", [])}
    return {number: (name, lung_of_name(name)) for number, name in names.items()}


def _choose_lungs(structures: _Structures, source: str) -> tuple[dict[int, int], bool]:
    """Numbers of the structures to read, each with the value it gets, and whether they are right and left lung; both
    lungs in one count only where no structure has a side."""
    lungs = dict(zip(structures, lungs_among([lung for _, lung in structures.values()]), strict=True))
    chosen = {number: lung for number, lung in lungs.items() if lung in (RIGHT_LUNG, LEFT_LUNG)}
    has_sides = bool(chosen)
    for lung in (RIGHT_LUNG, LEFT_LUNG) if has_sides else (BOTH_SIDES,):
        same = [f"'{name}'" for name, named in structures.values() if named == NamedLung(lung)]
        if len(same) > 1:
            what = "that may be both lungs" if lung == BOTH_SIDES else "for the same lung"
            raise InputError(f"{source} has several structures {what} ({' and '.join(same)}); keep one of them.")
    if not has_sides:
        chosen = {number: RIGHT_LUNG for number, lung in lungs.items() if lung == BOTH_SIDES}
    if not chosen:
        names = ", ".join(f"'{name}'" for name, _ in structures.values()) or "none at all"
        raise InputError(f"{source} has no structure named as a lung; there are {names}.")
    return chosen, has_sides


def _from_segmentation(
    header: Dataset, chosen: dict[int, int], others: dict[int, str], ct: CTVolume, source: str
) -> tuple[np.ndarray, list[str], OtherSegments | None]:
    """Values of the segments ``chosen`` (number: value), notes, and the ``others`` (number: name)."""
    try:
        from highdicom.seg import segread
    except ImportError as error:
        text = f"The DICOM segmentation {source} needs the package highdicom; in Slicer, use Slicer 5.12 or newer."
        raise InputError(text) from error
    try:
        segmentation = segread(header.filename)
        volume = segmentation.get_volume(segment_numbers=list(chosen), rescale_fractional=True)
        # One after the other: a file of all organs has a hundred.
        layers = (_voxels(segmentation, number) * np.uint16(n) for n, number in enumerate(others, start=1))
        numbers = numbered(layers, volume.spatial_shape)
    except (RuntimeError, ValueError, AttributeError, KeyError, TypeError, OSError) as error:
        raise InputError(f"The DICOM segmentation {source} cannot be read as a volume ({error}).") from error
    array = volume.array
    if array.ndim == 4:
        array = np.zeros(volume.array.shape[:3], np.uint8)
        for n, value in enumerate(chosen.values()):
            array[volume.array[..., n] > 0.5] = value
    image, moved = _moved_onto(_stack(array, volume.affine), ct)
    values, warnings = mask_on_ct(image, ct)
    if not others:
        return values, [*moved, *warnings], None
    names = tuple(others.values())
    beside, _ = _moved_onto(_stack(numbers, volume.affine), ct)
    return values, [*moved, *warnings, left_out_note(source, names)], left_out_on_ct(names, beside, ct)


def _voxels(segmentation: Segmentation, number: int) -> np.ndarray:
    """The voxels (bool) of a segment, in the order of the whole volume."""
    array = segmentation.get_volume(segment_numbers=[number], rescale_fractional=True).array
    return (array[..., 0] if array.ndim == 4 else array) > 0.5


def _stack(array: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """An image from an array and the matrix from its indices to LPS positions in mm, as highdicom has them."""
    image = sitk.GetImageFromArray(array)
    steps = affine[:3, 2::-1]
    spacing = np.linalg.norm(steps, axis=0)
    direction = tuple((steps / spacing).ravel().tolist())
    return Geometry(image.GetSize(), tuple(spacing.tolist()), tuple(affine[:3, 3].tolist()), direction).apply_to(image)


def _moved_onto(image: sitk.Image, ct: CTVolume) -> tuple[sitk.Image, list[str]]:
    """The mask, put onto the CT's grid where it has the CT's voxels less than a voxel aside, and a note on that."""
    lps = sitk.DICOMOrient(image, "LPS")
    spacing = ct.geometry.spacing
    if lps.GetSize() == ct.geometry.size and np.allclose(lps.GetSpacing(), spacing, rtol=_SPACING_TOLERANCE):
        aside = np.abs(np.subtract(lps.GetOrigin(), ct.geometry.origin)) / spacing
        if 0.01 < aside.max() < 1.0:
            note = f"The mask lay {aside.max():.1f} voxels beside its CT and was moved onto it."
            return ct.geometry.apply_to(lps), [note]
    return image, []
