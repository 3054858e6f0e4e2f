"""How much the mask of one real CT changes when the scan does (make robustness).

``python Testing/robustness.py FOLDER``: FOLDER holds or gets the sample CT. Every row is the Dice between the lungs of
the changed scan and those of the scan as it is, compared on the scan's own grid.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import conftest  # noqa: F401  puts the packages on the path
import numpy as np
import SimpleITK as sitk
from fetch_sample import fetch_sample
from scipy import ndimage

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.files.reading import read_ct
from LungSegResNetLib.lungs.segmentation import segment
from LungSegResNetLib.network.engines import EngineSettings, load_engine
from LungSegResNetLib.network.predictor import Predictor

Change = Callable[[sitk.Image], sitk.Image]


def on_voxels(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    """A change of HU values (float32, z, y, x) on the same grid."""

    def changed(image: sitk.Image) -> sitk.Image:
        hu = change(sitk.GetArrayFromImage(image).astype(np.float32))
        result = sitk.GetImageFromArray(np.rint(hu.clip(-2048, 4000)).astype(np.int16))
        result.CopyInformation(image)
        return result

    return changed


def with_slices_of(thickness: float) -> Change:
    """Slices of another thickness (mm): averaged where it is coarser, interpolated where it is finer."""

    def changed(image: sitk.Image) -> sitk.Image:
        x, y, z = image.GetSpacing()
        if thickness > z:
            image = sitk.RecursiveGaussian(image, thickness / 2.5, direction=2)
        size = list(image.GetSize())
        size[2] = int((size[2] - 1) * z / thickness) + 1
        spacing = (x, y, thickness)
        grid = (image.GetOrigin(), spacing, image.GetDirection(), -1024, sitk.sitkInt16)
        return sitk.Resample(image, size, sitk.Transform(), sitk.sitkLinear, *grid)

    return changed


def narrow_field(hu: np.ndarray) -> np.ndarray:
    """Everything outside a circle of 70 % of the width is outside the scanner's field."""
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in hu.shape[1:])
    outside = np.hypot(rows[:, None], columns[None, :]) > 0.35 * hu.shape[2]
    return np.where(outside, -2048.0, hu)


def noise(sigma: float) -> Change:
    """White noise of this standard deviation (HU)."""
    return on_voxels(lambda hu: hu + sigma * np.random.default_rng(0).standard_normal(hu.shape, np.float32))


def sharp(hu: np.ndarray) -> np.ndarray:
    """A sharp kernel: unsharp masking in the plane."""
    return hu + 1.5 * (hu - ndimage.gaussian_filter(hu, (0, 1.2, 1.2)))


CHANGES: dict[str, Change] = {
    "slices of 5 mm": with_slices_of(5.0),
    "slices of 1.25 mm": with_slices_of(1.25),
    "slices of 10 mm": with_slices_of(10.0),
    "noise of 50 HU": noise(50.0),
    "noise of 100 HU": noise(100.0),
    "noise of 200 HU": noise(200.0),
    "sharp kernel": on_voxels(sharp),
    "soft kernel": on_voxels(lambda hu: ndimage.gaussian_filter(hu, (0, 1.5, 1.5))),
    "30 HU too high": on_voxels(lambda hu: hu + 30.0),
    "30 HU too low": on_voxels(lambda hu: hu - 30.0),
    "clipped to -1000..100 HU": on_voxels(lambda hu: hu.clip(-1000.0, 100.0)),
    "turned by 180 degrees (wrong header)": on_voxels(lambda hu: hu[:, ::-1, ::-1]),
    "narrow field of view": on_voxels(narrow_field),
}


def main(folder: Path) -> None:
    """Print the table."""
    predictor = load_engine(EngineSettings(device="cpu")).predictor
    path = fetch_sample(folder)
    image = read_ct(path)[0]
    plain = image.to_native(image.hu)
    expected = lungs_of(plain, predictor)
    print("| change of the scan | Dice with the scan as it is |\n|---|---|")
    for name, change in CHANGES.items():
        found = sitk.Resample(lungs_of(change(plain), predictor), expected, sitk.Transform(), sitk.sitkNearestNeighbor)
        first, second = sitk.GetArrayFromImage(found) > 0, sitk.GetArrayFromImage(expected) > 0
        if "180" in name:
            first = first[:, ::-1, ::-1]
        if "field" in name:
            second = second & (narrow_field(np.zeros(second.shape, np.float32)) > -1)
        dice = 2.0 * (first & second).sum() / (first.sum() + second.sum())
        print(f"| {name} | {dice:.3f} |", flush=True)


def lungs_of(image: sitk.Image, predictor: Predictor) -> sitk.Image:
    """Label image on the grid of ``image``."""
    ct = CTVolume.from_sitk(image, "scan")
    return ct.to_native(segment(ct, predictor).mask)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
