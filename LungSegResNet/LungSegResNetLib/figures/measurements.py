"""Volume, density and mass of the lungs in a CT, as numbers, CSV, JSON and a table for the terminal."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..ct_volume import CTVolume
from ..errors import InputError
from ..labels import LUNG_SEGMENTS
from ..tables import Cell, aligned, finite, write_rows

PERCENTILES = (5, 50, 95)


@dataclass(frozen=True)
class DensityBand:
    """Voxels with ``low`` <= HU < ``high``; ``key`` names the column, ``meaning`` what such tissue mostly is."""

    key: str
    low: float
    high: float
    title: str
    meaning: str


# -950 HU: emphysema on thin inspiratory CT (Gevenois et al., Am J Respir Crit Care Med 1996;154:187).
# -950..-700 HU: well-aerated lung (Colombi et al., Radiology 2020;296:E86).
# Above that, studies place their edges within about 100 HU of the ones used here; -700 and -300 HU part hazy from
# dense opacity, and +100 HU keeps soft tissue apart from calcium, metal and vessels with contrast agent.
# The other common scheme, of Gattinoni et al. (edges -1000, -900, -500, -100, 100 HU: over-, normally, poorly, not
# aerated), serves ventilated patients. Slice thickness, kernel, inspiration and contrast agent shift all shares.
DENSITY_BANDS: tuple[DensityBand, ...] = (
    DensityBand(
        "below_-950_hu",
        -np.inf,
        -950.0,
        "below -950 HU",
        "emphysema index, in thin slices at full inspiration without contrast agent",
    ),
    DensityBand("-950_to_-700_hu", -950.0, -700.0, "-950 to -700 HU", "well-aerated lung"),
    DensityBand("-700_to_-300_hu", -700.0, -300.0, "-700 to -300 HU", "ground glass, poorly aerated lung"),
    DensityBand("-300_to_100_hu", -300.0, 100.0, "-300 to 100 HU", "consolidation, atelectasis, vessels"),
    DensityBand("above_100_hu", 100.0, np.inf, "100 HU and above", "contrast agent, calcium, metal"),
)


@dataclass(frozen=True)
class Quantity:
    """What a column of `LungMeasurement.as_row` is called in a table, and what it means if that does not say it."""

    key: str
    title: str
    decimals: int = 0
    meaning: str = ""

    def text(self, value: Cell) -> str:
        """A value as a table has it; a dash where there is none."""
        return "-" if value is None else f"{value:.{self.decimals}f}"


QUANTITIES: tuple[Quantity, ...] = (
    Quantity("volume_ml", "Volume (ml)"),
    Quantity("mean_hu", "Mean density (HU)"),
    Quantity("sd_hu", "Density SD (HU)"),
    *(Quantity(f"p{p}_hu", "Median (HU)" if p == 50 else f"{p}th percentile (HU)") for p in PERCENTILES),
    *(Quantity(f"{band.key}_percent", f"{band.title} (%)", 1, band.meaning) for band in DENSITY_BANDS),
    Quantity("mass_g", "Mass (g)"),
    Quantity("slices", "Slices"),
)


@dataclass(frozen=True)
class LungMeasurement:
    """One lung, or both: ``region`` is "right lung", "left lung" or "lungs".

    Where the region is empty, volume, mass and slices are 0 and everything else is None.

    Attributes
    ----------
    volume_ml : volume in ml.
    mean_hu, sd_hu : mean and (population) standard deviation of the density in HU.
    percentiles_hu : density in HU at `PERCENTILES`.
    band_percent : share of the region's voxels in each of `DENSITY_BANDS`, in percent.
    mass_g : air as 0 and water as 1 g/ml: volume * (mean_hu + 1000) / 1000.
    slices : number of axial slices that hold some of the region.
    """

    region: str
    volume_ml: float
    mean_hu: float | None
    sd_hu: float | None
    percentiles_hu: tuple[float | None, ...]
    band_percent: tuple[float | None, ...]
    mass_g: float
    slices: int

    def as_row(self) -> dict[str, Cell]:
        """The measurement under its column names, which carry the units; ready for CSV and JSON."""
        return {
            "region": self.region,
            "volume_ml": self.volume_ml,
            "mean_hu": self.mean_hu,
            "sd_hu": self.sd_hu,
            **{f"p{p}_hu": value for p, value in zip(PERCENTILES, self.percentiles_hu, strict=True)},
            **{f"{band.key}_percent": s for band, s in zip(DENSITY_BANDS, self.band_percent, strict=True)},
            "mass_g": self.mass_g,
            "slices": self.slices,
        }


def measure_lungs(ct: CTVolume, mask: np.ndarray) -> list[LungMeasurement]:
    """Measure right lung, left lung and both, in this order; ``mask`` holds 1 right, 2 left, shape of ``ct.hu``.

    A boolean mask knows no sides, and gives both lungs only.

    Raises
    ------
    InputError : the mask differs from the CT in shape.
    """
    if mask.shape != ct.hu.shape:
        raise InputError("The mask does not lie on the grid of the CT; resample it to the CT before measuring.")
    if mask.dtype == bool:
        return [_measure("lungs", ct.hu[mask], int(mask.any(axis=(1, 2)).sum()), ct.voxel_ml)]
    measurements, densities = [], []
    on_any_slice = np.zeros(len(mask), bool)
    for segment in LUNG_SEGMENTS:
        inside = mask == segment.label
        on_slice = inside.any(axis=(1, 2))
        hu = ct.hu[inside]
        measurements.append(_measure(segment.name, hu, int(on_slice.sum()), ct.voxel_ml))
        densities.append(hu)
        on_any_slice |= on_slice
    measurements.append(_measure("lungs", np.concatenate(densities), int(on_any_slice.sum()), ct.voxel_ml))
    return measurements


def _measure(region: str, hu: np.ndarray, slices: int, voxel_ml: float) -> LungMeasurement:
    """``hu`` are the densities of the region's voxels only, in any order."""
    if hu.size == 0:
        nothing = (None,) * len(DENSITY_BANDS)
        return LungMeasurement(region, 0.0, None, None, (None,) * len(PERCENTILES), nothing, 0.0, 0)
    volume, mean = hu.size * voxel_ml, float(hu.mean(dtype=np.float64))
    at_least = [int(np.count_nonzero(hu >= band.low)) for band in DENSITY_BANDS] + [0]
    return LungMeasurement(
        region=region,
        volume_ml=volume,
        mean_hu=mean,
        sd_hu=float(hu.std(dtype=np.float64)),
        percentiles_hu=tuple(float(value) for value in np.percentile(hu, PERCENTILES)),
        band_percent=tuple(100.0 * (low - high) / hu.size for low, high in itertools.pairwise(at_least)),
        mass_g=volume * (mean + 1000.0) / 1000.0,
        slices=slices,
    )


def measurements_as_json(measurements: Sequence[LungMeasurement]) -> list[dict[str, Cell]]:
    """Objects for ``json.dump``, one for each region; units are in the keys, what does not exist is null."""
    return [{key: finite(value) for key, value in m.as_row().items()} for m in measurements]


def write_measurements(path: str | os.PathLike[str], measurements: Sequence[LungMeasurement], overwrite: bool) -> None:
    """Write one row for each region to a .csv or .json file.

    Raises
    ------
    UsageError : the file name has another ending.
    OutputError : the file exists and ``overwrite`` is false, or cannot be written.
    """
    write_rows(path, measurements_as_json(measurements), overwrite)


def table_from_json(rows: Sequence[Mapping[str, Cell]]) -> str:
    """A short aligned table for a terminal from `measurements_as_json`: quantities downwards, regions across."""
    lines = [["", *(str(row["region"]) for row in rows)]]
    lines += [[one.title, *(one.text(row[one.key]) for row in rows)] for one in QUANTITIES]
    return aligned(lines)
