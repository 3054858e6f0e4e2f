"""Training cases made from the synthetic thorax: as files, and as small cached cases in memory."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from synthetic_thorax import Thorax

from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.slices.slice_cache import CachedCase, SliceFrame


def write_case(
    folder: Path,
    name: str = "thorax",
    spacing: tuple[float, float, float] = (1.2, 1.2, 20.0),
    extent: tuple[float, float, float] = (402.0, 300.0, 320.0),
    thorax: Thorax | None = None,
) -> Case:
    """CT and mask of a thorax as ``.nii`` files in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    ct, mask = folder / f"{name}_ct.nii", folder / f"{name}_mask.nii"
    for image, path in zip((thorax or Thorax()).scan(spacing, extent), (ct, mask), strict=True):
        sitk.WriteImage(image, str(path))
    return Case(name, ct, mask, split="train", patient=name)


def write_data_set(folder: Path, splits: dict[str, str]) -> Path:
    """Small thoraxes by name, and the list (``cases.csv``) that says the split of each; returns the list."""
    for name in splits:
        write_case(folder, name, (6.0, 6.0, 20.0), thorax=Thorax(noise=5.0))
    rows = [(name, f"{name}_ct.nii", f"{name}_mask.nii", split) for name, split in splits.items()]
    path = folder / "cases.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("case", "ct", "mask", "split"), *rows])
    return path


def change_a_voxel(mask: Path) -> None:
    """Right becomes left, and whatever else right, in one voxel of a mask file."""
    image = sitk.ReadImage(str(mask))
    place = tuple(size // 2 for size in image.GetSize())
    image[place] = 2 if image[place] == 1 else 1
    sitk.WriteImage(image, str(mask))


def small_case(
    name: str = "small", slices: int = 8, with_lung: tuple[int, ...] | None = None, seed: int = 0
) -> CachedCase:
    """A case of 96 x 128 pixels with two bright-walled round lungs, shown in a frame of 64 x 88 pixels.

    ``with_lung`` are the slices that have lung; all, when left out.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:96, :128]
    body = ((y - 48) / 44) ** 2 + ((x - 64) / 60) ** 2 < 1
    hu = np.where(body, 40, -1000)[None].repeat(slices, axis=0) + rng.normal(0, 15, (slices, 96, 128))
    labels = body[None].repeat(slices, axis=0).astype(np.uint8)
    lung_slices = np.arange(slices) if with_lung is None else np.array(with_lung, int)
    for index in lung_slices:
        for value, column in ((2, 38), (3, 90)):
            lung = ((y - 46) / 26) ** 2 + ((x - column) / 18) ** 2 < 1
            hu[index][lung] -= 890
            labels[index][lung] = value
    frame = SliceFrame.around((-0.5, 95.5, -0.5, 127.5), (64, 88))
    return CachedCase(name, np.rint(hu).astype(np.int16), labels, 5.0, frame, lung_slices)


def write_huge_ct(path: Path) -> None:
    """A CT (.nrrd) whose header tells 2 TB, which no memory holds."""
    header = (
        "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 100000 100000 100\n"
        "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\nendian: little\nencoding: raw\n\n"
    )
    path.write_bytes(header.encode() + bytes(1000))
