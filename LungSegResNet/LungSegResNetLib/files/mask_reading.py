"""Reads a mask (label file or Slicer segmentation) and lays it on the grid of a CT."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..ct_volume import CTVolume, Geometry
from ..errors import InputError, unreadable
from ..labels import LEFT_LUNG, LUNG_SEGMENTS, RIGHT_LUNG
from .image_files import (
    CT_ENDINGS,
    NIFTI_ENDINGS,
    has_orientation,
    open_image_file,
    read_voxels,
    require_one_value_per_voxel,
    segment_headers,
)
from .library_errors import raise_if_out_of_memory
from .nifti_geometry import doubts_of_nifti
from .other_segments import OtherSegments, in_quotes, left_out_note, numbered
from .ptk_metafile import ptk_axes
from .segment_names import BOTH_SIDES, NamedLung, lung_of_segment, lungs_among

_GRID_TOLERANCE = 1e-3


@dataclass(frozen=True)
class MaskFile:
    """What a mask file holds.

    Attributes
    ----------
    labels : 3D uint8 image on the file's own grid.
    has_sides : whether the segments of the file say which lung is which, and the labels are 1 = right and 2 = left.
    has_orientation : whether it says how its voxels lie in the patient.
    warnings : what was left out, and what the file says twice and differently, in sentences.
    left_out, left_out_numbers : names of the segments that were left out, and where each of them lies: an image like
        ``labels`` (see `OtherSegments`), None without any.
    """

    labels: sitk.Image
    has_sides: bool
    has_orientation: bool
    warnings: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    left_out_numbers: sitk.Image | None = None


def read_mask_file(path: str | os.PathLike[str]) -> MaskFile:
    """Read the labels of a mask file.

    A segmentation of 3D Slicer (``.seg.nrrd``, also cropped or in several layers) is brought to labels 1 = right and
    2 = left lung where names or terminology of its segments tell the side, also as all lobes of a lung; its other
    segments are then left out, and so are those beside a segment that is both lungs by its name. A segment without a
    side that is alone gets label 1.
    Otherwise, and for all other files, label values stay as they are.

    Raises
    ------
    InputError : the file cannot be read, holds other values than whole numbers from 0 to 255, tells the side of one
        lung only while it has other segments, too, which may be the other lung, or has several segments that may be
        both lungs or only some lobes of a lung.
    """
    path = Path(path)
    try:
        if path.exists() and not path.name.lower().endswith(CT_ENDINGS):
            raise InputError(f"{path.name} is not a readable mask; readable are {', '.join(CT_ENDINGS)}.")
        return _read(path)
    except OSError as error:
        raise unreadable(path, error) from error


def read_lungs(path: str | os.PathLike[str], ct: CTVolume) -> tuple[np.ndarray, list[str]]:
    """The lungs of a mask file in the order of ``ct.hu``, and warnings.

    Labels (uint8: 1 right, 2 left), or a boolean mask of both lungs where the file does not tell the sides. The label 2
    alone is the left lung, any other alone is both.

    Raises
    ------
    InputError : the file cannot be read, does not overlap with the CT, holds labels of other things, or is a .mhd file
        of the Pulmonary Toolkit, whose origin says nothing.
    """
    path = Path(path)
    mask = read_mask_file(path)
    if ptk_axes(path):
        raise InputError(
            f"{path.name} was written by the Pulmonary Toolkit and does not say where it lies in the patient; "
            "lungsegresnet-train check and evaluate lay such masks onto their CT."
        )
    labels, warnings = mask_on_ct(mask.labels, ct)
    warnings += mask.warnings
    if not mask.has_orientation:
        warnings.append(
            f"{path.name} does not say how its voxels lie in the patient; the mask may be rotated relative to "
            f"{ct.source}."
        )
    values = np.unique(sitk.GetArrayViewFromImage(mask.labels))
    values = values[values > 0].tolist()
    # Nobody marks both lungs with the number of the left one.
    if mask.has_sides or values in ([], [LEFT_LUNG], [RIGHT_LUNG, LEFT_LUNG]):
        return labels, warnings
    if len(values) == 1:
        text = f"{path.name} holds a single label, {values[0]}; it is taken as both lungs together."
        if values == [RIGHT_LUNG]:
            text += " A right lung alone keeps its side in a .seg.nrrd file."
        return labels > 0, [*warnings, text]
    raise InputError(
        f"{path.name} holds the labels {', '.join(map(str, values))}; "
        f"give a mask with {RIGHT_LUNG} for the right and {LEFT_LUNG} for the left lung, or with one label for both. "
        "Set what is not lung, such as airways, to 0, and disease drawn with a label of its own to the label of its "
        "lung."
    )


def _read(path: Path) -> MaskFile:
    reader = open_image_file(path)
    segments = segment_headers(reader)
    named = [_lung_of(segment) for segment in segments]
    lungs = lungs_among(named)
    sides = [None if lung == BOTH_SIDES else lung for lung in lungs]
    has_sides = any(sides)
    if not has_sides and len(segments) > 1:
        sides = _both_lungs_alone(path, segments, lungs)
    if not any(sides) and (lobes := _names_of_lobes(segments, named)):
        raise InputError(
            f"{path.name} does not contain all lobes of a lung, only {', '.join(lobes)}; add the others, or the whole "
            "lung."
        )
    left_out = _names_without_side(segments, sides) if any(sides) else []
    numbers = None
    if has_sides and left_out and len(set(filter(None, sides))) == 1:
        (found,) = [lung.name for lung in LUNG_SEGMENTS if lung.label in sides]
        raise InputError(
            f"{path.name} has the {found} and segments of unknown side ({in_quotes(left_out)}); name the other lung "
            "'right lung' or 'left lung', or delete what is not lung."
        )
    if segments:
        image = read_voxels(reader)
        try:
            labels = _labels_of_segments(_layers(image), segments, sides)
            if left_out:
                numbers = numbered(_left_out_by_layer(_layers(image), segments, sides), labels.shape)
        except (ValueError, IndexError, OverflowError) as error:
            raise InputError(
                f"{path.name} has segments without a valid label value or layer; save it again."
            ) from error
        if sides == [None]:
            labels = labels > 0  # the number of a segment tells no side
    else:
        require_one_value_per_voxel(reader)
        image = read_voxels(reader)
        labels = sitk.GetArrayViewFromImage(image)
        if not _whole_numbers_to_255(labels):
            raise InputError(f"{path.name} is not a mask: it holds values other than whole numbers from 0 to 255.")
    geometry = Geometry.of(image)
    labels_image = geometry.apply_to(sitk.GetImageFromArray(labels.astype(np.uint8)))
    numbers_image = None if numbers is None else geometry.apply_to(sitk.GetImageFromArray(numbers))
    doubts = doubts_of_nifti(path, geometry) if path.name.lower().endswith(NIFTI_ENDINGS) else []
    warnings = [left_out_note(path.name, left_out)] if left_out else []
    oriented = has_orientation(reader)
    return MaskFile(labels_image, has_sides, oriented, (*warnings, *doubts), tuple(left_out), numbers_image)


def mask_on_ct(mask: sitk.Image, ct: CTVolume) -> tuple[np.ndarray, list[str]]:
    """Labels in the order of ``ct.hu`` (uint8) and warnings; grids are matched by physical space, nearest neighbour.

    Raises
    ------
    InputError : mask and CT do not overlap.
    """
    on_mask_grid = CTVolume.from_sitk(mask, "mask")
    if _same_grid(on_mask_grid.geometry, ct.geometry):
        return on_mask_grid.hu.astype(np.uint8, copy=False), []
    if not _boxes_overlap(on_mask_grid.geometry, ct.geometry):
        raise InputError(
            f"The mask does not overlap with {ct.source} in space: it belongs to another scan or has lost its position."
        )
    labels = _resampled(mask, ct.geometry).astype(np.uint8, copy=False)
    before = np.count_nonzero(on_mask_grid.hu) * on_mask_grid.voxel_ml
    after = np.count_nonzero(labels) * ct.voxel_ml
    warnings = []
    if before and not after:
        raise InputError(
            f"Nothing of the mask lies inside {ct.source}: it belongs to another scan or has lost its position."
        )
    if not _on_same_lattice(on_mask_grid.geometry, ct.geometry):
        warnings.append(f"The mask has a different grid from {ct.source}; it was resampled to the nearest voxel.")
    if before and after < 0.95 * before:
        warnings.append(f"{100 * (1 - after / before):.0f} % of the mask lies outside {ct.source} and was cut off.")
    return labels, warnings


def left_out_on_ct(names: tuple[str, ...], numbers: sitk.Image, ct: CTVolume) -> OtherSegments:
    """The segments that a mask file has beside the lungs in the order of ``ct.hu``, as far as they lie in it."""
    on_its_grid = CTVolume.from_sitk(numbers, "mask")
    same = _same_grid(on_its_grid.geometry, ct.geometry)
    return OtherSegments(names, on_its_grid.hu if same else _resampled(numbers, ct.geometry))


def _resampled(mask: sitk.Image, target: Geometry) -> np.ndarray:
    """The nearest voxel of a mask at each place of another grid; 0 beyond it."""
    place = (target.origin, target.spacing, target.direction)
    try:
        resampled = sitk.Resample(mask, target.size, sitk.Transform(), sitk.sitkNearestNeighbor, *place, 0)
    except RuntimeError as error:
        raise_if_out_of_memory(error)
        raise
    return sitk.GetArrayFromImage(resampled)


def _layers(image: sitk.Image) -> list[np.ndarray]:
    """Label arrays (z, y, x): one, or one for each layer of a segmentation with overlapping segments."""
    voxels = sitk.GetArrayViewFromImage(image)
    return [voxels] if voxels.ndim == 3 else [voxels[..., n] for n in range(voxels.shape[-1])]


def _labels_of_segments(
    layers: list[np.ndarray], segments: Sequence[dict[str, str]], sides: Sequence[int | None]
) -> np.ndarray:
    labels = np.zeros(layers[0].shape, np.uint8)
    for number, (segment, side) in enumerate(zip(segments, sides, strict=True)):
        layer, value = _layer_and_value(layers, segment, number)
        # Label values are unique within a layer only.
        unsided = value if len(layers) == 1 else number + 1
        label = side if any(sides) else unsided
        if label:
            labels[layers[layer] == value] = label
    return labels


def _left_out_by_layer(
    layers: list[np.ndarray], segments: Sequence[dict[str, str]], sides: Sequence[int | None]
) -> Iterator[np.ndarray]:
    """Numbers of the segments without a side (uint16, from 1 on), of each layer that has one."""
    numbers: dict[int, dict[int, int]] = {}
    count = 0
    for index, (segment, side) in enumerate(zip(segments, sides, strict=True)):
        if side is None:
            count += 1
            layer, value = _layer_and_value(layers, segment, index)
            numbers.setdefault(layer, {})[value] = count
    for layer, of_values in numbers.items():
        table = np.zeros(max(of_values) + 2, np.uint16)  # what lies beyond the largest value gets the last one, 0
        table[list(of_values)] = list(of_values.values())
        # Slice by slice, because indices take eight times the memory of labels.
        yield np.stack([table[section.astype(int).clip(0, len(table) - 1)] for section in layers[layer]])


def _layer_and_value(layers: list[np.ndarray], segment: dict[str, str], number: int) -> tuple[int, int]:
    return int(segment.get("Layer", number if len(layers) > 1 else 0)), int(segment.get("LabelValue", 1))


def _both_lungs_alone(path: Path, segments: Sequence[dict[str, str]], lungs: Sequence[int | None]) -> list[int | None]:
    """One label for the segment that is both lungs by its name, so that others count as no lung; None for all if there
    is no such segment."""
    both = [lung == BOTH_SIDES for lung in lungs]
    if sum(both) > 1:
        names = [segment.get("Name", "") for segment in segments]
        found = " and ".join(f"'{name}'" for name, is_both in zip(names, both, strict=True) if is_both)
        raise InputError(f"{path.name} has several segments that may be both lungs ({found}); keep one of them.")
    return [RIGHT_LUNG if is_both else None for is_both in both]


def _names_of_lobes(segments: Sequence[dict[str, str]], named: Sequence[NamedLung | None]) -> list[str]:
    return [f"'{segment.get('Name', '')}'" for segment, lung in zip(segments, named, strict=True) if lung and lung.lobe]


def _names_without_side(segments: Sequence[dict[str, str]], sides: Sequence[int | None]) -> list[str]:
    return [segment.get("Name", "") for segment, side in zip(segments, sides, strict=True) if side is None]


def _lung_of(segment: dict[str, str]) -> NamedLung | None:
    terminology = segment.get("Tags", "").partition("TerminologyEntry:")[2].partition("|")[0]
    return lung_of_segment(segment.get("Name", ""), terminology)


def _whole_numbers_to_255(values: np.ndarray) -> bool:
    # A NaN fails both comparisons.
    if not (values.min() >= 0 and values.max() <= 255):
        return False
    return not np.issubdtype(values.dtype, np.floating) or bool((values == np.rint(values)).all())


def _same_grid(a: Geometry, b: Geometry) -> bool:
    return a.size == b.size and _on_same_lattice(a, b) and bool(np.abs(_offset_in_voxels(a, b)).max() < 0.5)


def _on_same_lattice(a: Geometry, b: Geometry) -> bool:
    """True if the voxel centres of one grid, continued, are those of the other: one is a part of the other."""
    if not np.allclose(a.spacing, b.spacing, rtol=_GRID_TOLERANCE) or not np.allclose(
        a.direction, b.direction, atol=_GRID_TOLERANCE
    ):
        return False
    offset = _offset_in_voxels(a, b)
    return bool(np.abs(offset - np.rint(offset)).max() < 0.05)


def _offset_in_voxels(a: Geometry, b: Geometry) -> np.ndarray:
    """Where the origin of ``a`` lies on the grid of ``b``."""
    inverse = np.linalg.inv(b.axes)
    return inverse @ (np.array(a.origin) - np.array(b.origin)) / np.array(b.spacing)


def _boxes_overlap(a: Geometry, b: Geometry) -> bool:
    """Whether the boxes around both grids meet, counted in voxels of ``b``."""
    inverse = np.linalg.inv(b.steps)
    inside = (a.corners - np.array(b.origin)) @ inverse.T
    return bool((inside.max(axis=0) > -0.5).all() and (inside.min(axis=0) < np.array(b.size) - 0.5).all())
