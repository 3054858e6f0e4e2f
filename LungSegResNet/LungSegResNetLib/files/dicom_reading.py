"""Reads one CT series from DICOM: puts its slices on an even grid and fills small gaps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..ct_volume import CTVolume, Geometry
from ..errors import InputError, NoCTError
from ..wording import counted
from .dicom_choice import WhenInDoubt, choose_series
from .dicom_damage import mentions_uid, naming
from .dicom_headers import Series, scan_folder, series_of_file
from .dicom_image import Header, along_normal, dicom_reader, may_be_dicom, numbers_in, whole_number_in
from .dicom_repeats import without_repeats
from .dicom_stacks import DISTINGUISHING_TAGS, is_even, lost_slices
from .folder_walk import files_of_folders
from .hounsfield import HounsfieldBuffer, is_shifted, to_hounsfield
from .library_errors import raise_if_out_of_memory
from .prefetching import read_ahead
from .slice_positions import EvenGrid, even_grid, part_stacks

TILTED = "was scanned with the gantry tilted"  # in the warning of a scan whose slices are not where they were
_TILT_DEGREES = 1.0
# More slices than this share are a part of the lungs; fewer can be interpolated.
_MOST_LOST = 0.05
_WHOLE_SHARE = 0.95  # of the length of all stacks in a series


def read_dicom_folder(
    folder: Path, series: str | None, *, when_in_doubt: WhenInDoubt, recursive: bool
) -> tuple[CTVolume, list[str]]:
    """Read the largest axial CT series of ``folder``, or the one ``series`` names (see ``reading.read_ct``).

    Parameters
    ----------
    when_in_doubt : ``ask`` raises UsageError where several series are about equally large, ``choose`` takes one (see
        ``choose_series``).
    recursive : search the subfolders, too, as `files_of_folders` does.

    Raises
    ------
    NoCTError : nothing in the folder claims to be CT.
    InputError, UsageError : as `choose_series` and `read_series` say, or the CT may be among damaged files.
    """
    left_out: list[str] = []
    found, damaged = scan_folder(folder, recursive=recursive, warn=left_out.append)
    if damaged:
        text = f"Left out: {counted(len(damaged), 'damaged DICOM file')} (the first is {damaged[0].name})."
        left_out.insert(0, text)
    try:
        chosen, choice_warnings = choose_series(found, series, folder, when_in_doubt)
    except NoCTError as error:
        if damaged:  # which may have been the CT
            raise InputError(f"{error} {left_out[0]}") from error
        raise
    volume, warnings = read_series(chosen, _damaged_slices(chosen, found, damaged))
    return volume, left_out + choice_warnings + warnings


def _damaged_slices(chosen: Series, found: Sequence[Series], damaged: Sequence[Path]) -> int:
    """How many of the damaged files are of the chosen series: they tell its UID, or only its slices are named so."""
    names = {naming(header.path) for header in chosen.headers}
    names -= {naming(header.path) for series in found if series is not chosen for header in series.headers}
    return sum(naming(path) in names or mentions_uid(path, chosen.info.uid) for path in damaged)


def read_dicom_file(path: Path) -> tuple[CTVolume, list[str]]:
    """Read a single DICOM file: a slice or an enhanced multi-frame CT."""
    volume, warnings = read_series(series_of_file(path))
    if len(volume.hu) == 1 and _lies_among_others(path):
        warnings.append(f"Only the slice {path.name} was read; give its folder to read the whole series.")
    return volume, warnings


def _lies_among_others(path: Path) -> bool:
    """Whether other DICOM files lie beside this one; what cannot be opened is none."""
    try:
        siblings = next(files_of_folders(path.parent, lambda text: None, recursive=False), [])
        return any(other != path and may_be_dicom(other) for other in siblings)
    except InputError:
        return False


def read_series(series: Series, damaged: int = 0) -> tuple[CTVolume, list[str]]:
    """Voxels and geometry of one series, of which so many further files are ``damaged``.

    Raises InputError if it is not a CT, does not form an even, straight stack or lost a part with the damaged files.
    """
    info = series.info
    name = f"Series '{info.description}'" if info.description else series.headers[0].path.name
    if info.modality and info.modality != "CT":
        raise InputError(f"{name} is not a CT: its modality is {info.modality}.")
    if series.headers[0].is_coloured:
        raise InputError(f"{name} is a colour picture, not a CT in Hounsfield units.")
    if series.headers[0].is_inverted:
        raise InputError(
            f"{name} stores inverted grey values (MONOCHROME1), which cannot be converted to Hounsfield units; export "
            "it again as it came from the scanner."
        )
    warnings = _left_out(series, name)
    if len({header.tags["series_uid"] for header in series.headers}) > 1:
        warnings.append(
            f"The slices of {name} say that each is a series of its own; they were taken as one scan, because they are "
            "of one study, series number and description and lie evenly."
        )
    headers, grid, stack_warnings = _even_stack(series.headers, name)
    warnings += stack_warnings
    _refuse_lost_ends(name, grid, damaged)
    volume_origin, tilt = _origin_and_tilt(headers, name)
    first = headers[0]
    buffer = _read_pixels(headers, grid)
    _refuse_lost_rescales(headers, buffer, name)
    if first.orientation is None or first.spacing is None:
        raise InputError(f"{name} does not give its voxel size and orientation, so nothing can be measured in it.")
    if tilt > _TILT_DEGREES:
        warnings.append(
            f"{name} {TILTED} by {tilt:.0f} degrees; "
            "slices are stacked upright, so volumes are right but the shape is sheared."
        )
    if info.plane != "axial":
        warnings.append(f"{name} is {info.plane}, not axial; results are best on axial slices.")
    rows, columns = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    direction = np.stack([rows, columns, np.cross(rows, columns)], axis=1)
    distance = grid.step or _thickness(first)
    if distance is None:
        distance = 1.0
        warnings.append(
            f"{name} does not give its slice thickness; 1 mm was assumed, so volumes and masses are unreliable."
        )
    native = Geometry(
        (first.size[0], first.size[1], len(grid.order)),
        (*first.spacing, distance),
        volume_origin,
        tuple(direction.ravel().tolist()),
    )
    warnings += to_hounsfield(buffer, name)
    return CTVolume.from_array(buffer.array, native, info.description or first.path.name), warnings


def _left_out(series: Series, name: str) -> list[str]:
    """Warning of images that fit into no stack. Raises InputError if a part of the scan would be lost with them."""
    if not series.left_out:
        return []
    lost = lost_slices(series.headers, series.left_out)
    if lost > _MOST_LOST * (total := lost + series.info.slices):
        raise InputError(
            f"{name} cannot be stacked to a volume: {lost} of its {total} slices differ from the others "
            "in matrix, pixel size, orientation or colour."
        )
    files = f"{len(series.left_out)} of {len(series.left_out) + len(series.headers)} files"
    return [f"{name} holds images of another matrix, pixel size, orientation or colour, which were left out ({files})."]


def _even_stack(headers: tuple[Header, ...], name: str) -> tuple[list[Header], EvenGrid, list[str]]:
    """Headers in use, the grid of their frames, and warnings; several stacks in one series are parted, and slices that
    it repeats are left out."""
    used = list(headers)
    if not all(header.has_places for header in used):
        raise InputError(
            f"{name} does not say where its slices lie (no position or no valid orientation in its files)."
        )
    warnings: list[str] = []
    try:
        grid = even_grid(along_normal(used))
    except InputError as error:
        used = _one_stack(headers)
        if not used:
            once = without_repeats(headers, _open)
            if len(once) == len(headers):
                raise InputError(f"{name} cannot be stacked to a volume: it {error}.") from error
            used, grid, warnings = _even_stack(once, name)
            text = (
                f"{name} holds slices more than once, with equal pixels at the same place; the first of each was taken "
                f"({len(headers) - len(once)} of {len(headers)} files left out)."
            )
            return used, grid, [text, *warnings]
        whole, part = (float(np.ptp(along_normal(list(some)))) for some in (headers, used))
        covered = "" if part > _WHOLE_SHARE * whole else f", which covers {part:.0f} of {whole:.0f} mm"
        warnings.append(
            f"{name} holds {len(headers)} images of several scans or reconstructions; one with {len(used)} was "
            f"taken{covered}."
        )
        grid = even_grid(along_normal(used))
    if missing := grid.missing:
        if len(missing) > len(grid.order) // 3:
            raise InputError(f"{name} cannot be used: {len(missing)} of its {len(grid.order)} slices are missing.")
        places = ", ".join(f"{mm:.1f}" for mm in _lps_mm([grid.position(plane) for plane in missing], used))
        where = f" at {places} mm" if len(missing) <= 5 else ""
        lacking = counted(len(missing), "slice") + where
        warnings.append(f"{name} lacks {lacking}, interpolated from the neighbours.")
    return used, grid, warnings


def _refuse_lost_ends(name: str, grid: EvenGrid, damaged: int) -> None:
    """Raise InputError if more slices are damaged than are missing between others, and these are a part of the scan."""
    beyond = damaged - len(grid.missing)
    if beyond > _MOST_LOST * (total := len(grid.order) + beyond):
        raise InputError(
            f"{name} cannot be used: {damaged} of its {total} slices are damaged or cut off, {beyond} of them at its "
            "ends; copy or export it again."
        )


def _lps_mm(along: list[float], headers: list[Header]) -> list[float]:
    """LPS coordinates, along the axis nearest to the normal, of places between slices given along the normal."""
    positions = np.array([position for header in headers for position in header.positions])
    known = np.array(along_normal(headers))
    order = known.argsort()
    axis = ("sagittal", "coronal", "axial").index(headers[0].plane)
    mm: list[float] = np.interp(along, known[order], positions[order, axis]).tolist()
    return mm


def _one_stack(headers: tuple[Header, ...]) -> list[Header]:
    """The best of several stacks that are mixed in one series; empty if they cannot be told apart."""
    if any(header.size[2] > 1 for header in headers):
        largest_first = sorted(headers, key=lambda header: header.size[2], reverse=True)
        return next(([header] for header in largest_first if is_even([header])), [])
    keys = [[header.tags[tag] for header in headers] for tag in DISTINGUISHING_TAGS]
    numbers = [whole_number_in(header.tags["instance"]) for header in headers]
    stacks = part_stacks(along_normal(headers), keys, numbers)
    return [headers[index] for index in stacks[0]] if stacks else []


def _read_pixels(headers: list[Header], grid: EvenGrid) -> HounsfieldBuffer:
    """Fill a buffer plane by plane, so that a scan is never held twice."""
    plane_of = {index: plane for plane, index in enumerate(grid.order) if index is not None}
    columns, rows = headers[0].size[:2]
    buffer = HounsfieldBuffer((len(grid.order), rows, columns))
    index = 0
    for header, image in zip(headers, read_ahead(_open, headers), strict=True):
        for frame, section in enumerate(sitk.GetArrayViewFromImage(image).reshape(header.size[2], rows, columns)):
            buffer.put(plane_of[index], _rescaled(section, header, frame))
            index += 1
    for plane in grid.missing:
        below = next(n for n in range(plane, -1, -1) if grid.order[n] is not None)
        above = next(n for n in range(plane, len(grid.order)) if grid.order[n] is not None)
        weight = (plane - below) / (above - below)
        blend = (1 - weight) * buffer.array[below].astype(np.float32) + weight * buffer.array[above]
        buffer.put(plane, np.rint(blend) if buffer.array.dtype == np.int16 else blend)
    return buffer


def _refuse_lost_rescales(headers: list[Header], buffer: HounsfieldBuffer, name: str) -> None:
    """Raise InputError where some slices lost their rescale to Hounsfield units, or have one of 0, and others not."""
    rescales = [header.rescale for header in headers]
    if len({rescale or (1.0, 0.0) for rescale in rescales}) == 1:
        return
    lost = rescales.count(None) or sum(map(is_shifted, buffer.array))
    if 0 < lost < len(buffer.array):
        raise InputError(
            f"{name} cannot be used: {lost} of its {len(buffer.array)} slices lack the rescale to Hounsfield units "
            "that the others have; export it again."
        )


def _rescaled(section: np.ndarray, header: Header, frame: int) -> np.ndarray:
    """Hounsfield units of a frame as the library gives it, which takes the rescale of the first frame for all."""
    if not header.rescales or header.rescales[frame] == header.rescales[0]:
        return section
    (taken_slope, taken_intercept), (slope, intercept) = header.rescales[0], header.rescales[frame]
    return np.rint((section - taken_intercept) / taken_slope) * slope + intercept


def _open(header: Header) -> sitk.Image:
    if header.rescales and (len(header.rescales) != header.size[2] or not all(slope for slope, _ in header.rescales)):
        raise InputError(
            f"{header.path.name} does not tell for each of its frames how its values become Hounsfield units; export "
            "it as single slices."
        )
    if header.lacks_pixels:
        raise InputError(f"{header.path.name} is damaged: it holds fewer pixels than it says; copy or export it again.")
    try:
        return dicom_reader(header.path).Execute()
    except RuntimeError as error:
        raise_if_out_of_memory(error)
        raise InputError(
            f"{header.path.name} is damaged, cut off or compressed in a way that cannot be read."
        ) from error


def _origin_and_tilt(headers: list[Header], name: str) -> tuple[tuple[float, float, float], float]:
    """Position of the lowest slice, and the angle in degrees between the slices' normal and their line of stacking.

    Raises InputError if a slice lies more than a pixel beside the line from the lowest to the highest one.
    """
    positions = np.array([position for header in headers for position in header.positions])
    along = np.array(along_normal(headers))
    lowest, highest = positions[along.argmin()], positions[along.argmax()]
    x, y, z = lowest.tolist()
    height = np.ptp(along)
    if height == 0:
        return (x, y, z), 0.0
    share = (along - along.min()) / height
    beside = float(np.linalg.norm(positions - lowest - share[:, None] * (highest - lowest), axis=1).max())
    if beside > max(headers[0].spacing or (np.inf,)):
        raise InputError(
            f"{name} cannot be stacked to a volume: some of its slices lie up to {beside:.1f} mm beside the others."
        )
    cosine = height / np.linalg.norm(highest - lowest)
    return (x, y, z), float(np.degrees(np.arccos(min(1.0, cosine))))


def _thickness(header: Header) -> float | None:
    """Slice thickness in mm; None where the file does not tell: only the volume of a single slice depends on it."""
    told = numbers_in(header.tags["thickness"])
    return told[0] if told and told[0] > 0 else None
