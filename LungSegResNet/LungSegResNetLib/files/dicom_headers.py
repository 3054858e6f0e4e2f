"""What a folder of DICOM files holds: the headers of its images, gathered into series."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError, NoCTError
from ..wording import counted
from .dicom_damage import lacks_beginning, may_be_damaged_ct, naming
from .dicom_image import Header, may_be_dicom, numbers_in, read_header, whole_number_in
from .dicom_stacks import Stack, gather_series, part_series
from .folder_walk import files_of_folders
from .prefetching import read_ahead


@dataclass(frozen=True)
class SeriesInfo:
    """One series of a folder: what a person needs to choose.

    Attributes
    ----------
    number : position in the folder's list, from 1.
    plane : ``axial``, ``coronal``, ``sagittal`` or ``unknown``.
    kind : ``original``, ``derived`` (projections, reformats), ``localizer`` or ``secondary capture``.
    thickness_mm : nominal slice thickness as the file has it, empty where absent; so is ``kernel``.
    part : where several scans or reconstructions share one UID, what tells this one from the others; else empty.
    """

    number: int
    uid: str
    description: str
    modality: str
    slices: int
    plane: str
    kind: str
    kernel: str
    thickness_mm: str
    part: str = ""

    def __str__(self) -> str:
        return (
            f"{self.number}: {self.description or 'no description'} ({self.modality or 'no modality'}, "
            f"{self.plane}, {self.kind}, {self._reconstruction}, UID ...{self.uid[-8:]})"
        )

    @property
    def brief(self) -> str:
        """For a sentence: its name, number and reconstruction."""
        name = f"'{self.description}'" if self.description else "one without description"
        return f"{name} (number {self.number}, {self._reconstruction})"

    @property
    def _reconstruction(self) -> str:
        thickness = f"{float(self.thickness_mm):g} mm" if numbers_in(self.thickness_mm) else "thickness unknown"
        text = f"{counted(self.slices, 'slice')}, {thickness}, kernel {self.kernel or 'unknown'}"
        return f"{text}, {self.part}" if self.part else text


@dataclass(frozen=True)
class Series:
    """A series and the headers of its files; ``left_out`` fit into no stack (localizers are not counted)."""

    info: SeriesInfo
    headers: tuple[Header, ...] = field(repr=False)
    left_out: tuple[Header, ...] = field(default=(), repr=False)


def list_series(folder: str | os.PathLike[str]) -> list[SeriesInfo]:
    """All image series of ``folder`` and its subfolders, ordered by series number.

    Scans and reconstructions that share a SeriesInstanceUID but cover each other are listed one by one.

    Raises
    ------
    InputError : there is no such folder, it cannot be opened, or there is no DICOM image in it (NoCTError) or only
        damaged ones.
    """
    return [series.info for series in scan_folder(folder)[0]]


def scan_folder(
    folder: str | os.PathLike[str], *, recursive: bool = True, warn: Callable[[str], None] = lambda text: None
) -> tuple[list[Series], list[Path]]:
    """The series of ``list_series`` with their headers, and the CT files that are too damaged to be opened.

    ``recursive`` searches the subfolders, too; ``warn`` gets a sentence for each folder that is left out, as in
    `files_of_folders`.
    """
    folder = Path(folder)
    files = files_of_folders(folder, warn, recursive=recursive)
    headers, damaged = _read_headers(sorted(itertools.chain.from_iterable(files)))
    if not headers:
        if damaged:
            raise InputError(
                f"The DICOM files in {folder} are damaged or cut off (for example {damaged[0].name}); copy them again."
            )
        raise NoCTError(f"There is no DICOM image in {folder}; of another format give the file itself.")
    groups = gather_series(headers)
    groups.sort(key=lambda group: (whole_number_in(group[0].tags["series_number"]), group[0].tags["series_uid"]))
    stacks = [stack for group in groups for stack in part_series(group)]
    return [_series(number, stack) for number, stack in enumerate(stacks, start=1)], damaged


def series_of_file(path: Path) -> Series:
    """A single file as a series of its own. Raises InputError if it is not a DICOM image."""
    header = read_header(path)
    if header is None:
        raise InputError(f"{path.name} cannot be read as a DICOM image: it is damaged, cut off or holds no image.")
    return _series(1, Stack((header,)))


def _read_headers(paths: Sequence[Path]) -> tuple[list[Header], list[Path]]:
    """Headers of the different images among ``paths``, and the CT files that cannot be opened.

    A file that lost its beginning, too, is taken for a CT by its ending, or where it is named as the images beside it.
    """
    headers: dict[tuple[object, ...], Header] = {}
    damaged, unknown = list[Path](), list[Path]()
    names = set[tuple[Path, str]]()
    for path, (is_dicom, header) in zip(paths, read_ahead(_look_at, paths), strict=True):
        if not is_dicom:
            unknown.append(path)
        elif header:
            headers.setdefault(_identity(header), header)
            names.add(naming(path))
        elif may_be_damaged_ct(path):
            damaged.append(path)
    damaged += [path for path in unknown if naming(path) in names and lacks_beginning(path)]
    return list(headers.values()), sorted(damaged)


def _look_at(path: Path) -> tuple[bool, Header | None]:
    """Whether a file may be DICOM, and its header if it is an image."""
    is_dicom = may_be_dicom(path)
    return is_dicom, read_header(path) if is_dicom else None


def _identity(header: Header) -> tuple[object, ...]:
    """Equal for the same image copied twice into a folder.

    Some programs that remove names give all files one identifier, so that series and place count, too.
    """
    if not header.tags["sop_instance"]:
        return (header.path,)
    names = ("sop_instance", "study_uid", "series_uid", "series_number", "instance")
    return (*(header.tags[name] for name in names), header.positions)


def _series(number: int, stack: Stack) -> Series:
    first = stack.headers[0]
    info = SeriesInfo(
        number,
        first.tags["series_uid"],
        first.tags["description"],
        first.tags["modality"],
        sum(header.size[2] for header in stack.headers),
        first.plane,
        first.kind,
        first.tags["kernel"],
        first.tags["thickness"],
        stack.part,
    )
    return Series(info, stack.headers, stack.left_out)
