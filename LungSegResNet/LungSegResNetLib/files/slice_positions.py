"""From slice positions to an even grid: order, distance, gaps that can be filled, and stacks that have to be parted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError

_SAME_PLACE_MM = 0.01
# A slice may lie this fraction of the distance off the even grid, or what rounding of positions to 0.1 mm makes of it.
_TOLERANCE = 0.2
_ROUNDING_MM = 0.11
_WIDEST_GAP_MM = 30.0
_MOST_MISSING = 1 / 3  # of all planes; of slices that lie unevenly, of the length of the scan
# Of slices that lie unevenly: at distances up to this none is missing, and the even grid has at most so many planes for
# each of them.
_COARSE_MM = 10.0
_MOST_PLANES = 4
_LEAST_SHARE = 0.25  # of all places, that the largest of several stacks covers


@dataclass(frozen=True)
class EvenGrid:
    """What shows each plane of an even grid.

    Attributes
    ----------
    sources : for each plane, from the lowest position upwards, the index of the slice below it, of that above it, and
        how far it is from the one to the other, 0..1; both are the same where a slice lies on the plane.
    start, step : position of the first plane and distance of planes in mm; the step of a single slice is None.
    missing : planes whose slice is missing; the sources are its neighbours.
    """

    sources: tuple[tuple[int, int, float], ...]
    start: float
    step: float | None
    missing: tuple[int, ...] = ()

    def position(self, plane: int) -> float:
        """Position of a plane in mm."""
        return self.start + (self.step or 0.0) * plane


def even_grid(positions: Sequence[float]) -> EvenGrid:
    """The even grid that slices at ``positions`` (mm, any order) lie on.

    Raises
    ------
    InputError : positions occur twice, are irregular, or too many are missing or too many together. The text is the
        second half of a sentence that begins with the name of the series.
    """
    order = np.argsort(positions, kind="stable")
    sorted_mm = np.asarray(positions, float)[order]
    if len(sorted_mm) == 1:
        return EvenGrid(((0, 0, 0.0),), float(sorted_mm[0]), None)
    gaps = np.diff(sorted_mm)
    if gaps.min() < _SAME_PLACE_MM:
        raise InputError(f"has several slices at the same position ({sorted_mm[int(gaps.argmin())]:.2f} mm)")
    typical = float(np.median(gaps))
    multiples = np.rint(gaps / typical).astype(int)
    planes = np.concatenate([[0], np.cumsum(multiples)])
    step, start = np.polyfit(planes, sorted_mm, 1) if multiples.min() > 0 else (typical, sorted_mm[0])
    off_grid = np.abs(start + step * planes - sorted_mm).max()
    off_step = np.abs(gaps - step * multiples).max()
    if multiples.min() < 1 or max(off_grid, off_step) > max(_TOLERANCE * step, _ROUNDING_MM):
        raise InputError(f"has irregular slice distances ({gaps.min():.2f} to {gaps.max():.2f} mm)")
    if (widest := float((multiples.max() - 1) * step)) > _WIDEST_GAP_MM:
        raise InputError(f"has a gap of {widest:.0f} mm between its slices")
    missing = np.setdiff1d(np.arange(count := int(planes[-1]) + 1), planes)
    if len(missing) > _MOST_MISSING * count:
        raise InputError(f"lacks {len(missing)} of its {count} slices")
    sources = _sources(np.arange(float(count)), planes.astype(float), order)
    return EvenGrid(sources, float(start), round(float(step), 6), tuple(missing.tolist()))


def interpolated_grid(positions: Sequence[float]) -> EvenGrid:
    """An even grid over the extent of slices that lie unevenly, about as dense as where they are closest.

    Parameters
    ----------
    positions : mm, any order, at least two and all different.

    Raises
    ------
    InputError : too little is known between the slices. The text is the second half of a sentence, as of `even_grid`.
    """
    order = np.argsort(positions, kind="stable")
    sorted_mm = np.asarray(positions, float)[order]
    gaps = np.diff(sorted_mm)
    beyond = (gaps - max(float(np.median(gaps)), _COARSE_MM)).clip(min=0.0)
    if (widest := float(beyond.max())) > _WIDEST_GAP_MM:
        raise InputError(f"has a gap of {widest:.0f} mm between its slices")
    extent = float(np.ptp(sorted_mm))
    if beyond.sum() > _MOST_MISSING * extent:
        raise InputError(f"has irregular slice distances ({gaps.min():.2f} to {gaps.max():.2f} mm)")
    # A few slices that lie close by chance do not count.
    closest = max(float(np.quantile(gaps, 0.1)), extent / (_MOST_PLANES * len(gaps)))
    planes_mm = np.linspace(sorted_mm[0], sorted_mm[-1], max(1, round(extent / closest)) + 1)
    step = round(float(planes_mm[1] - planes_mm[0]), 6)
    return EvenGrid(_sources(planes_mm, sorted_mm, order), float(sorted_mm[0]), step)


def _sources(planes: np.ndarray, places: np.ndarray, order: np.ndarray) -> tuple[tuple[int, int, float], ...]:
    """`EvenGrid.sources` of planes at ascending coordinates; ``places`` are those of the slices, also ascending."""
    exact = np.interp(planes, places, np.arange(float(len(places))))
    below, above = np.floor(exact).astype(int), np.ceil(exact).astype(int)
    return tuple(zip(order[below].tolist(), order[above].tolist(), (exact - below).tolist(), strict=True))


def shared_places(positions: Sequence[float]) -> list[list[int]]:
    """Indices of the slices at each position (mm, any order) that several have, from the lowest position upwards."""
    order = np.argsort(positions, kind="stable")
    begins = np.flatnonzero(np.diff(np.asarray(positions, float)[order]) >= _SAME_PLACE_MM) + 1
    return [sorted(place.tolist()) for place in np.split(order, begins) if len(place) > 1]


def part_stacks(positions: Sequence[float], keys: Sequence[Sequence[str]], numbers: Sequence[int]) -> list[list[int]]:
    """Part slices that were stored together into stacks that are even each, largest first; [] where that fails.

    Parameters
    ----------
    positions : mm along the stack.
    keys : properties that may tell the stacks apart (reconstruction kernel, thickness ...), each with one value per
        slice, tried in this order.
    numbers : instance numbers; where no property helps, stacks that follow each other completely are parted by them.
    """
    places = len(np.unique(np.round(np.asarray(positions) / _SAME_PLACE_MM)))
    # A property that differs from slice to slice, as the acquisition number may, parts nothing.
    least = max(2, _LEAST_SHARE * places)
    for values in keys:
        groups: dict[str, list[int]] = {}
        for index, value in enumerate(values):
            groups.setdefault(value, []).append(index)
        stacks = sorted(groups.values(), key=len, reverse=True)
        if len(stacks) > 1 and len(stacks[0]) >= least and _all_even(stacks, positions):
            return stacks
    if 1 < places < len(positions) and len(positions) % places == 0:
        by_number = sorted(range(len(positions)), key=lambda index: numbers[index])
        runs = [by_number[first : first + places] for first in range(0, len(positions), places)]
        if _all_even(runs, positions):
            return runs
    return []


def _all_even(groups: Iterable[list[int]], positions: Sequence[float]) -> bool:
    try:
        for group in groups:
            even_grid([positions[index] for index in group])
    except InputError:
        return False
    return True
