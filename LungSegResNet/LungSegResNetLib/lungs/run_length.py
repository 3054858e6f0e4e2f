"""Connected components of a mask, found on its runs along x: a lung has a hundredth as many of them as voxels."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from .slicewise import SLAB, over_slabs, over_slices

_AT_A_TIME = 1 << 13  # runs


@dataclass(frozen=True)
class RunLengths:
    """Runs of the true voxels of a mask (z, y, x), in the order in which the voxels lie in memory.

    Attributes
    ----------
    shape : of the mask.
    starts, stops : first place of each run and the one behind its last. Places count the voxels of a mask with one
        more row and one more column, both empty, so that neither rows nor slices run into each other.
    """

    shape: tuple[int, int, int]
    starts: np.ndarray
    stops: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray) -> RunLengths:
        """Runs of a mask (bool)."""
        _, height, width = mask.shape

        def ends_of(slab: np.ndarray) -> np.ndarray:
            ends = np.zeros((len(slab), height + 1, width + 1), bool)
            ends[:, :height, :width] = slab
            ends[:, :height, 1:] ^= slab
            return np.flatnonzero(ends)

        step = SLAB * (height + 1) * (width + 1)
        ends = np.concatenate([found + number * step for number, found in enumerate(over_slabs(ends_of, mask))])
        return cls(mask.shape, ends[::2].copy(), ends[1::2].copy())

    def chosen(self, which: np.ndarray) -> RunLengths:
        """Those runs for which ``which`` (bool) holds."""
        return RunLengths(self.shape, self.starts[which], self.stops[which])

    @property
    def lengths(self) -> np.ndarray:
        """Voxels of each run."""
        return self.stops - self.starts

    def indices(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """z, y, x of the first voxel of each run."""
        _, height, width = self.shape
        rows, x = np.divmod(self.starts, width + 1)
        z, y = np.divmod(rows, height + 1)
        return z, y, x

    def voxels_of_columns(self) -> np.ndarray:
        """Number of voxels with each x."""
        width = self.shape[2]
        _, _, x = self.indices()
        begun, ended = (np.bincount(ends, minlength=width + 1) for ends in (x, x + self.lengths))
        return np.cumsum(begun - ended)[:width]

    def at_frame(self) -> np.ndarray:
        """Whether a run touches the frame of its slice (bool)."""
        _, height, width = self.shape
        _, y, x = self.indices()
        return (y == 0) | (y == height - 1) | (x == 0) | (x + self.lengths == width)

    def voxels(self) -> np.ndarray:
        """Indices of all voxels in the flat mask, run after run."""
        lengths = self.lengths
        before = np.cumsum(lengths) - lengths
        starts = np.ravel_multi_index(self.indices(), self.shape)
        return np.repeat(starts - before, lengths) + np.arange(lengths.sum())

    def painted(self) -> np.ndarray:
        """The mask (bool) of these runs."""
        mask = np.zeros(self.shape, bool)
        np.put(mask, self.voxels(), True)
        return mask

    def box(self) -> tuple[slice, slice, slice]:
        """Slices that hold all voxels; there has to be one."""
        z, y, x = self.indices()
        ends = ((z.min(), z.max() + 1), (y.min(), y.max() + 1), (x.min(), (x + self.lengths).max()))
        z_range, y_range, x_range = (slice(int(begin), int(end)) for begin, end in ends)
        return z_range, y_range, x_range

    def components(self, *, within_slices: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Number of the component that each run belongs to, from 0 in the order of first voxels; voxels of each one.

        Voxels are joined through their six faces, or ``within_slices`` through four.
        """
        count = len(self.starts)
        if count == 0:
            return np.zeros(0, np.int32), np.zeros(0, np.int64)
        _, height, width = self.shape
        steps = [width + 1] if within_slices else [width + 1, (height + 1) * (width + 1)]
        some = [slice(begin, begin + _AT_A_TIME) for begin in range(0, count, _AT_A_TIME)]
        met = over_slices(lambda pair: self._met(*pair), itertools.product(some, steps))
        first, second = np.concatenate(met, axis=1)
        joined = sparse.coo_matrix((np.ones(len(first), bool), (first, second)), (count, count))
        _, numbers = csgraph.connected_components(joined, directed=False)
        return numbers, np.bincount(numbers, self.lengths).astype(np.int64)

    def holes_of_slices(self) -> tuple[RunLengths, np.ndarray]:
        """Of the runs of a background, those of holes closed in within their slice; pixels of the hole of each."""
        numbers, sizes = self.components(within_slices=True)
        is_open = np.zeros_like(sizes, bool)
        is_open[numbers[self.at_frame()]] = True
        is_hole = ~is_open[numbers]
        return self.chosen(is_hole), sizes[numbers[is_hole]]

    def _met(self, some: slice, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of runs, the first one among ``some``, that overlap when the first one is moved so many places on."""
        begin = np.searchsorted(self.stops, self.starts[some] + step, side="right")
        end = np.searchsorted(self.starts, self.stops[some] + step, side="left")
        met = end - begin
        before = np.cumsum(met) - met
        first = np.repeat(np.arange(some.start, some.start + len(met)), met)
        return first, np.repeat(begin - before, met) + np.arange(met.sum())
