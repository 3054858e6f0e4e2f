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
_LEAST_SHARE = 0.25  # of all places, that the largest of several stacks covers


@dataclass(frozen=True)
class EvenGrid:
    """Where slices lie on an even grid.

    Attributes
    ----------
    order : for each grid plane, from the lowest position upwards, the index of its slice; None where it is missing.
    start, step : position of the first plane and distance of planes in mm; the step of a single slice is None.
    """

    order: tuple[int | None, ...]
    start: float
    step: float | None

    @property
    def missing(self) -> list[int]:
        """Planes without a slice."""
        return [plane for plane, index in enumerate(self.order) if index is None]

    def position(self, plane: int) -> float:
        """Position of a plane in mm."""
        return self.start + (self.step or 0.0) * plane


def even_grid(positions: Sequence[float]) -> EvenGrid:
    """The even grid that slices at ``positions`` (mm, any order) lie on.

    Raises
    ------
    InputError : positions occur twice, are irregular or leave a gap too wide to be filled. The text is the second
        half of a sentence that begins with the name of the series.
    """
    order = np.argsort(positions, kind="stable")
    sorted_mm = np.asarray(positions, float)[order]
    if len(sorted_mm) == 1:
        return EvenGrid((0,), float(sorted_mm[0]), None)
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
    filled: list[int | None] = [None] * (int(planes[-1]) + 1)
    for plane, index in zip(planes, order, strict=True):
        filled[plane] = int(index)
    return EvenGrid(tuple(filled), float(start), round(float(step), 6))


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
