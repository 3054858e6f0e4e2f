"""Gathers images to series, and parts those of a series into stacks: scans or reconstructions of one region."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..errors import InputError
from .dicom_image import Header, along_normal
from .slice_positions import even_grid

# Tags that tell scans and reconstructions in one series apart, in the order in which they are tried.
DISTINGUISHING_TAGS = ("series_number", "acquisition", "phase", "kernel", "thickness", "image_type")
# How a part is named by them; lists of series show kernel and thickness anyway.
_PART_NAMES = {
    "series_number": "series number ",
    "acquisition": "acquisition ",
    "phase": "phase ",
    "image_type": "image type ",
    "file": "",
}
# What images of one series have in common even where some program gave each a SeriesInstanceUID of its own.
_SERIES_TAGS = ("patient", "study_uid", "series_number", "description", "modality", "sop_class", "image_type")
_FEWEST_JOINED = 3  # two images always lie evenly
# Two stacks that leave no more of their places empty cannot be halves of one that were assigned at random.
_MOST_MISSING = 1 / 3
_SAME_PLACE = 0.4  # of the slice distance
_COVERING = 0.5  # of the shorter one's extent: two stacks of the same region, not one that continues the other


@dataclass(frozen=True)
class Stack:
    """Files of one stack.

    Attributes
    ----------
    part : what tells it from the other stacks of its series; empty where it is the only one.
    left_out : images of its series that fit into no stack; localizers are not counted.
    """

    headers: tuple[Header, ...]
    part: str = ""
    left_out: tuple[Header, ...] = ()


def gather_series(headers: Iterable[Header]) -> list[list[Header]]:
    """The images of each series of a patient: programs that remove names may give series of several one UID.

    Some programs that remove names give each slice a SeriesInstanceUID of its own. Images that are alone in their
    series are joined where all else that tells series apart is the same and they form even stacks.
    """
    by_uid: dict[tuple[str, str], list[Header]] = {}
    for header in headers:
        by_uid.setdefault((header.tags["patient"], header.tags["series_uid"]), []).append(header)
    lone: dict[tuple[str, ...], list[Header]] = {}
    groups = []
    for group in by_uid.values():
        if len(group) == 1 and group[0].size[2] == 1 and not group[0].is_localizer:
            lone.setdefault(tuple(group[0].tags[tag] for tag in _SERIES_TAGS), []).append(group[0])
        else:
            groups.append(group)
    for slices in lone.values():
        is_series = len(slices) >= _FEWEST_JOINED and _have_places(slices) and _form_stacks(slices)
        groups += [slices] if is_series else [[header] for header in slices]
    return groups


def _form_stacks(slices: list[Header]) -> bool:
    """Whether all images lie in even stacks of several slices."""
    stacks = part_series(slices)
    return not stacks[0].left_out and all(len(s.headers) > 1 and is_even(list(s.headers)) for s in stacks)


def part_series(headers: Sequence[Header]) -> list[Stack]:
    """Stacks in the images of one series; those on the grid that most images have come first.

    Images on another grid (matrix, pixel spacing, orientation), and colour pictures, are stacks of their own where they
    are even and cover the same region or lie in another plane; else they are left out.
    """
    slices = [header for header in headers if not header.is_localizer] or headers
    main, *others = sorted(_grids(slices), key=_count, reverse=True)
    own, left_out = [], []
    for group in others:
        if _stands_alone(group, main):
            own.append(group)
        else:
            left_out += group
    stacks = []
    for group in (main, *own):
        grid_name = _matrix(group[0]) if own else ""
        # Which of the stacks on the main grid they belong to is unknown.
        rest = tuple(left_out) if group is main else ()
        for name, part in _by_property(group):
            stacks.append(Stack(tuple(part), _joined(grid_name, name), rest))
    return stacks


def lost_slices(headers: Sequence[Header], left_out: Sequence[Header]) -> int:
    """Number of frames in ``left_out`` that lie in the plane of a stack at places where the stack has no slice."""
    parallel = [header for header in left_out if header.plane == headers[0].plane]
    if not parallel or not _have_places([*headers, *parallel]):
        return _count(parallel)
    stack = np.sort(along_normal(headers))
    reach = _SAME_PLACE * float(np.median(np.diff(stack))) if len(stack) > 1 else 0.0
    places = np.array(along_normal(parallel, headers[0]))
    return int(np.sum(np.abs(places[:, None] - stack).min(axis=1) > reach))


def _grids(headers: Iterable[Header]) -> list[list[Header]]:
    groups: list[list[Header]] = []
    for header in headers:
        group = next((group for group in groups if header.fits_grid_of(group[0])), None)
        if group is None:
            groups.append([header])
        else:
            group.append(header)
    return groups


def _by_property(group: list[Header]) -> list[tuple[str, list[Header]]]:
    """Stacks of one region that a property tells apart, with their names; all in one without name where none does."""
    if not _have_places(group):
        return [("", group)]
    for tag, values in _properties(group):
        parts: dict[str, list[Header]] = {}
        for header, value in zip(group, values, strict=True):
            parts.setdefault(value, []).append(header)
        stacks = list(parts.values())
        if len(stacks) > 1 and all(map(is_even, stacks)) and _cover_each_other(stacks):
            return [
                (_joined(_part_name(tag, value), name), stack)
                for value, part in parts.items()
                for name, stack in _by_property(part)
            ]
    return [("", group)]


def _part_name(tag: str, value: str) -> str:
    return _PART_NAMES[tag] + (value or "unknown") if tag in _PART_NAMES else ""


def _joined(*names: str) -> str:
    return ", ".join(filter(None, names))


def _properties(group: list[Header]) -> Iterable[tuple[str, list[str]]]:
    if any(header.size[2] > 1 for header in group):
        yield "file", [header.path.name for header in group]
        return
    for tag in DISTINGUISHING_TAGS:
        yield tag, [header.tags[tag] for header in group]


def _stands_alone(group: list[Header], main: list[Header]) -> bool:
    """True if what differs from the main grid is a stack, or several, and not a piece that the main one lacks."""
    stacks = [part for _, part in _by_property(group)]
    if not _have_places(group) or not all(_count(stack) > 1 and is_even(stack) for stack in stacks):
        return False
    return not _have_places(main) or group[0].plane != main[0].plane or _cover_each_other([main, group])


def _have_places(headers: Iterable[Header]) -> bool:
    return all(header.has_places for header in headers)


def is_even(headers: list[Header]) -> bool:
    """Whether the frames of all files together lie evenly, with a third of them missing at most."""
    try:
        grid = even_grid(along_normal(headers))
    except InputError:
        return False
    return len(grid.missing) <= _MOST_MISSING * len(grid.order)


def _cover_each_other(stacks: list[list[Header]]) -> bool:
    """True if two of the stacks lie over the same region, where slices of one stack would follow each other."""
    all_places = [along_normal(headers, stacks[0][0]) for headers in stacks]
    extents = [(min(places), max(places)) for places in all_places]
    return any(_overlap(one, other) for one, other in combinations(extents, 2))


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    shorter = min(one[1] - one[0], other[1] - other[0])
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shorter > 0 and shared >= _COVERING * shorter


def _count(headers: Iterable[Header]) -> int:
    return sum(header.size[2] for header in headers)


def _matrix(header: Header) -> str:
    columns, rows, _ = header.size
    return f"{columns} x {rows} pixels" + (f" of {header.spacing[0]:g} mm" if header.spacing else "")
